/* SPDX-License-Identifier: Apache-2.0 */
/* Links, queue times and orphans: see context.h. The frames are hostile. */
#define _GNU_SOURCE
#include "tools/sidecar/drain/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane/format/context_frames.h"
#include "lane/format/ids.h"
#include "lane/format/assert.h"

enum {
    LINK_BYTES = 96, /* of one in JSON */
};

static const struct pending_frame *frame_of(const struct pending *p,
                                            uint32_t kind, size_t least_bytes)
{
    lane_assert(kind < PENDING_KINDS);
    const struct pending_frame *f = p ? &p->frame[kind] : NULL;
    return f && f->payload && f->len_bytes >= least_bytes ? f : NULL;
}

int64_t context_queue_ns(const struct session *s, const struct pending *p,
                         uint64_t t0_ticks, uint64_t capture)
{
    struct lane_frame_queue queue;
    const struct pending_frame *f = frame_of(p, LANE_FRAME_QUEUE, sizeof queue);
    if (capture & LANE_CAPTURE_QUEUE) {
        uint64_t waited = capture >> LANE_CAPTURE_QUEUE_SHIFT;
        uint64_t from = waited < t0_ticks ? t0_ticks - waited : 0;
        return clock_duration_ns(&s->clock, from, t0_ticks);
    }
    if (!f)
        return STORE_NULL;
    memcpy(&queue, f->payload, sizeof queue);
    return clock_duration_ns(&s->clock, queue.carried_ticks,
                             queue.adopted_ticks);
}

const char *context_orphan(const struct pending *p)
{
    struct lane_frame_orphan orphan;
    const struct pending_frame *f =
        frame_of(p, LANE_FRAME_ORPHAN, sizeof orphan);
    if (!f)
        return NULL;
    memcpy(&orphan, f->payload, sizeof orphan);
    switch (orphan.reason) {
    case LANE_ORPHAN_NO_CARRIER:
        return "no carrier matched";
    case LANE_ORPHAN_EXPIRED:
        return "context expired";
    case LANE_ORPHAN_STACK:
        return "on a stack that nobody saw being made";
    case LANE_ORPHAN_RETURNED:
        return "who took the item up may have returned";
    default:
        return "unknown";
    }
}

static int put_link(struct session *s, const struct lane_link *link, char *out)
{
    struct lane_context context;
    char hex[33];
    if (link->context >= LANE_CONTEXT_MAX ||
        lane_reader_entry(&s->reader, LANE_TABLE_CONTEXTS, link->context,
                          &context) != 0)
        return 0;
    for (int i = 0; i < 16; i++)
        snprintf(hex + i * 2, 3, "%02x", context.trace_id[i]);
    return snprintf(
        out, LINK_BYTES, "{\"trace_id\":\"%s\",\"span_id\":\"%016llx\"},", hex,
        (unsigned long long)lane_span_id(s->reader.header.key, link->span));
}

char *context_links(struct session *s, const struct pending *p, uint64_t caller,
                    int *rc)
{
    lane_assert(rc != NULL);
    struct lane_link link = {.span = caller};
    const struct pending_frame *f = frame_of(p, LANE_FRAME_LINK, sizeof link);
    uint32_t count = f ? f->count : 0;
    if (f && count > f->len_bytes / sizeof link)
        count = f->len_bytes / sizeof link;
    if (count == 0 && caller == 0)
        return NULL;
    char *text = malloc(((size_t)count + 1) * LINK_BYTES + 2);
    if (!text) {
        *rc = -ENOMEM;
        return NULL;
    }
    size_t len = 0;
    text[len++] = '[';
    if (caller)
        len += (size_t)put_link(s, &link, text + len);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&link, f->payload + i * sizeof link, sizeof link);
        if (link.span)
            len += (size_t)put_link(s, &link, text + len);
    }
    len -= text[len - 1] == ',';
    text[len++] = ']';
    text[len] = 0;
    return text;
}
