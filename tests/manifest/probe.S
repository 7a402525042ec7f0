/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: keep rdi rsi rdx rcx r8 r9, xmm0-7 and rsp; go to probe_target with
 * everything as it was; keep rax rdx xmm0 xmm1 afterwards. The stack arguments
 * are copied first: they belong to the callee. The return address
 * is replaced by our own for the time of the call, so that arguments on the
 * stack stay where they are. One call at a time.
 */
    .intel_syntax noprefix
    .text
    .globl probe
    .type probe, @function
probe:
    mov [rip + probe_ireg], rdi
    mov [rip + probe_ireg + 8], rsi
    mov [rip + probe_ireg + 16], rdx
    mov [rip + probe_ireg + 24], rcx
    mov [rip + probe_ireg + 32], r8
    mov [rip + probe_ireg + 40], r9
    movups [rip + probe_freg], xmm0
    movups [rip + probe_freg + 16], xmm1
    movups [rip + probe_freg + 32], xmm2
    movups [rip + probe_freg + 48], xmm3
    movups [rip + probe_freg + 64], xmm4
    movups [rip + probe_freg + 80], xmm5
    movups [rip + probe_freg + 96], xmm6
    movups [rip + probe_freg + 112], xmm7
    pop [rip + probe_return]
    mov [rip + probe_stack], rsp
    lea rdi, [rip + probe_copy]
    mov rsi, rsp
    mov ecx, 1024
    rep movsb
    mov rdi, [rip + probe_ireg]
    mov rsi, [rip + probe_ireg + 8]
    mov rcx, [rip + probe_ireg + 24]
    call [rip + probe_target]
    mov [rip + probe_rax], rax
    mov [rip + probe_rdx], rdx
    movups [rip + probe_ret], xmm0
    movups [rip + probe_ret + 16], xmm1
    jmp [rip + probe_return]
    .size probe, . - probe

    .bss
    .balign 16
    .globl probe_ireg, probe_freg, probe_stack, probe_rax, probe_rdx, probe_ret
    .globl probe_target, probe_copy
probe_ireg:   .skip 48
probe_stack:  .skip 8
probe_return: .skip 8
probe_freg:   .skip 128
probe_ret:    .skip 32
probe_rax:    .skip 8
probe_rdx:    .skip 8
probe_target: .skip 8
probe_copy:   .skip 1024
    .section .note.GNU-stack, "", @progbits
