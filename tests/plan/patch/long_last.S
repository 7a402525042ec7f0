/* SPDX-License-Identifier: Apache-2.0 */
/* The fifth byte lies in a long instruction: all of it is displaced. */
#include "case.h"
FUNC
        xor     %eax, %eax
        xor     %edx, %edx
        movabs  $0x1122334455667788, %rcx
        ret
END
