/* SPDX-License-Identifier: Apache-2.0 */
/* The part elsewhere has no unwind entry. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        je      2f
        ret
END
        .balign 16
        .skip   256, 0x90
2:      inc     %rdi
        jmp     1b
