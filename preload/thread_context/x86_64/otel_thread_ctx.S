/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libhandspan-context.so: where a profiler finds which span a thread is in
 * (OpenTelemetry OTEP 4947): the symbol that readers look for in the files of
 * /proc/PID/maps, and a word that says where the variable of that
 * name stands from the thread pointer (R_X86_64_TPOFF64, the initial-exec
 * model). Mapped by thread_context_start.c and not by the loader, which
 * would bind the program's own symbol of that name to it; the word is the
 * place of a variable in libhandspan.so.
 */
    .section .tbss, "awT", @nobits
    .globl otel_thread_ctx_v1
    .type otel_thread_ctx_v1, @object
    .size otel_thread_ctx_v1, 8
    .balign 8
otel_thread_ctx_v1:
    .zero 8

    /* never run: it makes the linker write that word into the GOT */
    .text
    mov otel_thread_ctx_v1@gottpoff(%rip), %rax
    ret

    .section .note.GNU-stack, "", @progbits
