/* SPDX-License-Identifier: Apache-2.0 */
/* An exception out of the other half lands among the first bytes. */
#include "case.h"
        .text
        .globl  f
        .type   f, @function
        .balign 16
f:
.Lf:    .cfi_startproc
        mov     %rdi, %rax
1:      mov     %esi, %edx
        test    %rdi, %rdi
        je      2f
        ret
        .cfi_endproc
        .size   f, . - f
        .balign 16
        .skip   256, 0x90
2:      .cfi_startproc
        .cfi_lsda 0x1b, 9f
        call    *%rdi
3:      ud2
        .cfi_endproc
        .section .gcc_except_table, "a"
9:      .byte   0x1b            /* landing pads count from ... */
        .long   .Lf - .
        .byte   0xff, 0x01
        .uleb128 6f - 5f
5:      .uleb128 0
        .uleb128 3b - 2b
        .uleb128 1b - .Lf
        .uleb128 0
6:
