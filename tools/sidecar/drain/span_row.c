/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span's row of the store: its values as JSON, what its record says, where it
 * came from. Of one that is open still, and of one that ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "lane/format/assert.h"
#include "tools/sidecar/drain/attribute.h"
#include "tools/sidecar/drain/context.h"
#include "tools/sidecar/drain/drain_internal.h"
#include "tools/sidecar/drain/stacks.h"

static struct decode_frame frame_of(const struct session *s,
                                    const struct pending *p, uint32_t kind)
{
    lane_assert(kind != 0 && kind < PENDING_KINDS);
    if (!p || !p->frame[kind].payload)
        return (struct decode_frame){0};
    const struct pending_frame *f = &p->frame[kind];
    uint16_t count = f->count < UINT16_MAX ? (uint16_t)f->count : UINT16_MAX;
    const struct decode_site *site =
        f->site && f->site < LANE_SITE_MAX && s->site[f->site].is_known
            ? &s->site[f->site].decode
            : NULL;
    return (struct decode_frame){f->payload, f->len_bytes, count, site};
}

/* A value that stands in the record itself, as a frame would have it, in
 * `payload`: of the only output that its site has. False: which one? */
static bool frame_of_value(const struct decode_site *site, uint64_t value,
                           uint64_t payload[2], struct decode_frame *frame)
{
    uint32_t found = 0, count = 0;
    for (uint32_t i = 0; i < site->count; i++)
        if (site->item[i].direction == LANE_OUTPUT) {
            found = i;
            count++;
        }
    if (count != 1 || site->item[found].type == LANE_VALUE_TEXT)
        return false;
    struct lane_value head = {.item = (uint16_t)found,
                              .type = site->item[found].type,
                              .len_bytes = sizeof value};
    memcpy(&payload[0], &head, sizeof head);
    payload[1] = value;
    *frame = (struct decode_frame){(const uint8_t *)payload, 16, 1, NULL};
    return true;
}

/* Its values as JSON. 0 or -errno. */
static int values_decode(struct session *s, const struct drain_span *span,
                         const struct pending *p, bool is_final, int64_t step,
                         struct decode_result *json)
{
    struct decode_frame input = frame_of(s, p, LANE_FRAME_INPUT);
    struct decode_frame output = frame_of(s, p, LANE_FRAME_OUTPUT);
    struct decode_frame later = frame_of(s, p, LANE_FRAME_LATER);
    uint64_t value[2];
    if (span->has_value && !frame_of_value(&s->site[span->site].decode,
                                           span->value, value, &output))
        s->corrupt++;
    struct decode_frame error = frame_of(s, p, LANE_FRAME_ERROR);
    bool has_context =
        is_final && (error.payload || stacks_is_fatal(p, span->died_by));
    struct decode_context context = {
        .groups = &s->groups,
        .withheld = s->withheld[0] ? s->withheld : NULL,
    };
    if (is_final)
        lost_find(s, span, p, &context);
    if (!input.payload && !output.payload && !later.payload && !error.payload &&
        !has_context && !step && !context.input_lost && !context.output_lost)
        return 0;
    int rc = has_context ? stacks_gather(s, span, p, &context) : 0;
    if (rc >= 0) {
        rc = decode_span(&s->site[span->site].decode, &input, &output, &later,
                         &error, &context, step, json);
        s->corrupt += rc != 0 && rc != -ENOMEM;
        rc = rc == -ENOMEM ? rc : 0;
    }
    decode_context_free(&context);
    return rc;
}

static struct store_cell number(int64_t n)
{
    return (struct store_cell){.number = n, .shape = 'i'};
}

static struct store_cell text(const char *t)
{
    return (struct store_cell){.text = t, .shape = 't'};
}

/* Of a record that somebody damaged it may be the number that stands for NULL,
 * which the table has no room for: the store would refuse the batch for ever.
 */
static int64_t parent_of(const struct drain_span *span)
{
    int64_t parent = span->is_root ? 0 : (int64_t)span->parent;
    return parent == STORE_NULL ? 0 : parent;
}

/* The parameters of span_add. The texts of `json` and `links` are the row's. */
static void row_make(struct session *s, const struct drain_span *span,
                     const struct pending *p, struct decode_result *json,
                     char *links, struct row *row)
{
    lane_assert(span->status != NULL);
    *row = (struct row){{
        number(s->id),
        number((int64_t)span->ref),
        number(span->trace),
        number(parent_of(span)),
        number(span->site),
        number(span->process),
        number(span->generation),
        number(span->depth),
        number(clock_unix_ns(&s->clock, span->t0)),
        number(span->duration_ns),
        number(span->is_part || span->is_deep ? STORE_NULL : span->self_ns),
        number(span->cpu_ns),
        text(span->status),
        text(span->ended_by),
        text(json->input),
        text(json->output),
        text(json->attributes),
        text(json->capture),
        text(json->error),
        text(links),
        number(context_queue_ns(s, p, span->t0, span->capture)),
        text(context_orphan(p)),
        text(json->fingerprint[0] ? json->fingerprint : NULL),
    }};
    json->input = json->output = json->attributes = NULL;
    json->capture = json->error = NULL;
}

static bool row_is_plain(const struct row *row)
{
    bool is_plain = row->cell[20].number == STORE_NULL && !row->cell[21].text;
    for (int i = ROW_OWN_FIRST; i < ROW_OWN_END; i++)
        is_plain &= !row->cell[i].text;
    return is_plain;
}

/* Those that went well and are not there yet wait for others. Not what a
 * sidecar may have stored that was killed before it gave the slot back: it
 * would be counted once more. Rows changed, or -errno. */
static int row_write(struct session *s, struct row *row,
                     const struct pending *p, bool is_final, bool is_kept)
{
    lane_assert(s->store != NULL);
    bool is_plain = row_is_plain(row), is_there = p && p->is_shown;
    int rc = is_final && !is_plain ? row_spread(s->store, row) : 0;
    if (rc != 0) {
        row_free(row);
        return rc;
    }
    if (is_final && !is_there && !is_kept && !row->cell[22].text) {
        rc = rows_add(&s->rows, s->store, row, is_plain);
        return rc < 0 ? rc : 1;
    }
    rc = rows_put(s->store, row, is_plain, is_there);
    row_free(row);
    return rc;
}

int drain_span_store(struct session *s, const struct drain_span *span,
                     const struct pending *p)
{
    lane_assert(span->status != NULL && span->site < LANE_SITE_MAX);
    struct decode_result json = {0};
    bool is_final = strcmp(span->status, "open") != 0;
    int64_t step = 0;
    int rc = 0;
    if (s->clock.step_count && span->duration_ns != STORE_NULL)
        step = clock_stepped_ns(
            &s->clock, span->t0,
            span->t0 + (uint64_t)clock_to_ns((double)span->duration_ns /
                                             clock_rate(&s->clock)));
    if (p || step || span->capture || span->has_value || span->is_lost)
        rc = values_decode(s, span, p, is_final, step, &json);
    if (rc == 0)
        rc = attribute_merge(p, &json.attributes);
    if (!is_final)
        json.fingerprint[0] = 0;
    /* a root handler's trace begins with it; what called it becomes a link */
    char *links =
        rc < 0 ? NULL
               : context_links(s, p, span->is_root ? span->parent : 0, &rc);
    if (rc == 0) {
        struct row row;
        row_make(s, span, p, &json, links, &row);
        rc = row_write(s, &row, p, is_final, span->is_kept);
    }
    if (rc > 0 && json.fingerprint[0]) {
        int grouped = stacks_store_group(s, span, &json);
        rc = grouped < 0 ? grouped : rc;
    }
    decode_free(&json);
    if (rc > 0 && is_final && !span->is_deep &&
        LANE_REF_LANE(span->ref) < LANE_MAX)
        s->lane[LANE_REF_LANE(span->ref)].records++;
    if (rc > 0 && is_final) {
        int noted = outbox_span(&s->outbox, s->store, s->id, span->ref);
        rc = noted < 0 ? noted : rc;
    }
    return rc;
}

/* The trace that this handler is the root of. */
int drain_root_store(struct session *s, const struct drain_span *span)
{
    lane_assert(span->is_root);
    int rc = store_run(s->store, STORE_CONTEXT_ROOT, "iii", s->id,
                       (int64_t)span->context, (int64_t)span->ref);
    if (rc >= 0)
        rc = store_run(s->store, STORE_TRACE_ROOT, "itiiitii", span->trace,
                       s->site[span->site].name, (int64_t)span->ref,
                       clock_unix_ns(&s->clock, span->t0), span->duration_ns,
                       span->status, s->id, (int64_t)span->context);
    return rc < 0 ? rc : 0;
}
