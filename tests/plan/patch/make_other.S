/* SPDX-License-Identifier: Apache-2.0 */
/* As make_fcontext.S, by a name of which nothing is known: in an object with
 * unwind tables that do not have it. */
# symbol: make_context
#include "case.h"
        .text
        .globl  make_context
        .type   make_context, @function
make_context:
        mov     %rdi, %rax
        and     $-16, %rax
        lea     -0x40(%rax), %rax
        lea     1f(%rip), %rcx
        mov     %rcx, 0x38(%rax)
        lea     2f(%rip), %rcx
        mov     %rcx, 0x30(%rax)
        ret
1:      push    %rbp
        jmp     *%rbx
2:      xor     %edi, %edi
        hlt
        .size   make_context, . - make_context
        .irp    name, a, b, c, d, e, g, h, i, j
FUNC \name
        ret
END \name
        .endr
