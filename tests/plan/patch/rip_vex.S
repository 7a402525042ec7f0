/* SPDX-License-Identifier: Apache-2.0 */
/* With a VEX prefix. */
#include "case.h"
FUNC
        vmovups word(%rip), %ymm0
        ret
END
