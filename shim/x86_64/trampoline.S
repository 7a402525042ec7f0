/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both trampolines: the stubs that name a site, and the code behind them.
 *
 * It runs where a traced function is called, with whatever the caller has in
 * its registers. Kept at enter and at leave: every caller-saved general
 * register (gcc's -fipa-ra lets callers of local functions keep values there);
 * vector, mask, x87 registers and MXCSR are never touched. rsp may be at 8
 * modulo 16 (local leaf functions): it is aligned before C and given back as
 * it was, at the same distance modulo 256 (F) or exactly (Z). The CFI is exact
 * at every instruction; tests/core/step.c unwinds at each.
 *
 * Below rsp lies the red zone: 128 bytes that signal handlers leave alone.
 * Three places read a word there after rsp was raised; each says so.
 */
#include "shim/x86_64/layout.h"

    .text

/* ---- stubs ------------------------------------------------------------ */

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
STUBS shim_stubs_zero, shim_zero_common

/* ---- F: a frame of our own -------------------------------------------- */

/*
 * A = address of the caller's return-address slot; the stub pushed the site.
 *
 *   A         return address          CFA = A + 8
 *   A -   8   caller's rbp      <- rbp (the site stood here)
 *   A - 144   struct shim_call, 136 bytes, at rbp - 136
 *   A - 216   struct shim_regs, 72 bytes, at rbp - 208
 *   A - 248   pad, 32 bytes     <- rsp = rbp - 240
 *   A - 256   the handler's return-address slot
 *
 * A - 256 is A modulo 64: the handler finds the alignment its caller gave.
 * C is called with rsp rounded down to 16.
 */
#define F_CALL (-136)
#define F_REGS (-208)
#define F_SIZE 240
#define F_ARG(r) (F_CALL + CALL_ARGS + REGS_##r)(%rbp)
#define F_REG(r) (F_REGS + REGS_##r)(%rbp)

.macro F_LOAD_ARGS
    mov F_ARG(RAX), %rax
    mov F_ARG(RDI), %rdi
    mov F_ARG(RSI), %rsi
    mov F_ARG(RDX), %rdx
    mov F_ARG(RCX), %rcx
    mov F_ARG(R8), %r8
    mov F_ARG(R9), %r9
    mov F_ARG(R10), %r10
    mov F_ARG(R11), %r11
.endm

    .balign 64
    .globl shim_frame_common
    .hidden shim_frame_common
    .type shim_frame_common, @function
shim_frame_common:
    .cfi_startproc
    .cfi_personality 0x9b, DW.ref.shim_personality
    .cfi_lsda 0x1b, shim_lsda
    .cfi_def_cfa rsp, 16
    /* red zone: rsp is what rbp will be */
    mov %rax, (F_CALL + CALL_ARGS + REGS_RAX)(%rsp)
    mov (%rsp), %eax
    mov %rbp, (%rsp)
    .cfi_offset rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register rbp
    sub $F_SIZE, %rsp
    mov %rax, (F_CALL + CALL_SITE)(%rbp)
    mov %rdi, F_ARG(RDI)
    mov %rsi, F_ARG(RSI)
    mov %rdx, F_ARG(RDX)
    mov %rcx, F_ARG(RCX)
    mov %r8, F_ARG(R8)
    mov %r9, F_ARG(R9)
    mov %r10, F_ARG(R10)
    mov %r11, F_ARG(R11)
    lea 8(%rbp), %rax
    mov %rax, (F_CALL + CALL_SP)(%rbp)
    xor %ecx, %ecx
    mov %rcx, (F_CALL + CALL_LANE)(%rbp)
    /* returns to us: a tail call out of a traced handler */
    mov 8(%rbp), %rdx
    lea shim_frame_return(%rip), %rax
    sub %rax, %rdx
    je 3f
    cmp $(shim_zero_return - shim_frame_return), %rdx
    je 3f
1:  mov %rcx, (F_CALL + CALL_FLAGS)(%rbp)
    lea F_CALL(%rbp), %rdi
    and $-16, %rsp
    call *shim_enter(%rip)
    lea -F_SIZE(%rbp), %rsp
    testb $FLAG_TAIL, (F_CALL + CALL_FLAGS)(%rbp)
    jne 4f
    F_LOAD_ARGS
    call *(F_CALL + CALL_TARGET)(%rbp)
    .globl shim_frame_return
    .hidden shim_frame_return
shim_frame_return:
    mov %rax, F_REG(RAX)
    mov %rdi, F_REG(RDI)
    mov %rsi, F_REG(RSI)
    mov %rdx, F_REG(RDX)
    mov %rcx, F_REG(RCX)
    mov %r8, F_REG(R8)
    mov %r9, F_REG(R9)
    mov %r10, F_REG(R10)
    mov %r11, F_REG(R11)
    lea F_CALL(%rbp), %rdi
    lea F_REGS(%rbp), %rsi
    xor %edx, %edx
    xor %ecx, %ecx
    and $-16, %rsp
    call *shim_leave(%rip)
    mov F_REG(RAX), %rax
    mov F_REG(RDI), %rdi
    mov F_REG(RSI), %rsi
    mov F_REG(RDX), %rdx
    mov F_REG(RCX), %rcx
    mov F_REG(R8), %r8
    mov F_REG(R9), %r9
    mov F_REG(R10), %r10
    mov F_REG(R11), %r11
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_restore_state
3:  mov $FLAG_TAIL, %ecx
    jmp 1b
    /* Tail span: the frame goes, the handler returns to the call below. */
4:  F_LOAD_ARGS
    leave
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    jmp *(F_CALL + CALL_TARGET - 8)(%rsp) /* red zone: -128 */
    .cfi_endproc
    .size shim_frame_common, . - shim_frame_common

/* ---- Z: the caller's exact stack pointer ------------------------------- */

/*
 * While C runs at enter (A as above):
 *
 *   A         return address          CFA = A + 8
 *   A -   8   site
 *   A -  16   caller's rbp      <- rbp
 *   A -  24   rax  A - 32 rcx  A - 40 rdx  A - 48 rsi   as they came
 *   A -  56   the entry               at rbp - 40
 *   A -  64   target of a jump        at rbp - 48
 *   A - 104   rdi r8 r9 r10 r11 around the slow ways, at rbp - 88
 *   A - 240   struct shim_call of a call without entry, at rbp - 224
 *
 * While the handler runs: nothing of ours is on the stack but the word at A,
 * which our call overwrote with shim_zero_return; rbp is the entry, which has
 * rbp and return address of the caller.
 *
 * At leave: the return address is back at A, the caller's rbp at A - 8 (<- rbp,
 * a plain frame), the entry at rbp - 8, rax rcx rdx rsi at rbp - 16 to - 40.
 */
#define Z_RAX  (-8)(%rbp)
#define Z_RCX  (-16)(%rbp)
#define Z_RDX  (-24)(%rbp)
#define Z_RSI  (-32)(%rbp)
#define Z_ENTRY (-40)
#define Z_JUMP  (-48)
#define Z_CALL  (-224)
#define Z_SIZE  224
#define E_ARG(r) (CALL_ARGS + REGS_##r)
#define E_REG(r) (ENTRY_REGS + REGS_##r)

/* Free the entry in rcx. Changes rax, rdx, rsi; jumps to `slow` with nothing
 * done when there is no cache or it is full. */
.macro ENTRY_FREE slow
    mov shim_cache@gottpoff(%rip), %rdx
    mov %fs:(%rdx), %rdx
    test %rdx, %rdx
    je \slow
11: mov (%rdx), %rax
    mov %eax, %esi
    cmp $(CACHE_COUNT_MAX * CACHE_COUNT_ONE), %esi
    jae \slow
    and $CACHE_INDEX_MASK, %esi
    mov %rsi, ENTRY_NEXT(%rcx)
    movabs $(CACHE_TAG_ONE + CACHE_COUNT_ONE), %rsi
    add %rax, %rsi
    and $-CACHE_COUNT_ONE, %rsi
    or ENTRY_INDEX(%rcx), %rsi
    cmpxchg %rsi, (%rdx)        /* unlocked: own thread only */
    jne 11b
.endm
/* The same by C, keeping what else is live. */
.macro ENTRY_FREE_SLOW
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r11
    mov %rcx, %rdi
    call shim_entry_give
    pop %r11
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
.endm

    .balign 64
    .globl shim_zero_common
    .hidden shim_zero_common
    .type shim_zero_common, @function
shim_zero_common:
    .cfi_startproc
    .cfi_personality 0x9b, DW.ref.shim_personality
    .cfi_lsda 0x1b, shim_lsda
    .cfi_def_cfa rsp, 16
    push %rbp
    .cfi_def_cfa rsp, 24
    .cfi_offset rbp, -24
    mov %rsp, %rbp
    .cfi_def_cfa_register rbp
    sub $Z_SIZE, %rsp
    mov %rax, Z_RAX
    mov %rcx, Z_RCX
    mov %rdx, Z_RDX
    mov %rsi, Z_RSI
    /* take an entry: rcx */
    mov shim_cache@gottpoff(%rip), %rdx
    mov %fs:(%rdx), %rdx
    test %rdx, %rdx
    je 5f
1:  mov (%rdx), %rax
    mov %eax, %ecx
    and $CACHE_INDEX_MASK, %ecx
    je 5f
    shl $ENTRY_SIZE_LOG2, %rcx
    add shim_pool(%rip), %rcx
    mov %rax, %rsi
    and $-CACHE_COUNT_ONE, %rsi
    sub $CACHE_COUNT_ONE, %rsi
    or ENTRY_NEXT(%rcx), %rsi
    cmpxchg %rsi, (%rdx)        /* unlocked: own thread only */
    jne 1b
2:  mov %rcx, Z_ENTRY(%rbp)
    mov Z_RAX, %rax
    mov %rax, E_ARG(RAX)(%rcx)
    mov Z_RCX, %rax
    mov %rax, E_ARG(RCX)(%rcx)
    mov Z_RDX, %rax
    mov %rax, E_ARG(RDX)(%rcx)
    mov Z_RSI, %rax
    mov %rax, E_ARG(RSI)(%rcx)
    mov %rdi, E_ARG(RDI)(%rcx)
    mov %r8, E_ARG(R8)(%rcx)
    mov %r9, E_ARG(R9)(%rcx)
    mov %r10, E_ARG(R10)(%rcx)
    mov %r11, E_ARG(R11)(%rcx)
    mov 8(%rbp), %eax
    mov %rax, CALL_SITE(%rcx)
    lea 16(%rbp), %rax
    mov %rax, CALL_SP(%rcx)
    mov (%rbp), %rax
    mov %rax, ENTRY_RBP(%rcx)
    xor %eax, %eax
    mov %rax, CALL_LANE(%rcx)
    mov $FLAG_ZERO_COPY, %eax
    mov 16(%rbp), %rdx
    mov %rdx, ENTRY_RA(%rcx)
    lea shim_frame_return(%rip), %rsi
    sub %rsi, %rdx
    je 4f
    cmp $(shim_zero_return - shim_frame_return), %rdx
    je 4f
3:  mov %rax, CALL_FLAGS(%rcx)
    mov %rcx, %rdi
    and $-16, %rsp
    call *shim_enter(%rip)
    mov Z_ENTRY(%rbp), %rcx
    testb $FLAG_TAIL, CALL_FLAGS(%rcx)
    jne 6f
    lea 24(%rbp), %rsp
    mov Z_ENTRY(%rbp), %rbp     /* red zone: rsp - 64 */
    .cfi_remember_state
    .cfi_def_cfa rsp, 0
    .cfi_escape 0x10,16,3,0x76,0xd8,0x01 /* RA at rbp + ENTRY_RA */
    .cfi_escape 0x10,6,3,0x76,0xd0,0x01  /* rbp at rbp + ENTRY_RBP */
    mov E_ARG(RAX)(%rbp), %rax
    mov E_ARG(RDI)(%rbp), %rdi
    mov E_ARG(RSI)(%rbp), %rsi
    mov E_ARG(RDX)(%rbp), %rdx
    mov E_ARG(RCX)(%rbp), %rcx
    mov E_ARG(R8)(%rbp), %r8
    mov E_ARG(R9)(%rbp), %r9
    mov E_ARG(R10)(%rbp), %r10
    mov E_ARG(R11)(%rbp), %r11
    call *CALL_TARGET(%rbp)
    .globl shim_zero_return
    .hidden shim_zero_return
shim_zero_return:
    mov %rax, E_REG(RAX)(%rbp)
    mov %rdi, E_REG(RDI)(%rbp)
    mov %rsi, E_REG(RSI)(%rbp)
    mov %rdx, E_REG(RDX)(%rbp)
    mov %rcx, E_REG(RCX)(%rbp)
    mov %r8, E_REG(R8)(%rbp)
    mov %r9, E_REG(R9)(%rbp)
    mov %r10, E_REG(R10)(%rbp)
    mov %r11, E_REG(R11)(%rbp)
    mov ENTRY_RA(%rbp), %rax
    push %rax                   /* back in place, at A */
    .cfi_def_cfa rsp, 8
    push ENTRY_RBP(%rbp)
    .cfi_def_cfa rsp, 16
    mov %rbp, %rdi
    mov %rsp, %rbp
    /* not one instruction between these two states: CFA, RA and rbp are on
     * the stack now */
    .cfi_def_cfa rbp, 16
    .cfi_offset rip, -8
    .cfi_offset rbp, -16
    sub $48, %rsp
    mov %rdi, -8(%rbp)
    lea ENTRY_REGS(%rdi), %rsi
    xor %edx, %edx
    xor %ecx, %ecx
    and $-16, %rsp
    call *shim_leave(%rip)
    mov -8(%rbp), %rcx
    mov E_REG(RAX)(%rcx), %rax
    mov %rax, -16(%rbp)
    mov E_REG(RCX)(%rcx), %rax
    mov %rax, -24(%rbp)
    mov E_REG(RDX)(%rcx), %rax
    mov %rax, -32(%rbp)
    mov E_REG(RSI)(%rcx), %rax
    mov %rax, -40(%rbp)
    mov E_REG(RDI)(%rcx), %rdi
    mov E_REG(R8)(%rcx), %r8
    mov E_REG(R9)(%rcx), %r9
    mov E_REG(R10)(%rcx), %r10
    mov E_REG(R11)(%rcx), %r11
    ENTRY_FREE 8f
9:  mov -16(%rbp), %rax
    mov -24(%rbp), %rcx
    mov -32(%rbp), %rdx
    mov -40(%rbp), %rsi
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_restore_state
8:  ENTRY_FREE_SLOW
    jmp 9b

    /* Back in the frame of enter. */
    .cfi_restore_state
4:  or $FLAG_TAIL, %eax
    jmp 3b
    /* No cache, or an empty one. */
5:  mov %rdi, -56(%rbp)
    mov %r8, -64(%rbp)
    mov %r9, -72(%rbp)
    mov %r10, -80(%rbp)
    mov %r11, -88(%rbp)
    and $-16, %rsp
    call shim_entry_take
    mov -56(%rbp), %rdi
    mov -64(%rbp), %r8
    mov -72(%rbp), %r9
    mov -80(%rbp), %r10
    mov -88(%rbp), %r11
    mov %rax, %rcx
    test %rax, %rax
    jne 2b
    jmp 12f
    /* Tail span: the entry goes back unused, the handler returns to the call
     * below. */
6:  mov CALL_TARGET(%rcx), %rax
    mov %rax, Z_JUMP(%rbp)
    mov E_ARG(RDI)(%rcx), %rdi
    mov E_ARG(R8)(%rcx), %r8
    mov E_ARG(R9)(%rcx), %r9
    mov E_ARG(R10)(%rcx), %r10
    mov E_ARG(R11)(%rcx), %r11
    ENTRY_FREE 10f
7:  mov Z_RAX, %rax
    mov Z_RCX, %rcx
    mov Z_RDX, %rdx
    mov Z_RSI, %rsi
    .cfi_remember_state
    lea 16(%rbp), %rsp
    mov (%rbp), %rbp
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    jmp *(Z_JUMP - 16)(%rsp)    /* red zone: -64 */
    .cfi_restore_state
10: ENTRY_FREE_SLOW
    jmp 7b
    /* No entry to be had: no span, no leave. rdi to r11 stand in the frame. */
12: mov 8(%rbp), %eax
    mov %rax, (Z_CALL + CALL_SITE)(%rbp)
    lea 16(%rbp), %rax
    mov %rax, (Z_CALL + CALL_SP)(%rbp)
    movq $0, (Z_CALL + CALL_LANE)(%rbp)
    movq $(FLAG_ZERO_COPY | FLAG_LOST), (Z_CALL + CALL_FLAGS)(%rbp)
    lea Z_CALL(%rbp), %rdi
    call *shim_enter(%rip)
    mov (Z_CALL + CALL_TARGET)(%rbp), %rax
    mov %rax, Z_JUMP(%rbp)
    mov -56(%rbp), %rdi
    mov -64(%rbp), %r8
    mov -72(%rbp), %r9
    mov -80(%rbp), %r10
    mov -88(%rbp), %r11
    jmp 7b

    /* Landing pad: an unwinder passes. rsp = CFA, rbp = entry, rax = the
     * exception. Put the caller's frame back, free the entry, go on. */
    .globl shim_zero_pad
    .hidden shim_zero_pad
shim_zero_pad:
    .cfi_def_cfa rsp, 0
    .cfi_escape 0x10,16,3,0x76,0xd8,0x01
    .cfi_escape 0x10,6,3,0x76,0xd0,0x01
    push ENTRY_RA(%rbp)
    .cfi_def_cfa rsp, 8
    push ENTRY_RBP(%rbp)
    .cfi_def_cfa rsp, 16
    mov %rbp, %rdi
    mov %rsp, %rbp
    .cfi_def_cfa rbp, 16
    .cfi_offset rip, -8
    .cfi_offset rbp, -16
    push %rax
    push ENTRY_RESUME(%rdi)
    and $-16, %rsp
    call shim_entry_give
    mov -8(%rbp), %rdi
    call *-16(%rbp)
    ud2
    .cfi_endproc
    .size shim_zero_common, . - shim_zero_common

    .hidden DW.ref.shim_personality
    .weak DW.ref.shim_personality
    .section .data.rel.local.DW.ref.shim_personality, "awG", @progbits, DW.ref.shim_personality, comdat
    .balign 8
    .type DW.ref.shim_personality, @object
    .size DW.ref.shim_personality, 8
DW.ref.shim_personality:
    .quad shim_personality

    /* No call-site table of its own: the personality knows its labels. */
    .section .gcc_except_table, "a", @progbits
shim_lsda:
    .byte 0xff, 0xff, 1, 0

    .section .note.GNU-stack, "", @progbits
