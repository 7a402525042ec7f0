/* SPDX-License-Identifier: Apache-2.0 */
/* endbr64 stays in place and stands before the copy too. */
#include "case.h"
FUNC
        endbr64
        mov     %rdi, %rax
        add     %rsi, %rax
        ret
END
