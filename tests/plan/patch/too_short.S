/* SPDX-License-Identifier: Apache-2.0 */
/* The next function follows at once. */
#include "case.h"
FUNC
        mov     %edi, %eax
        ret
END
        .globl  g
        .type   g, @function
g:      .cfi_startproc
        ret
        .cfi_endproc
        .size   g, . - g
