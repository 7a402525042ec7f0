/* SPDX-License-Identifier: Apache-2.0 */
/* A table of labels whose first one is the entry itself. */
#include "case.h"
FUNC
0:      mov     %rdi, %rax
        inc     %edx
        lea     table(%rip), %rcx
        jmp     *(%rcx,%rax,8)
2:      ret
END
        .data
        .balign 8
table:  .quad   0b
        .quad   2b
