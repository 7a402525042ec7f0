/* SPDX-License-Identifier: Apache-2.0 */
/* Too short alone, but only padding follows. */
#include "case.h"
FUNC
        mov     %edi, %eax
        ret
END
        .balign 16
FUNC g
        ret
END g
