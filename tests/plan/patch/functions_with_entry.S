/* SPDX-License-Identifier: Apache-2.0 */
/* A table of functions, this one among them, that it tail-calls through. */
#include "case.h"
FUNC
0:      mov     %rdi, %rax
        inc     %edx
        lea     table(%rip), %rcx
        jmp     *(%rcx,%rax,8)
END
FUNC g
        ret
END g
        .data
        .balign 8
table:  .quad   0b
        .quad   g
