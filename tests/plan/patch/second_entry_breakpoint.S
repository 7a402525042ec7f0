/* SPDX-License-Identifier: Apache-2.0 */
/* Another function enters behind the first bytes, and a breakpoint in that one
 * stands for the first byte of `mov $0xb8489090, %eax`: read on from there, the
 * jump is part of a constant. */
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
        .byte   0xcc, 0x90, 0x90, 0x48, 0xb8
        .byte   0xe9
        .long   1b - . - 4
        nop
        nop
        nop
        ret
END g
