/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read_guard.h. read_guard_table lists the loads that may fault, and where
 * to go on: at both the registers are as the load found them.
 *
 * rdi destination, rsi source, rdx bytes; rax bytes done.
 */
    .text

    .macro function name
    .globl \name
    .hidden \name
    .type \name, @function
    .p2align 4
\name:
    .cfi_startproc
    endbr64
    .endm
    .macro end_function name
    .cfi_endproc
    .size \name, . - \name
    .endm

    .set LONG, 256 /* from here on rep movsb is faster */

function read_guarded_copy
    xorl %eax, %eax
    cmpq $LONG, %rdx
    jae 4f
    jmp 2f
1:
copy_word:
    movq (%rsi,%rax), %rcx
    movq %rcx, (%rdi,%rax)
    addq $8, %rax
2:
    leaq 8(%rax), %rcx
    cmpq %rdx, %rcx
    jbe 1b
3:
    cmpq %rdx, %rax
    jae copy_end
copy_byte:
    movzbl (%rsi,%rax), %ecx
    movb %cl, (%rdi,%rax)
    incq %rax
    jmp 3b
4:
    movq %rdx, %rcx
copy_string:
    rep movsb
copy_string_end:
    movq %rdx, %rax
    subq %rcx, %rax
copy_end:
    ret
end_function read_guarded_copy

/* A byte of w is NUL: (w - 0x01..) & ~w & 0x80.. is not 0, and its lowest bit
 * tells the first one. */
function read_guarded_text
    xorl %eax, %eax
    movabsq $-0x0101010101010101, %r8
    movabsq $0x8080808080808080, %r9
    leaq -8(%rdx), %r11 /* the last word's place; negative: there is none */
    jmp 2f
1:
text_word:
    movq (%rsi,%rax), %rcx
    movq %rcx, (%rdi,%rax)
    leaq (%rcx,%r8), %r10
    notq %rcx
    andq %r9, %rcx
    andq %rcx, %r10
    jnz 5f
    addq $8, %rax
2:
    cmpq %r11, %rax
    jle 1b
3:
    cmpq %rdx, %rax
    jae 4f
text_byte:
    movzbl (%rsi,%rax), %ecx
    testl %ecx, %ecx
    jz 6f
    movb %cl, (%rdi,%rax)
    incq %rax
    jmp 3b
4:
    xorl %edx, %edx /* READ_FULL */
    ret
5:
    bsfq %r10, %r10
    shrq $3, %r10
    addq %r10, %rax
6:
    movl $1, %edx /* READ_NUL */
    ret
text_end:
    movl $2, %edx /* READ_FAULTED */
    ret
end_function read_guarded_text

    .section .data.rel.ro, "aw", @progbits
    .p2align 3
    .globl read_guard_table
    .hidden read_guard_table
    .type read_guard_table, @object
read_guard_table:
    .quad copy_word, copy_end
    .quad copy_byte, copy_end
    .quad copy_string, copy_string_end
    .quad text_word, text_end
    .quad text_byte, text_end
    .quad 0, 0
    .size read_guard_table, . - read_guard_table

    .section .note.GNU-stack, "", @progbits
