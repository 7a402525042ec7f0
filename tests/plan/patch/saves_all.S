/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes, stores into its frame and clears registers: compiled code. */
#include "case.h"
FUNC
        mov     %rbx, -8(%rsp)
        mov     %rbp, -16(%rsp)
        xor     %ebp, %ebp
        mov     %rdi, %rbx
        mov     %rbx, %rax
        mov     -8(%rsp), %rbx
        mov     -16(%rsp), %rbp
        ret
END
