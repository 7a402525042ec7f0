/* SPDX-License-Identifier: Apache-2.0 */
/* Two functions that tail-call each other: a jump to the entry is a call. */
#include "case.h"
FUNC
0:      mov     %rdi, %rax
        mov     %esi, %edx
        test    %rdi, %rdi
        je      g
        ret
END
        .balign 16
        .skip   256, 0x90
FUNC g
        inc     %rdi
        jmp     0b
END g
