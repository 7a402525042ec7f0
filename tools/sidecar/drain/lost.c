/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that a span should have and has not. Its record says that an input
 * frame stands at a position, that an output frame stands before it, or that
 * there was no room for one; what was found of these waits in `pending`. So
 * none is missing without a word, whatever became of it on the way.
 */
#include <string.h>
#include "lane/format/context_frames.h"
#include "tools/sidecar/drain/drain_internal.h"
#include "lane/format/assert.h"

static const char no_room[] = "no room";
static const char not_found[] = "not found";

static bool site_has(const struct decode_site *site, bool outputs)
{
    for (uint32_t i = 0; i < site->count; i++)
        if (outputs ? site->item[i].direction == LANE_OUTPUT
                    : site->item[i].direction == LANE_INPUT ||
                          site->item[i].direction == LANE_ATTRIBUTE)
            return true;
    return false;
}

void lost_find(const struct session *s, const struct drain_span *span,
               const struct pending *p, struct decode_context *context)
{
    lane_assert(span->site < LANE_SITE_MAX && context != NULL);
    const struct decode_site *site = &s->site[span->site].decode;
    bool has_input = p && p->frame[LANE_FRAME_INPUT].payload;
    bool has_output = p && (p->frame[LANE_FRAME_OUTPUT].payload ||
                            p->frame[LANE_FRAME_LATER].payload);
    has_output |= span->has_value;
    /* the other meaning of the word has no position and no frames */
    uint64_t capture = span->capture & LANE_CAPTURE_QUEUE ? 0 : span->capture;
    bool takes_input = site_has(site, false);
    if (!has_input && takes_input) {
        if (capture >= LANE_LINE)
            context->input_lost = not_found;
        else if (span->is_lost)
            context->input_lost = no_room;
    }
    if (has_output || !site_has(site, true))
        return;
    if (capture & 1)
        context->output_lost = not_found;
    /* of a call that failed, what it points to is not read at all */
    else if (span->is_lost &&
             (has_input || !takes_input || strcmp(span->status, "ok") == 0))
        context->output_lost = no_room;
}
