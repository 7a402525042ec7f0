/* SPDX-License-Identifier: Apache-2.0 */
/* Zeros without a name behind a short function: a constant may begin so. */
#include "case.h"
FUNC
        ret
END
        .long   0, 0, 0x3ff00000
