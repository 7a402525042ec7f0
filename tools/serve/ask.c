/* SPDX-License-Identifier: Apache-2.0 */
/* The questions that a command answers as well; see ask.h. */
#include "tools/serve/ask.h"
#include "tools/cli/export/export.h"
#include "tools/cli/rows/rows.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool ask_is_id(const char *text, size_t count)
{
    return strlen(text) == count && strspn(text, "0123456789abcdef") == count;
}

int ask_refuse(struct ask *ask, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ask->why, sizeof ask->why, format, args);
    va_end(args);
    return status;
}

int ask_status(struct ask *ask, int err)
{
    if (err == 0)
        return 200;
    if (err == -ENOENT)
        return ask_refuse(ask, 404, "no such trace in the store");
    return ask_refuse(ask, 503, "cannot read the store: %s",
                      err == -EIO || err == -EBUSY ? query_error(ask->view.db)
                                                   : strerror(-err));
}

bool ask_number(struct ask *ask, const char *name, int64_t low, int64_t high,
                int64_t otherwise, int64_t *out)
{
    const char *text = ask->parameter(ask->context, name);
    char *end;
    *out = otherwise;
    if (!text || !*text)
        return true;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (!*end && errno == 0 && *out >= low && *out <= high)
        return true;
    ask_refuse(ask, 400, "%s: a whole number from %lld to %lld", name,
               (long long)low, (long long)high);
    return false;
}

/* ---- traces -------------------------------------------------------------- */

static const char *text_of(struct ask *ask, const char *name)
{
    const char *text = ask->parameter(ask->context, name);
    return text && *text ? text : NULL;
}

static bool read_filter(struct ask *ask, struct query_filter *f)
{
    *f = (struct query_filter){.pid = -1};
    f->program = text_of(ask, "program");
    f->name = text_of(ask, "name");
    f->status = text_of(ask, "status");
    f->service = text_of(ask, "service");
    f->host = text_of(ask, "host");
    return ask_number(ask, "since", 0, INT64_MAX, 0, &f->since_unix_ns) &&
           ask_number(ask, "until", 0, INT64_MAX, 0, &f->until_unix_ns) &&
           ask_number(ask, "limit", 1, 100000, 500, &f->limit);
}

struct lines {
    struct query_db *db;
    FILE *out;
};

static int list_one(void *context, struct query_trace *t)
{
    const struct lines *l = context;
    int err = row_trace(l->out, l->db, t);
    query_trace_free(t);
    return err;
}

/* The trace that was asked for. 200, or the status. */
static int choose(struct ask *ask, struct query_trace *out)
{
    const struct query_filter all = {.pid = -1};
    struct query_choice c = {0};
    int err = query_choose(ask->view.db, ask->trace, &all, &c, ask->why,
                           sizeof ask->why);
    if (!err && c.count == 1) {
        *out = c.found[0];
        c.found[0] = (struct query_trace){0};
    }
    query_choice_free(&c);
    return err == -ENOENT ? 404 : err ? 503 : 200;
}

/* One of them, whatever else there is. */
static int list_chosen(struct ask *ask, const char *trace, FILE *out)
{
    struct query_trace t = {0};
    if (!ask_is_id(trace, 32))
        return ask_refuse(ask, 400, "trace: a whole id");
    ask->trace = trace;
    int status = choose(ask, &t);
    if (status == 200)
        status = ask_status(ask, row_trace(out, ask->view.db, &t));
    query_trace_free(&t);
    return status;
}

static int ask_list(struct ask *ask, FILE *out)
{
    struct query_filter filter;
    struct lines l = {ask->view.db, out};
    if (!read_filter(ask, &filter))
        return 400;
    json_print_schema(out);
    const char *trace = text_of(ask, "trace");
    if (trace)
        return list_chosen(ask, trace, out);
    return ask_status(ask, query_traces(ask->view.db, &filter, list_one, &l));
}

static int ask_show(struct ask *ask, FILE *out)
{
    struct query_trace t = {0};
    struct query_detail d = {0};
    struct query_tree tree = {0};
    int status = choose(ask, &t);
    if (status == 200) {
        int err = query_detail_load(ask->view.db, t.trace, &d);
        if (!err)
            err = query_tree_load(ask->view.db, &t, &d, format_now_ns(), false,
                                  &tree);
        if (!err)
            err = rows_tree(out, &t, &d, &tree);
        status = ask_status(ask, err);
    }
    query_tree_free(&tree);
    query_detail_free(&d);
    query_trace_free(&t);
    return status;
}

static int ask_stats(struct ask *ask, FILE *out)
{
    struct query_trace t = {0};
    struct stats s;
    int status = choose(ask, &t);
    if (status == 200) {
        int err = stats_load(&ask->view, &t, &s);
        if (!err) {
            err = rows_stats(out, ask->view.db, &t, &s);
            stats_free(&s);
        }
        status = ask_status(ask, err);
    }
    query_trace_free(&t);
    return status;
}

/* Stacks by self time, as `export -f folded`. */
static int ask_folded(struct ask *ask, FILE *out)
{
    struct query_trace t = {0};
    struct query_detail d = {0};
    int status = choose(ask, &t);
    if (status == 200) {
        int err = query_detail_load(ask->view.db, t.trace, &d);
        struct export x = export_init(&ask->view, &t, &d, out);
        if (!err)
            err = export_folded(&x);
        status = ask_status(ask, err);
    }
    query_detail_free(&d);
    query_trace_free(&t);
    return status;
}

/* ---- errors -------------------------------------------------------------- */

static int put_groups(struct ask *ask, const struct query_filter *filter,
                      const struct query_trace *t, FILE *out)
{
    struct query_groups groups = {0};
    struct share_sum sum = {0};
    struct query_db *db = ask->view.db;
    int err = query_groups_load(db, filter, t->trace, NULL, &groups);
    if (t->trace)
        share_sum_add(&sum, t);
    else if (!err)
        err = share_sum_find(db, filter, &sum);
    if (!err)
        err = share_print_schema(out, db, &sum);
    for (size_t i = 0; i < groups.count && !err; i++)
        err = row_group(out, db, &groups.group[i]);
    query_groups_free(&groups);
    return err;
}

static int ask_errors(struct ask *ask, FILE *out)
{
    struct query_filter filter;
    struct query_trace t = {0};
    struct query_detail d = {0};
    if (!read_filter(ask, &filter))
        return 400;
    filter.limit = 0;
    int status = ask->trace ? choose(ask, &t) : 200;
    if (status != 200)
        return status;
    int err = put_groups(ask, &filter, &t, out);
    bool is_all = !filter.since_unix_ns && !filter.until_unix_ns &&
                  !filter.program && !filter.name && !filter.status &&
                  !filter.service && !filter.host;
    if (!err && (t.trace || is_all))
        err = t.trace ? query_detail_load(ask->view.db, t.trace, &d)
                      : query_throws_load(ask->view.db, &d);
    if (!err)
        err = rows_throws(out, &d);
    query_detail_free(&d);
    query_trace_free(&t);
    return ask_status(ask, err);
}

/* ---- all of them --------------------------------------------------------- */

enum needs {
    NOTHING,
    MAY_TRACE,
    TRACE,
    SPAN
};
static const struct {
    const char *what;
    enum needs needs;
    int (*answer)(struct ask *ask, FILE *out);
} answers[] = {
    {"list", NOTHING, ask_list},
    {"show", TRACE, ask_show},
    {"stats", TRACE, ask_stats},
    {"folded", TRACE, ask_folded},
    {"errors", MAY_TRACE, ask_errors},
    {"lanes", TRACE, ask_lanes},
    {"bars", TRACE, ask_bars},
    {"find", TRACE, ask_find},
    {"span", SPAN, ask_span},
    {"critical", TRACE, ask_critical},
    {"handlers", NOTHING, ask_handlers},
    {"open", NOTHING, ask_open},
};

static bool fits(const struct ask *ask, enum needs needs)
{
    bool has_trace = ask->trace != NULL, has_span = ask->span != NULL;
    switch (needs) {
    case NOTHING:
        return !has_trace && !has_span;
    case MAY_TRACE:
        return !has_span;
    case TRACE:
        return has_trace && !has_span;
    case SPAN:
        return has_trace && has_span;
    }
    return false;
}

int ask_answer(struct ask *ask, FILE *out)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (strcmp(ask->what, answers[i].what) != 0 ||
            !fits(ask, answers[i].needs))
            continue;
        ask->view = (struct view)VIEW_INIT;
        int err =
            query_open(ask->store, &ask->view.db, ask->why, sizeof ask->why);
        int status = err ? 503 : answers[i].answer(ask, out);
        query_close(ask->view.db);
        ask->view.db = NULL;
        return status;
    }
    return ask_refuse(ask, 404, "no such question");
}
