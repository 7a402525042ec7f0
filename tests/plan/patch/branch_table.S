/* SPDX-License-Identifier: Apache-2.0 */
/* A jump table does. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      inc     %edx
        lea     table(%rip), %rcx
        movslq  (%rcx,%rax,4), %rax
        add     %rcx, %rax
        jmp     *%rax
2:      ret
END
        .data
        .balign 4
table:  .long   2b - table
        .long   1b - table
        .long   0x7fffffff
