/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan.h: for a program that wants to know, in its own logs, which trace
 * it is in. Optional: nothing is linked, and without handspan the call does
 * nothing. How: an empty function of the program's own, found by a note in its
 * file, whose entry handspan takes over as it does with a handler's.
 *
 *   char id[HANDSPAN_TRACEPARENT_BYTES];
 *   if (handspan_traceparent(id))
 *       log("trace=%.32s ...", id + 3);
 *
 * x86-64 ELF, gcc or clang, C or C++. In executables and libraries that are
 * there at the start. Costs some 60 bytes of text in each file that calls it.
 */
#ifndef HANDSPAN_H
#define HANDSPAN_H

enum {
    HANDSPAN_TRACEPARENT_BYTES = 56 /* 00-TRACE-SPAN-FLAGS and NUL */
};

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noinline, used)) static void
handspan_ask_traceparent(char *out) __asm__("handspan_ask_traceparent");
static void handspan_ask_traceparent(char *out)
{
    /* room for a jump */
    __asm__ volatile(".nops 16" : : "r"(out) : "memory");
}
__asm__(".pushsection .note.handspan, \"a\", @note\n"
        ".balign 4\n"
        ".long 9, 8, 1\n" /* length of name, of what follows; type */
        ".asciz \"handspan\"\n"
        ".balign 4\n"
        ".quad handspan_ask_traceparent - .\n"
        ".popsection\n");

/* The place of the calling code as a W3C traceparent (the innermost traced
 * handler that is open on this thread, else the process) in `out`. 1; 0 and
 * an empty text if nobody traces. Any thread, signal handlers too. */
static inline int handspan_traceparent(char out[HANDSPAN_TRACEPARENT_BYTES])
{
    out[0] = 0;
    handspan_ask_traceparent(out);
    return out[0] != 0;
}

#ifdef __cplusplus
}
#endif
#endif
