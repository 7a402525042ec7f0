/* SPDX-License-Identifier: Apache-2.0 */
/* Without a name: who reads it is found. */
#include "case.h"
FUNC
        ret
END
.Lconstant:
        .byte   0x90, 0x90, 0x90, 0x90
        .balign 16
FUNC g
        cmpl    $7, .Lconstant(%rip)
        ret
END g
