/* SPDX-License-Identifier: Apache-2.0 */
/* Common to the views; see view.h. */
#include "tools/cli/screen/view.h"
#include "tools/cli/screen/pager.h"
#include "tools/common/text/format.h"
#include "tools/common/paths.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool is_wanted(const void *context, const struct query_facts *f)
{
    const struct view *v = context;
    for (int i = 0; i < v->condition_count; i++) {
        const struct where_condition *c = &v->conditions[i];
        const struct {
            const char *key;
            struct where_fact fact;
        } has[] = {{"status", {f->status, NULL, -1}},
                   {"service", {f->service, NULL, -1}},
                   {"host", {f->host, NULL, -1}},
                   {"name", {f->name, f->process, -1}},
                   {"duration", {NULL, NULL, f->duration_ns}},
                   {"started", {NULL, NULL, f->start_unix_ns}}};
        for (size_t k = 0; k < sizeof has / sizeof *has; k++)
            if (strcmp(c->key->name, has[k].key) == 0 &&
                !where_holds(c, has[k].fact))
                return false;
    }
    return true;
}

/* What SQL knows by itself stands in the filter, too. */
static void use(struct view *v, const struct where_condition *c)
{
    const struct {
        const char *name, **target;
    } keys[] = {{"status", &v->filter.status},
                {"service", &v->filter.service},
                {"host", &v->filter.host},
                {"name", &v->filter.name}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(c->name, keys[i].name) == 0 && c->op == WHERE_LIKE) {
            *keys[i].target = c->value;
            return;
        }
    v->filter.is_wanted = is_wanted;
    v->filter.context = v;
}

static int parse_where(struct view *v)
{
    v->where_copy = strdup(v->where);
    int count = v->where_copy
                    ? where_parse(v->where_copy, "traces", where_trace_keys,
                                  format_now_ns(), v->conditions)
                    : -1;
    for (int c = 0; c < count; c++)
        use(v, &v->conditions[c]);
    v->condition_count = count;
    return count < 0 ? EXIT_TROUBLE : 0;
}

int view_open(struct view *v, bool where_for_spans)
{
    char store[PATHS_MAX], why[PATHS_MAX + 256];
    term_detect(&v->term, stdout);
    if (v->colour && !term_set_colour(&v->term, v->colour))
        return options_trouble("--color: '%s' is none of always, auto, never",
                               v->colour);
    v->filter = (struct query_filter){.since_unix_ns = v->since,
                                      .until_unix_ns = v->until,
                                      .program = v->program,
                                      .pid = v->pid,
                                      .limit = v->limit};
    int status = v->where && !where_for_spans ? parse_where(v) : 0;
    if (status)
        return status;
    int err = paths_store_of(v->dir, v->store, store, sizeof store);
    if (err)
        return options_trouble("cannot tell where the store is: name it with "
                               "--store");
    err = query_open(store, &v->db, why, sizeof why);
    return err ? options_trouble("%s", why) : 0;
}

void view_page(const struct view *v)
{
    if (!v->json)
        pager_start();
}

void view_close(struct view *v)
{
    pager_end();
    query_close(v->db);
    free(v->where_copy);
    v->db = NULL;
    v->where_copy = NULL;
}

const char *view_short_id(const struct query_trace *t, char out[9])
{
    memcpy(out, t->hex, 8);
    out[8] = 0;
    return out;
}

/* Digits that tell the candidates apart: as many as were typed and 4 more. */
static void list_candidates(const struct query_choice *c, size_t typed)
{
    int digits = (int)(typed + 4 > 12 ? typed + 4 : 12);
    for (size_t i = 0; i < c->count && i < QUERY_CANDIDATES; i++) {
        const struct query_trace *t = &c->found[i];
        fprintf(stderr, "  %.*s  %s  %s  %s\n", digits > 32 ? 32 : digits,
                t->hex, format_time_short(t->start_unix_ns).text,
                text_shown(t->name ? t->name : "?").text, view_outcome(t).text);
    }
    if (c->count > QUERY_CANDIDATES)
        fputs("  ...\n", stderr);
}

int view_choose(struct view *v, const char *text, struct query_trace *out)
{
    struct query_choice c = {0};
    char why[256];
    int err = query_choose(v->db, text, &v->filter, &c, why, sizeof why);
    if (err) {
        options_trouble("%s", why);
        return err == -ENOENT ? EXIT_FOUND : EXIT_TROUBLE;
    }
    if (c.count > 1) {
        options_trouble("'%s' is ambiguous:", text);
        list_candidates(&c, strlen(text));
        query_choice_free(&c);
        return EXIT_TROUBLE;
    }
    *out = c.found[0];
    c.found[0] = (struct query_trace){0};
    query_choice_free(&c);
    return 0;
}

static bool is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static bool is_crash(int64_t signal)
{
    static const int crashes[] = {4, 5, 6, 7, 8, 11, 31}; /* with core dump */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        if (signal == crashes[i])
            return true;
    return false;
}

static struct view_outcome by_process(const struct query_trace *t, bool failed)
{
    struct view_outcome o = {.style = failed ? TERM_RED : TERM_GREEN};
    if (t->signal > 0) {
        const char *name = sigabbrev_np((int)t->signal);
        snprintf(o.text, sizeof o.text, "%s%s%s",
                 !failed               ? "ended by "
                 : is_crash(t->signal) ? "CRASHED "
                                       : "KILLED ",
                 name ? "SIG" : "signal ", name ? name : "");
        if (!name)
            snprintf(o.text + strlen(o.text), 8, "%d", (int)t->signal);
    } else if (is(t->ended_by, "killed")) {
        snprintf(o.text, sizeof o.text, "KILLED");
        o.style = TERM_RED;
    } else if (t->exit_code > 0) {
        snprintf(o.text, sizeof o.text, "%sexit %d", failed ? "FAILED " : "",
                 (int)t->exit_code);
    } else if (failed) {
        snprintf(o.text, sizeof o.text, "FAILED");
    } else if (is(t->ended_by, "unknown") || is(t->status, "unfinished")) {
        snprintf(o.text, sizeof o.text, "ended, cause unknown");
        o.style = TERM_YELLOW;
    } else {
        snprintf(o.text, sizeof o.text, "ok");
    }
    return o;
}

/* "1 of 4 processes exit 1": those that failed besides the one whose end is
 * the trace's. */
static void put_failed(const struct query_trace *t, bool failed,
                       struct view_outcome *o)
{
    bool is_alone = failed && t->failed_count == 1 && t->command_status <= 0;
    size_t len = strlen(o->text);
    o->others_at = (int)len;
    /* what a handler is the root of has no process of its own */
    bool is_all = t->root_ref <= 0 && t->process_count < 2;
    if (t->failed_count == 0 || is_all || is_alone)
        return;
    const char *name =
        t->failed_signal > 0 ? sigabbrev_np((int)t->failed_signal) : NULL;
    len += (size_t)snprintf(
        o->text + len, sizeof o->text - len, ", %lld of %lld process%s ",
        (long long)t->failed_count, (long long)t->process_count,
        t->process_count == 1 ? "" : "es");
    if (name)
        snprintf(o->text + len, sizeof o->text - len, "SIG%s", name);
    else if (t->failed_exit_code > 0)
        snprintf(o->text + len, sizeof o->text - len, "exit %lld",
                 (long long)t->failed_exit_code);
    else
        snprintf(o->text + len, sizeof o->text - len, "failed");
    if (o->style == TERM_GREEN)
        o->style = TERM_YELLOW;
}

struct view_outcome view_outcome(const struct query_trace *t)
{
    if (is(t->status, "open"))
        return (struct view_outcome){"running", TERM_CYAN, 7};
    bool failed = is(t->status, "error");
    if (t->root_ref < 0 || t->root_ref == 0) {
        struct view_outcome o = by_process(t, failed);
        put_failed(t, failed, &o);
        return o;
    }
    struct view_outcome o = {"ok", TERM_GREEN, 2};
    if (is(t->status, "unfinished"))
        o = (struct view_outcome){"unfinished", TERM_YELLOW, 10};
    else if (failed)
        o = (struct view_outcome){"FAILED", TERM_RED, 6};
    put_failed(t, false, &o);
    return o;
}
