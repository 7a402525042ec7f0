/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      inc     %rax
        mov     (%rax), %cl
        test    %cl, %cl
        jne     1b
        ret
END
