/* SPDX-License-Identifier: Apache-2.0 */
/* The address of f is taken, and numbers are there that would lead behind its
 * first bytes, but nothing is added to it. */
#include "case.h"
FUNC
9:
        mov     %rdi, %rax
        mov     %esi, %edx
        test    %rdi, %rdi
        ret
END
        .balign 16
        .skip   256, 0x90
FUNC g
        lea     9b(%rip), %rdi
        mov     8(%rsi), %rax
        add     $3, %rsi
        jmp     *%rax
END g
