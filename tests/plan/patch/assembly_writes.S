/* SPDX-License-Identifier: Apache-2.0 */
/* A callee-saved register is written that nobody saved. */
#include "case.h"
FUNC
        mov     $1, %ebx
        lea     (%rdi,%rdi), %rax
        ret
END
