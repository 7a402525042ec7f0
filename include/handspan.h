/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan.h: for a program that wants to know, in its own logs, which trace
 * it is in, or to tell its trace more than a manifest can. Optional: nothing
 * is linked, and without handspan the calls do nothing. How: an empty function
 * of the program's own, found by a note in its file, whose entry handspan
 * takes over as it does with a handler's.
 *
 *   char id[HANDSPAN_TRACEPARENT_BYTES];
 *   if (handspan_traceparent(id))
 *       log("trace=%.32s ...", id + 3);
 *
 * x86-64 ELF, gcc or clang, C or C++, executables and libraries. Some 60 bytes
 * in each of these. Any thread, signal handlers too. docs/header.md has the
 * rest.
 */
#ifndef HANDSPAN_H
#define HANDSPAN_H

enum {
    HANDSPAN_TRACEPARENT_BYTES = 56 /* 00-TRACE-SPAN-FLAGS and NUL */
};

#ifdef __cplusplus
extern "C" {
#endif

enum handspan_ask {
    HANDSPAN_ASK_TRACEPARENT = 1,
    HANDSPAN_ASK_TEXT,
    HANDSPAN_ASK_INTEGER,
    HANDSPAN_ASK_DOUBLE,
    HANDSPAN_ASK_CARRY,
    HANDSPAN_ASK_ADOPT,
    HANDSPAN_ASK_FORGET
};

void handspan_ask(long what, const void *a, const void *b, int *done)
    __attribute__((visibility("hidden")));
/* Room for a jump, and the note. In assembly, so that no compiler looks into
 * it or moves one away from the other (LTO); one for all files of an object. */
__asm__(".ifndef handspan_ask\n"
        ".pushsection .text.handspan_ask, \"axG\", @progbits, handspan_ask, "
        "comdat\n"
        ".weak handspan_ask\n"
        ".hidden handspan_ask\n"
        ".type handspan_ask, @function\n"
        "handspan_ask:\n"
        ".cfi_startproc\n"
        ".nops 16\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size handspan_ask, . - handspan_ask\n"
        ".popsection\n"
        ".pushsection .note.handspan, \"aG\", @note, handspan_ask, comdat\n"
        ".balign 4\n"
        ".long 9, 8, 2\n" /* length of name, of what follows; type */
        ".asciz \"handspan\"\n"
        ".balign 4\n"
        ".quad handspan_ask - .\n"
        ".popsection\n"
        ".endif\n");

/* Also where nothing is optimized: what asks is the caller itself. */
#define HANDSPAN_CALL static inline __attribute__((always_inline, unused))

/* The place of the calling code as a W3C traceparent (the innermost traced
 * handler that is open on this thread, else the process) in `out`. 1; 0 and
 * an empty text if nobody traces. */
HANDSPAN_CALL int handspan_traceparent(char out[HANDSPAN_TRACEPARENT_BYTES])
{
    int done = 0;
    out[0] = 0;
    handspan_ask(HANDSPAN_ASK_TRACEPARENT, out, 0, &done);
    return done;
}

/* An attribute of the innermost traced handler that is open here. The last
 * value of a key counts. Of a key, 63 bytes are kept, of a text, 511. 1; 0: not
 * kept (nobody traces, no handler is open, or its 64 KiB of attributes are
 * full). */
HANDSPAN_CALL int handspan_set_text(const char *key, const char *value)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_TEXT, key, value, &done);
    return done;
}

HANDSPAN_CALL int handspan_set_integer(const char *key, long long value)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_INTEGER, key, &value, &done);
    return done;
}

HANDSPAN_CALL int handspan_set_double(const char *key, double value)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_DOUBLE, key, &value, &done);
    return done;
}

/* As [[carry(item)]] of a manifest: this item is handed over now, and is the
 * work of the handler that is open here. `item` is an address or a number that
 * means it, not 0. */
HANDSPAN_CALL void handspan_carry(const void *item)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_CARRY, item, 0, &done);
}

/* As [[adopt(return)]] on a pop: what the calling function does from now on is
 * the work of who carried this item, until it adopts again (NULL: nobody's) or
 * returns. 1; 0: nobody carried it, and what follows is an orphan. */
HANDSPAN_CALL int handspan_adopt(const void *item)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_ADOPT, item, 0, &done);
    return done;
}

/* As [[forget(item)]]: the item is gone. */
HANDSPAN_CALL void handspan_forget(const void *item)
{
    int done = 0;
    handspan_ask(HANDSPAN_ASK_FORGET, item, 0, &done);
}

#undef HANDSPAN_CALL
#ifdef __cplusplus
}
#endif
#endif
