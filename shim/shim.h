/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the trampolines and the runtime.
 *
 * A stub says which site was called; the common code saves every caller-saved
 * general register, calls `enter`, calls the handler, saves the registers
 * again, calls `leave`, restores and returns. Both trampolines present the
 * same two structs to the hooks:
 *
 *  F keeps struct shim_call in a frame of its own on the caller's stack: right
 *    only for handlers that are proved to touch nothing at or above their CFA,
 *    or no more than some words there, which it copies.
 *  Z calls the handler with the caller's exact stack pointer; the true return
 *    address and rbp wait in struct shim_entry, private memory that belongs to
 *    this frame and to no thread.
 *
 * Context: the hooks run on the application's thread, on its stack, possibly
 * in a signal handler, between any two of its instructions. They are compiled
 * with -mgeneral-regs-only: vector, mask and x87 registers still hold the
 * program's values and are not touched. Anything that may use them goes
 * through shim_call_slow().
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHIM_SITE_MAX = 4096
};

/* Saved at entry (arguments) and at leave (rax, rdx: the return value).
 * Written back before the program goes on. */
struct shim_regs {
    uint64_t rax, rdi, rsi, rdx, rcx, r8, r9, r10, r11;
};
_Static_assert(sizeof(struct shim_regs) == 72, "shared with assembly");

/* One call, from enter to leave. Owned by the trampoline (F: in its frame on
 * the stack, Z: in a struct shim_entry); `target` and the words from `lane` to
 * `extra` are the runtime's, `lane` is 0 before enter. */
struct shim_call {
    uint64_t site;         /* index into the site table */
    uint64_t sp;           /* address of the caller's return-address slot; stack
                              arguments start at sp + 8 */
    uint64_t target;       /* set by enter: what to call */
    uint64_t lane;         /* the lane where the span was opened; 0: no span */
    uint64_t open;         /* its open entry */
    uint64_t span;         /* its reference */
    uint64_t extra;        /* the runtime's */
    uint64_t flags;        /* enum shim_call_flags, set by the trampoline */
    struct shim_regs args; /* as they were at entry, until leave */
};
_Static_assert(sizeof(struct shim_call) == 136, "shared with assembly");
enum shim_call_flags {
    SHIM_CALL_ZERO_COPY = 1, /* Z carries it */
    SHIM_CALL_TAIL = 2,      /* tail-called out of a traced handler: it has no
                                leave of its own; the leave of the call below
                                it ends it too. Enter may clear the flag: then
                                the call gets a frame (F) or an entry (Z) of
                                its own, and a leave */
    SHIM_CALL_LOST = 4,      /* Z found no entry: the handler is called, there
                                will be no leave, and args are not known */
    SHIM_CALL_ARGS = 8,      /* enter sets it when it changed one of the six
                                arguments in registers */
    SHIM_CALL_CALLER = 16,   /* Z: nobody said yet that this caller's return
                                address may be replaced (shim_caller_known).
                                Where it may not, enter sets SHIM_CALL_TAIL: no
                                frame, and no leave; it clears this flag */
    /* bits 8 to 30 are the runtime's own */
    SHIM_CALL_LEFT = 1 << 30, /* Z: a longjmp took its frame away */
};
enum {
    /* F: a handler's sp, or that of one it tail-calls, is this much below its
     * call's; with a copy of its stack arguments, so much */
    SHIM_FRAME_STRIDE = 256,
    SHIM_COPY_STRIDE = 384,
    SHIM_COPY_WORDS_MAX = 16,
};
#define SHIM_COPY_MARK UINT64_C(0x6b72616d79706f63)

enum {
    SHIM_NEAR_END = 16 * 1024
}; /* the largest part of a stack that is its end, see shim_floor */

enum shim_end { /* how a call ended, for `leave` */
    SHIM_END_RETURN = 0,
    SHIM_END_EXCEPTION = 1, /* it passes through; `exception` is the
                               _Unwind_Exception */
    SHIM_END_CANCEL = 2,    /* forced unwind: pthread_cancel, pthread_exit */
};

/* Must set call->target. Must not fail; a call without span is allowed. */
typedef void shim_enter_fn(struct shim_call *call);
typedef void shim_leave_fn(struct shim_call *call, const struct shim_regs *regs,
                           enum shim_end end, void *exception);

/* Near the end of the thread's stack: what to call without a frame, an entry or
 * a leave; 0: it is one that must not pass. On some 200 bytes of the program's
 * stack. */
typedef uint64_t shim_pass_fn(uint64_t site);

/* Set once, before the first stub can be reached. */
extern shim_enter_fn *shim_enter;
extern shim_leave_fn *shim_leave;
extern shim_pass_fn *shim_pass;

/* A call of this thread whose stack pointer is below this, but not by more
 * than SHIM_NEAR_END, is near the end of its stack. 0: not known. */
extern __thread uint64_t shim_floor
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The stubs of a site: 16 bytes each, ready in our text; address of the stub
 * that announces `site`. */
uint64_t shim_stub_frame(uint32_t site);
uint64_t shim_stub_zero_copy(uint32_t site);
/* F for a handler of which it is proved that it touches at most so many words
 * of stack arguments: they are copied. */
uint64_t shim_stub_copy(uint32_t site, uint32_t words);
/* The site whose zero-copy stub stands at `address`; 0: none does. */
uint32_t shim_stub_site(uint64_t address);

/* Z entries: a pool that is never unmapped. Reserve address space for `count`
 * entries of 192 bytes, or as many as are to be had; memory is taken as they
 * are used. Once, before the first stub can be reached; without it Z calls have
 * no spans. 0 or -ENOMEM. */
int shim_entries_reserve(size_t count) __attribute__((warn_unused_result));
/* From now on this thread takes its entries from cache `slot`, which no other
 * living thread uses (the lane's index: who inherits the lane of a thread that
 * ended inherits its entries). Without one, each Z call takes a locked
 * instruction or two. */
enum {
    SHIM_CACHE_MAX = 1024
};
void shim_cache_use(uint32_t slot);
/* From now on no system call is made for an entry: what is accessible by then,
 * and some 1,300 more, are all there will be; a Z call that finds none has no
 * frame (SHIM_CALL_LOST). Not undone. [signal-safe] */
void shim_entries_forbid(void);

/* True if this return address is one of ours: a tail call, or a frame of a
 * traced call in a backtrace. */
bool shim_is_return_address(uint64_t address);

/*
 * Z replaces the caller's return address. Who walks stacks by such addresses
 * with tables of its own (a collector of compiled JavaScript, a JVM) must not
 * find ours: only callers that were said to be known are called so. All are
 * forgotten when an object leaves, because something else may come to be
 * where it was. [signal-safe]
 */
void shim_caller_known(uint64_t return_address);
void shim_callers_forget(void);

/* The Z call of this thread whose return-address slot is `sp` and
 * whose call.open is `open`: the true return address and the caller's rbp.
 * False: there is none. [signal-safe] */
bool shim_entry_find(uint64_t sp, uint64_t open, uint64_t *return_address,
                     uint64_t *rbp);

/* That call itself; NULL: there is none. [signal-safe] */
struct shim_call *shim_entry_call(uint64_t sp, uint64_t open);

/* A longjmp takes away all frames of this thread whose return-address slot
 * lies in [low, high): their entries are given back, not at once, since a
 * program may copy such a stack back. `are_many`: more than some thousand may
 * have been open. [signal-safe] */
void shim_entries_left(uint64_t low, uint64_t high, bool are_many);
/* It does: none is given back from now on. [signal-safe] */
void shim_entries_keep(void);
bool shim_entries_are_kept(void);

/*
 * Call fn(a, b) with every vector, mask and x87 register saved around it, on a
 * stack of ours of 128 KiB with signals blocked; where there is none, on the
 * caller's. [signal-safe]
 */
long shim_call_slow(long (*fn)(long a, long b), long a, long b);
/* From now on it stays on the caller's stack: no system call is made for it.
 * Not undone. [signal-safe] */
void shim_stacks_forbid(void);
/* Does this stack pointer stand on a stack of ours? [signal-safe] */
bool shim_stacks_have(uint64_t sp);

/* xmm0 to xmm7 as they are now, 16 bytes each; only out of a hook that was
 * compiled with -mgeneral-regs-only. [signal-safe] */
void shim_read_xmm(uint8_t out[8][16]);
/* The 10 bytes of st0, which keeps its value. False: it is empty, or an
 * exception is pending that to read it would raise. [target, signal-safe] */
bool shim_read_x87(uint8_t out[16]);

/* Probe the CPU (xsave area). Before the first stub can be reached. */
void shim_start(void);
/* Of a signal frame's XSAVE area with all state that is switched on, but for
 * AMX tiles. After shim_start(). */
uint64_t shim_state_bytes(void);

/* ---- changing text and slots ---------------------------------------- */

struct plan_patch;
struct plan_image;

/* An island: a jump to the stub through memory, then the relocated copy. */
enum {
    SHIM_ISLAND_COPY = 16,
    SHIM_ISLAND_BYTES = 16 + 96
};

/* Memory for islands and relocated copies near an object (+-2 GiB): pages of
 * ours, written through /proc/self/mem, r-x from the start. -ENOMEM. */
int shim_island_take(uint64_t near_low, uint64_t near_high, size_t len_bytes,
                     uint64_t *at) __attribute__((warn_unused_result));

/* Keep /proc/self/mem open over a batch of writes, so that each is one
 * syscall. `may_protect` (NULL: never): where that file is refused, pages for
 * which it is true are made writable (and not executable meanwhile) for a
 * moment: no thread may stand in them. 0 or -errno: nothing can be written. */
int shim_text_open(bool (*may_protect)(uint64_t low, uint64_t high))
    __attribute__((warn_unused_result));
/* No island is taken any more from a page that has some: threads may stand in
 * those. */
void shim_island_seal(void);
void shim_text_close(void);
/* Write text, or data that is read-only by now. Between shim_text_open() and
 * shim_text_close(). 0 or -errno. */
int shim_write_text(uint64_t at, const void *bytes, size_t len_bytes)
    __attribute__((warn_unused_result));

/* Plan, verify, apply: write the island at `island` (a jump to `stub`, the
 * copy, which was planned for island + SHIM_ISLAND_COPY), then the jump over
 * the entry. Single-threaded only, or text that nobody executes yet. What
 * calls the handler from then on is the copy. -EAGAIN: the bytes changed since
 * the plan; -ERANGE: the island is too far; what was written is undone. */
int shim_patch_apply(const struct plan_patch *patch, uint64_t island,
                     uint64_t stub) __attribute__((warn_unused_result));

/* Call slots: let every JUMP_SLOT of `image` (mapped) that is named `name` and
 * leads to `function`, or is not resolved yet, lead to `stub`. `version`: the
 * one of the function, where its object has several; a slot that is not
 * resolved must demand it. Number of slots rewritten, or -errno. */
int shim_slots_rewrite(const struct plan_image *image, const char *name,
                       const char *version, uint64_t function, uint64_t stub)
    __attribute__((warn_unused_result));

/* Have notified(0, 0) called, vector registers saved, on every call of the
 * loader's r_brk, an empty function that debuggers stop at. [constructor only]
 * -ENOTSUP: it does not look like one. */
int shim_loader_notify(uint64_t r_brk, long (*notified)(long, long))
    __attribute__((warn_unused_result));
