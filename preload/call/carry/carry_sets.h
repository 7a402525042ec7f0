/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the table of work items lies in memory, for carry_table.c alone.
 *
 * Two tables: a near one of 64 KiB, which the caches and the TLB hold, and a
 * far one of 4 MiB for what finds no place there. A near set counts its items
 * in the far sets that belong to it: while there are none, nobody looks.
 *
 * Sets of seven items. A byte for each, a tag made of its key, tells in one
 * look which of them may be it and which are free; the key has the last word.
 * The tags and the first item share a cache line: mostly the only one that
 * travels to who adopts.
 */
#pragma once
#include <stdint.h>

enum {
    ITEMS_A_SET = 7,
    NEAR_SHIFT = 8,
    NEAR_SETS = 1 << NEAR_SHIFT, /* 1,792 items */
    FAR_SHIFT = 14,
    FAR_SETS = 1 << FAR_SHIFT, /* 114,688 items */
    TAG_USED = 0x80,           /* in each tag but that of a free place */
};
/* A word of tags: that bit of each item's, and all other bits. */
#define TAGS_USED UINT64_C(0x0080808080808080)
#define TAGS_REST UINT64_C(0x7f7f7f7f7f7f7f7f)
#define TAGS_EACH UINT64_C(0x0101010101010101)

enum kind {
    KIND_ONCE,
    KIND_MANY,
    KIND_AWAITED, /* adopted at `ticks`, not carried yet */
};
struct place {
    uint64_t key; /* 0: free */
    uint32_t version;
    uint32_t context_kind; /* context 24 bits | enum kind << 24 */
    uint64_t parent, ticks;
};
struct set {
    union {
        uint64_t tags;
        uint8_t tag[8]; /* as places; the last is none's */
    };
    uint32_t far_count; /* of a near set: at least its items in far ones */
    uint32_t pad0[5];
    struct place place[ITEMS_A_SET];
};
_Static_assert(sizeof(struct set) == 256, "whole cache lines");
