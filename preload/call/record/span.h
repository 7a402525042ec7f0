/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing spans: the two hooks of the trampolines and their slow
 * paths. span.c is the fast path (general registers only, no call of libc),
 * span_general.c all others; thread.c attaches threads, span_stack.c repairs
 * the stack of open spans after a longjmp, process.c follows forks.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Give the trampolines the hooks below, or those of a clock that is not rdtsc.
 * The session is there, no stub is reached yet. [constructor] */
HIDDEN void span_set_hooks(void);
/* A traced call begins: open its span, say where it goes on (call->target).
 * [any thread, signal-safe, general registers only] */
HIDDEN void span_enter(struct shim_call *call);
/* What shim_pass is: count the call, without a frame. [signal-safe] */
HIDDEN uint64_t span_pass(uint64_t site);
/* It ends as `end` says; `exception`: the one that passes, or NULL. As
 * span_enter(). */
HIDDEN void span_leave(struct shim_call *call, const struct shim_regs *regs,
                       enum shim_end end, void *exception);

/* What the path of a call needs of its thread: together, for one access to the
 * thread pointer. */
struct span_thread {
    struct lane *lane;    /* NULL until its first traced call */
    uint32_t busy;        /* >0 while our own code runs on this thread: hooks
                             then only call through */
    uint32_t alive;       /* *runtime.alive when it got its lane: another value
                             in a fork */
    uint64_t ref_base;    /* of the lane: LANE_REF(index, 0) */
    uint64_t commit_base; /* LANE_COMMIT(index, 0, LANE_ITEM_RECORD) */
    int *error;           /* &errno; set with the lane */
    uint64_t no_cpu_word; /* stands in for rseq_cs where there is none */
    uint64_t root;        /* parent of its outermost spans: what its creator
                             had open; or the process */
    uint32_t context;     /* and their context */
    uint32_t root_alive;  /* *runtime.alive when that was so */
    uint32_t has_crumbs;  /* a library call failed, and nothing was opened or
                             read since */
    uint32_t pad0;
    uint64_t
        depth_most; /* open spans up to which its stack has room for F's
                       frames without a closer look; LANE_OPEN_MAX at most */
    uint64_t stack_low, stack_high; /* where its own stack lies; 0 unknown */
    struct lane_window window;      /* where its lane may be written */
};
extern HIDDEN __thread struct span_thread span_thread
    __attribute__((tls_model("initial-exec")));
#define span_lane (span_thread.lane)
#define span_busy (span_thread.busy)

/* Where this thread's stack begins, if whoever made it gave it one; else 0. */
extern HIDDEN __thread uint64_t thread_stack_low
    __attribute__((tls_model("initial-exec")));

/* Get this thread a lane (registers a forked child first). NULL: none to be
 * had; counted. [any thread, signal-safe] */
HIDDEN struct lane *thread_attach(void);
/* This is the program's first thread. [constructor] */
HIDDEN void thread_note_main(void);
/* Only register a forked child, if that was not done yet: a child without a
 * traced call needs no lane. [any thread, signal-safe] */
HIDDEN void thread_enter_child(void);
/* From now on another task runs with this thread's TLS: nothing in it can be
 * either's own. Their calls are counted, without records. [own thread] */
HIDDEN void span_share(void);
/* Where a call would belong that is made now. */
struct span_place {
    uint64_t parent; /* reference of a span, or of a process */
    uint32_t context;
};
/* The innermost open span of this thread; else what its creator had open, or
 * its process's span. [any thread, signal-safe] */
HIDDEN struct span_place span_here(void);
/* A context of that number; the process's, where there is no such. */
static inline const struct lane_context *span_context_at(uint32_t number)
{
    uint32_t most = runtime.map.table[LANE_TABLE_CONTEXTS].capacity;
    return &runtime.map.contexts[number < most ? number : 0];
}
/* The same for a child of vfork or posix_spawn, which runs in our memory on a
 * stack of its own (`sp` lies on it) or on ours: what the thread was doing that
 * waits for it. */
HIDDEN struct span_place span_of_host(uint64_t sp);
/* Close every open span of this thread with `end` (exit, exec, signal). */
HIDDEN void span_close_all(enum lane_end end);
/* Close all of this process's threads' open spans? No: the sidecar does, from
 * the open entries and the process's marker. */

/* Write the process's end marker (times, CPU, peak memory). Once; later calls
 * do nothing. [signal-safe] */
HIDDEN void process_mark_end(enum lane_marker marker, int code,
                             uint64_t fault_address);
/* First in a process and after a fork: take a process entry below `place`. */
HIDDEN int process_register(uint32_t parent, struct span_place place);
