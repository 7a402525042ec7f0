/* SPDX-License-Identifier: Apache-2.0 */
/* The displacement is not the instruction's last field. */
#include "case.h"
FUNC
        cmpl    $5, word(%rip)
        sete    %al
        ret
END
