/* SPDX-License-Identifier: Apache-2.0 */
/* call *word(%rip) becomes push; jmp *word(%rip). */
#include "case.h"
FUNC
        call    *word(%rip)
        ret
END
