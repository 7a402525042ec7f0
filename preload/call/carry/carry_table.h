/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items under way: what was carried and not adopted yet, by key.
 *
 * In private memory of the process, not in the session: keys are addresses
 * mostly, and those mean something in one address space only. A forked child
 * has a copy of it, as it has of the items: each side may adopt its own.
 * Bounded: in a full set of it the oldest item gives way and is counted. A key
 * is there at most once: carried anew, it is another item (its address was
 * reused), and what was known of the old one is gone. No lock: carry_table.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CARRY_HIDDEN __attribute__((visibility("hidden")))

struct carry_item {
    uint64_t parent;  /* reference of the span that carried it */
    uint64_t ticks;   /* when */
    uint64_t began;   /* carried at leave: when the call began; else 0 */
    uint32_t context; /* index */
    uint32_t is_many; /* adopting does not consume it */
};

enum carry_found {
    CARRY_NONE,
    CARRY_FOUND,
    CARRY_EXPIRED,
};

/* Keys of the table: 0 is none. Of a value: it times an odd number, which has
 * no 0 but of 0 and tells values apart. */
static inline uint64_t carry_key(uint64_t value)
{
    return value * UINT64_C(0x9e3779b97f4a7c15);
}
/* Of "call fn with data", both. Never 0. */
CARRY_HIDDEN uint64_t carry_key_pair(uint64_t function, uint64_t data);

/* libc's __libc_single_threaded, if it is known: the process has one thread as
 * long as that is not 0. Set by the constructor. */
extern CARRY_HIDDEN const char *carry_table_alone;

/* Reserve it; memory is taken as it is used. Items older than `age_ticks` are
 * not given out. 0 or -errno. [constructor] */
CARRY_HIDDEN int carry_table_start(uint64_t age_ticks)
    __attribute__((warn_unused_result));

/* Some item is carried when its call returns, and may have been adopted before
 * that: what is adopted and not there is marked then. The call that carries it
 * late finds the mark and leaves nothing behind. [constructor, binding] */
extern CARRY_HIDDEN bool carry_table_has_late;

/* [any thread, signal-safe] */
CARRY_HIDDEN void carry_table_put(uint64_t key, const struct carry_item *item);
/* `out` is set where it is FOUND. */
CARRY_HIDDEN enum carry_found carry_table_take(uint64_t key, uint64_t now_ticks,
                                               struct carry_item *out);
CARRY_HIDDEN void carry_table_forget(uint64_t key);
