/* SPDX-License-Identifier: Apache-2.0 */
/* bool demangle_on_stack(struct question *, void *stack_end):
 * demangle_answer() of it on that stack. */
    .text
    .globl demangle_on_stack
    .hidden demangle_on_stack
    .type demangle_on_stack, @function
demangle_on_stack:
    .cfi_startproc
    endbr64
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    mov %rsi, %rsp
    call demangle_answer
    mov %rbp, %rsp
    pop %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size demangle_on_stack, . - demangle_on_stack
    .section .note.GNU-stack,"",@progbits
