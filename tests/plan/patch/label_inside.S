/* SPDX-License-Identifier: Apache-2.0 */
/* A second entry in the first bytes. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        .globl  second
second: mov     %esi, %edx
        add     %rdx, %rax
        ret
END
