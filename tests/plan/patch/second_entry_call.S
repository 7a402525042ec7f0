/* SPDX-License-Identifier: Apache-2.0 */
/* A call of a local entry behind the first bytes. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        ret
END
FUNC g
        call    1b
        ret
END g
