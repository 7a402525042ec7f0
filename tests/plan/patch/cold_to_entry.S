/* SPDX-License-Identifier: Apache-2.0 */
/* The other part comes back to the entry itself: no calls. */
#include "case.h"
FUNC
0:      mov     %rdi, %rax
        mov     %esi, %edx
        test    %rdi, %rdi
        je      2f
        ret
END
        .balign 16
        .skip   256, 0x90
        .type   f.cold, @function
f.cold:
2:      .cfi_startproc
        inc     %rdi
        jmp     0b
        .cfi_endproc
        .size   f.cold, . - f.cold
