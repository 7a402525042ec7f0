/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From answers to what is done next: see engine.h. The number of rows in a
 * request halves where a row is refused or too much was sent, down to the one
 * that is the reason, and doubles again while requests are quick: so a bad row
 * among a thousand costs some twenty requests, and a slow server is not
 * overrun.
 */
#define _GNU_SOURCE
#include "tools/upload/engine.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    BATCH_BYTES = 2 << 20,
    QUICK_MS = 1500, /* requests below it may grow */
    SLOW_MS = 5000,  /* proxies give up at 10 s */
    BACKOFF_MS = 250,
    BACKOFF_MOST_MS = 60000,
    ASKED_MOST_MS = 3600000, /* a server may ask for more than we would wait */
    HOLD_MS = 30000,
    REFUSALS_MOST = 20, /* set aside in a row: it is not the rows */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Between half of it and all: many uploaders must not come at once. */
static int64_t jitter(int64_t ms)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)now_ms();
    return ms / 2 + (int64_t)(random % (uint32_t)(ms / 2 + 1));
}

/* What the server asks for, and a little, if that is longer. */
static int64_t at_least_asked(const struct sink_answer *a, int64_t ms)
{
    if (a->retry_after_ms <= ms)
        return ms;
    return a->retry_after_ms < ASKED_MOST_MS
               ? a->retry_after_ms + jitter(BACKOFF_MS)
               : ASKED_MOST_MS;
}

static int64_t backoff_ms(const struct engine *e, const struct sink_answer *a)
{
    unsigned shift = e->failures < 8 ? e->failures : 8;
    int64_t ms = jitter((int64_t)BACKOFF_MS << shift);
    ms = ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
    return at_least_asked(a, ms);
}

static void say(struct engine *e, const char *what, const struct sink_answer *a)
{
    char line[1024];
    snprintf(line, sizeof line, "upload to %s %s: %s", e->name, what,
             a->message);
    e->say(e->context, line);
}

/* ---- answers ------------------------------------------------------------- */

static int on_retry(struct engine *e, const struct sink_answer *a, uint32_t n)
{
    e->failures++;
    if (e->failures == 3)
        say(e, "fails, trying on", a);
    if (a->is_ambiguous && e->failures >= 2 && n > 1)
        e->limit = n / 2;
    int64_t ms = a->retry_after_ms == 0 ? 0 : backoff_ms(e, a);
    int rc = feed_state(e->feed, "retrying", a->code, a->message, ms);
    if (rc == 0 && !e->wait(e->context, ms))
        return 1;
    return rc;
}

static int on_hold(struct engine *e, const struct sink_answer *a)
{
    if (!e->is_held)
        say(e, "waits", a);
    e->is_held = true;
    /* at first soon: after a migration its schema cache is stale a while */
    int64_t ms = 1000 << (e->holds < 5 ? e->holds : 5);
    ms = at_least_asked(a, ms < HOLD_MS ? ms : HOLD_MS);
    e->holds++;
    int rc = feed_state(e->feed, "held", a->code, a->message, ms);
    if (rc == 0 && !e->wait(e->context, ms))
        return 1;
    return rc;
}

static int refuse(struct engine *e, const struct upload_row *row,
                  const struct sink_answer *a)
{
    char *body = e->ops->body ? e->ops->body(e->sink, row) : NULL;
    int rc = feed_refuse(e->feed, row, body ? body : "", a->code, a->message);
    free(body);
    e->refusals++;
    e->batch.refused_rows++;
    e->batch.refused_spans += row->kind == UPLOAD_SPANS;
    if (rc == 0 && e->refusals <= REFUSALS_MOST)
        say(e, "sets a row aside (handspan uploads)", a);
    return rc;
}

/* It is not the rows, and it is for good: all of them, and on to the next. */
static int refuse_all(struct engine *e, const struct upload_row *rows,
                      const struct sink_answer *a, uint32_t n, uint32_t *done)
{
    int rc = 0;
    for (*done = 0; rc == 0 && *done < n; ++*done)
        rc = refuse(e, &rows[*done], a);
    return rc;
}

/* One row alone is refused, or too large. */
static int on_poison(struct engine *e, const struct upload_row *row,
                     const struct sink_answer *a, uint32_t n, uint32_t *done)
{
    if (a->is_permanent && e->refusals >= REFUSALS_MOST)
        return refuse_all(e, row, a, n, done);
    if (n > 1) {
        e->limit = n / 2;
        return 0;
    }
    if (e->refusals >= REFUSALS_MOST) {
        struct sink_answer all = *a;
        all.verdict = SINK_HOLD;
        snprintf(all.message, sizeof all.message,
                 "every row is refused, so it is not the rows: %.400s",
                 a->message);
        return on_hold(e, &all);
    }
    *done = 1;
    return refuse(e, row, a);
}

static void on_ok(struct engine *e, uint32_t n, int64_t elapsed_ms,
                  bool was_full)
{
    e->failures = e->refusals = e->holds = 0;
    if (e->is_held)
        e->say(e->context, "upload goes on");
    e->is_held = false;
    if (elapsed_ms > SLOW_MS && n > 1)
        e->limit = n / 2;
    else if (was_full && elapsed_ms < QUICK_MS &&
             e->limit < e->ops->batch_rows_max)
        e->limit *= 2;
    if (e->limit > e->ops->batch_rows_max)
        e->limit = e->ops->batch_rows_max;
}

/* Send some of them; *done gets how many are taken care of. 0, 1 the end
 * came, -errno. */
static int send_some(struct engine *e, const struct upload_row *rows,
                     uint32_t count, uint32_t *done)
{
    struct sink_answer a = {.retry_after_ms = -1};
    uint32_t n = count < e->limit ? count : e->limit;
    bool was_full = n == e->limit;
    int64_t from = now_ms();
    *done = 0;
    e->ops->send(e->sink, rows, n, &a);
    switch (a.verdict) {
    case SINK_OK:
        on_ok(e, n, now_ms() - from, was_full);
        /* whatever a receiver says, no more than were sent */
        e->rejected += a.rejected < n ? a.rejected : n;
        if (a.code[0])
            say(e, "was accepted in part", &a);
        *done = n;
        return 0;
    case SINK_RETRY: /* cut off by our own end: no fault of the sink */
        return e->is_over(e->context) ? 1 : on_retry(e, &a, n);
    case SINK_HALVE:
        if (n == 1 && a.is_ambiguous)
            return e->is_over(e->context) ? 1 : on_retry(e, &a, n);
        /* fall through */
    case SINK_POISON:
        return on_poison(e, rows, &a, n, done);
    default:
        return on_hold(e, &a);
    }
}

/* ---- batches ------------------------------------------------------------- */

/* Rows of one kind stand together, otherwise in their order. */
static int group(struct feed_batch *b)
{
    struct upload_row *sorted = malloc((b->count + 1) * sizeof *sorted);
    uint32_t at = 0;
    if (!sorted)
        return -ENOMEM;
    for (int kind = 0; kind < UPLOAD_KINDS; kind++)
        for (uint32_t i = 0; i < b->count; i++)
            if ((int)b->rows[i].kind == kind)
                sorted[at++] = b->rows[i];
    free(b->rows);
    b->rows = sorted;
    b->cap = b->count;
    return 0;
}

static int batch_send(struct engine *e)
{
    struct feed_batch *b = &e->batch;
    uint32_t at = 0;
    e->rejected = 0;
    while (at < b->count) {
        uint32_t end = at, done = 0;
        while (end < b->count && b->rows[end].kind == b->rows[at].kind)
            end++;
        if (e->is_over(e->context))
            return 1;
        int rc = send_some(e, b->rows + at, end - at, &done);
        if (rc != 0)
            return rc;
        at += done;
    }
    return feed_move(e->feed, b, e->rejected);
}

/* An empty request would be answered as if the row were there. */
static void no_body(struct sink_answer *a)
{
    snprintf(a->code, sizeof a->code, "too large");
    snprintf(a->message, sizeof a->message,
             "no request can hold the row: it is in this store alone");
}

/* Rows that were set aside, and are wanted again. */
static int again(struct engine *e)
{
    enum upload_kind kind;
    char *body;
    int64_t id;
    int rc = 0;
    while (e->ops->resend && !e->is_over(e->context) &&
           (rc = feed_again(e->feed, &id, &kind, &body)) > 0) {
        struct sink_answer a = {.verdict = SINK_POISON, .retry_after_ms = -1};
        if (body[0])
            e->ops->resend(e->sink, kind, body, &a);
        else
            no_body(&a);
        free(body);
        if (a.verdict == SINK_RETRY)
            rc = on_retry(e, &a, 1);
        else if (a.verdict == SINK_HOLD)
            rc = on_hold(e, &a);
        else
            rc = feed_again_done(
                e->feed, id, a.verdict == SINK_OK ? NULL : a.code, a.message);
        if (rc != 0)
            return rc;
    }
    return rc;
}

static int open_feed(struct engine *e)
{
    char why[512];
    if (e->feed)
        return 0;
    return feed_open(e->store, e->name, &e->feed, why, sizeof why);
}

void engine_free(struct engine *e)
{
    feed_batch_free(&e->batch);
    feed_close(e->feed);
    e->feed = NULL;
}

int engine_run(struct engine *e)
{
    bool is_more = true, did = !e->was_idle;
    if (e->limit == 0)
        e->limit = e->ops->batch_rows;
    int rc = open_feed(e);
    if (rc == 0)
        rc = again(e);
    while (rc == 0 && is_more) {
        if (e->is_over(e->context))
            return 1;
        feed_batch_clear(&e->batch);
        rc = feed_read(e->feed, e->limit, BATCH_BYTES, e->ops->kinds, &e->batch,
                       &is_more);
        if (rc != 0)
            break;
        did |= e->batch.count > 0;
        rc = group(&e->batch);
        if (rc == 0)
            rc = batch_send(e);
    }
    if (rc == 0 && did)
        rc = feed_state(e->feed, "idle", NULL, NULL, -1);
    e->was_idle = rc == 0;
    engine_free(e);
    return rc;
}
