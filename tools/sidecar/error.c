/* SPDX-License-Identifier: Apache-2.0 */
/* Error frames as the JSON object of DESIGN 8: all keys, null where unknown. */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "lane/utf8.h"
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

/* The return register as the prototype has it; without one the low half if
 * the high one is empty: what an int leaves there. */
static int64_t return_value(const struct decode_site *site, uint64_t rax)
{
    uint8_t bytes[8];
    memcpy(bytes, &rax, sizeof bytes);
    for (uint32_t i = 0; i < site->count; i++) {
        const struct decode_item *item = &site->item[i];
        if (item->direction != LANE_OUTPUT || strcmp(item->key, "return") != 0)
            continue;
        bool is_signed =
            item->type == LANE_VALUE_SIGNED || item->type == LANE_VALUE_ENUM;
        uint32_t size = item->size_bytes;
        return value_integer(bytes, size ? size : 8, is_signed);
    }
    return rax >> 32 ? (int64_t)rax : (int32_t)rax;
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

static uint64_t fnv(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (hash ^ 0xff) * 0x100000001b3ULL;
}

int decode_error(const struct decode_site *site,
                 const struct decode_frame *frame, struct cJSON **out)
{
    struct lane_frame_error e;
    if (frame->len_bytes < sizeof e)
        return -EBADMSG;
    memcpy(&e, frame->payload, sizeof e);
    const uint8_t *text = frame->payload + sizeof e;
    uint32_t left = frame->len_bytes - (uint32_t)sizeof e;
    bool fits = (uint32_t)e.type_bytes + e.message_bytes <= left;
    if (!fits || e.kind < LANE_ERROR_RULE || e.kind > LANE_ERROR_SIGNAL)
        return -EBADMSG;
    char type[TEXT_MAX], message[TEXT_MAX];
    utf8_clean(text, e.type_bytes, type, sizeof type, NULL);
    utf8_clean(text + e.type_bytes, e.message_bytes, message, sizeof message,
               NULL);
    type_name(&e, type, sizeof type);
    bool is_rule = e.kind == LANE_ERROR_RULE;
    int number = is_rule && e.has_code && strerrorname_np((int)e.code)
                     ? (int)e.code
                     : e.saved_errno;
    if (is_rule && !message[0] && number)
        snprintf(message, sizeof message, "%s",
                 strerrordesc_np(number) ? strerrordesc_np(number) : "");
    const char *rule = is_rule && e.rule < site->count &&
                               site->item[e.rule].direction == LANE_RULE
                           ? site->item[e.rule].key
                           : "";
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", kinds[e.kind]);
    add_text(o, "type", type);
    add_text(o, "rule", rule);
    add_integer(o, "return_value", is_rule, return_value(site, e.return_value));
    add_integer(o, "errno", number != 0, number);
    add_text(o, "message", message);
    cJSON_AddNullToObject(o, "cause");
    cJSON_AddArrayToObject(o, "origin");
    cJSON_AddArrayToObject(o, "stack");
    cJSON_AddNullToObject(o, "stderr");
    char print[24];
    uint64_t hash =
        fnv(fnv(fnv(0xcbf29ce484222325ULL, kinds[e.kind]), type), rule);
    snprintf(print, sizeof print, "%016llx", (unsigned long long)hash);
    cJSON_AddStringToObject(o, "fingerprint", print);
    *out = o;
    return 0;
}
