/* SPDX-License-Identifier: Apache-2.0 */
/* The callee would return into the jump: refused. */
#include "case.h"
FUNC
        call    *%rdi
        nop
        nop
        nop
        ret
END
