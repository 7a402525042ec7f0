/* SPDX-License-Identifier: Apache-2.0 */
/* Data in the middle: a branch cannot be excluded. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        inc     %rax
        jmp     1f
        .byte   0x06, 0x07
1:      ret
END
