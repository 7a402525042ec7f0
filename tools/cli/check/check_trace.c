/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was bound, as the trace has it, with the calls: "0 calls" is told from
 * "not bound". --run runs the command by `handspan run` in a trace whose id is
 * made here, so that it is found again whatever else is traced meanwhile.
 */
#include "tools/cli/check/check_trace.h"
#include "tools/cli/check/completeness.h"
#include "tools/cli/check/check_print.h"
#include "tools/cli/check/seen.h"
#include "tools/cli/screen/view.h"
#include "tools/common/text/text.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/paths.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    AWAIT_NS = 20000000,
    AWAIT_TRIES = 1000
};

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "?";
}

static void make_row(const struct seen *s, struct check_row *row)
{
    *row = (struct check_row){.status = s->status, .name = seen_name(s)};
    buf_init(&row->text, 8192);
    if (s->bound) {
        if (s->functions > 1)
            snprintf(row->where, sizeof row->where, "%s functions",
                     format_count((int64_t)s->functions).text);
        else
            snprintf(row->where, sizeof row->where, "%s+0x%llx",
                     base_name(s->first->object),
                     (unsigned long long)s->first->address);
        snprintf(row->how, sizeof row->how, "%s %s", check_way_text(s->ways),
                 check_shim_text(s->frame_count, s->zero_copy_count));
        if (s->is_counted)
            buf_printf(&row->text, "%s call%s", format_count(s->calls).text,
                       s->calls == 1 ? "" : "s");
        if (s->is_counted && s->open)
            buf_printf(&row->text, ", %s open", format_count(s->open).text);
        if (s->errors)
            buf_printf(&row->text, ", %s failed", format_count(s->errors).text);
        if (s->remark.len_bytes && s->is_counted)
            buf_text(&row->text, "; ");
    }
    buf_text(&row->text, buf_get(&s->remark));
}

static void print_text(const struct view *v, const struct query_trace *t,
                       const struct query_detail *d,
                       const struct seen_list *list,
                       const size_t totals[BINDING_STATUSES], int status)
{
    char id[9];
    bool unknown = false;
    struct check_row *rows = calloc(list->count + 1, sizeof *rows);
    if (!rows)
        return;
    printf("%s  %s\n", text_shown(t->name ? t->name : "?").text,
           view_short_id(t, id));
    for (size_t i = 0; i < list->count; i++) {
        make_row(&list->at[i], &rows[i]);
        unknown |= !list->at[i].is_known;
    }
    check_rows_print(&v->term, rows, list->count);
    for (size_t i = 0; i < list->count; i++)
        buf_free(&rows[i].text);
    free(rows);
    if (unknown)
        term_wrap(&v->term, TERM_DIM,
                  "Not every object has debug information: of some handlers it "
                  "is not known whether copies were inlined.",
                  2);
    completeness_notes(&v->term, d);
    check_totals_print(&v->term, totals, list->count, status);
}

static void print_json(const struct query_trace *t,
                       const struct seen_list *list)
{
    json_print_schema(stdout);
    for (size_t i = 0; i < list->count; i++) {
        const struct seen *s = &list->at[i];
        struct cJSON *o = json_object();
        json_text(o, "kind", "declaration");
        json_text(o, "trace_id", t->hex);
        json_text(o, "name", s->first->declared);
        json_text(o, "span", seen_name(s));
        json_text(o, "manifest", s->first->manifest);
        json_count(o, "line", s->first->declaration);
        json_text(o, "status", check_status_word(s->status));
        json_int(o, "functions", (int64_t)s->functions);
        json_int(o, "bound", (int64_t)s->bound);
        json_text(o, "object", s->first->object);
        json_count(o, "address", s->first->address);
        json_text(o, "binding", s->bound ? check_way_text(s->ways) : NULL);
        json_int(o, "frame", (int64_t)s->frame_count);
        json_int(o, "zero_copy", (int64_t)s->zero_copy_count);
        json_bool(o, "copies_known", s->is_known);
        json_count(o, "calls", s->is_counted ? s->calls : -1);
        json_int(o, "open", s->open);
        json_int(o, "errors", s->errors);
        json_text(o, "remark",
                  s->remark.len_bytes ? buf_get(&s->remark) : NULL);
        json_print(stdout, o);
    }
}

static int tell(const struct view *v, const struct query_trace *t)
{
    struct query_detail d = {0};
    struct seen_list list = {0};
    size_t totals[BINDING_STATUSES] = {0};
    int err = query_detail_load(v->db, t->trace, &d);
    if (!err)
        err = seen_load(&d, &list);
    for (size_t i = 0; i < list.count; i++)
        totals[list.at[i].status]++;
    int status = totals[BINDING_NONE] ? EXIT_FOUND : EXIT_FINE;
    if (!err && v->json)
        print_json(t, &list);
    else if (!err)
        print_text(v, t, &d, &list, totals, status);
    seen_free(&list);
    query_detail_free(&d);
    return err ? options_trouble("cannot read the trace: %s", strerror(-err))
               : status;
}

/* ---- --run -------------------------------------------------------------- */

static void make_id(char hex[33])
{
    uint8_t bytes[16] = {1};
    (void)!getrandom(bytes, sizeof bytes, 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

__attribute__((noreturn)) static void
become_run(const struct check_trace *c, const char *id, int argc, char **argv)
{
    char self[PATHS_MAX], parent[64];
    char **args = calloc((size_t)argc + 12, sizeof *args);
    size_t n = 0;
    snprintf(parent, sizeof parent, "00-%s-0000000000000001-01", id);
    if (!args || paths_self(self, sizeof self) != 0 ||
        setenv("TRACEPARENT", parent, 1) != 0)
        _exit(EXIT_TROUBLE);
    const char *const before[] = {self, "run", "--summary", "never"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        args[n++] = (char *)(uintptr_t)before[i];
    if (c->manifest) {
        args[n++] = (char *)(uintptr_t) "-m";
        args[n++] = (char *)(uintptr_t)c->manifest;
    }
    if (c->store) {
        args[n++] = (char *)(uintptr_t) "--store";
        args[n++] = (char *)(uintptr_t)c->store;
    }
    args[n++] = (char *)(uintptr_t) "--";
    for (int i = 0; i < argc; i++)
        args[n++] = argv[i];
    if (c->json)
        dup2(2, 1); /* ours is for the objects */
    execv(self, args);
    _exit(EXIT_TROUBLE);
}

static int run(const struct check_trace *c, const char *id, int argc,
               char **argv)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become_run(c, id, argc, argv);
    if (pid < 0)
        return options_trouble("cannot run '%s': %s", argv[0], strerror(errno));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return options_trouble("lost the command: %s", strerror(errno));
    if (WIFSIGNALED(status))
        options_trouble("the command died of signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        options_trouble("the command ended with status %d",
                        WEXITSTATUS(status));
    return 0;
}

/* Its last rows may be on their way while the command has ended. */
static int await_end(struct view *v, const char *id, struct query_trace *trace)
{
    for (int i = 0;; i++) {
        int status = view_choose(v, id, trace);
        bool live =
            !status && trace->state && strcmp(trace->state, "live") == 0;
        if (!live || i == AWAIT_TRIES)
            return status;
        query_trace_free(trace);
        nanosleep(&(struct timespec){.tv_nsec = AWAIT_NS}, NULL);
    }
}

int check_trace_main(const struct check_trace *c, int argc, char **argv)
{
    struct view v = VIEW_INIT;
    struct query_trace trace = {0};
    char id[33];
    const char *wanted = c->trace;
    int status = 0;
    v.json = c->json;
    v.store = c->store;
    v.pid = c->pid;
    if (c->run) {
        make_id(id);
        wanted = id;
        status = run(c, id, argc, argv);
    }
    if (!status)
        status = view_open(&v, false);
    if (!status)
        status = c->run ? await_end(&v, wanted, &trace)
                        : view_choose(&v, wanted, &trace);
    if (!status) {
        status = tell(&v, &trace);
        query_trace_free(&trace);
    }
    view_close(&v);
    return status;
}
