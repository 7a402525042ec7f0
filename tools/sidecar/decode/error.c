/* SPDX-License-Identifier: Apache-2.0 */
/* Error frames as the JSON object of an error: all keys, null where unknown. */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/error_frames.h"
#include "lane/format/utf8.h"
#include "tools/common/fingerprint.h"
#include "tools/sidecar/decode/decode_internal.h"
#include "tools/sidecar/decode/judged.h"
#include "tools/sidecar/decode/said.h"
#include "lane/format/assert.h"

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

static int cause_errno(const struct decode_context *c)
{
    cJSON *cause = c && c->cause ? cJSON_Parse(c->cause) : NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(cause, "errno");
    int number = cJSON_IsNumber(item) ? item->valueint : 0;
    cJSON_Delete(cause);
    return number;
}

/* The rule's, or the one that errno had if that is the cause's: it may be left
 * from before. */
static int errno_of(const struct lane_frame_error *e,
                    const struct decode_context *c)
{
    if (e->kind == LANE_ERROR_SIGNAL)
        return 0;
    if (e->kind == LANE_ERROR_RULE && e->has_code &&
        strerrorname_np((int)e->code))
        return (int)e->code;
    return e->saved_errno && e->saved_errno == cause_errno(c) ? e->saved_errno
                                                              : 0;
}

/* A name for statistics: of few values, the same in every run. */
static void type_name(const struct lane_frame_error *e, int agreed, char *type,
                      size_t cap_bytes)
{
    lane_assert(e->kind >= LANE_ERROR_RULE && e->kind <= LANE_ERROR_SIGNAL);
    if (type[0])
        return;
    const char *name = NULL;
    if (e->kind == LANE_ERROR_RULE && e->has_code)
        name = strerrorname_np((int)e->code);
    else if (e->kind == LANE_ERROR_RULE && agreed)
        name = strerrorname_np(agreed);
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
    if (c->origin_ended[0])
        cJSON_AddStringToObject(o, "origin_ended", c->origin_ended);
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

/* An error that fails often has its stack copied now and then only. Without one
 * it is of the group of those that are else the same, if there is one alone. */
static void join_group(struct decode_groups *groups, bool has_frames,
                       uint64_t base, char fingerprint[FINGERPRINT_BYTES])
{
    lane_assert(base != 0 || groups == NULL || !has_frames);
    struct decode_group *known = &groups->known[base % DECODE_GROUPS];
    bool is_known = known->base == base;
    lane_assert(!is_known || base == 0 || known->fingerprint[0] != 0);
    if (has_frames && !is_known) {
        known->base = base;
        known->are_several = false;
        snprintf(known->fingerprint, sizeof known->fingerprint, "%s",
                 fingerprint);
    } else if (has_frames) {
        known->are_several |= strcmp(known->fingerprint, fingerprint) != 0;
    } else if (is_known && !known->are_several) {
        snprintf(fingerprint, FINGERPRINT_BYTES, "%s", known->fingerprint);
    }
}

static void add_group(cJSON *o, const struct decode_site *site,
                      struct decode_groups *groups, struct decode_result *group)
{
    lane_assert(group->error_type == NULL && group->error_rule == NULL);
    uint64_t base;
    const char *type = text_of(o, "type"), *rule = text_of(o, "rule");
    bool has_frames =
        fingerprint_make(o, site->name, group->fingerprint, &base);
    if (groups)
        join_group(groups, has_frames, base, group->fingerprint);
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
    if (e->kind == LANE_ERROR_RULE && e->code == 0)
        e->has_code = 0; /* errno was cleared by something: no number */
    if (e->kind == LANE_ERROR_RULE && e->rule < site->count &&
        site->item[e->rule].direction == LANE_RULE)
        t->rule = site->item[e->rule].key;
    return true;
}

/* What the throw knew better than the handler that it passed. */
static void complete(const struct lane_frame_error *e,
                     const struct decode_context *c, struct error_texts *t)
{
    lane_assert(e->kind >= LANE_ERROR_RULE && e->kind <= LANE_ERROR_SIGNAL);
    if (e->kind == LANE_ERROR_EXCEPTION && c) {
        if (c->type[0])
            snprintf(t->type, sizeof t->type, "%s", c->type);
        if (!t->message[0])
            snprintf(t->message, sizeof t->message, "%s", c->message);
    }
    if (e->kind == LANE_ERROR_EXCEPTION && c && strcmp(t->type, "panic") == 0)
        said_panic(c->stderr_text, t->message, sizeof t->message);
    type_name(e, errno_of(e, c), t->type, sizeof t->type);
    if (e->kind == LANE_ERROR_SIGNAL && c && strcmp(t->type, "SIGABRT") == 0)
        said_abort(c->stderr_text, t->message, sizeof t->message);
}

void decode_ending(const char *kind, const char *type, const char *handler,
                   const struct decode_context *context, char **error,
                   char **group)
{
    lane_assert(kind != NULL && error != NULL && group != NULL);
    char fingerprint[FINGERPRINT_BYTES], number[32], message[TEXT_MAX] = "";
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", kind);
    add_text(o, "type", type);
    add_text(o, "handler", handler);
    if (type && strcmp(type, "SIGABRT") == 0)
        said_abort(context->stderr_text, message, sizeof message);
    if (message[0])
        add_text(o, "message", message);
    if (handler && context->open_ref) {
        snprintf(number, sizeof number, "%lld", (long long)context->open_ref);
        cJSON_AddRawToObject(o, "ref", number);
    }
    add_context(o, context);
    (void)fingerprint_make(o, handler, fingerprint, NULL);
    if (context->withheld)
        cJSON_AddStringToObject(o, "withheld", context->withheld);
    *group = strdup(fingerprint);
    *error = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
}

int decode_error(const struct decode_site *site,
                 const struct decode_frame *frame,
                 const struct decode_context *context,
                 const struct cJSON *input, struct cJSON **out,
                 struct decode_result *group)
{
    lane_assert(site != NULL && out != NULL);
    struct lane_frame_error e = {.kind = LANE_ERROR_SIGNAL, .has_code = 1};
    struct error_texts t = {.rule = ""};
    if (!frame->payload)
        e.code = context->signal;
    else if (!read_frame(site, frame, &e, &t))
        return -EBADMSG;
    complete(&e, context, &t);
    bool is_rule = e.kind == LANE_ERROR_RULE;
    int number = errno_of(&e, context);
    if (is_rule && !t.message[0] && number && strerrordesc_np(number))
        snprintf(t.message, sizeof t.message, "%s", strerrordesc_np(number));
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", kinds[e.kind]);
    add_text(o, "type", t.type);
    add_text(o, "rule", t.rule);
    add_return(o, &e);
    add_integer(o, "errno", number != 0, number);
    add_text(o, "message", t.message);
    if (is_rule)
        judged_add(o, t.rule, input);
    add_context(o, context);
    group->error_kind = kinds[e.kind];
    add_group(o, site, context ? context->groups : NULL, group);
    if (context && context->withheld)
        cJSON_AddStringToObject(o, "withheld", context->withheld);
    *out = o;
    return 0;
}
