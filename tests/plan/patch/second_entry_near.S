/* SPDX-License-Identifier: Apache-2.0 */
/* A branch of 8 bits out of the function before. */
#include "case.h"
FUNC g
        xor     %eax, %eax
        jmp     1f
END g
FUNC
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        ret
END
