/* SPDX-License-Identifier: Apache-2.0 */
/* Boost's, in an object with unwind tables that do not have it: it jumps
 * nowhere, the labels are the fiber's. */
# symbol: make_fcontext
#include "case.h"
        .text
        .globl  make_fcontext
        .type   make_fcontext, @function
make_fcontext:
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
        .size   make_fcontext, . - make_fcontext
        .irp    name, a, b, c, d, e, g, h, i, j
FUNC \name
        ret
END \name
        .endr
