/* SPDX-License-Identifier: Apache-2.0 */
/* See top.h. */
#include "tools/cli/live/top.h"
#include "tools/cli/live/live.h"
#include "tools/common/text/format.h"
#include "tools/query/frames.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where a call stands ------------------------------------------------- */

/* "waiting in read(4): pipe, take_line at prog.c:12" */
static char *place_of(const struct live_thread *t)
{
    struct buf b;
    const cJSON *blamed = query_frame_to_blame(t->frames, true);
    buf_init(&b, 4096);
    buf_text(&b, t->place);
    if (blamed) {
        struct query_frame f = query_frame_read(blamed);
        if (f.function)
            buf_printf(&b, ", %s", f.function);
        if (f.function && f.file && f.line)
            buf_printf(&b, " at %s:%d", query_base_name(f.file), f.line);
    }
    char *text = b.len_bytes ? strdup(buf_get(&b)) : NULL;
    buf_free(&b);
    return text;
}

static int thread_of(const struct live *l, int64_t tid)
{
    for (size_t i = 0; i < l->thread_count; i++)
        if (l->thread[i].own_tid == tid)
            return (int)i;
    return -1;
}

/* All calls of one process, so that it is opened once. */
static int look_at_process(struct top *t, int64_t pid)
{
    struct live l;
    char why[512] = "";
    int err = live_open((int32_t)pid, &l, why, sizeof why);
    if (err) /* gone, or not ours to look at: then it has no place */
        return err == -ENOMEM ? err : 0;
    for (size_t i = 0; i < t->now.call_count && !err; i++) {
        const struct query_live_call *c = &t->now.call[i];
        int at = c->pid == pid && c->is_innermost ? thread_of(&l, c->tid) : -1;
        if (at < 0 || !l.is_traced)
            continue;
        err = live_look_at(&l, (size_t)at, false, &t->client);
        if (!err)
            t->where[i] = place_of(&l.thread[at]);
    }
    live_close(&l);
    return err;
}

static int look_at_calls(struct top *t)
{
    int err = 0;
    for (size_t i = 0; i < t->now.call_count && !err; i++) {
        int64_t pid = t->now.call[i].pid;
        bool is_first = pid > 0 && pid <= INT32_MAX;
        for (size_t j = 0; j < i && is_first; j++)
            is_first = t->now.call[j].pid != pid;
        if (is_first)
            err = look_at_process(t, pid);
    }
    return err;
}

/* ---- rates --------------------------------------------------------------- */

static const struct query_live_handler *handler_of(const struct query_live *l,
                                                   const char *name)
{
    for (size_t i = 0; i < l->handler_count; i++)
        if (l->handler[i].name && name && strcmp(l->handler[i].name, name) == 0)
            return &l->handler[i];
    return NULL;
}

static void set_rates(struct top *t)
{
    for (size_t i = 0; i < t->now.handler_count; i++) {
        const struct query_live_handler *h = &t->now.handler[i];
        const struct query_live_handler *b = handler_of(&t->before, h->name);
        /* a program that ended takes its calls along: then since the start */
        bool is_since = b && b->calls <= h->calls && b->errors <= h->errors &&
                        b->self_ns <= h->self_ns;
        int64_t ns = t->at_ns - (is_since ? t->before_ns : h->since_unix_ns);
        double s = ns > 0 ? (double)ns / 1e9 : 1;
        t->rate[i] = (struct top_rate){
            .calls = (double)(h->calls - (is_since ? b->calls : 0)) / s,
            .errors = (double)(h->errors - (is_since ? b->errors : 0)) / s,
            .busy =
                (double)(h->self_ns - (is_since ? b->self_ns : 0)) / 1e9 / s};
    }
}

/* ---- all ----------------------------------------------------------------- */

static void forget_places(struct top *t)
{
    for (size_t i = 0; t->where && i < t->now.call_count; i++)
        free(t->where[i]);
    free(t->where);
    free(t->rate);
    t->where = NULL;
    t->rate = NULL;
}

int top_take(struct view *v, struct top *t, int64_t limit)
{
    forget_places(t);
    query_live_free(&t->before);
    t->before = t->now;
    t->before_ns = t->at_ns;
    t->now = (struct query_live){0};
    int err = query_live_load(v->db, limit, &t->now);
    t->at_ns = format_now_ns();
    if (err)
        return err;
    t->where = calloc(t->now.call_count + 1, sizeof *t->where);
    t->rate = calloc(t->now.handler_count + 1, sizeof *t->rate);
    if (!t->where || !t->rate)
        return -ENOMEM;
    set_rates(t);
    return look_at_calls(t);
}

void top_free(struct top *t)
{
    forget_places(t);
    query_live_free(&t->now);
    query_live_free(&t->before);
    symbolize_stop(&t->client);
}
