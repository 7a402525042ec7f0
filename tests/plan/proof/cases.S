/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small functions with a known answer for the proof of K=0. The first word of
 * a name is what plan_prove_stack() must say: local, arguments, tail,
 * indexed, unknown; `not` is anything but local. The comment names the rule
 * of prove_rules.h that the case is there for.
 */
        .text

        .macro FUNC name
        .globl  \name
        .hidden \name
        .type   \name, @function
        .balign 16
\name:
        .cfi_startproc
        .endm
        .macro END name
        .cfi_endproc
        .size   \name, . - \name
        .endm

        /* gcc's realigned frame; the CFA is reached through \reg. */
        .macro DRAP reg, number
        lea     8(%rsp), \reg
        .cfi_def_cfa \number, 0
        and     $-32, %rsp
        push    -8(\reg)
        push    %rbp
        mov     %rsp, %rbp
        .cfi_escape 0x10, 6, 2, 0x76, 0
        push    \reg
        .cfi_escape 0xf, 3, 0x76, 0x78, 6
        .endm
        .macro DRAP_END
        mov     -8(%rbp), %r10
        .cfi_def_cfa 10, 0
        leave
        lea     -8(%r10), %rsp
        .cfi_def_cfa 7, 8
        ret
        .endm
        .macro FRAME bytes
        push    %rbp
        .cfi_def_cfa_offset 16
        mov     %rsp, %rbp
        .cfi_def_cfa_register 6
        sub     $\bytes, %rsp
        .endm
        .macro FRAME_END
        leave
        .cfi_def_cfa 7, 8
        ret
        .endm
        .macro GROW bytes
        sub     $\bytes, %rsp
        .cfi_adjust_cfa_offset \bytes
        .endm
        .macro SHRINK bytes
        add     $\bytes, %rsp
        .cfi_adjust_cfa_offset -\bytes
        .endm

/* ---- proved ---------------------------------------------------------------- */

FUNC local_leaf
        lea     (%rdi,%rsi), %rax
        ret
END local_leaf

FUNC local_frame
        FRAME   32
        mov     %rdi, -8(%rbp)
        call    ext@PLT
        mov     -8(%rbp), %rax
        FRAME_END
END local_frame

FUNC local_realigned
        DRAP    %r10, 10
        sub     $40, %rsp
        mov     %rdi, -32(%rbp)
        add     $40, %rsp
        DRAP_END
END local_realigned

FUNC local_alloca
        FRAME   16
        sub     %rdi, %rsp
        and     $-16, %rsp
        movb    $0, (%rsp,%rsi)
        mov     %rsp, %rdi
        call    ext@PLT
        FRAME_END
END local_alloca

FUNC local_probe_loop           /* rsp joins in a loop, the row settles it */
        lea     -65536(%rsp), %r11
        .cfi_def_cfa 11, 65544
1:      sub     $4096, %rsp
        orq     $0, (%rsp)
        cmp     %r11, %rsp
        jne     1b
        .cfi_def_cfa_register 7
        add     $65536, %rsp
        .cfi_def_cfa_offset 8
        ret
END local_probe_loop

FUNC local_aligned_pointer      /* and on a copy keeps the place */
        lea     -200(%rsp), %rax
        and     $-64, %rax
        movq    $0, 32(%rax)
        ret
END local_aligned_pointer

FUNC local_tail_to_leaf
        inc     %rdi
        jmp     local_leaf
END local_tail_to_leaf

FUNC local_tail_cycle
        dec     %rdi
        jne     local_tail_cycle_2
        ret
END local_tail_cycle
FUNC local_tail_cycle_2
        dec     %rdi
        jne     local_tail_cycle
        ret
END local_tail_cycle_2

FUNC local_relro_slot           /* RELRO: nobody changes it */
        jmp     *relro_slot(%rip)
END local_relro_slot

FUNC local_noreturn_call        /* the frame behind abort is another one */
        test    %rdi, %rdi
        je      1f
        ret
1:      GROW    8
        call    abort@PLT
        .cfi_def_cfa_offset 64
        mov     72(%rsp), %rax
        ret
END local_noreturn_call

FUNC local_switch
        cmp     $1, %rdi
        ja      3f
        lea     local_table(%rip), %rdx
        movslq  (%rdx,%rdi,4), %rax
        add     %rdx, %rax
        jmp     *%rax
1:      mov     $1, %eax
        ret
2:      mov     $2, %eax
3:      ret
        .section .rodata
        .balign 4
local_table:
        .long   1b - local_table
        .long   2b - local_table
        .long   0x7fffffff
        .text
END local_switch

FUNC local_elision              /* xbegin: both ways */
        xbegin  1f
        xend
        ret
1:      mov     $1, %eax
        ret
END local_elision

/* ---- accesses -------------------------------------------------------------- */

FUNC arguments_read             /* ACCESS_ABOVE */
        mov     8(%rsp), %rax
        ret
END arguments_read

FUNC arguments_written
        GROW    24
        movq    $0, 32(%rsp)
        SHRINK  24
        ret
END arguments_written

FUNC uncopied_straddled        /* ACCESS_SIZE */
        movups  (%rsp), %xmm0
        ret
END uncopied_straddled

FUNC arguments_by_rbp
        FRAME   16
        mov     16(%rbp), %rax
        FRAME_END
END arguments_by_rbp

FUNC arguments_pushed           /* push reads memory */
        push    8(%rsp)
        .cfi_adjust_cfa_offset 8
        pop     %rax
        .cfi_adjust_cfa_offset -8
        ret
END arguments_pushed

FUNC arguments_rep_constant
        lea     -64(%rsp), %rdi
        mov     $200, %ecx
        rep stosb
        ret
END arguments_rep_constant

FUNC unknown_above_base         /* ACCESS_ABOVE_BASE */
        FRAME   16
        and     $-32, %rsp
        mov     64(%rsp), %rax
        FRAME_END
END unknown_above_base

FUNC indexed_rsp                /* ACCESS_INDEXED, ADD_UNKNOWN */
        mov     (%rsp,%rdi,8), %rax
        ret
END indexed_rsp

FUNC indexed_biased             /* looks local: s.a[i - 9] by clang */
        movslq  %edi, %rax
        mov     -64(%rsp,%rax,4), %eax
        ret
END indexed_biased

FUNC indexed_two_pointers       /* ADD_TWO */
        lea     -24(%rsp), %rax
        lea     -24(%rsp), %rcx
        mov     (%rax,%rcx), %rdx
        ret
END indexed_two_pointers

FUNC indexed_scaled             /* SCALED_POINTER */
        lea     -24(%rsp), %rax
        mov     (,%rax,2), %rdx
        ret
END indexed_scaled

FUNC indexed_rep                /* REPEATED */
        lea     -64(%rsp), %rdi
        mov     %rsi, %rcx
        rep stosb
        ret
END indexed_rep

FUNC indexed_bit                /* BIT_OFFSET */
        bts     %rdi, -16(%rsp)
        ret
END indexed_bit

FUNC indexed_xsave              /* ACCESS_UNSIZED: longer than 576 bytes */
        xsave   -584(%rsp)
        ret
END indexed_xsave

FUNC indexed_gather
        lea     -64(%rsp), %rax
        vpgatherdd %xmm1, (%rax,%xmm0,4), %xmm2
        ret
END indexed_gather

/* ---- addresses -------------------------------------------------------------- */

FUNC arguments_lea              /* LEA_ABOVE */
        lea     8(%rsp), %rax
        ret
END arguments_lea

FUNC arguments_add
        mov     %rsp, %rax
        add     $24, %rax
        ret
END arguments_add

FUNC arguments_copied           /* USE_ABOVE */
        DRAP    %r10, 10
        mov     %r10, %rax
        DRAP_END
END arguments_copied

FUNC arguments_pushed_again     /* DRAP_ONCE */
        DRAP    %r10, 10
        push    %r10
        call    ext@PLT
        add     $8, %rsp
        DRAP_END
END arguments_pushed_again

FUNC arguments_pushed_spill     /* SPILL_ABOVE */
        DRAP    %r10, 10
        push    -8(%rbp)
        call    ext@PLT
        add     $8, %rsp
        DRAP_END
END arguments_pushed_spill

FUNC arguments_passed           /* CALL_ABOVE */
        DRAP    %rdi, 5
        call    ext@PLT
        DRAP_END
END arguments_passed

FUNC indexed_stored             /* STORE_INDEXED */
        lea     -8(%rsp,%rdi,8), %rax
        mov     %rax, (%rsi)
        ret
END indexed_stored

FUNC indexed_passed             /* CALL_INDEXED */
        lea     (%rsp,%rsi,8), %rdi
        GROW    8
        call    ext@PLT
        SHRINK  8
        ret
END indexed_passed

FUNC unknown_return_slot        /* RETURN_SLOT */
        mov     %rsp, %rax
        mov     %rax, (%rdi)
        ret
END unknown_return_slot

FUNC unknown_return_slot_rsp
        mov     %rsp, (%rdi)
        ret
END unknown_return_slot_rsp

FUNC unknown_return_slot_call
        mov     %rsp, %rdi
        GROW    8
        call    ext@PLT
        SHRINK  8
        ret
END unknown_return_slot_call

/* ---- what happens to a pointer ---------------------------------------------- */

FUNC indexed_after_call         /* CALL_KILLS: rcx is not 1 any more */
        mov     $1, %ecx
        GROW    72
        call    ext@PLT
        mov     %rsp, %rdi
        rep stosb
        SHRINK  72
        ret
END indexed_after_call

FUNC indexed_after_syscall      /* SYSCALL_KILLS: nor is rax */
        mov     $1, %eax
        syscall
        mov     %rax, %rcx
        lea     -72(%rsp), %rdi
        rep stosb
        ret
END indexed_after_syscall

FUNC indexed_tail_argument      /* CALL_INDEXED, in a tail jump */
        lea     -64(%rsp,%rsi,4), %rdi
        jmp     local_leaf
END indexed_tail_argument

FUNC indexed_exchanged          /* a pointer that xchg stores */
        lea     -136(%rsp), %rax
        xchg    %rax, -16(%rsp)
        mov     -16(%rsp), %rcx
        mov     (%rcx), %rax
        ret
END indexed_exchanged

FUNC indexed_vector_spilled     /* and one stored out of a vector register */
        lea     -136(%rsp), %rax
        movq    %rax, %xmm0
        movq    %xmm0, -16(%rsp)
        mov     -16(%rsp), %rcx
        mov     (%rcx,%rdi,8), %rax
        ret
END indexed_vector_spilled

FUNC unknown_pop_above_base
        FRAME   16
        and     $-32, %rsp
        pop     %rax
        pop     %rax
        pop     %rax
        pop     %rax
        pop     %rax
        pop     %rax
        FRAME_END
END unknown_pop_above_base

FUNC arguments_cold_red_zone    /* the other part uses a spilled pointer */
        lea     -136(%rsp), %rax
        mov     %rax, -16(%rsp)
        xor     %eax, %eax
        test    %rdi, %rdi
        je      red_zone_part
        ret
END arguments_cold_red_zone

        .balign 16
red_zone_part:
        .cfi_startproc
        mov     -16(%rsp), %rax
        mov     152(%rax), %rax
        ret
        .cfi_endproc

FUNC indexed_spilled            /* SPILL_KEPT */
        lea     -136(%rsp), %rax
        mov     %rax, -16(%rsp)
        mov     -16(%rsp), %rcx
        mov     (%rcx,%rdi,8), %rax
        ret
END indexed_spilled

FUNC indexed_spilled_operand    /* SPILL_OPERAND */
        lea     -136(%rsp), %rax
        mov     %rax, -16(%rsp)
        mov     %rdi, %rcx
        add     -16(%rsp), %rcx
        mov     (%rcx), %rax
        ret
END indexed_spilled_operand

FUNC indexed_spilled_here       /* SPILL_JOINED, either order */
        test    %rdi, %rdi
        je      1f
        lea     -136(%rsp), %rax
        mov     %rax, -16(%rsp)
        jmp     2f
1:      movq    $0, -16(%rsp)
2:      mov     -16(%rsp), %rcx
        mov     (%rcx,%rdi,8), %rax
        ret
END indexed_spilled_here

FUNC indexed_spilled_there
        test    %rdi, %rdi
        je      1f
        movq    $0, -16(%rsp)
        jmp     2f
1:      lea     -136(%rsp), %rax
        mov     %rax, -16(%rsp)
2:      mov     -16(%rsp), %rcx
        mov     (%rcx,%rdi,8), %rax
        ret
END indexed_spilled_there

FUNC indexed_mixed              /* MIXED */
        lea     -64(%rsp), %rax
        or      %rdi, %rax
        mov     (%rax), %rcx
        ret
END indexed_mixed

FUNC indexed_part               /* PARTIAL_WRITE */
        lea     -64(%rsp), %rax
        mov     %dil, %al
        mov     (%rax), %rcx
        ret
END indexed_part

FUNC indexed_cmov               /* CMOV_JOINS */
        mov     %rdi, %rax
        lea     -64(%rsp), %rcx
        test    %rsi, %rsi
        cmovne  %rcx, %rax
        mov     (%rax,%rsi,8), %rdx
        ret
END indexed_cmov

FUNC indexed_vector             /* VECTOR */
        lea     -64(%rsp), %rax
        movq    %rax, %xmm0
        movq    %xmm0, %rcx
        mov     (%rcx,%rdi,8), %rax
        ret
END indexed_vector

FUNC indexed_loop               /* JOIN_WIDENS */
        lea     -800(%rsp), %rax
1:      movb    $0, (%rax)
        inc     %rax
        cmp     %rdi, %rax
        jne     1b
        ret
END indexed_loop

FUNC indexed_two_bases          /* JOIN_SYMBOLS */
        FRAME   64
        sub     %rdi, %rsp
        mov     %rsp, %rax
        test    %rsi, %rsi
        je      1f
        lea     -40(%rbp), %rax
1:      mov     (%rax,%rsi,8), %rax
        FRAME_END
END indexed_two_bases

FUNC unknown_caller_rbp         /* CALLER_RBP */
        mov     16(%rbp), %rax
        ret
END unknown_caller_rbp

/* ---- agreement with the unwind rows ------------------------------------------ */

FUNC unknown_cfi                /* CFI_AGREES */
        sub     $24, %rsp
        mov     %rdi, (%rsp)
        add     $24, %rsp
        ret
END unknown_cfi

FUNC unknown_cfi_expression     /* CFI_EXPRESSION */
        DRAP    %r10, 10
        mov     %rdi, -8(%rbp)
        ud2
END unknown_cfi_expression

FUNC unknown_rsp                /* RSP_UNKNOWN */
        mov     %rdi, %rsp
        ret
END unknown_rsp

FUNC unknown_rsp_above
        pop     %rcx
        .cfi_adjust_cfa_offset -8
        pop     %rax
        .cfi_adjust_cfa_offset -8
        push    %rcx
        .cfi_adjust_cfa_offset 8
        ret
END unknown_rsp_above

FUNC unknown_ret_pops           /* RET_POPS */
        ret     $8
END unknown_ret_pops

FUNC unknown_ret_level          /* RET_LEVEL */
        push    %rdi
        .cfi_adjust_cfa_offset 8
        ret
END unknown_ret_level

/* ---- control flow -------------------------------------------------------------- */

FUNC unknown_indirect           /* INDIRECT_JUMP */
        GROW    24
        jmp     *%rdi
END unknown_indirect

FUNC tail_indirect              /* INDIRECT_TAIL */
        jmp     *%rdi
END tail_indirect

FUNC tail_member                /* jmp *8(%rax) is no jump table */
        mov     (%rdi), %rax
        mov     0x100(%rax), %rcx
        jmp     *%rcx
END tail_member

FUNC copied8_tail_to_arguments          /* TAIL_PROVED */
        jmp     arguments_read
END copied8_tail_to_arguments

FUNC copied8_tail_conditional
        test    %rdi, %rdi
        je      arguments_read
        ret
END copied8_tail_conditional

FUNC tail_to_import             /* TAIL_SLOT */
        jmp     *ext@GOTPCREL(%rip)
END tail_to_import

FUNC tail_by_plt
        jmp     ext@PLT
END tail_by_plt

FUNC tail_hook                  /* SLOT_WRITABLE */
        jmp     *hook(%rip)
END tail_hook

FUNC tail_writable_table        /* TABLE_WRITABLE */
        lea     writable_table(%rip), %rdx
        movslq  (%rdx,%rdi,4), %rax
        add     %rdx, %rax
        jmp     *%rax
1:      ret
        .data
        .balign 4
writable_table:
        .long   1b - writable_table
        .long   0x7fffffff
        .text
END tail_writable_table

FUNC arguments_in_switch        /* JUMP_TABLES */
        lea     second_table(%rip), %rdx
        movslq  (%rdx,%rdi,4), %rax
        add     %rdx, %rax
        jmp     *%rax
1:      ret
2:      mov     16(%rsp), %rax
        ret
        .section .rodata
        .balign 4
second_table:
        .long   1b - second_table
        .long   2b - second_table
        .long   0x7fffffff
        .text
END arguments_in_switch

FUNC arguments_in_cold          /* OTHER_PARTS */
        GROW    24
        test    %rdi, %rdi
        je      arguments_in_cold_part
        SHRINK  24
        ret
END arguments_in_cold

        .balign 16
arguments_in_cold_part:
        .cfi_startproc
        .cfi_def_cfa_offset 32
        mov     40(%rsp), %rax
        add     $24, %rsp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc

FUNC arguments_behind_branch    /* CONDITIONAL */
        test    %rdi, %rdi
        je      1f
        ret
1:      mov     8(%rsp), %rax
        ret
END arguments_behind_branch

FUNC unknown_call_inside        /* CALL_INSIDE */
        call    1f
        ret
1:      mov     16(%rsp), %rax
        ret
END unknown_call_inside

FUNC unknown_bytes              /* UNDECODABLE */
        test    %rdi, %rdi
        je      1f
        ret
1:      .byte   0x06
END unknown_bytes

FUNC unknown_interrupt          /* STRANGE */
        int     $0x80
        ret
END unknown_interrupt

        .globl  unknown_without_fde
        .hidden unknown_without_fde
        .type   unknown_without_fde, @function
unknown_without_fde:
        ret
        .size   unknown_without_fde, . - unknown_without_fde

        .section .data.rel.ro, "aw"
        .balign 8
relro_slot:
        .quad   local_leaf
        .data
        .balign 8
hook:
        .quad   local_leaf
        .text
        /* RETURN_READ: it asks who called it; nor as a tail jump's target */
FUNC caller_reads_return
        mov     (%rsp), %rax
        ret
END caller_reads_return

        /* a full barrier of older compilers, and what only looks like one */
FUNC local_barrier
        lock orq $0, (%rsp)
        ret
END local_barrier

FUNC caller_no_barrier
        lock orq $1, (%rsp)
        ret
END caller_no_barrier

FUNC caller_tail_reads_return
        jmp     caller_reads_return
END caller_tail_reads_return

        /* TAIL_ASKS: dlsym(RTLD_NEXT) looks for its caller's object */
FUNC caller_tail_asks
        jmp     *dlsym@GOTPCREL(%rip)
END caller_tail_asks

        /* stack arguments that can be copied, and how many */
FUNC copied8_first
        mov     8(%rsp), %rax
        ret
END copied8_first

FUNC copied40_fifth             /* COPY_ALL */
        mov     8(%rsp), %rax
        add     40(%rsp), %rax
        ret
END copied40_fifth

FUNC copied24_tail              /* its target's are its own */
        mov     16(%rsp), %rax
        jmp     copied24_target
END copied24_tail

FUNC copied24_target
        movq    $1, 24(%rsp)
        ret
END copied24_target

FUNC copied128_last
        mov     128(%rsp), %rax
        ret
END copied128_last

FUNC uncopied_far               /* COPY_FAR */
        mov     136(%rsp), %rax
        ret
END uncopied_far

FUNC uncopied_address
        lea     8(%rsp), %rax
        ret
END uncopied_address

        /* a copy of the return address in a realigned frame is no question */
FUNC local_pushes_return
        push    (%rsp)
        .cfi_adjust_cfa_offset 8
        pop     %rax
        .cfi_adjust_cfa_offset -8
        ret
END local_pushes_return

        .section .note.GNU-stack, "", @progbits
