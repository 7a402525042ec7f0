/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See error_room.h; and the stacks that are written at once.
 */
#include "preload/error_room.h"

#include "preload/sandbox.h"
#include "preload/span_internal.h"
#include "lane/assert.h"

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

uint64_t error_write_stack(struct lane *lane, uint64_t span, uint32_t site,
                           enum lane_stack_reason reason)
{
    lane_assert(span_is_own(lane));
    const struct error_wish wish = {.reason = reason,
                                    .limit_bytes = ERROR_COPY_BYTES};
    struct error_room *room = error_room_get(lane, true);
    uint64_t hash = 0;
    if (room == NULL)
        return 0;
    if (room->scratch_busy++ == 0) {
        struct error_copy *copy = (struct error_copy *)(void *)room->scratch;
        error_copy_take(copy, lane, &wish);
        hash = error_copy_write(lane, copy, span, site);
    }
    room->scratch_busy--;
    return hash;
}

void error_write_rule(struct lane *lane, uint64_t span, uint32_t site,
                      uint64_t t0_ticks, bool is_left)
{
    lane_assert(span_is_own(lane));
    error_write_cause(lane, span, site, t0_ticks);
    (void)error_write_stack(lane, span, site,
                            is_left ? LANE_STACK_LEFT : LANE_STACK_RULE);
}

void error_note_signal(const struct error_fault *fault)
{
    const struct error_wish wish = {.reason = LANE_STACK_SIGNAL,
                                    .limit_bytes = ERROR_SIGNAL_BYTES,
                                    .registers = fault->registers,
                                    .fault_address = fault->address,
                                    .signal = fault->signal,
                                    .signal_code = fault->code};
    struct lane *lane = error_lane();
    if (lane == NULL)
        lane = thread_attach();
    struct error_room *room = lane ? error_room_get(lane, true) : NULL;
    /* a handler that raises it again: where it came first is what counts */
    if (room == NULL ||
        error_finish_handled(lane, fault->registers[7], fault) ||
        room->signal_busy++ != 0)
        return;
    const struct lane_open *open = error_open_span(lane, fault->registers[7]);
    uint64_t span = open ? open->span : span_process.ref;
    uint32_t site = open ? LANE_SITE_OF(open->site_kind) : 0;
    struct error_copy *copy = (struct error_copy *)(void *)room->at_signal;
    if (open)
        error_write_cause(lane, span, site, open->t0_ticks);
    error_write_process_stderr(lane, site);
    error_copy_take(copy, lane, &wish);
    (void)error_copy_write(lane, copy, span, site);
    room->signal_busy = 0;
}
