/* SPDX-License-Identifier: Apache-2.0 */
/* A distance to the entry, and data in the middle: what reads it is not
 * known. */
#include "case.h"
FUNC
.Lself:
        mov     %rdi, %rax
        inc     %rax
        call    .Lself
        jmp     1f
        .byte   0x06, 0x07
1:      ret
END
