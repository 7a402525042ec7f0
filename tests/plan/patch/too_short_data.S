/* SPDX-License-Identifier: Apache-2.0 */
/* What follows is no padding. */
#include "case.h"
FUNC
        mov     %edi, %eax
        ret
END
        .ascii  "data"
        .balign 16
FUNC g
        ret
END g
