/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        ret
END
        .byte 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc
FUNC g
        ret
END g
