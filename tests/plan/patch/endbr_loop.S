/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's head is where the jump would be. */
#include "case.h"
FUNC
        endbr64
1:      dec     %rdi
        mov     %rdi, %rax
        jne     1b
        ret
END
