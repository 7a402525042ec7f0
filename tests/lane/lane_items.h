/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of a lane whose content follows from their number: a record, or a frame
 * with bytes.
 */
#pragma once
#include <errno.h>
#include <string.h>
#include "lane/format/ids.h"
#include "lane/reader/reader.h"
#include "tests/lane/lane_windows.h"

static inline uint32_t item_frame_bytes(uint64_t number)
{
    uint64_t mix = lane_mix64(number);
    return mix % 8 == 0 ? (uint32_t)(mix >> 8) % (LANE_FRAME_MAX - 64)
                        : (uint32_t)(mix >> 8) % 100;
}

/* 0 or -ENOSPC. */
static inline int item_put(struct lane_map *map, struct lane *lane,
                           uint64_t number)
{
    bool is_frame = number % 4 == 3;
    uint32_t payload = is_frame ? item_frame_bytes(number) : 0;
    uint64_t len = 64 + (payload > 32 ? (payload + 63) & ~63u : 0);
    uint64_t at = test_reserve(map, lane, len);
    if (at == 0 && test_grow(map, lane) == 0)
        at = test_reserve(map, lane, len);
    if (at == 0)
        return -ENOSPC;
    uint8_t *line = test_at(map, lane, at);
    if (!is_frame) {
        struct lane_record *r = (void *)line;
        r->t0_ticks = r->t1_ticks = r->cpu_ns = r->parent = ~number;
        r->span = number;
        r->capture = r->site_status = r->context_depth = 0;
    } else {
        struct lane_frame *f = (void *)line;
        f->payload_bytes = payload;
        f->kind = LANE_FRAME_INPUT;
        f->span = number;
        uint8_t *to = payload > 32 ? line + 64 : f->inline_bytes;
        memset(to, (int)(number & 0xff), payload);
    }
    test_commit(map, lane, line, at,
                is_frame ? LANE_ITEM_FRAME : LANE_ITEM_RECORD);
    return 0;
}

static inline uint64_t item_number(const struct lane_log_item *item)
{
    return item->type == LANE_ITEM_RECORD ? item->record->span
                                          : item->frame->span;
}

/* Is this item the one of that number, to the byte? */
static inline bool item_is(const struct lane_log_item *item, uint64_t number)
{
    if (item_number(item) != number ||
        (item->type == LANE_ITEM_FRAME) != (number % 4 == 3))
        return false;
    if (item->type == LANE_ITEM_RECORD)
        return item->record->t0_ticks == ~number &&
               item->record->parent == ~number;
    if (item->frame->payload_bytes != item_frame_bytes(number))
        return false;
    for (uint32_t i = 0; i < item->frame->payload_bytes; i++)
        if (item->payload[i] != (number & 0xff))
            return false;
    return true;
}
