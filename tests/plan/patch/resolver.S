/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        lea     word(%rip), %rax
        ret
END
        .type   f, @gnu_indirect_function
