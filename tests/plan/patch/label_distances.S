/* SPDX-License-Identifier: Apache-2.0 */
/* goto *(&&2 + table[i]): where to is not known. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      inc     %edx
        lea     2f(%rip), %rcx
        lea     table(%rip), %rdx
        movswq  (%rdx,%rax,2), %rax
        add     %rcx, %rax
        jmp     *%rax
2:      ret
END
        .data
        .balign 2
table:  .short  2b - 2b
        .short  1b - 2b
