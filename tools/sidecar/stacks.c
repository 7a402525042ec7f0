/* SPDX-License-Identifier: Apache-2.0 */
/* See stacks.h. */
#define _GNU_SOURCE
#include "tools/sidecar/stacks.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane/error_frames.h"
#include "lane/utf8.h"
#include "tools/sidecar/names.h"

/* libstdc++'s, which the tools link */
char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

/* What is kept of a STACK frame besides its names: nothing of its bytes. */
struct stack_mark {
    uint64_t hash, fault_address;
    int32_t signal, signal_code;
    uint32_t reason, flags;
};

/* ---- frames -------------------------------------------------------------- */

static int stack_take(struct session *s, uint32_t lane,
                      const struct lane_log_item *item)
{
    struct lane_frame_stack head;
    const struct lane_frame *f = item->frame;
    if (f->payload_bytes < sizeof head)
        return -EBADMSG;
    memcpy(&head, item->payload, sizeof head);
    int rc = 0;
    if (!(head.flags & LANE_STACK_SAME))
        rc = names_meanwhile(s, s->lane[lane].process, item->payload,
                             f->payload_bytes);
    if (rc < 0 || head.reason == LANE_STACK_THROW ||
        head.reason == LANE_STACK_CAUSE || LANE_REF_COUNTER(f->span) == 0)
        return rc; /* their frames name it by its hash */
    struct stack_mark mark = {head.hash,        head.fault_address, head.signal,
                              head.signal_code, head.reason,        head.flags};
    return pending_put_frame(&s->pending, f->span, LANE_FRAME_STACK, 0, 0,
                             &mark, sizeof mark);
}

static int origin_take(struct session *s, uint32_t lane,
                       const struct lane_log_item *item)
{
    int rc = store_run(s->store, STORE_ORIGIN_SET, "iiiib", s->id,
                       (int64_t)lane, (int64_t)(item->position / LANE_LINE),
                       (int64_t)item->frame->kind, (const void *)item->payload,
                       (size_t)item->frame->payload_bytes);
    return rc < 0 ? rc : 0;
}

static void demangle(const char *mangled, char *out, size_t cap_bytes)
{
    int status = -1;
    /* a type's name: as in typeinfo */
    char *text = __cxa_demangle(mangled, NULL, NULL, &status);
    snprintf(out, cap_bytes, "%s", status == 0 ? text : mangled);
    free(text);
}

/* Type and message of a THROW frame. */
static bool throw_texts(const uint8_t *payload, size_t len_bytes,
                        struct lane_frame_throw *t, char *type, size_t type_cap,
                        char *message, size_t message_cap)
{
    char raw[512];
    if (len_bytes < sizeof *t)
        return false;
    memcpy(t, payload, sizeof *t);
    size_t left = len_bytes - sizeof *t;
    if ((size_t)t->type_bytes + t->message_bytes > left)
        return false;
    utf8_clean(payload + sizeof *t, t->type_bytes, raw, sizeof raw, NULL);
    demangle(raw, type, type_cap);
    utf8_clean(payload + sizeof *t + t->type_bytes, t->message_bytes, message,
               message_cap, NULL);
    return true;
}

static int throw_take(struct session *s, const struct lane_log_item *item)
{
    struct lane_frame_throw t;
    char type[512], message[8];
    if (!throw_texts(item->payload, item->frame->payload_bytes, &t, type,
                     sizeof type, message, sizeof message))
        return -EBADMSG;
    if (t.kind != LANE_THROW_NEW)
        return 0;
    int rc = store_run(s->store, STORE_THROW_ADD, "iit", s->id,
                       (int64_t)item->frame->site, type);
    return rc < 0 ? rc : 0;
}

int stacks_take(struct session *s, uint32_t lane,
                const struct lane_log_item *item)
{
    int rc = 0;
    switch (item->frame->kind) {
    case LANE_FRAME_STACK:
        rc = stack_take(s, lane, item);
        break;
    case LANE_FRAME_THROW:
        rc = throw_take(s, item);
        if (rc == 0)
            rc = origin_take(s, lane, item);
        break;
    default:
        if (LANE_REF_COUNTER(item->frame->span) != 0)
            rc = pending_put_frame(&s->pending, item->frame->span,
                                   item->frame->kind, item->frame->flags, 0,
                                   item->payload, item->frame->payload_bytes);
    }
    if (rc == -EBADMSG) {
        s->corrupt++;
        rc = 0;
    }
    return rc;
}

/* ---- an error's context -------------------------------------------------- */

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

/* {"call": "open", "args": [...], "errno": 2, "error": "ENOENT"} */
static char *cause_text(const uint8_t *payload, size_t len_bytes,
                        uint64_t *stack)
{
    struct lane_frame_cause c;
    char name[256], format[256], text[4096];
    if (len_bytes < sizeof c)
        return NULL;
    memcpy(&c, payload, sizeof c);
    size_t left = len_bytes - sizeof c;
    const uint8_t *at = payload + sizeof c;
    if ((size_t)c.name_bytes + c.format_bytes + c.text_bytes > left)
        return NULL;
    utf8_clean(at, c.name_bytes, name, sizeof name, NULL);
    utf8_clean(at + c.name_bytes, c.format_bytes, format, sizeof format, NULL);
    utf8_clean(at + c.name_bytes + c.format_bytes, c.text_bytes, text,
               sizeof text, NULL);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "call", name);
    cJSON *args = cJSON_AddArrayToObject(o, "args");
    add_arguments(args, &c, name, format, text);
    if (c.error)
        cJSON_AddNumberToObject(o, "errno", c.error);
    else
        cJSON_AddNullToObject(o, "errno");
    const char *error = c.error ? strerrorname_np(c.error) : NULL;
    if (error)
        cJSON_AddStringToObject(o, "error", error);
    *stack = c.stack;
    char *out = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return out;
}

/* Thrown again: what counts is where it was thrown first. */
static int gather_first_throw(struct session *s, uint32_t lane,
                              struct lane_frame_throw *t,
                              struct decode_context *out)
{
    struct lane_frame_throw first;
    int rc =
        store_start(s->store, STORE_ORIGIN_THROWN, "iib", s->id, (int64_t)lane,
                    (const void *)&t->object, sizeof t->object);
    while (rc > 0) {
        size_t len;
        const uint8_t *payload =
            store_blob(s->store, STORE_ORIGIN_THROWN, 0, &len);
        if (throw_texts(payload, len, &first, out->type, sizeof out->type,
                        out->message, sizeof out->message))
            t->stack = first.stack;
        rc = store_next(s->store, STORE_ORIGIN_THROWN);
    }
    return rc;
}

static int gather_origin(struct session *s, uint32_t lane, uint32_t at,
                         struct decode_context *out)
{
    const char *ended = NULL;
    struct lane_frame_throw t = {0};
    int rc = store_start(s->store, STORE_ORIGIN_GET, "iii", s->id,
                         (int64_t)lane, (int64_t)at);
    while (rc > 0) {
        size_t len;
        int64_t kind = store_int(s->store, STORE_ORIGIN_GET, 0);
        const uint8_t *payload =
            store_blob(s->store, STORE_ORIGIN_GET, 1, &len);
        if (kind == LANE_FRAME_THROW &&
            !throw_texts(payload, len, &t, out->type, sizeof out->type,
                         out->message, sizeof out->message))
            t = (struct lane_frame_throw){0};
        rc = store_next(s->store, STORE_ORIGIN_GET);
    }
    if (rc == 0 &&
        (t.kind == LANE_THROW_AGAIN || t.kind == LANE_THROW_DEPENDENT))
        rc = gather_first_throw(s, lane, &t, out);
    out->origin = names_of(s, t.stack, &ended);
    return rc;
}

/* Not a signal that the program has a handler for and lived on. */
static bool mark_counts(const struct stack_mark *mark, int died_by)
{
    return !(mark->flags & LANE_STACK_HANDLED) ||
           (died_by != 0 && mark->signal == died_by);
}

bool stacks_is_fatal(const struct pending *pending, int died_by)
{
    struct stack_mark mark;
    if (!pending || !pending->frame[LANE_FRAME_STACK].payload)
        return false;
    memcpy(&mark, pending->frame[LANE_FRAME_STACK].payload, sizeof mark);
    return mark.reason == LANE_STACK_SIGNAL && mark_counts(&mark, died_by);
}

int stacks_gather(struct session *s, const struct drain_span *span,
                  const struct pending *pending, struct decode_context *out)
{
    const struct pending_frame *error =
        pending ? &pending->frame[LANE_FRAME_ERROR] : NULL;
    struct lane_frame_error e = {0};
    int rc = 0;
    if (error && error->payload && error->len_bytes >= sizeof e)
        memcpy(&e, error->payload, sizeof e);
    if (e.origin)
        rc = gather_origin(s, LANE_REF_LANE(span->ref), e.origin, out);
    const struct pending_frame *f =
        pending ? &pending->frame[LANE_FRAME_STACK] : NULL;
    struct stack_mark mark = {0};
    if (f && f->payload)
        memcpy(&mark, f->payload, sizeof mark);
    if (mark.hash && mark_counts(&mark, span->died_by)) {
        out->stack = names_of(s, mark.hash, &out->stack_ended);
        out->has_signal = mark.reason == LANE_STACK_SIGNAL;
        out->was_left = mark.reason == LANE_STACK_LEFT;
        out->signal = mark.signal;
        out->signal_code = mark.signal_code;
        out->fault_address = mark.fault_address;
    }
    f = pending ? &pending->frame[LANE_FRAME_CAUSE] : NULL;
    if (f && f->payload) {
        uint64_t hash = 0;
        const char *ended = NULL;
        out->cause = cause_text(f->payload, f->len_bytes, &hash);
        if (!out->origin)
            out->origin = names_of(s, hash, &ended);
    }
    f = pending ? &pending->frame[LANE_FRAME_STDERR] : NULL;
    if (f && f->payload && f->len_bytes > 0) {
        size_t cap = f->len_bytes * UTF8_GROWTH + 1;
        out->stderr_text = malloc(cap);
        if (!out->stderr_text)
            return -ENOMEM;
        utf8_clean(f->payload, f->len_bytes, out->stderr_text, cap, NULL);
    }
    return rc;
}

int stacks_store_group(struct session *s, const struct drain_span *span,
                       const struct decode_result *error)
{
    int64_t at = clock_unix_ns(&s->clock, span->t0);
    int rc = store_run(s->store, STORE_GROUP_ADD, "tttttiii",
                       error->fingerprint, s->site[span->site].name,
                       error->error_kind, error->error_type, error->error_rule,
                       at, s->id, (int64_t)span->ref);
    return rc < 0 ? rc : 0;
}
