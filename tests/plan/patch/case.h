/* SPDX-License-Identifier: Apache-2.0 */
/* Every case has one function f; nothing follows it closely unless the case
 * says so. */
        .macro FUNC name=f
        .text
        .globl  \name
        .type   \name, @function
        .balign 16
\name:
        .cfi_startproc
        .endm
        .macro END name=f
        .cfi_endproc
        .size   \name, . - \name
        .endm
        .section .note.GNU-stack, "", @progbits
        .data
        .globl  word
        .hidden word
word:   .quad   0
        .text
