/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an unwinder may begin: the registers that a function keeps for its
 * caller, as they are in the function that asks, and its place in itself.
 *
 * void error_registers(uint64_t registers[17]), in the order of DWARF.
 *
 * And a function on another stack, for the entry of fatal signals:
 * void error_on_stack(void (*fn)(void *argument), void *argument, void *top).
 */
    .text
    .balign 16
    .globl error_registers
    .hidden error_registers
    .type error_registers, @function
error_registers:
    .cfi_startproc
    mov %rbx, 24(%rdi)
    mov %rbp, 48(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 56(%rdi)
    mov %r12, 96(%rdi)
    mov %r13, 104(%rdi)
    mov %r14, 112(%rdi)
    mov %r15, 120(%rdi)
    mov (%rsp), %rax
    mov %rax, 128(%rdi)
    ret
    .cfi_endproc
    .size error_registers, . - error_registers

    .balign 16
    .globl error_on_stack
    .hidden error_on_stack
    .type error_on_stack, @function
error_on_stack:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register rbp
    mov %rdx, %rsp
    and $-16, %rsp
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    leave
    .cfi_def_cfa rsp, 8
    .cfi_restore rbp
    ret
    .cfi_endproc
    .size error_on_stack, . - error_on_stack

    .section .note.GNU-stack, "", @progbits
