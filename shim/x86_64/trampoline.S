/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both trampolines: the code behind the stubs that name a site (stubs.S).
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
#include "shim/x86_64/near_end.inc"

    .text

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
#define F_MARK (-216) /* of a copy, in the pad */
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

/* Up to enter and what it said: 4f if the call is a tail span. */
.macro F_ENTER
    .cfi_personality 0x9b, DW.ref.shim_personality
    .cfi_lsda 0x1b, shim_lsda
    .cfi_def_cfa rsp, 16
    /* red zone: rsp is what rbp will be */
    mov %rax, (F_CALL + CALL_ARGS + REGS_RAX)(%rsp)
    NEAR_END_TO 8f
7:  mov (%rsp), %eax
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
.endm

.macro F_TAIL
3:  mov $FLAG_TAIL, %ecx
    jmp 1b
    /* Tail span: the frame goes, the handler returns to the call below. */
4:  F_LOAD_ARGS
    leave
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    jmp *(F_CALL + CALL_TARGET - 8)(%rsp) /* red zone: -128 */
    .cfi_def_cfa rsp, 16
8:  NEAR_END_PASS (F_CALL + CALL_ARGS + REGS_RAX), 7b
.endm

    .balign 64
    .globl shim_frame_common
    .hidden shim_frame_common
    .type shim_frame_common, @function
shim_frame_common:
    .cfi_startproc
    F_ENTER
    F_LOAD_ARGS
.Lframe_call:
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
    F_TAIL
    .cfi_endproc
    .size shim_frame_common, . - shim_frame_common

/*
 * F for a handler with stack arguments, so many words of them as were proved:
 * they stand below the frame once more, and the handler's return-address slot
 * is at A - 384. The call is F's own.
 */
    .balign 64
    .globl shim_copy_common
    .hidden shim_copy_common
    .type shim_copy_common, @function
shim_copy_common:
    .cfi_startproc
    F_ENTER
    /* for who reads this stack from outside: LANE_KEPT_MARK */
    lea 8(%rbp), %rax
    movabs $COPY_MARK, %rcx
    xor %rcx, %rax
    mov %rax, F_MARK(%rbp)
    mov (F_CALL + CALL_SITE)(%rbp), %eax
    lea shim_copy_words(%rip), %rcx
    movzbl (%rcx,%rax), %ecx
    sub $(COPY_STRIDE - FRAME_STRIDE), %rsp
    test %ecx, %ecx
    je 6f
5:  mov 8(%rbp,%rcx,8), %rax
    mov %rax, -8(%rsp,%rcx,8)
    dec %ecx
    jne 5b
6:  F_LOAD_ARGS
    jmp .Lframe_call
    F_TAIL
    .cfi_endproc
    .size shim_copy_common, . - shim_copy_common

/* ---- Z: the caller's exact stack pointer ------------------------------- */

/*
 * While C runs at enter (A as above):
 *
 *   A         return address          CFA = A + 8
 *   A -   8   site
 *   A -  16   caller's rbp      <- rbp
 *   A -  24   the entry               at rbp - 8
 *   A -  32   target of a jump        at rbp - 16
 *   A - 104   struct shim_regs, 72 bytes, at rbp - 88
 *   A - 240   struct shim_call of a call without entry, at rbp - 224
 *
 * While the handler runs: nothing of ours is on the stack but the word at A,
 * which our call overwrote with shim_zero_return; rbp is the entry, which has
 * rbp and return address of the caller.
 *
 * At leave: the return address is back at A, the caller's rbp at A - 8 (<- rbp,
 * a plain frame), the entry at rbp - 8, struct shim_regs at rbp - 80.
 *
 * The registers go by way of the stack, though the entry has a copy of them:
 * the CPU forwards what is stored and loaded relative to rbp for nothing, but
 * through the entry each costs a handler's argument 2 ns.
 */
#define Z_ENTRY (-8)
#define Z_JUMP  (-16)
#define Z_REGS  (-88)
#define Z_CALL  (-224)
#define Z_SIZE  224
#define Z_REG(r) (Z_REGS + REGS_##r)(%rbp)
#define L_ENTRY (-8)
#define L_REGS  (-80)
#define L_SIZE  80
#define L_REG(r) (L_REGS + REGS_##r)(%rbp)
#define E_ARG(r) (CALL_ARGS + REGS_##r)(%rcx)

.macro Z_LOAD_REGS
    mov Z_REG(RAX), %rax
    mov Z_REG(RDI), %rdi
    mov Z_REG(RSI), %rsi
    mov Z_REG(RDX), %rdx
    mov Z_REG(RCX), %rcx
    mov Z_REG(R8), %r8
    mov Z_REG(R9), %r9
    mov Z_REG(R10), %r10
    mov Z_REG(R11), %r11
.endm

/* Give the entry in rcx back; on its home thread it is the next to be taken.
 * Changes rdx. */
.macro ENTRY_GIVE
    mov shim_cache@gottpoff(%rip), %rdx
    mov %fs:(%rdx), %rdx
    cmp ENTRY_HOME(%rcx), %rdx
    jne 11f
    mov %rcx, (%rdx)
11: movq $0, ENTRY_BUSY(%rcx)   /* last: now it may be anybody's */
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
    /* red zone: rsp - 8 is what rbp will be */
    mov %rax, (Z_REGS + REGS_RAX - 8)(%rsp)
    NEAR_END_TO 22f
10: push %rbp
    .cfi_def_cfa rsp, 24
    .cfi_offset rbp, -24
    mov %rsp, %rbp
    .cfi_def_cfa_register rbp
    sub $Z_SIZE, %rsp
    mov %rdi, Z_REG(RDI)
    mov %rsi, Z_REG(RSI)
    mov %rdx, Z_REG(RDX)
    mov %rcx, Z_REG(RCX)
    mov %r8, Z_REG(R8)
    mov %r9, Z_REG(R9)
    mov %r10, Z_REG(R10)
    mov %r11, Z_REG(R11)
    /* take an entry: rcx (entries.c) */
    mov shim_cache@gottpoff(%rip), %r10
    mov %fs:(%r10), %r10
    test %r10, %r10
    je 5f
    mov (%r10), %rcx
    cmpq $0, ENTRY_BUSY(%rcx)
    jne 5f
    xor %eax, %eax
    mov $1, %r11d
    cmpxchg %r11, ENTRY_BUSY(%rcx) /* unlocked: own thread only */
    jne 5f
    mov ENTRY_NEXT(%rcx), %r11
    mov %r11, (%r10)
2:  mov %rcx, Z_ENTRY(%rbp)
    mov %rdi, E_ARG(RDI)
    mov %rsi, E_ARG(RSI)
    mov %rdx, E_ARG(RDX)
    mov %r8, E_ARG(R8)
    mov %r9, E_ARG(R9)
    mov Z_REG(RAX), %rax
    mov Z_REG(RCX), %rdx
    mov Z_REG(R10), %r10
    mov Z_REG(R11), %r11
    mov %rax, E_ARG(RAX)
    mov %rdx, E_ARG(RCX)
    mov %r10, E_ARG(R10)
    mov %r11, E_ARG(R11)
    mov 8(%rbp), %eax
    lea 16(%rbp), %rdx
    mov (%rbp), %rsi
    xor %edi, %edi
    mov %rax, CALL_SITE(%rcx)
    mov %rdx, CALL_SP(%rcx)
    mov %rsi, ENTRY_RBP(%rcx)
    mov %rdi, CALL_LANE(%rcx)
    mov $FLAG_ZERO_COPY, %eax
    mov 16(%rbp), %rdx
    mov %rdx, ENTRY_RA(%rcx)
    lea shim_frame_return(%rip), %rsi
    sub %rsi, %rdx
    je 4f
    cmp $(shim_zero_return - shim_frame_return), %rdx
    je 4f
    /* a caller that is known (shim_caller_known)? */
    mov 16(%rbp), %rdx
    mov %edx, %edi
    shr $12, %edi
    xor %edx, %edi
    and $(CALLERS - 1), %edi
    lea shim_callers(%rip), %rsi
    cmp %rdx, (%rsi,%rdi,8)
    jne 14f
3:  mov %rax, CALL_FLAGS(%rcx)
    mov %rcx, %rdi
    and $-16, %rsp
    call *shim_enter(%rip)
    mov Z_ENTRY(%rbp), %rcx
    testb $(FLAG_TAIL | FLAG_ARGS), CALL_FLAGS(%rcx)
    jne 6f
9:  Z_LOAD_REGS
    lea 24(%rbp), %rsp
    mov Z_ENTRY(%rbp), %rbp     /* red zone: rsp - 48 */
    .cfi_remember_state
    .cfi_def_cfa rsp, 0
    .cfi_escape 0x10,16,3,0x76,0x90,0x01 /* RA at rbp + ENTRY_RA */
    .cfi_escape 0x10,6,3,0x76,0x88,0x01  /* rbp at rbp + ENTRY_RBP */
    call *CALL_TARGET(%rbp)
    .globl shim_zero_return
    .hidden shim_zero_return
shim_zero_return:
    push ENTRY_RA(%rbp)         /* back in place, at A */
    .cfi_def_cfa rsp, 8
    push ENTRY_RBP(%rbp)
    .cfi_def_cfa rsp, 16
    push %rbp
    .cfi_def_cfa rsp, 24
    lea 8(%rsp), %rbp
    /* from one instruction to the next, all moves from entry to stack */
    .cfi_def_cfa rbp, 16
    .cfi_offset rip, -8
    .cfi_offset rbp, -16
    sub $(L_SIZE - 8), %rsp
    mov %rax, L_REG(RAX)
    mov %rdi, L_REG(RDI)
    mov %rsi, L_REG(RSI)
    mov %rdx, L_REG(RDX)
    mov %rcx, L_REG(RCX)
    mov %r8, L_REG(R8)
    mov %r9, L_REG(R9)
    mov %r10, L_REG(R10)
    mov %r11, L_REG(R11)
    mov L_ENTRY(%rbp), %rdi
    lea L_REGS(%rbp), %rsi
    xor %edx, %edx
    xor %ecx, %ecx
    and $-16, %rsp
    call *shim_leave(%rip)
    mov L_ENTRY(%rbp), %rcx
    ENTRY_GIVE
    mov L_REG(RAX), %rax
    mov L_REG(RDI), %rdi
    mov L_REG(RSI), %rsi
    mov L_REG(RDX), %rdx
    mov L_REG(RCX), %rcx
    mov L_REG(R8), %r8
    mov L_REG(R9), %r9
    mov L_REG(R10), %r10
    mov L_REG(R11), %r11
    leave
    .cfi_remember_state
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_restore_state

    /* Back in the frame of enter. */
    .cfi_restore_state
4:  or $FLAG_TAIL, %eax
    jmp 3b
14: or $FLAG_CALLER, %eax
    jmp 3b
    /* No cache, or its hint is taken. */
5:  and $-16, %rsp
    call shim_entry_take
    mov %rax, %rcx
    mov Z_REG(RDI), %rdi
    mov Z_REG(RSI), %rsi
    mov Z_REG(RDX), %rdx
    mov Z_REG(R8), %r8
    mov Z_REG(R9), %r9
    test %rax, %rax
    jne 2b
    jmp 12f
    /* A hook changed the arguments: those of the entry hold. */
6:  testb $FLAG_ARGS, CALL_FLAGS(%rcx)
    je 8f
    mov E_ARG(RDI), %rax
    mov %rax, Z_REG(RDI)
    mov E_ARG(RSI), %rax
    mov %rax, Z_REG(RSI)
    mov E_ARG(RDX), %rax
    mov %rax, Z_REG(RDX)
    mov E_ARG(RCX), %rax
    mov %rax, Z_REG(RCX)
    mov E_ARG(R8), %rax
    mov %rax, Z_REG(R8)
    mov E_ARG(R9), %rax
    mov %rax, Z_REG(R9)
    testb $FLAG_TAIL, CALL_FLAGS(%rcx)
    je 9b
    /* Tail span: the entry goes back unused, the handler returns to the call
     * below. */
8:  mov CALL_TARGET(%rcx), %rax
    mov %rax, Z_JUMP(%rbp)
    ENTRY_GIVE
7:  Z_LOAD_REGS
    .cfi_remember_state
    lea 16(%rbp), %rsp
    mov (%rbp), %rbp
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    jmp *(Z_JUMP - 16)(%rsp)    /* red zone: rsp - 32 */
    .cfi_restore_state
    /* No entry to be had: no span, no leave. */
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
    jmp 7b

    /* Landing pad: an unwinder passes. rsp = CFA, rbp = entry, rax = the
     * exception. Put the caller's frame back, free the entry, go on. */
    .globl shim_zero_pad
    .hidden shim_zero_pad
shim_zero_pad:
    .cfi_def_cfa rsp, 0
    .cfi_escape 0x10,16,3,0x76,0x90,0x01
    .cfi_escape 0x10,6,3,0x76,0x88,0x01
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
    .cfi_def_cfa rsp, 16
    .cfi_offset rip, -8         /* libgcc takes a restore for "not saved" */
    .cfi_restore rbp
22: NEAR_END_PASS (Z_REGS + REGS_RAX - 8), 10b
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
