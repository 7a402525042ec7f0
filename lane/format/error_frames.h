/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames 6 to 9 of a lane's log: the stack context of an error. Copied raw
 * where it happens; unwound, symbolized and then deleted outside. Frames of
 * one error share its span, and stand in the log before that span's record.
 * docs/lane.md describes the same byte by byte.
 */
#pragma once
#include "lane/format/layout.h"

/* What `return_value` of a rule's error is. */
enum lane_return_kind {
    LANE_RETURN_NONE, /* not known: void, no integer, no prototype, a secret */
    LANE_RETURN_SIGNED,
    LANE_RETURN_UNSIGNED, /* also bool and pointers */
};

enum lane_stack_reason {
    LANE_STACK_RULE = 1,    /* at the handler's leave */
    LANE_STACK_PASSING = 2, /* an exception without THROW frame passes */
    LANE_STACK_THROW = 3,   /* of the THROW frame that follows it */
    LANE_STACK_SIGNAL = 4,  /* a fatal signal: the registers are the fault's */
    LANE_STACK_CAUSE = 5,   /* of the CAUSE frame that follows it */
    LANE_STACK_ABORT = 6,   /* abort(), exit() ... under an open span */
    LANE_STACK_LEFT = 8,    /* of a rule, where longjmp took the call away */
    LANE_STACK_OVERDUE = 7, /* in no log: the reader's own copy, of a thread
                               whose span is open for too long */
};
enum lane_stack_flags {
    LANE_STACK_TRUNCATED = 1,  /* the stack goes on above the copy */
    LANE_STACK_SAME = 2,       /* no bytes: an earlier STACK frame of this
                                  session with this hash has them */
    LANE_STACK_UNREADABLE = 4, /* no bytes, or fewer than meant: a part of the
                                  stack could not be read */
    LANE_STACK_LOCALS = 8,     /* arguments and locals of its frames are asked
                                  for; its hash is its own, then */
    LANE_STACK_HANDLED = 16,   /* of a signal for which the program has a
                                  handler: it counts if the process died by it,
                                  or if a frame without this flag follows */
};
enum {
    LANE_STACK_REGISTERS = 17, /* DWARF numbers: rax rdx rcx rbx rsi rdi rbp
                                  rsp r8..r15, then rip */
    LANE_STACK_CALLS_MAX = 48,
    LANE_STACK_BYTES_MAX = 48 * 1024,
};
/*
 * A call that a trampoline of ours carries, as the unwinder is to see it: a
 * frame whose return address stands at `slot` returns to `ip`, with rsp = `sp`
 * and rbp = `rbp`. Innermost first. Without it the unwinder would find our
 * trampoline (F), or nothing at all (Z).
 */
struct lane_stack_call {
    uint64_t slot, ip, sp, rbp;
    uint64_t span; /* reference */
    uint32_t site;
    uint32_t pad0;
};
_Static_assert(sizeof(struct lane_stack_call) == 48, "file format");
/*
 * Where the trampolines keep what such a call has, for a reader that looks at
 * the stack of a living thread: of a call whose return-address slot (lane_open
 * .sp) is A, an F frame keeps it at A - LANE_KEPT_BELOW, Z in an entry that rbp
 * points to while the handler runs. Valid if `sp` and `span` are the call's.
 */
enum {
    LANE_KEPT_BELOW = 144,
    LANE_KEPT_STRIDE = 256, /* F: the handler's slot is so far below A, ... */
    LANE_KEPT_COPY = 384,   /* ... below a copy of its stack arguments so far */
    LANE_KEPT_MARK = 224,   /* so far below A: A ^ LANE_KEPT_MARKED if copied */
    LANE_KEPT_SP = 8,
    LANE_KEPT_SPAN = 40,
    LANE_KEPT_RBP = 136, /* the caller's; Z alone, as the next */
    LANE_KEPT_RETURN = 144,
    LANE_KEPT_BYTES = 152,
};

#define LANE_KEPT_MARKED UINT64_C(0x6b72616d79706f63)

/*
 * Registers as they were where the copy was made: of a signal all 17, else in
 * a function of the preload, whose frames (module of the session's build_id)
 * the reader unwinds and leaves out. After it: `call_count` calls, then
 * `stack_bytes` bytes of memory from `first_address` up.
 */
struct lane_frame_stack {
    uint8_t reason; /* enum lane_stack_reason */
    uint8_t flags;  /* enum lane_stack_flags */
    uint16_t call_count;
    uint32_t stack_bytes; /* at most LANE_STACK_BYTES_MAX */
    uint64_t hash;        /* of the code addresses in it; never 0 */
    uint64_t first_address;
    uint64_t ticks;
    uint64_t fault_address; /* si_addr, of a fault */
    int32_t signal;         /* number, 0 none */
    int32_t signal_code;    /* si_code */
    uint32_t known;         /* bit n: registers[n] is known */
    uint32_t tid;
    uint64_t registers[LANE_STACK_REGISTERS];
};
_Static_assert(sizeof(struct lane_frame_stack) == 192, "file format");
_Static_assert(sizeof(struct lane_frame_stack) +
                       LANE_STACK_CALLS_MAX * sizeof(struct lane_stack_call) +
                       LANE_STACK_BYTES_MAX <=
                   LANE_FRAME_MAX - LANE_LINE,
               "fits a frame");

enum lane_throw_kind {
    LANE_THROW_NEW = 1,       /* __cxa_throw */
    LANE_THROW_AGAIN = 2,     /* __cxa_rethrow: `throw;` */
    LANE_THROW_DEPENDENT = 3, /* std::rethrow_exception */
};
/*
 * An exception was thrown while a span was open; its span is the innermost.
 * Whether it was caught below the handler shows in the span's record. After
 * it: type (mangled name), message (what(), where it can be read without
 * running code of the program).
 */
struct lane_frame_throw {
    uint8_t kind;        /* enum lane_throw_kind */
    uint8_t has_message; /* 1: message is meant, even if empty */
    uint16_t type_bytes, message_bytes;
    uint16_t pad0;
    uint64_t object; /* address of the thrown object: the same for AGAIN and
                        DEPENDENT, also on another thread */
    uint64_t stack;  /* hash of its STACK frame, 0 none */
    uint64_t ticks;
    uint64_t pad1;
};
_Static_assert(sizeof(struct lane_frame_throw) == 40, "file format");

/*
 * The first library call that failed in a span (or in a span below it that did
 * not fail itself), and then the last ones, newest first: each padded to 8
 * bytes. After it: name of the function, format, text, without NUL.
 * The format has a character for each argument: s text (the bytes `text`, of
 * the first s), d int, u unsigned, x flags, o mode, f descriptor, p address.
 */
struct lane_frame_cause {
    uint64_t arguments[6]; /* raw */
    uint64_t result;       /* raw rax */
    uint64_t stack;        /* hash of its STACK frame, 0 none */
    uint64_t ticks;
    uint64_t made_in; /* reference of the span it was made in */
    int32_t error;    /* errno, 0: the function has none */
    uint8_t name_bytes, format_bytes;
    uint16_t text_bytes;
    uint8_t text_flags;  /* enum lane_value_flags: UNREADABLE, TRUNCATED (no
                            true length here; the bytes are the head) */
    uint8_t is_survived; /* 1: the thread opened or read something after it */
    uint8_t pad0[6];
};
_Static_assert(sizeof(struct lane_frame_cause) == 96, "file format");

/* A STDERR frame: the last bytes that the thread wrote to descriptor 2 while
 * the span was open. lane_frame.flags: */
enum lane_stderr_flags {
    LANE_STDERR_TRUNCATED = 1, /* more was written before these bytes */
};
enum {
    LANE_STDERR_MAX = 1024
};
