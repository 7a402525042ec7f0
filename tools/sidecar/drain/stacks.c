/* SPDX-License-Identifier: Apache-2.0 */
/* See stacks.h. */
#define _GNU_SOURCE
#include "tools/sidecar/drain/stacks.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/error_frames.h"
#include "lane/format/utf8.h"
#include "tools/sidecar/decode/cause.h"
#include "tools/sidecar/session/names.h"
#include "lane/format/assert.h"

/* libstdc++'s, which the tools link */
char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

/* What is kept of a STACK frame besides its names: nothing of its bytes. */
struct stack_mark {
    uint64_t hash, fault_address;
    int32_t signal, signal_code;
    uint32_t reason, flags;
    uint32_t site, pad;
    uint64_t open_ref; /* of the innermost call on it that is of `site` */
};

/* ---- frames -------------------------------------------------------------- */

static uint64_t innermost(const struct lane_frame_stack *head,
                          const uint8_t *payload, const struct lane_frame *f)
{
    struct lane_stack_call call;
    if (head->call_count == 0 || f->payload_bytes < sizeof *head + sizeof call)
        return 0;
    memcpy(&call, payload + sizeof *head, sizeof call);
    return call.site == f->site ? call.span : 0;
}

static int stack_take(struct session *s, uint32_t lane,
                      const struct lane_log_item *item)
{
    lane_assert(lane < LANE_MAX && item->frame->kind == LANE_FRAME_STACK);
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
    struct stack_mark mark = {
        .hash = head.hash,
        .fault_address = head.fault_address,
        .signal = head.signal,
        .signal_code = head.signal_code,
        .reason = head.reason,
        .flags = head.flags,
        .site = f->site,
        .open_ref = innermost(&head, item->payload, f),
    };
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
    static const char long_string[] =
        "std::__cxx11::basic_string<char, std::char_traits<char>, "
        "std::allocator<char> >";
    int status = -1;
    /* a type's name: as in typeinfo */
    char *text = __cxa_demangle(mangled, NULL, NULL, &status);
    if (status == 0 && strcmp(text, long_string) == 0)
        snprintf(out, cap_bytes, "std::string");
    else
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
    lane_assert(item->frame->kind == LANE_FRAME_THROW);
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
    lane_assert(lane < LANE_MAX && item->type == LANE_ITEM_FRAME);
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

/* Thrown again: what counts is where it was thrown first. */
static int gather_first_throw(struct session *s, uint32_t lane,
                              struct lane_frame_throw *t,
                              struct decode_context *out)
{
    lane_assert(lane < LANE_MAX);
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
    lane_assert(lane < LANE_MAX);
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

/* An exception of Rust's. */
static bool is_panic(const struct lane_frame_error *e,
                     const struct pending_frame *error)
{
    static const char name[] = "panic";
    return e->kind == LANE_ERROR_EXCEPTION &&
           e->type_bytes == sizeof name - 1 &&
           error->len_bytes >= sizeof *e + sizeof name - 1 &&
           memcmp(error->payload + sizeof *e, name, sizeof name - 1) == 0;
}

/* The same, in a program that aborts at one. */
static bool has_panicked(const struct decode_context *c)
{
    return c->signal == SIGABRT && c->stack &&
           (strstr(c->stack, "rust_begin_unwind") ||
            strstr(c->stack, "rust_start_panic"));
}

static void gather_cause(struct session *s, const struct pending_frame *f,
                         const struct lane_frame_error *e,
                         const struct pending_frame *error,
                         struct decode_context *out)
{
    bool has_error = error && error->payload;
    const char *ended = NULL;
    struct cause_evidence evidence = {
        .error = has_error ? e : NULL,
        .is_panic = has_error ? is_panic(e, error) : has_panicked(out),
        .message = out->message,
        .said = out->stderr_text ? out->stderr_text : "",
    };
    uint64_t hash = 0;
    out->cause = cause_choose(f->payload, f->len_bytes, &evidence, &hash);
    if (!out->cause || out->origin)
        return;
    out->origin = names_of(s, hash, &ended);
    snprintf(out->origin_ended, sizeof out->origin_ended, "%s",
             ended ? ended : "");
}

int stacks_gather(struct session *s, const struct drain_span *span,
                  const struct pending *pending, struct decode_context *out)
{
    lane_assert(out != NULL);
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
        out->site = mark.site;
        out->open_ref = mark.open_ref;
        out->was_left = mark.reason == LANE_STACK_LEFT;
        out->signal = mark.signal;
        out->signal_code = mark.signal_code;
        out->fault_address = mark.fault_address;
    }
    f = pending ? &pending->frame[LANE_FRAME_STDERR] : NULL;
    if (f && f->payload && f->len_bytes > 0) {
        size_t cap = f->len_bytes * UTF8_GROWTH + 1;
        out->stderr_text = malloc(cap);
        if (!out->stderr_text)
            return -ENOMEM;
        utf8_clean(f->payload, f->len_bytes, out->stderr_text, cap, NULL);
    }
    f = pending ? &pending->frame[LANE_FRAME_CAUSE] : NULL;
    if (f && f->payload)
        gather_cause(s, f, &e, error, out);
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
