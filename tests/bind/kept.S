# SPDX-License-Identifier: Apache-2.0
# For test_kept.py: a program with a megabyte of code, so that it is kept who
# branches where in it; `second` has a second entry that `stranger` jumps to.
    .text
    .globl main, plain, second, stranger
    .type main, @function
main:
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset 3, -16
    mov $100, %ebx
1:  mov %ebx, %edi
    call plain
    mov %ebx, %edi
    call second
    mov %ebx, %edi
    call stranger
    dec %ebx
    jnz 1b
    xor %eax, %eax
    pop %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size main, .-main

    .p2align 4
    .type plain, @function
plain:
    .cfi_startproc
    lea 7(%rdi), %eax
    imul $3, %eax, %eax
    ret
    .cfi_endproc
    .size plain, .-plain

    .p2align 4
    .type second, @function
second:
    .cfi_startproc
    mov %edi, %eax
    add $5, %eax
inner:
    imul $3, %eax, %eax
    ret
    .cfi_endproc
    .size second, .-second

    .fill 1 << 20, 1, 0xcc

    .type stranger, @function
stranger:
    .cfi_startproc
    mov $1, %eax
    jmp second + 2
    .cfi_endproc
    .size stranger, .-stranger
    .section .note.GNU-stack,"",@progbits
