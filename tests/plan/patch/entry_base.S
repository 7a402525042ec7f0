/* SPDX-License-Identifier: Apache-2.0 */
/* goto *(&&a + table[i]), where `a` is the first label: gcc -Os. */
#include "case.h"
FUNC
9:
        incl    (%rdi)
        movb    (%rsi), %al
        lea     9b(%rip), %rcx
        inc     %rsi
        and     $3, %eax
        movswq  table(%rip), %r8
        mov     %rcx, %rdx
        add     %r8, %rdx
        jmp     *%rdx
2:      addl    $2, (%rdi)
        mov     (%rdi), %eax
        ret
END
        .section .rodata
table:  .word   0, 2b - 9b
