/* SPDX-License-Identifier: Apache-2.0 */
/* A label without a size. */
#include "case.h"
        .globl  f
f:      mov     %rdi, %rax
        inc     %rax
        ret
