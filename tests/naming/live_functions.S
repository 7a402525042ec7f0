/* SPDX-License-Identifier: Apache-2.0 */
/* Functions with many kinds of first instructions: f(n) is n + 1000. */
    .intel_syntax noprefix
    .text
    .macro FUNCTION name
    .balign 16, 0xcc
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    .endm
    .macro END name
    ret
    .cfi_endproc
    .size \name, .-\name
    .endm

FUNCTION live_frame
    push rbp
    mov rbp, rsp
    push rbx
    mov ebx, edi
    lea eax, [rbx+1000]
    pop rbx
    pop rbp
END live_frame
FUNCTION live_endbr
    endbr64
    push rbp
    mov rbp, rsp
    lea eax, [rdi+1000]
    pop rbp
END live_endbr
FUNCTION live_pushes
    push r15
    push r14
    push rbx
    mov r15d, edi
    lea eax, [r15+1000]
    pop rbx
    pop r14
    pop r15
END live_pushes
FUNCTION live_memory
    sub rsp, 24
    lea rcx, [rip+live_constant]
    mov eax, [rcx]
    add eax, edi
    add rsp, 24
END live_memory
FUNCTION live_branch
    test edi, edi
    js 1f
    xor eax, eax
    lea eax, [rdi+1000]
    ret
1:  lea eax, [rdi+1000]
END live_branch
FUNCTION live_one
    mov eax, 1000
    add eax, edi
END live_one
FUNCTION live_call
    sub rsp, 8
    call live_helper
    add eax, 1
    add rsp, 8
END live_call
FUNCTION live_nops
    nop
    nop
    nop
    nop
    nop
    lea eax, [rdi+1000]
END live_nops
FUNCTION live_syscall
    push rbx
    mov ebx, edi
    mov eax, 39
    syscall
    lea eax, [rbx+1000]
    pop rbx
END live_syscall
FUNCTION live_helper
    lea eax, [rdi+999]
END live_helper

    /* what a call meets first: counts, then goes on in the copy */
    .globl live_stub
live_stub:
    lock inc qword ptr live_count[rip]
    jmp qword ptr live_copy[rip]

    .section .rodata
    .balign 4
live_constant: .long 1000
    .section .note.GNU-stack, "", @progbits
