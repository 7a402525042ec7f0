/* SPDX-License-Identifier: Apache-2.0 */
/* Another function, far away and with a name, enters behind the first bytes. */
#include "case.h"
FUNC
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        ret
END
        .balign 16
        .skip   256, 0x90
FUNC g
        xor     %eax, %eax
        jmp     1b
END g
