/* SPDX-License-Identifier: Apache-2.0 */
/* See cause.h. */
#define _GNU_SOURCE
#include "tools/sidecar/decode/cause.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "lane/format/utf8.h"
#include "lane/format/assert.h"

struct cause {
    struct lane_frame_cause c;
    char name[256], format[256], text[4096];
};

/* ---- as JSON --------------------------------------------------------------
 */

static void add_argument(cJSON *list, char kind, uint64_t raw, const char *text)
{
    char number[32];
    switch (kind) {
    case 's':
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
        return;
    case 'd':
    case 'f':
        snprintf(number, sizeof number, "%d", (int)raw);
        cJSON_AddItemToArray(list, cJSON_CreateRaw(number));
        return;
    case 'u':
        snprintf(number, sizeof number, "%llu", (unsigned long long)raw);
        cJSON_AddItemToArray(list, cJSON_CreateRaw(number));
        return;
    default:
        snprintf(number, sizeof number, kind == 'o' ? "0%llo" : "0x%llx",
                 (unsigned long long)raw);
        cJSON_AddItemToArray(list, cJSON_CreateString(number));
    }
}

/* The flags of open() as they are written; *out is cut where it is full. */
static void open_flags(int flags, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes >= 256);
    static const struct {
        int bits;
        const char *name;
    } names[] = {
        {O_CREAT, "O_CREAT"},       {O_EXCL, "O_EXCL"},
        {O_TRUNC, "O_TRUNC"},       {O_APPEND, "O_APPEND"},
        {O_NONBLOCK, "O_NONBLOCK"}, {O_DIRECTORY, "O_DIRECTORY"},
        {O_NOFOLLOW, "O_NOFOLLOW"}, {O_CLOEXEC, "O_CLOEXEC"},
    };
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "3"};
    size_t at = (size_t)snprintf(out, cap_bytes, "%s", modes[flags & 3]);
    int left = flags & ~3;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((left & names[i].bits) == names[i].bits) {
            left &= ~names[i].bits;
            at += (size_t)snprintf(out + at, cap_bytes - at, "|%s",
                                   names[i].name);
        }
    if (left)
        snprintf(out + at, cap_bytes - at, "|0x%x", (unsigned)left);
}

/* open() and its kin: flags by name, the mode only where it is one. */
static void add_arguments(cJSON *list, const struct lane_frame_cause *c,
                          const char *name, const char *format,
                          const char *text)
{
    bool is_open = strncmp(name, "open", 4) == 0 && name[4] != 'd';
    bool has_mode = true;
    for (size_t i = 0; i < 6 && format[i]; i++) {
        char flags[256];
        if (is_open && format[i] == 'x') {
            open_flags((int)c->arguments[i], flags, sizeof flags);
            cJSON_AddItemToArray(list, cJSON_CreateString(flags));
            has_mode = (c->arguments[i] & O_CREAT) != 0;
        } else if (format[i] != 'o' || has_mode) {
            add_argument(list, format[i], c->arguments[i], text);
        }
    }
}

static char *cause_text(const struct cause *cause)
{
    const struct lane_frame_cause *c = &cause->c;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "call", cause->name);
    cJSON *list = cJSON_AddArrayToObject(o, "args");
    add_arguments(list, c, cause->name, cause->format, cause->text);
    if (c->error)
        cJSON_AddNumberToObject(o, "errno", c->error);
    else
        cJSON_AddNullToObject(o, "errno");
    const char *error = c->error ? strerrorname_np(c->error) : NULL;
    if (error)
        cJSON_AddStringToObject(o, "error", error);
    char *out = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return out;
}

/* ---- which one ------------------------------------------------------------
 */

/* Bytes of the payload that it takes; 0: there is none. */
static size_t read_cause(const uint8_t *payload, size_t len, struct cause *out)
{
    struct lane_frame_cause *c = &out->c;
    if (len < sizeof *c)
        return 0;
    memcpy(c, payload, sizeof *c);
    const uint8_t *at = payload + sizeof *c;
    size_t texts = (size_t)c->name_bytes + c->format_bytes + c->text_bytes;
    if (texts > len - sizeof *c)
        return 0;
    utf8_clean(at, c->name_bytes, out->name, sizeof out->name, NULL);
    at += c->name_bytes;
    utf8_clean(at, c->format_bytes, out->format, sizeof out->format, NULL);
    at += c->format_bytes;
    utf8_clean(at, c->text_bytes, out->text, sizeof out->text, NULL);
    return sizeof *c + texts;
}

static bool has_text(const struct cause *cause)
{
    return strchr(cause->format, 's') != NULL && cause->text[0];
}

/* The oldest stands first. */
static bool is_first_of(const struct cause *cause, const uint8_t *payload)
{
    struct lane_frame_cause first;
    memcpy(&first, payload, sizeof first);
    return first.ticks == cause->c.ticks;
}

/* What it was about, as people are told of it: the path, or its last part. */
static bool names_it(const char *said, const struct cause *cause)
{
    const char *slash = strrchr(cause->text, '/');
    const char *base = slash ? slash + 1 : cause->text;
    if (!has_text(cause))
        return false;
    return strstr(said, cause->text) ||
           (strlen(base) > 2 && strstr(said, base));
}

static bool says_errno(const char *said, const struct cause *cause)
{
    const char *words = cause->c.error ? strerrordesc_np(cause->c.error) : NULL;
    return words && strcasestr(said, words);
}

/* A look whether something is there, or can be done. */
static bool is_probe(const struct cause *cause)
{
    switch (cause->c.error) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case EINVAL:
    case ENOTTY:
    case ENOTSUP:
    case ENOSYS:
    case EBADF:
    case ESPIPE:
    case 0:
        return true;
    default:
        return false;
    }
}

/* The rule's word on the errno: 1 it agrees, -1 it contradicts, 0 none. */
static int agrees_rule(const struct lane_frame_error *e,
                       const struct cause *cause)
{
    if (!e || e->kind != LANE_ERROR_RULE)
        return 0;
    if (e->has_code && e->code && strerrorname_np((int)e->code))
        return (int)e->code == cause->c.error ? 1 : -1;
    if (e->saved_errno && cause->c.error)
        return e->saved_errno == cause->c.error ? 1 : -1;
    return 0;
}

/* How sure it is that this is the cause; 0: it is not taken for one. */
static int weigh(const struct cause *cause, const struct cause_evidence *v)
{
    lane_assert(v->said != NULL && v->message != NULL);
    bool is_named = names_it(v->said, cause) || names_it(v->message, cause);
    bool is_said = says_errno(v->said, cause) || says_errno(v->message, cause);
    int rule = agrees_rule(v->error, cause);
    bool has_said = v->said[0] || v->message[0];
    bool is_rule_code = rule > 0 && v->error->has_code;
    if (v->is_panic)
        return is_named || is_said ? 3 : 0;
    if (is_named && (is_said || !cause->c.is_survived))
        return 4;
    if (cause->c.is_survived || rule < 0)
        return is_rule_code && is_said ? 2 : 0;
    if (is_said)
        return 3;
    if (rule > 0)
        return 2;
    return has_said && is_probe(cause) && v->error &&
                   v->error->kind == LANE_ERROR_RULE
               ? 0
               : 1;
}

/* The same once more, with other flags, and the answer is that nothing is
 * there.
 */
static bool is_second_try(const struct cause *again, const struct cause *before)
{
    return has_text(again) && strcmp(again->text, before->text) == 0 &&
           is_probe(again) && !is_probe(before);
}

/* It only closed what a path says better. */
static bool says_less(const struct cause *next, const struct cause *best)
{
    return (has_text(best) && !has_text(next)) || is_second_try(next, best);
}

char *cause_choose(const uint8_t *payload, size_t len_bytes,
                   const struct cause_evidence *evidence, uint64_t *stack)
{
    lane_assert(payload != NULL && evidence != NULL);
    struct cause best = {.name = ""}, next;
    int weight = 0;
    for (size_t at = 0, used; at < len_bytes; at += (used + 7) & ~(size_t)7) {
        used = read_cause(payload + at, len_bytes - at, &next);
        if (used == 0)
            break;
        int here = weigh(&next, evidence);
        lane_assert(here >= 0 && used <= len_bytes - at);
        bool is_equal = here > 0 && here == weight;
        if (here > weight || (is_equal && is_second_try(&best, &next)) ||
            (is_equal && is_first_of(&best, payload) &&
             !says_less(&next, &best))) {
            best = next;
            weight = here;
        }
    }
    if (weight == 0)
        return NULL;
    *stack = best.c.stack;
    return cause_text(&best);
}
