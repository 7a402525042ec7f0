/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured bytes to JSON objects: see decode.h. Here: frames, objects and
 * marks; value.c: one value; error.c: error frames.
 */
#define _GNU_SOURCE
#include "tools/sidecar/decode/decode.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tools/sidecar/decode/decode_internal.h"
#include "lane/format/assert.h"

enum {
    VALUES_MAX = 4096, /* in one frame */
};

struct objects {
    cJSON *input, *output, *attributes, *capture, *error;
};

static cJSON *object_of(cJSON **object)
{
    if (!*object)
        *object = cJSON_CreateObject();
    return *object;
}

/* Split a frame's payload into values. Number; what does not fit is left out
 * and makes *broken true. */
static uint32_t frame_split(const struct decode_site *site,
                            const struct decode_frame *frame,
                            struct decode_value *out, bool *broken)
{
    lane_assert(frame->count != 0);
    uint32_t at = 0, n = 0;
    while (n < frame->count && n < VALUES_MAX) {
        struct lane_value head;
        if (frame->len_bytes - at < sizeof head)
            break;
        memcpy(&head, frame->payload + at, sizeof head);
        at += (uint32_t)sizeof head;
        struct decode_value *v = &out[n];
        *v = (struct decode_value){.flags = head.flags, .type = head.type};
        v->true_bytes = v->len_bytes = head.len_bytes;
        if (head.flags & LANE_VALUE_TRUNCATED) {
            if (frame->len_bytes - at < 8)
                break;
            memcpy(&v->true_bytes, frame->payload + at, 8);
            at += 8;
        }
        if (head.len_bytes > frame->len_bytes - at || head.item >= site->count)
            break;
        v->bytes = frame->payload + at;
        v->item = &site->item[head.item];
        v->site = site;
        uint32_t padded = (head.len_bytes + 7) & ~7u;
        at += padded <= frame->len_bytes - at ? padded : frame->len_bytes - at;
        lane_assert(at <= frame->len_bytes);
        n++;
    }
    if (n < frame->count)
        *broken = true;
    return n;
}

static int by_size(const void *a, const void *b)
{
    const struct decode_value *x = *(struct decode_value *const *)a;
    const struct decode_value *y = *(struct decode_value *const *)b;
    return (x->json_bytes > y->json_bytes) - (x->json_bytes < y->json_bytes);
}

/* Share `cap` bytes of JSON out: small values whole, what is left in equal
 * parts to the large ones. */
static void share_cap(struct decode_value *values, uint32_t count, size_t cap)
{
    lane_assert(count == 0 || values != NULL);
    struct decode_value *order[VALUES_MAX];
    size_t left = cap > 2 ? cap - 2 : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct decode_value *v = &values[i];
        v->json_bytes = value_json_bytes(v);
        v->key_bytes = value_text_bytes(v->item->key, strlen(v->item->key)) + 2;
        order[i] = v;
    }
    qsort(order, count, sizeof *order, by_size);
    for (uint32_t i = 0; i < count; i++) {
        struct decode_value *v = order[i];
        size_t share = left / (count - i);
        lane_assert(i < count && left <= cap);
        if (v->json_bytes + v->key_bytes <= share) {
            v->room_bytes = v->json_bytes;
        } else if (share > v->key_bytes + 16 && value_can_shrink(v)) {
            v->room_bytes = share - v->key_bytes;
        } else {
            v->is_dropped = true;
            continue;
        }
        lane_assert(v->key_bytes + v->room_bytes <= left);
        left -= v->key_bytes + v->room_bytes;
    }
}

static void add_mark(struct objects *o, const struct decode_value *v)
{
    bool cut =
        v->is_cut || v->is_dropped || (v->flags & LANE_VALUE_TRUNCATED) != 0;
    bool unreadable = (v->flags & LANE_VALUE_UNREADABLE) != 0;
    bool base64 = v->type == LANE_VALUE_BYTES;
    if (!cut && !unreadable && !base64 && !v->replaced)
        return;
    cJSON *mark = cJSON_CreateObject();
    char number[32];
    snprintf(number, sizeof number, "%llu", (unsigned long long)v->true_bytes);
    cJSON_AddRawToObject(mark, "bytes", number);
    cJSON_AddBoolToObject(mark, "truncated", cut);
    if (base64)
        cJSON_AddStringToObject(mark, "encoding", "base64");
    else
        cJSON_AddNullToObject(mark, "encoding");
    cJSON_AddBoolToObject(mark, "unreadable", unreadable);
    if (v->flags & LANE_VALUE_AT_LEAST)
        cJSON_AddBoolToObject(mark, "at_least", true);
    if (cut && !v->is_dropped) {
        snprintf(number, sizeof number, "%u", v->head_bytes);
        cJSON_AddRawToObject(mark, "head_bytes", number);
    }
    if (v->replaced) {
        snprintf(number, sizeof number, "%zu", v->replaced);
        cJSON_AddRawToObject(mark, "replaced_bytes", number);
    }
    cJSON_AddItemToObject(object_of(&o->capture), v->item->key, mark);
}

static int put_frame(const struct decode_site *site,
                     const struct decode_frame *frame, cJSON **object,
                     struct objects *o)
{
    if (!frame->payload || frame->count == 0)
        return 0;
    bool broken = false;
    if (frame->site)
        site = frame->site;
    uint32_t most = frame->count < VALUES_MAX ? frame->count : VALUES_MAX;
    struct decode_value *values = calloc(most, sizeof *values);
    if (!values)
        return -ENOMEM;
    uint32_t n = frame_split(site, frame, values, &broken);
    lane_assert(n <= most);
    size_t cap = site->cap_bytes && site->cap_bytes < DECODE_CAP
                     ? site->cap_bytes
                     : DECODE_CAP;
    share_cap(values, n, cap);
    for (uint32_t i = 0; i < n; i++) {
        struct decode_value *v = &values[i];
        cJSON **to =
            v->item->direction == LANE_ATTRIBUTE ? &o->attributes : object;
        if (!v->is_dropped)
            cJSON_AddItemToObject(object_of(to), v->item->key, value_json(v));
        add_mark(o, v);
    }
    free(values);
    return broken ? -EBADMSG : 0;
}

/* Each item that would have had a value. */
static void mark_lost(const struct decode_site *site, const char *why,
                      bool outputs, struct objects *o)
{
    for (uint32_t i = 0; why && i < site->count; i++) {
        const struct decode_item *item = &site->item[i];
        if (outputs ? item->direction != LANE_OUTPUT
                    : item->direction != LANE_INPUT &&
                          item->direction != LANE_ATTRIBUTE)
            continue;
        cJSON *mark = cJSON_CreateObject();
        cJSON_AddStringToObject(mark, "lost", why);
        cJSON_AddItemToObject(object_of(&o->capture), item->key, mark);
    }
}

static char *take_text(cJSON *object)
{
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    return text;
}

int decode_span(const struct decode_site *site,
                const struct decode_frame *input,
                const struct decode_frame *output,
                const struct decode_frame *later,
                const struct decode_frame *error,
                const struct decode_context *context, int64_t wall_step_ns,
                struct decode_result *result)
{
    lane_assert(site != NULL && result != NULL);
    struct objects o = {0};
    char *in = decode_quick(site, input);
    char *out = later->payload ? NULL : decode_quick(site, output);
    int rc = in ? 0 : put_frame(site, input, &o.input, &o);
    int rc2 = out ? 0 : put_frame(site, output, &o.output, &o);
    rc = rc ? rc : rc2;
    rc2 = put_frame(site, later, &o.output, &o);
    rc = rc ? rc : rc2;
    if (context) {
        mark_lost(site, context->input_lost, false, &o);
        mark_lost(site, context->output_lost, true, &o);
    }
    if (error->payload || (context && context->has_signal)) {
        cJSON *parsed = in ? cJSON_Parse(in) : NULL;
        rc2 = decode_error(error->site ? error->site : site, error, context,
                           parsed ? parsed : o.input, &o.error, result);
        rc = rc ? rc : rc2;
        cJSON_Delete(parsed);
    }
    if (wall_step_ns) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)wall_step_ns);
        cJSON_AddRawToObject(object_of(&o.attributes), "handspan.clock_step_ns",
                             number);
    }
    result->input = in ? in : take_text(o.input);
    result->output = out ? out : take_text(o.output);
    result->attributes = take_text(o.attributes);
    result->capture = take_text(o.capture);
    result->error = take_text(o.error);
    return rc;
}

void decode_context_free(struct decode_context *context)
{
    free(context->cause);
    free(context->origin);
    free(context->stack);
    free(context->stderr_text);
    *context = (struct decode_context){0};
}

void decode_free(struct decode_result *result)
{
    free(result->input);
    free(result->output);
    free(result->attributes);
    free(result->capture);
    free(result->error);
    free(result->error_type);
    free(result->error_rule);
    *result = (struct decode_result){0};
}
