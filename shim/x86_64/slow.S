/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from the hooks, where vector, mask and x87 registers hold the
 * program's values, to code that may use them: save all on a stack of ours,
 * call there, restore. Two system calls and some 130 ns: never on the plain
 * path of a call.
 */
#include "shim/x86_64/layout.h"

    .text
/*
 * long shim_call_slow(long (*fn)(long, long), long a, long b)
 *
 *   rbp + 8   return address
 *   rbp       caller's rbp
 *   rbp - 40  rbx, r12 to r15 of the caller
 *
 * and on a stack of ours (stacks.c), or below that where there is none:
 *
 *   rbx       save area, shim_xsave_bytes, 64-aligned; rsp = rbx
 *
 * The header (64 bytes from 512 on) is cleared first: xsavec writes only its
 * first 16 bytes, xsave 8, and xrstor faults on what is left of the stack.
 */
    .balign 64
    .globl shim_call_slow
    .hidden shim_call_slow
    .type shim_call_slow, @function
shim_call_slow:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register rbp
    push %rbx
    .cfi_offset rbx, -24
    push %r12
    .cfi_offset r12, -32
    push %r13
    .cfi_offset r13, -40
    push %r14
    .cfi_offset r14, -48
    push %r15
    .cfi_offset r15, -56
    mov %rdi, %r12
    mov %rsi, %r13
    mov %rdx, %r14
    and $-16, %rsp
    call shim_stack_take
    mov %rax, %r15              /* its end; 0: we stay */
    test %rax, %rax
    cmovnz %rax, %rsp
    sub shim_xsave_bytes(%rip), %rsp
    and $-64, %rsp
    mov %rsp, %rbx
    cmpl $1, shim_xsave_kind(%rip)  /* enum shim_xsave */
    jb 2f
    xor %eax, %eax
    lea 512(%rbx), %rdi
    mov $8, %ecx
    rep stosq
    mov shim_xsave_mask(%rip), %eax
    xor %edx, %edx
    cmpl $1, shim_xsave_kind(%rip)
    je 1f
    xsavec64 (%rbx)
    jmp 3f
1:  xsave64 (%rbx)
    jmp 3f
2:  fxsave64 (%rbx)
3:  mov %r13, %rdi
    mov %r14, %rsi
    call *%r12
    mov %rax, %r12
    cmpl $1, shim_xsave_kind(%rip)
    jb 4f
    mov shim_xsave_mask(%rip), %eax
    xor %edx, %edx
    xrstor64 (%rbx)
    jmp 5f
4:  fxrstor64 (%rbx)
5:  lea -40(%rbp), %rsp
    test %r15, %r15
    jz 6f
    mov %r15, %rdi
    and $-16, %rsp
    call shim_stack_give
    lea -40(%rbp), %rsp
6:  mov %r12, %rax
    pop %r15
    .cfi_restore r15
    pop %r14
    .cfi_restore r14
    pop %r13
    .cfi_restore r13
    pop %r12
    .cfi_restore r12
    pop %rbx
    .cfi_restore rbx
    pop %rbp
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_endproc
    .size shim_call_slow, . - shim_call_slow

/* void shim_read_xmm(uint8_t out[8][16]) */
    .balign 16
    .globl shim_read_xmm
    .hidden shim_read_xmm
    .type shim_read_xmm, @function
shim_read_xmm:
    .cfi_startproc
    movups %xmm0, (%rdi)
    movups %xmm1, 16(%rdi)
    movups %xmm2, 32(%rdi)
    movups %xmm3, 48(%rdi)
    movups %xmm4, 64(%rdi)
    movups %xmm5, 80(%rdi)
    movups %xmm6, 96(%rdi)
    movups %xmm7, 112(%rdi)
    ret
    .cfi_endproc
    .size shim_read_xmm, . - shim_read_xmm

/* bool shim_read_x87(uint8_t out[16]): stored and loaded again, which changes
 * no bit of a value of 80 bits and needs no register of the x87 stack. */
    .balign 16
    .globl shim_read_x87
    .hidden shim_read_x87
    .type shim_read_x87, @function
shim_read_x87:
    .cfi_startproc
    fnstsw %ax
    testb $0x80, %al          /* an exception is pending */
    jnz 1f
    fxam
    fnstsw %ax
    andl $0x4500, %eax        /* C3, C2, C0 */
    cmpl $0x4100, %eax        /* empty */
    je 1f
    fstpt (%rdi)
    fldt (%rdi)
    movl $1, %eax
    ret
1:  xorl %eax, %eax
    ret
    .cfi_endproc
    .size shim_read_x87, . - shim_read_x87

    .section .note.GNU-stack, "", @progbits
