/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody's int3 behind the first instruction. */
#include "case.h"
FUNC
        push    %rbp
        .byte   0xcc, 0x89, 0xe5
        pop     %rbp
        ret
END
