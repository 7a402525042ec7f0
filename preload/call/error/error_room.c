/* SPDX-License-Identifier: Apache-2.0 */
/* See error_room.h. */
#include "preload/call/error/error_room.h"

#include "preload/call/record/sandbox.h"
#include "preload/call/record/span_internal.h"
#include "shim/checker.h"
#include "lane/format/assert.h"

#include <sys/mman.h>
#include <sys/syscall.h>

static struct error_room *rooms[LANE_MAX];
bool error_is_discreet;
uint64_t (*error_place)(uint64_t pc);

struct lane *error_lane(void)
{
    struct lane *lane = span_lane;
    if (lane == NULL || *runtime.alive != span_thread.alive ||
        runtime.map.session == NULL || !runtime_is_recording())
        return NULL;
    return lane;
}

struct error_room *error_room_get(const struct lane *lane, bool make)
{
    lane_assert(lane != NULL && span_index(lane) < LANE_MAX);
    uint32_t index = span_index(lane);
    if (index >= LANE_MAX)
        return NULL;
    struct error_room *room = rooms[index];
    if (room != NULL || !make || sandboxed)
        return room;
    long at =
        machine_syscall(SYS_mmap, 0, sizeof(*room), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at <= 0)
        return NULL;
    checker_is_shared((void *)at, sizeof(*room)); /* by who has the lane */
    /* a signal handler may have been here meanwhile: then one is left over */
    rooms[index] = (struct error_room *)at;
    return rooms[index];
}

const struct lane_open *error_open_span(struct lane *lane, uint64_t sp)
{
    if (lane->depth == 0)
        return NULL;
    uint64_t span = span_find_place(lane, sp).parent;
    uint64_t depth = span_depth(lane);
    while (depth-- > 0) {
        if (lane->open[depth].span == span)
            return &lane->open[depth];
    }
    return NULL;
}
