/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that others enter behind their first bytes, each in another way:
 * fn_NAME(n) is 3n + 1; other_NAME(n, odd) ends at its third instruction, or at
 * a label of its own. Far apart, so that branches have 32 bits, unless NEAR.
 */
        .text
        .macro  FN name, between
        .globl  fn_\name, other_\name
        .type   fn_\name, @function
        .type   other_\name, @function
        .balign 16
fn_\name:
        .cfi_startproc
        cmc
        xor     %eax, %eax
.Lin_\name:
        lea     (%rdi,%rdi,2), %rax
        add     $1, %rax
        ret
        .cfi_endproc
        .size   fn_\name, . - fn_\name
        .fill   \between, 1, 0xcc
        .balign 16
other_\name:
        .cfi_startproc
        lea     7(%rdi), %rax
        .endm
        .macro  END name
        .cfi_endproc
        .size   other_\name, . - other_\name
        .endm

FN jcc, 300
        test    %rsi, %rsi
        jne     .Lin_jcc
        ret
END jcc
FN jcc_near, 1
        test    %rsi, %rsi
        jne     .Lin_jcc_near
        ret
END jcc_near
FN jrcxz, 1
        mov     %rsi, %rcx
        jrcxz   .Lin_jrcxz
        ret
END jrcxz
FN loop, 1
        lea     1(%rsi), %rcx
        loop    .Lin_loop
        ret
END loop
FN section, 300
        jmp     .Lsection
        .section .text.unlikely, "ax", @progbits
.Lsection:
        jmp     .Lin_section
        .text
END section
FN init, 300
        jmp     .Linit
        .section .init, "ax", @progbits
        jmp     1f
.Linit: jmp     .Lin_init
1:
        .text
END init
FN pushed, 300
        lea     .Lin_pushed(%rip), %rcx
        push    %rcx
        .cfi_adjust_cfa_offset 8
        ret
END pushed
FN word, 300
        jmp     *.Lword(%rip)
        .data
.Lword: .quad   fn_word + 3
        .text
END word
FN tls, 300
        mov     .Ltls@gottpoff(%rip), %rcx
        jmp     *%fs:(%rcx)
        .section .tdata, "awT", @progbits
        .balign 8
.Ltls:  .quad   fn_tls + 3
        .text
END tls
FN words, 300
        lea     .Lwords(%rip), %rdx
        jmp     *(%rdx,%rsi,8)
.Lwords_own:
        ret
        .section .data.rel.ro, "aw", @progbits
        .balign 8
.Lwords:
        .quad   .Lin_words, .Lwords_own
        .text
END words

/* addresses that nothing has whole */
FN table4, 300
        lea     .Ltable4(%rip), %rdx
        movslq  (%rdx,%rsi,4), %rcx
        add     %rdx, %rcx
        jmp     *%rcx
.Ltable4_own:
        ret
        .section .rodata
        .balign 4
.Ltable4:
        .long   .Ltable4_own - .Ltable4, .Lin_table4 - .Ltable4
        .text
END table4
FN table8, 300
        lea     .Ltable8(%rip), %rdx
        mov     (%rdx,%rsi,8), %rcx
        add     %rdx, %rcx
        jmp     *%rcx
.Ltable8_own:
        ret
        .section .rodata
        .balign 8
.Ltable8:
        .quad   .Ltable8_own - .Ltable8, .Lin_table8 - .Ltable8
        .text
END table8
FN table_label, 300
        lea     .Ltable_label(%rip), %rdx
        movslq  (%rdx,%rsi,4), %rcx
        lea     .Ltable_label_own(%rip), %rdx
        add     %rdx, %rcx
        jmp     *%rcx
.Ltable_label_own:
        ret
        .section .rodata
        .balign 4
.Ltable_label:
        .long   .Lin_table_label - .Ltable_label_own, 0
        .text
END table_label
FN table1, 300
        lea     .Ltable1(%rip), %rdx
        movzbl  (%rdx,%rsi), %ecx
        lea     fn_table1(%rip), %rdx
        add     %rdx, %rcx
        jmp     *%rcx
        .section .rodata
.Ltable1:
        .byte   3, 3
        .text
END table1
FN table_text, 300
        lea     .Ltable_text(%rip), %rdx
        movslq  (%rdx,%rsi,4), %rcx
        add     %rdx, %rcx
        jmp     *%rcx
.Ltable_text_own:
        ret
.Ltable_text:
        .long   .Lin_table_text - .Ltable_text
        .long   .Ltable_text_own - .Ltable_text
END table_text
FN number, 300
        lea     fn_number(%rip), %rcx
        add     $3, %rcx
        jmp     *%rcx
END number
FN number_far, 300
        lea     .Lnumber_own(%rip), %rcx
        sub     $(.Lnumber_own - .Lin_number_far), %rcx
        jmp     *%rcx
.Lnumber_own:
        ret
END number_far
FN number_got, 300
        mov     fn_number_got@GOTPCREL(%rip), %rcx
        lea     3(%rcx), %rcx
        jmp     *%rcx
END number_got
FN popped, 300
        call    1f
1:      pop     %rcx
        add     $(.Lin_popped - 1b), %rcx
        jmp     *%rcx
END popped
        .section .note.GNU-stack, "", @progbits
