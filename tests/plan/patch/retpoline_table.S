/* SPDX-License-Identifier: Apache-2.0 */
/* A jump table behind a retpoline: nothing looks like an indirect jump. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      inc     %edx
        lea     table(%rip), %rcx
        movslq  (%rcx,%rax,4), %rax
        add     %rcx, %rax
        jmp     thunk
2:      ret
END
        .balign 32
thunk:  call    3f
4:      pause
        lfence
        jmp     4b
3:      mov     %rax, (%rsp)
        ret
        .data
        .balign 4
table:  .long   2b - table
        .long   1b - table
        .long   0x7fffffff
