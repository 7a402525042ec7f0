/* SPDX-License-Identifier: Apache-2.0 */
/* The same under a name that nobody knows. */
#include "case.h"
FUNC
        call    1f
2:      pause
        lfence
        jmp     2b
1:      mov     %rax, (%rsp)
        ret
END
