/* SPDX-License-Identifier: Apache-2.0 */
/* A tail jump ends the copy: there is no way back. */
#include "case.h"
FUNC
        jmp     g
END
FUNC g
        lea     1(%rdi), %rax
        ret
END g
