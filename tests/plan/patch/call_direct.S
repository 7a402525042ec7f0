/* SPDX-License-Identifier: Apache-2.0 */
/* The original return address is pushed: unwinders know no frame in the copy. */
#include "case.h"
FUNC
        call    g
        ret
END
FUNC g
        mov     $1, %eax
        ret
END g
