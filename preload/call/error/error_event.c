/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last event said, kept for the failures that it explains: an error
 * function that leaves by longjmp has told somebody why before. On the path of
 * an event, and only where some rule asks for it.
 */
#include "preload/call/error/error_room.h"

#include "preload/call/capture/capture_plan.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

/* The first text that it captures. */
static bool find_text(const struct site *site, struct capture_call *c,
                      struct manifest_value *text)
{
    const struct capture_plan *plan = site->capture;
    for (uint32_t i = 0; plan && i < plan->in.count; i++) {
        const struct capture_value *value = &plan->in.values[i];
        if (value->type == LANE_VALUE_TEXT &&
            manifest_eval(value->expr, &c->env, text) == 0 && !text->is_null)
            return true;
    }
    return false;
}

static void take_name(struct error_event *event, const struct site *site)
{
    lane_assert(site->decl != NULL);
    const char *name = site->decl->name;
    uint32_t len = 0;
    for (; name && name[len] && len < ERROR_EVENT_BYTES; len++)
        event->text[len] = (uint8_t)name[len];
    event->len_bytes = len;
}

void error_note_event(struct lane *lane, const struct site *site,
                      const struct shim_call *call)
{
    lane_assert(span_is_own(lane));
    struct capture_call c;
    struct manifest_value text = {0};
    if (!capture_asks_longjmp || lane == NULL)
        return;
    struct error_room *room = error_room_get(lane, true);
    if (room == NULL)
        return;
    struct error_event *event = &room->event;
    event->ticks = 0;
    capture_call_start(&c, lane, call, NULL);
    if (error_is_discreet || !find_text(site, &c, &text)) {
        take_name(event, site);
    } else {
        uint64_t most = text.len_bytes && text.len_bytes < ERROR_EVENT_BYTES
                            ? text.len_bytes
                            : ERROR_EVENT_BYTES;
        event->len_bytes =
            (uint32_t)read_text(&c.reader, event->text, text.bits, most).len;
    }
    lane_assert(event->len_bytes <= ERROR_EVENT_BYTES);
    event->ticks = span_now();
}

const struct error_event *error_last_event(const struct lane *lane,
                                           uint64_t t0_ticks)
{
    const struct error_room *room = error_room_get(lane, false);
    return room && room->event.ticks != 0 && room->event.ticks >= t0_ticks
               ? &room->event
               : NULL;
}
