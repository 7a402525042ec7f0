/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody's int3 on the entry itself. */
#include "case.h"
FUNC
        .byte   0xcc
        mov     %rsp, %rbp
        pop     %rbp
        ret
END
