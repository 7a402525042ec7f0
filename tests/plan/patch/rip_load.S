/* SPDX-License-Identifier: Apache-2.0 */
/* A rip-relative operand leads to the same word. */
#include "case.h"
FUNC
        mov     word(%rip), %rax
        ret
END
