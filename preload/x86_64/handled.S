/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of fatal signals that the kernel calls in place of the program's
 * (handled.c): one entry for each of theirs. All general registers are as the
 * kernel set them when the program's own handler begins, on the same stack
 * pointer, by a jump: it returns to where the kernel meant it to.
 *
 * uint64_t handled_note(int signal, const siginfo_t *info, ucontext_t *context,
 *     uint64_t frame, uint64_t number): the program's handler; 0: return.
 */
    .set ENTRIES, 32 /* handled.c: SLOTS */
    .set ENTRY_BYTES, 16

    .text
    .balign 16
    .globl handled_entries
    .hidden handled_entries
    .type handled_entries, @function
handled_entries:
    .cfi_startproc
    .set number, 0
    .rept ENTRIES
    .balign ENTRY_BYTES
    endbr64
    push $number
    .cfi_adjust_cfa_offset 8
    jmp handled_enter
    .cfi_adjust_cfa_offset -8
    .set number, number + 1
    .endr
    .cfi_endproc
    .size handled_entries, . - handled_entries

    .balign 16
    .type handled_enter, @function
handled_enter:
    .cfi_startproc
    .cfi_adjust_cfa_offset 8 /* the number */
    push %rdi
    .cfi_adjust_cfa_offset 8
    push %rsi
    .cfi_adjust_cfa_offset 8
    push %rdx
    .cfi_adjust_cfa_offset 8
    push %rcx
    .cfi_adjust_cfa_offset 8
    push %r8
    .cfi_adjust_cfa_offset 8
    push %r9
    .cfi_adjust_cfa_offset 8
    push %r10
    .cfi_adjust_cfa_offset 8
    push %rax
    .cfi_adjust_cfa_offset 8
    lea 72(%rsp), %rcx /* where the kernel put the return address */
    mov 64(%rsp), %r8
    call handled_note
    mov %rax, %r11
    pop %rax
    .cfi_adjust_cfa_offset -8
    pop %r10
    .cfi_adjust_cfa_offset -8
    pop %r9
    .cfi_adjust_cfa_offset -8
    pop %r8
    .cfi_adjust_cfa_offset -8
    pop %rcx
    .cfi_adjust_cfa_offset -8
    pop %rdx
    .cfi_adjust_cfa_offset -8
    pop %rsi
    .cfi_adjust_cfa_offset -8
    pop %rdi
    .cfi_adjust_cfa_offset -8
    lea 8(%rsp), %rsp
    .cfi_adjust_cfa_offset -8
    test %r11, %r11
    jz 1f
    jmp *%r11
1:
    ret
    .cfi_endproc
    .size handled_enter, . - handled_enter

    .section .note.GNU-stack, "", @progbits
