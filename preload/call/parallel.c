/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libgomp keeps its threads from one parallel region to the next: who created
 * them says nothing of whose work they do now. So the region's function is
 * handed over in a box, as a new thread's routine is (thread_start.c); each
 * member of the team takes its place from it and jumps on. The box lives until
 * the region's end, for which GOMP_parallel waits.
 *
 * The member that opened the region goes on under what it has open. A task is
 * run for the region that waits for it, not for the span that made it.
 *
 * [any thread] General registers only, no libc, no syscall.
 */
#include "preload/call/parallel.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    REGIONS = 512, /* open at the same time */
};

struct region {
    void (*body)(void *);
    void *data;
    struct span_place place;
    uint32_t owner; /* *runtime.alive of its process, 0 free */
    const void *opener;
};
static struct region regions[REGIONS];
static uint32_t next_region;

static struct region *take_region(uint32_t alive)
{
    lane_assert(alive != 0);
    for (uint32_t i = 0; i < REGIONS; i++) {
        uint32_t at = __atomic_fetch_add(&next_region, 1, __ATOMIC_RELAXED);
        struct region *region = &regions[at % REGIONS];
        uint32_t owner = __atomic_load_n(&region->owner, __ATOMIC_RELAXED);
        /* those of the process that forked this one are free as well */
        /* acquire; pairs with parallel_leave() */
        if (owner != alive &&
            __atomic_compare_exchange_n(&region->owner, &owner, alive, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return region;
    }
    return NULL;
}

static void work(void *argument)
{
    lane_assert((const struct region *)argument >= regions &&
                (const struct region *)argument < regions + REGIONS);
    const struct region *region = argument;
    if (region->opener != __builtin_thread_pointer()) {
        span_thread.root = region->place.parent;
        span_thread.context = region->place.context;
        span_thread.root_alive = region->owner;
    }
    region->body(region->data); /* a jump */
}

void parallel_enter(struct shim_call *call)
{
    lane_assert(call->site < SHIM_SITE_MAX);
    uint32_t alive = *runtime.alive;
    struct region *region =
        runtime.map.session != NULL && alive != 0 ? take_region(alive) : NULL;
    if (region == NULL)
        return;
    region->body = (void (*)(void *))call->args.rdi;
    region->data = (void *)call->args.rsi;
    region->place = span_here();
    region->opener = __builtin_thread_pointer();
    call->args.rdi = (uint64_t)work;
    call->args.rsi = (uint64_t)region;
    call->flags |= SHIM_CALL_ARGS;
}

void parallel_leave(struct shim_call *call, const struct shim_regs *regs)
{
    uint64_t offset = call->args.rsi - (uint64_t)regions;
    (void)regs;
    if (call->args.rdi == (uint64_t)work && offset < sizeof regions)
        /* release; pairs with the next one to take it */
        __atomic_store_n(&regions[offset / sizeof *regions].owner, 0,
                         __ATOMIC_RELEASE);
}
