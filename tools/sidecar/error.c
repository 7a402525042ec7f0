/* SPDX-License-Identifier: Apache-2.0 */
/* Error frames as the JSON object of DESIGN 8: all keys, null where unknown. */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "lane/error_frames.h"
#include "lane/utf8.h"
#include "tools/common/fingerprint.h"
#include "tools/sidecar/decode_internal.h"

enum {
    TEXT_MAX = 4096,
};

static void add_text(cJSON *o, const char *key, const char *text)
{
    if (text && text[0])
        cJSON_AddStringToObject(o, key, text);
    else
        cJSON_AddNullToObject(o, key);
}

static void add_integer(cJSON *o, const char *key, bool known, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    if (known)
        cJSON_AddRawToObject(o, key, text);
    else
        cJSON_AddNullToObject(o, key);
}

/* The result, where the prototype says what it is. */
static void add_return(cJSON *o, const struct lane_frame_error *e)
{
    char text[32];
    if (e->kind != LANE_ERROR_RULE || e->return_kind != LANE_RETURN_UNSIGNED) {
        add_integer(o, "return_value",
                    e->kind == LANE_ERROR_RULE &&
                        e->return_kind == LANE_RETURN_SIGNED,
                    (int64_t)e->return_value);
        return;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)e->return_value);
    cJSON_AddRawToObject(o, "return_value", text);
}

static const char *const kinds[] = {
    [LANE_ERROR_RULE] = "rule",
    [LANE_ERROR_EXCEPTION] = "exception",
    [LANE_ERROR_SIGNAL] = "signal",
};

/* A name for statistics: of few values, the same in every run. */
static void type_name(const struct lane_frame_error *e, char *type,
                      size_t cap_bytes)
{
    if (type[0])
        return;
    const char *name = NULL;
    if (e->kind == LANE_ERROR_RULE && e->has_code)
        name = strerrorname_np((int)e->code);
    else if (e->kind == LANE_ERROR_RULE && e->saved_errno)
        name = strerrorname_np(e->saved_errno);
    else if (e->kind == LANE_ERROR_SIGNAL)
        name = sigabbrev_np((int)e->code);
    if (name)
        snprintf(type, cap_bytes, "%s%s",
                 e->kind == LANE_ERROR_SIGNAL ? "SIG" : "", name);
    else if (e->has_code)
        snprintf(type, cap_bytes, "%lld", (long long)e->code);
}

/* ---- the group ----------------------------------------------------------- */

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(o, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void add_json(cJSON *o, const char *key, const char *text,
                     cJSON *otherwise)
{
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    if (json)
        cJSON_Delete(otherwise);
    cJSON_AddItemToObject(o, key, json ? json : otherwise);
}

static void add_context(cJSON *o, const struct decode_context *c)
{
    static const struct decode_context none;
    c = c ? c : &none;
    add_json(o, "cause", c->cause, cJSON_CreateNull());
    add_json(o, "origin", c->origin, cJSON_CreateArray());
    add_json(o, "stack", c->stack, cJSON_CreateArray());
    add_text(o, "stderr", c->stderr_text);
    if (c->stack_ended)
        cJSON_AddStringToObject(o, "stack_ended", c->stack_ended);
    if (c->was_left)
        cJSON_AddStringToObject(o, "left_by", "longjmp");
    if (c->has_signal) {
        char address[32];
        snprintf(address, sizeof address, "0x%llx",
                 (unsigned long long)c->fault_address);
        cJSON_AddStringToObject(o, "fault_address", address);
        cJSON_AddNumberToObject(o, "signal_code", c->signal_code);
    }
}

static void add_group(cJSON *o, const struct decode_site *site,
                      struct decode_result *group)
{
    const char *type = text_of(o, "type"), *rule = text_of(o, "rule");
    fingerprint_make(o, site->name, group->fingerprint);
    cJSON_AddStringToObject(o, "fingerprint", group->fingerprint);
    group->error_type = type ? strdup(type) : NULL;
    group->error_rule = rule ? strdup(rule) : NULL;
}

/* ---- the object ---------------------------------------------------------- */

struct error_texts {
    char type[TEXT_MAX], message[TEXT_MAX];
    const char *rule;
};

static bool read_frame(const struct decode_site *site,
                       const struct decode_frame *frame,
                       struct lane_frame_error *e, struct error_texts *t)
{
    if (frame->len_bytes < sizeof *e)
        return false;
    memcpy(e, frame->payload, sizeof *e);
    const uint8_t *text = frame->payload + sizeof *e;
    uint32_t left = frame->len_bytes - (uint32_t)sizeof *e;
    if ((uint32_t)e->type_bytes + e->message_bytes > left ||
        e->kind < LANE_ERROR_RULE || e->kind > LANE_ERROR_SIGNAL)
        return false;
    utf8_clean(text, e->type_bytes, t->type, sizeof t->type, NULL);
    utf8_clean(text + e->type_bytes, e->message_bytes, t->message,
               sizeof t->message, NULL);
    if (e->kind == LANE_ERROR_RULE && e->rule < site->count &&
        site->item[e->rule].direction == LANE_RULE)
        t->rule = site->item[e->rule].key;
    return true;
}

/* What the throw knew better than the handler that it passed. */
static void complete(const struct lane_frame_error *e,
                     const struct decode_context *c, struct error_texts *t)
{
    if (e->kind == LANE_ERROR_EXCEPTION && c) {
        if (c->type[0])
            snprintf(t->type, sizeof t->type, "%s", c->type);
        if (!t->message[0])
            snprintf(t->message, sizeof t->message, "%s", c->message);
    }
    type_name(e, t->type, sizeof t->type);
}

static int errno_of(const struct lane_frame_error *e)
{
    if (e->kind == LANE_ERROR_SIGNAL)
        return 0;
    bool is_named = e->kind == LANE_ERROR_RULE && e->has_code &&
                    strerrorname_np((int)e->code);
    return is_named ? (int)e->code : e->saved_errno;
}

int decode_error(const struct decode_site *site,
                 const struct decode_frame *frame,
                 const struct decode_context *context, struct cJSON **out,
                 struct decode_result *group)
{
    struct lane_frame_error e = {.kind = LANE_ERROR_SIGNAL, .has_code = 1};
    struct error_texts t = {.rule = ""};
    if (!frame->payload)
        e.code = context->signal;
    else if (!read_frame(site, frame, &e, &t))
        return -EBADMSG;
    complete(&e, context, &t);
    bool is_rule = e.kind == LANE_ERROR_RULE;
    int number = errno_of(&e);
    if (is_rule && !t.message[0] && number && strerrordesc_np(number))
        snprintf(t.message, sizeof t.message, "%s", strerrordesc_np(number));
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", kinds[e.kind]);
    add_text(o, "type", t.type);
    add_text(o, "rule", t.rule);
    add_return(o, &e);
    add_integer(o, "errno", number != 0, number);
    add_text(o, "message", t.message);
    add_context(o, context);
    group->error_kind = kinds[e.kind];
    add_group(o, site, group);
    if (context && context->withheld)
        cJSON_AddStringToObject(o, "withheld", context->withheld);
    *out = o;
    return 0;
}
