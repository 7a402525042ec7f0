/* SPDX-License-Identifier: Apache-2.0 */
/* A short conditional branch becomes a near one. */
#include "case.h"
FUNC
        test    %rdi, %rdi
        je      1f
        mov     (%rdi), %rax
        ret
1:      xor     %eax, %eax
        ret
END
