/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel calls for fatal signals: signal_fatal_entry where the program
 * has no handler (fatal.c), and handled_entries, one for each handler of the
 * program's (handled.c).
 *
 * The stack may be an alternate one that the kernel's own frame fills. What the
 * interrupted code had in its registers stands in that frame, so they are all
 * free here: with no word on the program's stack the signals are blocked, one
 * of signal_stacks is taken, and the work is done on it.
 */
    .set ENTRIES, 32 /* handled.c: SLOTS */
    .set ENTRY_BYTES, 16
    .set STACKS, 4       /* signal_stack.h */
    .set STACK_SHIFT, 14
    .set ROOM, 1024 /* of an alternate stack, for the entry that stays on it */
    .set SYS_rt_sigprocmask, 14
    .set SIG_SETMASK, 2

    /* the kernel's ucontext: asm/ucontext.h, asm/sigcontext.h */
    .set UC_LINK, 8
    .set UC_STACK_SP, 16
    .set UC_STACK_SIZE, 32
    .set UC_R8, 40
    .set UC_R9, 48
    .set UC_R10, 56
    .set UC_R12, 72
    .set UC_R13, 80
    .set UC_R14, 88
    .set UC_R15, 96
    .set UC_RBP, 120
    .set UC_RBX, 128
    .set UC_RCX, 152

    .section .rodata
    .balign 8
all_signals:
    .quad -1

    .text
    /* Every signal blocked; the mask that was goes to the address in rdx. */
    .macro block_signals
    mov $SYS_rt_sigprocmask, %eax
    mov $SIG_SETMASK, %edi
    lea all_signals(%rip), %rsi
    mov $8, %r10d
    syscall
    .endm

    /* rsp = the end of a free one, ebx = its number; none: jump. */
    .macro take_stack none
    xor %ebx, %ebx
    lea signal_stacks_taken(%rip), %rcx
7:
    mov $1, %eax
    xchg %eax, (%rcx,%rbx,4)
    test %eax, %eax
    jz 8f
    inc %ebx
    cmp $STACKS, %ebx
    jb 7b
    jmp \none
8:
    lea 1(%rbx), %eax
    shl $STACK_SHIFT, %rax
    lea signal_stacks(%rip), %rcx
    lea (%rcx,%rax), %rsp
    .endm

    /* Back to the program's stack in rbp. */
    .macro leave_stack
    mov %rbp, %rsp
    lea signal_stacks_taken(%rip), %rcx
    movl $0, (%rcx,%rbx,4)
    .endm

/*
 * void signal_fatal_entry(int signal, siginfo_t *info, void *context)
 *
 * Returning from it sets all registers and the mask to what they were.
 */
    .balign 16
    .globl signal_fatal_entry
    .hidden signal_fatal_entry
    .type signal_fatal_entry, @function
signal_fatal_entry:
    .cfi_startproc
    endbr64
    cmpb $0, signal_may_switch(%rip)
    je on_fatal
    mov %rdi, %r12
    mov %rsi, %r13
    mov %rdx, %r14
    mov %rsp, %rbp
    .cfi_def_cfa rbp, 8
    xor %edx, %edx
    block_signals
    take_stack none=1f
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    call on_fatal
    leave_stack
    ret
1:
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    jmp on_fatal
    .cfi_endproc
    .size signal_fatal_entry, . - signal_fatal_entry

/*
 * All general registers but r11 are as the kernel set them when the program's
 * own handler begins, on the same stack pointer, by a jump: it returns to where
 * the kernel meant it to.
 *
 * uint64_t handled_note(int signal, const siginfo_t *info, ucontext_t *context,
 *     uint64_t frame, uint64_t number): the program's handler; 0: return.
 */
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
    mov $number, %r11d
    jmp handled_enter
    .set number, number + 1
    .endr
    .balign ENTRY_BYTES
    .cfi_endproc
    .size handled_entries, . - handled_entries

    .balign 16
    .type handled_enter, @function
handled_enter:
    .cfi_startproc
    mov %rsp, %rcx
    sub UC_STACK_SP(%rdx), %rcx
    cmp UC_STACK_SIZE(%rdx), %rcx
    jae handled_on_its_stack
    cmp $ROOM, %rcx
    jae handled_on_its_stack
    cmpb $0, signal_may_switch(%rip)
    je handled_on_its_stack

    mov %rdi, %r12
    mov %rsi, %r13
    mov %rdx, %r14
    mov %r11, %r15
    mov %rsp, %rbp
    .cfi_def_cfa rbp, 8
    /* the kernel writes 0 into uc_link and never reads it */
    lea UC_LINK(%r14), %rdx
    block_signals
    take_stack none=2f
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    mov %rbp, %rcx
    mov %r15, %r8
    call handled_note
    leave_stack
    mov %rax, %r15
    mov $1, %ebx /* noted: r15 is the handler, and not the number */
    jmp 3f
2:
    xor %ebx, %ebx
3:
    mov $SYS_rt_sigprocmask, %eax
    mov $SIG_SETMASK, %edi
    lea UC_LINK(%r14), %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
    movq $0, UC_LINK(%r14)
    mov %ebx, %eax
    mov %r15, %r11
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    mov UC_R8(%rdx), %r8
    mov UC_R9(%rdx), %r9
    mov UC_R10(%rdx), %r10
    mov UC_RBX(%rdx), %rbx
    mov UC_RBP(%rdx), %rbp
    .cfi_def_cfa rsp, 8
    mov UC_R12(%rdx), %r12
    mov UC_R13(%rdx), %r13
    mov UC_R14(%rdx), %r14
    mov UC_R15(%rdx), %r15
    test %eax, %eax
    jz handled_on_its_stack
    mov UC_RCX(%rdx), %rcx
    xor %eax, %eax
    jmp handled_go

handled_on_its_stack:
    mov UC_RCX(%rdx), %rcx
    xor %eax, %eax
    push %r11
    .cfi_adjust_cfa_offset 8
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
handled_go:
    test %r11, %r11
    jz 4f
    jmp *%r11
4:
    ret
    .cfi_endproc
    .size handled_enter, . - handled_enter

    .section .note.GNU-stack, "", @progbits
