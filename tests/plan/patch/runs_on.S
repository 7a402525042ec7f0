/* SPDX-License-Identifier: Apache-2.0 */
/* It has no end of its own: it runs on into the next function. */
#include "case.h"
FUNC
        mov     %edi, %eax
END
        .globl  g
        .type   g, @function
g:      .cfi_startproc
        inc     %eax
        ret
        .cfi_endproc
        .size   g, . - g
