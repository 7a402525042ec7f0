/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See capture_keep.h. The places are one mapping that stays; pages come as they
 * are touched. A place may have been taken by another call meanwhile (a
 * longjmp, a fiber on another thread): its span tells.
 */
#include "preload/call/capture/capture_keep.h"
#include "preload/call/memory/read.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <sys/mman.h>

enum {
    LANES_MOST = 1024,
    LANES_LEAST = 16,
};

static struct capture_kept (*kept)[LANE_OPEN_MAX];
static uint32_t kept_lanes;

int capture_keep_reserve(void)
{
    uint32_t lanes = LANES_MOST;
    if (kept)
        return 0;
    for (; lanes >= LANES_LEAST; lanes /= 4) {
        size_t bytes = lanes * sizeof(*kept);
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            continue;
        /* without it they are read by a system call, as other memory */
        (void)!read_add_range((uint64_t)at, (uint64_t)at + bytes);
        kept_lanes = lanes;
        kept = at;
        return 0;
    }
    return -ENOMEM;
}

static struct capture_kept *place_of(const struct lane *lane,
                                     const struct lane_open *open)
{
    lane_assert(kept_lanes == 0 || kept != NULL);
    /* of a call beyond the entries it is somewhere else */
    size_t depth =
        ((uintptr_t)open - (uintptr_t)lane->open) / sizeof(*lane->open);
    uint32_t index = span_index(lane);
    if (index >= kept_lanes || depth >= LANE_OPEN_MAX)
        return NULL;
    return &kept[index][depth];
}

void capture_keep(const struct capture_plan *plan, const struct lane *lane,
                  const struct lane_open *open, const struct shim_call *call)
{
    lane_assert(plan->keep_bytes <= CAPTURE_KEEP_BYTES && span_is_own(lane));
    struct capture_kept *k = place_of(lane, open);
    struct reader reader;
    if (!k)
        return;
    k->span = 0;
    if (plan->keeps_freg)
        shim_read_xmm(k->freg);
    if (plan->keep_bytes) {
        reader_start(&reader, runtime.pid, span_thread.stack_low,
                     span_thread.stack_high);
        if (read_bytes(&reader, k->stack, call->sp + 8, plan->keep_bytes) !=
            plan->keep_bytes)
            return;
    }
    k->span = call->span;
}

const struct capture_kept *capture_kept_of(const struct shim_call *call,
                                           uint64_t span)
{
    const struct lane *lane = (const struct lane *)call->lane;
    const struct lane_open *open = (const struct lane_open *)call->open;
    const struct capture_kept *k = lane && open ? place_of(lane, open) : NULL;
    return k && k->span == span ? k : NULL;
}
