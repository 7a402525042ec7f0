/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stubs: what the entry of a traced function jumps to. Each pushes the
 * number of its site and jumps to the code of its trampoline (trampoline.S).
 */
    .text

/* 16 bytes each. One FDE for the pool, as for .plt: CFA = rsp + 8, and 8 more
 * once (rip & 15) >= 9, when the number has been pushed. */
.macro STUBS name, common
    .balign 64
    .globl \name
    .hidden \name
    .type \name, @function
\name:
    .cfi_startproc
    .cfi_escape 0x0f,0x0b,0x77,0x08,0x80,0x00,0x3f,0x1a,0x39,0x2a,0x33,0x24,0x22
    .set site, 0
    .rept 4096                  /* SHIM_SITE_MAX */
    .balign 16
    endbr64
    .byte 0x68                  /* push imm32 */
    .long site
    .byte 0xe9                  /* jmp rel32 */
    .long \common - . - 4
    .set site, site + 1
    .endr
    .cfi_endproc
    .size \name, . - \name
.endm

STUBS shim_stubs_frame, shim_frame_common
STUBS shim_stubs_copy, shim_copy_common
STUBS shim_stubs_zero, shim_zero_common

    .section .note.GNU-stack, "", @progbits
