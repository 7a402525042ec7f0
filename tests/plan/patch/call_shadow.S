/* SPDX-License-Identifier: Apache-2.0 */
/* Under a shadow stack a push is no call: refused. */
# shadow stack
#include "case.h"
FUNC
        call    g
        ret
END
FUNC g
        mov     $1, %eax
        ret
END g
