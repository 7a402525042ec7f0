/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reached by a jump from the loader's r_brk, called as an ordinary C function
 * without arguments; returns to the loader. Every register is kept, vector
 * registers through shim_call_slow(): the loader's caller may be a lazy
 * resolver that holds arguments in them.
 *
 *   rsp at entry: 8 mod 16 in C code, but nothing is taken for granted
 */
 .text
 .balign 16
 .globl shim_notify_stub
 .hidden shim_notify_stub
 .type shim_notify_stub,@function
shim_notify_stub:
 .cfi_startproc
 endbr64
 push %rbp
 .cfi_def_cfa_offset 16
 .cfi_offset 6,-16
 mov %rsp,%rbp
 .cfi_def_cfa_register 6
 sub $80,%rsp
 mov %rax,-8(%rbp)
 mov %rdi,-16(%rbp)
 mov %rsi,-24(%rbp)
 mov %rdx,-32(%rbp)
 mov %rcx,-40(%rbp)
 mov %r8,-48(%rbp)
 mov %r9,-56(%rbp)
 mov %r10,-64(%rbp)
 mov %r11,-72(%rbp)
 and $-16,%rsp
 mov shim_notified(%rip),%rdi
 xor %esi,%esi
 xor %edx,%edx
 call shim_call_slow
 mov -8(%rbp),%rax
 mov -16(%rbp),%rdi
 mov -24(%rbp),%rsi
 mov -32(%rbp),%rdx
 mov -40(%rbp),%rcx
 mov -48(%rbp),%r8
 mov -56(%rbp),%r9
 mov -64(%rbp),%r10
 mov -72(%rbp),%r11
 leave
 .cfi_def_cfa 7,8
 .cfi_restore 6
 ret
 .cfi_endproc
 .size shim_notify_stub,.-shim_notify_stub
 .section .note.GNU-stack,"",@progbits
