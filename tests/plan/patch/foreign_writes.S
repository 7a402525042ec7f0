/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves other registers behind than C may. */
#include "case.h"
FUNC
        lea     word(%rip), %rbx
        mov     %rbx, %rax
        jmp     *word(%rip)
END
