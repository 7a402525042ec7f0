/* SPDX-License-Identifier: Apache-2.0 */
/* See attribute_room.h. A place is another span's when its reference says so:
 * nothing is done where a call begins or ends. */
#include "preload/watch/attribute_room.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <sys/mman.h>

struct room {
    uint64_t span; /* whose it is */
    uint32_t used_bytes;
    uint32_t pad0;
};
static struct room (*rooms)[LANE_OPEN_MAX];

int attribute_room_start(void)
{
    if (rooms)
        return 0;
    void *at = mmap(NULL, LANE_MAX * sizeof(*rooms), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    rooms = at;
    return 0;
}

uint32_t *attribute_room_of(const struct lane *lane, uint64_t span)
{
    lane_assert(span_is_own(lane));
    uint32_t index = span_index(lane);
    for (uint64_t i = span_depth(lane); i > 0 && index < LANE_MAX; i--) {
        const struct lane_open *open = &lane->open[i - 1];
        struct room *room = &rooms[index][i - 1];
        if (open->span != span ||
            (open->state != LANE_OPEN_CALL && open->state != LANE_OPEN_TAIL))
            continue;
        if (room->span != span)
            *room = (struct room){.span = span};
        return &room->used_bytes;
    }
    return NULL;
}
