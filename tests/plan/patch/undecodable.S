/* SPDX-License-Identifier: Apache-2.0 */
/* Data among the first bytes. */
#include "case.h"
FUNC
        mov     %rdi, %rax
        .byte   0x06, 0x07
1:      ret
END
