/* SPDX-License-Identifier: Apache-2.0 */
/* Another function knows the address of a label. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      inc     %edx
        mov     %edx, %ecx
        ret
END
FUNC g
        lea     1b(%rip), %rax
        ret
END g
