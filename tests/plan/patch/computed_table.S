/* SPDX-License-Identifier: Apache-2.0 */
/* Another function jumps by a table of distances, some to its own labels. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        ret
END
        .balign 16
        .skip   256, 0x90
FUNC g
        lea     table(%rip), %rdx
        movslq  (%rdx,%rdi,4), %rax
        add     %rdx, %rax
        jmp     *%rax
2:      ret
END g
        .section .rodata
        .balign 4
table:  .long   2b - table
        .long   1b - table
