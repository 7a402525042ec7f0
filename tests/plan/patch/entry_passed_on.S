/* SPDX-License-Identifier: Apache-2.0 */
/* Its own address is chosen, kept and called; behind the jumps that end each
 * of these paths other code adds to the same registers. */
#include "case.h"
FUNC
9:
        test    %edi, %edi
        je      2f
        lea     9b(%rip), %rax
        jmp     1f
        nopl    8(%rax)
2:      lea     other(%rip), %rax
        mov     8(%rax), %rax
1:      mov     %rax, kept(%rip)
        jmp     *%rax
        nopw    8(%rax,%rax,1)
        xor     %eax, %eax
        lea     9b(%rip), %rsi
        jmp     g
        add     $8, %rsi
        lea     9b(%rip), %rdx
        mov     %rdx, kept(%rip)
        ret
        add     (%rcx), %rdx
        jmp     *%rdx
END
FUNC g
        mov     %rsi, kept(%rip)
        ret
END g
        .data
kept:   .quad   0
other:  .quad   0, 0
