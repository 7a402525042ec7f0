/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site that is made while the program runs: its entry is patched live
 * (shim/live.h), or plainly where the process has one thread and that stands
 * in none of the bytes. Where neither can be, the pointer that the program
 * was about to hand over may be replaced.
 */
#include "preload/bind/bind_lock.h"
#include "preload/bind/bind_site.h"
#include "preload/bind/bind_work.h"
#include "preload/signal/trap.h"
#include "shim/live.h"
#include "lane/format/assert.h"
#include <errno.h>

/* Whoever meets a record must know its site: published before the first byte
 * changes. */
static void publish(struct work *work)
{
    lane_assert(work->site != NULL);
    work->record->binding = LANE_BINDING_ENTRY;
    work->record->shim = (uint8_t)work->shim;
    bind_work_publish(work);
}

static int refuse(struct work *work, const char *why)
{
    bind_work_say(work, "live: ");
    text_put(&work->reason, why);
    return -ENOTSUP;
}

/* In a handler the signal that led to it is blocked: with none blocked the
 * thread was not interrupted amid the bytes. */
static bool may_patch_plainly(const struct work *work, uint64_t mask)
{
    return trap_thread_count() == 1 &&
           (work->patch.boundary_count == 0 || mask == 0);
}

int bind_late_apply(struct work *work, uint64_t island, uint64_t stub)
{
    lane_assert(work->hold != NULL && stub != 0);
    uint64_t mask = work->hold->mask;
    bool is_plain =
        may_patch_plainly(work, mask) && work->patch.boundary_count == 0;
    const char *why = is_plain ? NULL : trap_prepare(mask);
    if (why && !may_patch_plainly(work, mask))
        return refuse(work, why);
    is_plain |= why != NULL;
    publish(work);
    int err = is_plain ? shim_patch_apply(&work->patch, island, stub)
                       : shim_live_apply(&work->patch, island, stub);
    if (err == -ENOSPC && may_patch_plainly(work, mask))
        err = shim_patch_apply(&work->patch, island, stub);
    if (err == 0)
        return 0;
    work->record->binding = LANE_BINDING_NONE;
    return refuse(work, err == -ENOSPC
                            ? "there is no place that a safe jump could lead to"
                            : "its text cannot be changed");
}
