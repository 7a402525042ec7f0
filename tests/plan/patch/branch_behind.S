/* SPDX-License-Identifier: Apache-2.0 */
/* A branch to just behind the displaced bytes is none of our business. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        mov     %esi, %esi
1:      dec     %rsi
        jne     1b
        ret
END
