/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        dec     %rdi
        mov     %rdi, %rax
        jne     f
        ret
END
