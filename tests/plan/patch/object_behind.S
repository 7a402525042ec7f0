/* SPDX-License-Identifier: Apache-2.0 */
/* A data symbol ends the room, whatever its bytes look like. */
#include "case.h"
FUNC
        ret
END
        .type   constant, @object
constant: .byte 0x90, 0x90, 0x90, 0x90
        .size   constant, . - constant
