/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of layout.h: a lane, which is what one thread writes. Who has it, its
 * open spans, the record that each leaves, its log's first segment and which
 * units hold the others.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum lane_open_state {
    LANE_OPEN_FREE = 0,
    LANE_OPEN_CALL = 1, /* a frame or an entry will close it */
    LANE_OPEN_TAIL = 2, /* the leave of the call below it closes it */
    LANE_OPEN_DONE = 3, /* closed out of order (another thread, a fiber) */
    LANE_OPEN_CONTEXT =
        4, /* no span; the writer's alone: preload/call/carry/carry.h */
    LANE_OPEN_STATE = 0xff /* of the word; above it the writer's alone: who
                              looks whether the entry is his, for a moment */
};
/* An open span. `state` is stored last at open (release) and first at close;
 * the reader accepts it when state and span read the same before and after. */
struct lane_open {
    uint64_t t0_ticks;
    uint64_t span;      /* reference */
    uint64_t parent;    /* reference */
    uint64_t cpu_ns;    /* the lane's cpu_base_ns at t0, LANE_CPU_UNKNOWN */
    uint64_t capture;   /* as in a record */
    uint64_t sp;        /* where its call stands; never dereferenced outside */
    uint32_t site_kind; /* site, LANE_SITE_* | kind 8 << 24 */
    uint32_t context_depth; /* context 24 bits | depth 8 << 24 */
    uint64_t state;         /* enum lane_open_state, in LANE_OPEN_STATE */
};
_Static_assert(sizeof(struct lane_open) == 64, "one cache line");

/* In the site's word of an open span and of a record, beside its number: */
enum {
    LANE_SITE_PART = 1 << 23, /* a call that it made has no record */
    LANE_SITE_DEEP = 1 << 22, /* beyond LANE_OPEN_MAX: the counters have its
                                 numbers; its parent is the deepest entry */
    LANE_SITE_KEPT = 1 << 21, /* may have records below it: see lane_kept */
    /* of a record alone: */
    LANE_SITE_VALUE = 1 << 20, /* `capture` is what the site's only output item
                                  has: 64 bits, extended. Since major 3 */
    LANE_SITE_INPUT = 1 << 19, /* ... and there is an input frame */
};
#define LANE_SITE_OF(word) ((uint32_t)(word) & (LANE_SITE_MAX - 1))

/* A finished span: 64 bytes, one cache line. */
struct lane_record {
    uint64_t t0_ticks, t1_ticks;
    uint64_t span, parent;  /* references */
    uint64_t cpu_ns;        /* CPU time of the thread between, or UNKNOWN */
    uint64_t capture;       /* position of its input frame's first line, 0 none;
                               bit 0: an output frame stands before the record,
                               bit 1: an error frame does; bit 5: no position,
                               see context_frames.h. LANE_SITE_VALUE: none of
                               this, a value */
    uint32_t site_status;   /* site, LANE_SITE_* | status 8 << 24 */
    uint32_t context_depth; /* context 24 bits | depth 8 << 24 */
    uint64_t commit;
};
_Static_assert(sizeof(struct lane_record) == 64, "one cache line");

enum lane_state { /* for people; `owner` is what counts */
    LANE_FREE = 0,
    LANE_TAKEN = 1,
};
struct lane {
    /* who: written after the claim */
    uint32_t state; /* enum lane_state */
    uint32_t index;
    uint32_t tid, pid;
    uint32_t process;    /* number */
    uint32_t generation; /* of the owner, once `robust` is its own; release */
    uint64_t start_ticks;
    char name[LANE_NAME_BYTES];
    uint64_t stack_low, stack_high;
    /* robust: a pthread robust mutex's word area, opaque to the reader; the
     * kernel sets FUTEX_OWNER_DIED (bit 30) in robust_word when the thread
     * ends or execs */
    uint8_t robust[64];
    uint64_t owner;   /* [P S] owner.h */
    uint32_t growing; /* [P] its thread is taking a unit, so deep: signal
                         handlers nest */

    /* what the thread changes at each call */
    _Alignas(256) uint64_t position; /* of the log: bytes reserved, grows */
    uint64_t limit;                  /* end of what may be reserved now */
    uint64_t counter;                /* span counter, grows over generations */
    uint64_t depth;                  /* of open[], may pass LANE_OPEN_MAX */
    uint64_t cpu_base_ns, cpu_until,
        cpu_mult;     /* see preload/call/record/cpu.h */
    uint64_t dropped; /* records that found no room */

    /* [S] the reader's: drained and committed */
    _Alignas(128) uint64_t tail;
    uint64_t recycled; /* [S] units of segments below this were given back */

    /* unit index + 1 by segment number modulo the ring. [P] sets an entry that
     * is 0, [S] makes it 0 again when it recycles the segment. */
    _Alignas(64) uint32_t unit[LANE_UNIT_RING];

    /* [P] calls beyond LANE_OPEN_MAX: time of those that ended below the one
     * that runs now, and a bit for each site that is open among them */
    _Alignas(64) uint64_t deep_ticks;
    uint64_t dropped_at; /* [P] position when LANE_SITE_KEPT was set last */
    uint64_t kept_next;  /* [P] records put into kept[], ever */
    _Alignas(64) uint64_t deep_sites[LANE_SITE_MAX / 64];

    _Alignas(4096) struct lane_open open[LANE_OPEN_MAX];
    uint8_t home[LANE_HOME];
    /*
     * Records that found no room in the log, by their span's place in open[].
     * Above all of spans that were open when the room ran out: what is below
     * them in the log would hang in the air without. Commit words as in the
     * log, of the position at which they would stand. [P] fills a slot whose
     * word is 0 (and makes it LANE_ITEM_PAD meanwhile), [S] makes it 0 again.
     */
    _Alignas(4096) struct lane_record kept[LANE_OPEN_MAX];
};
_Static_assert(offsetof(struct lane, robust) == 64, "file format");
_Static_assert(offsetof(struct lane, owner) == 128, "file format");
_Static_assert(offsetof(struct lane, position) == 256, "file format");
_Static_assert(offsetof(struct lane, tail) == 384, "file format");
_Static_assert(offsetof(struct lane, open) == 4096, "file format");
_Static_assert(offsetof(struct lane, deep_ticks) == 2496, "file format");
_Static_assert(sizeof(struct lane) == 4096 + 16384 + 65536, "file format");
