/* SPDX-License-Identifier: Apache-2.0 */
/* Another function adds a number to the address of a label of its own. */
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
        lea     2f(%rip), %rax
        sub     $(2f - 1b), %rax
        push    %rax
        .cfi_adjust_cfa_offset 8
        ret
2:      nop
END g
