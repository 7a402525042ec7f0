/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int clone(int (*fn)(void *), void *stack_end, int flags, void *data):
 * a process that runs fn(data) on that stack and ends with what it returns. Its
 * id, or -1. Nothing of libc is told; see own.h.
 */
    .text
    .globl clone
    .hidden clone
    .type clone, @function
clone:
    .cfi_startproc
    endbr64
    and $-16, %rsi
    mov %rdi, -16(%rsi)         /* fn and data wait on the new stack */
    mov %rcx, -8(%rsi)
    sub $16, %rsi
    movslq %edx, %rdi           /* flags */
    xor %edx, %edx              /* no parent_tid, child_tid, tls */
    xor %r10d, %r10d
    xor %r8d, %r8d
    mov $56, %eax               /* SYS_clone */
    syscall
    test %rax, %rax
    jz 1f
    js 2f
    ret
2:  mov $-1, %eax
    ret
1:  .cfi_undefined rip
    xor %ebp, %ebp
    pop %rax
    pop %rdi
    call *%rax
    mov %eax, %edi
    mov $60, %eax               /* SYS_exit */
    syscall
    ud2
    .cfi_endproc
    .size clone, . - clone
    .section .note.GNU-stack, "", @progbits
