/* SPDX-License-Identifier: Apache-2.0 */
/* Another function takes the address of data, and reads other data: the distance
 * to that, taken from the address, would lead behind the first bytes of f. No
 * number is added, as in the code that each program has before its main(). */
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
        lea     3f(%rip), %rdi
        lea     3f(%rip), %rsi
        sub     %rdi, %rsi
        .byte   0x48, 0x8b, 0x05        /* mov ...(%rip), %rax */
        .long   3f - 1b
        jmp     *%rax
END g
        .balign 16
        .skip   1024, 0x90
3:      .quad   0
