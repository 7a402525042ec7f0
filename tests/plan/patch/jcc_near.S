/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        jne     1f
        ret
        .skip   300, 0x90
1:      xor     %eax, %eax
        ret
END
