/* SPDX-License-Identifier: Apache-2.0 */
/* -pg with a profiler of the program's own. */
#include "case.h"
FUNC
        call    __fentry__
        mov     $1, %eax
        ret
END
FUNC __fentry__
        ret
END __fentry__
