/* SPDX-License-Identifier: Apache-2.0 */
/* Its own address is compared and passed on; nothing is added to it. */
#include "case.h"
FUNC
9:
        lea     9b(%rip), %rcx
        cmp     %rcx, %rdi
        je      1f
        add     $8, %rdi
        lea     9b(%rip), %rdi
        jmp     *%rsi
1:      mov     $1, %eax
        ret
END
