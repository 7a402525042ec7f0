/* SPDX-License-Identifier: Apache-2.0 */
/* goto *(label + distance), the label kept on the stack (-O0). */
#include "case.h"
FUNC
        push    %rbp
        mov     %rsp, %rbp
        lea     2f(%rip), %rcx
        mov     %rcx, -8(%rbp)
        add     %rdi, -8(%rbp)
        jmp     *-8(%rbp)
2:      pop     %rbp
        ret
END
