/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack context of errors, as the hooks see it: what to note while a span
 * is open, what to write when it failed. docs/preload.md tells the whole.
 *
 * All of it: [the thread itself, also in signal handlers; general registers
 * only; no libc; errno kept]. Whatever finds no memory, no room or no right to
 * read is left out; nothing fails.
 */
#pragma once
#include "preload/call/capture/capture.h"
#include "preload/call/error/error_copy.h"

struct lane_open;

/* ---- at the leave of a span that failed -------------------------------- */

/* Write what led to it since `t0_ticks`: first cause, last bytes of stderr. */
HIDDEN void error_write_cause(struct lane *lane, uint64_t span, uint32_t site,
                              uint64_t t0_ticks);
/* The first of these alone. */
HIDDEN void error_write_crumbs(struct lane *lane, uint64_t span, uint32_t site,
                               uint64_t t0_ticks);
/* The last bytes of stderr of the process, as its own. (error_process.c) */
HIDDEN void error_write_process_stderr(struct lane *lane, uint32_t site);
/* Write the stack as it is now. Its hash, 0: not written. */
HIDDEN uint64_t error_write_stack(struct lane *lane, uint64_t span,
                                  uint32_t site, enum lane_stack_reason reason);
/* A rule says that it failed: all of this. `is_left`: it did not return, its
 * frame is part of the stack. */
HIDDEN void error_write_rule(struct lane *lane, uint64_t span, uint32_t site,
                             uint64_t t0_ticks, bool is_left);
/* `origin` of the throw of this object, if it was seen on this thread. */
HIDDEN uint32_t error_throw_origin(const struct lane *lane, uint64_t object);

/* ---- while spans are open ---------------------------------------------- */

/* How a function of libc says that it failed. */
enum error_result {
    ERROR_INT,    /* int -1, errno */
    ERROR_LONG,   /* long or pointer -1, errno */
    ERROR_NULL,   /* NULL, errno */
    ERROR_NUMBER, /* the result is an error number */
    ERROR_CODE,   /* the result is a number of its own, not 0 */
    ERROR_TEXT,   /* the result is a text, not NULL */
};
/* A function of the shipped list. */
struct error_call {
    const char *name;
    const char *format; /* lane_frame_cause */
    enum error_result result;
};
/* It failed: keep it for the innermost open span. */
HIDDEN void error_note_call(const struct shim_call *call, uint64_t result,
                            const struct error_call *what);
/* A call that opens or reads something did so, after one that failed. */
HIDDEN void error_note_work(void);
/* glibc's __abort_msg, 0: not known. [constructor] */
extern HIDDEN uint64_t error_abort_text;
/* The process aborts: glibc's own word on it, which it writes by a system call
 * of its own, is taken for written to descriptor 2. (error_process.c) */
HIDDEN void error_note_abort(void);
/* Somebody writes to descriptor 2: the process's last bytes. */
HIDDEN void error_process_wrote(uint64_t from, uint64_t len);
/* The thread writes to descriptor 2. */
HIDDEN void error_note_stderr(uint64_t from, uint64_t len);
/* The same, `count` pieces, struct iovec each. */
HIDDEN void error_note_stderr_parts(uint64_t pieces, uint32_t count);
/* An exception is thrown: std::type_info and object, 0 if not known. */
HIDDEN void error_note_throw(enum lane_throw_kind kind, uint64_t type,
                             uint64_t object);
/* The process ends by its own will. (error_process.c) */
HIDDEN void error_note_end(int status);

struct error_fault { /* of a fatal signal */
    const uint64_t *registers;
    uint64_t address;
    int32_t signal, code;
};
/* Where an instruction stood before a patch moved it; NULL: none was.
 * [constructor] */
extern HIDDEN uint64_t (*error_place)(uint64_t pc);
HIDDEN void error_note_signal(const struct error_fault *fault);

/* ---- what an event said (error_event.c) --------------------------------- */

/* This call is an event: keep its first text, or its name. */
HIDDEN void error_note_event(struct lane *lane, const struct site *site,
                             const struct shim_call *call);
/* NULL: none since then. */
HIDDEN const struct error_event *error_last_event(const struct lane *lane,
                                                  uint64_t t0_ticks);

/* ---- signals that the program handles itself (error_handled.c) ---------- */

/* Words of the signal's frame that stay as they are while its handler runs;
 * the first one is where the frame begins. */
enum {
    ERROR_FRAME_WORDS = 3
};
struct error_handler_frame {
    uint64_t address[ERROR_FRAME_WORDS];
};
/* Is there something to keep of a fault at `pc` with this stack pointer, and
 * was little kept lately? Not of one in such a handler: the first counts. */
HIDDEN bool error_wants_handled(uint64_t pc, uint64_t sp);
/* Its stack, of the innermost open span: it counts if the process ends by this
 * signal, or in this handler. */
HIDDEN void error_note_handled(const struct error_fault *fault,
                               const struct error_handler_frame *frame);
/* The process ends, at `sp`, by `fault` or by its own will (NULL). True: it is
 * such a handler that ends it, and that was written. */
HIDDEN bool error_finish_handled(struct lane *lane, uint64_t sp,
                                 const struct error_fault *fault);

/* `secret` in the manifest, or no values at all: no text of stderr, of
 * arguments and of exceptions is kept, of stacks the addresses alone.
 * [constructor] */
extern HIDDEN bool error_is_discreet;
