/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan delete: take traces out of the store for good, so that their bytes
 * are overwritten. What was uploaded is beyond our reach: the matching requests
 * are printed.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/screen/view.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/paths.h"
#include "tools/common/text/text.h"
#include "tools/store/retention.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct chosen {
    uint8_t id[16];
    char hex[33], name[64];
};
struct deletion {
    struct view view;
    bool is_dry;
    struct chosen *traces;
    size_t count, cap;
    char path[PATHS_MAX];
};

static int choose(struct deletion *d, const struct query_trace *t)
{
    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        void *grown = realloc(d->traces, cap * sizeof *d->traces);
        if (!grown)
            return -ENOMEM;
        d->traces = grown;
        d->cap = cap;
    }
    struct chosen *c = &d->traces[d->count++];
    memcpy(c->id, t->id, sizeof c->id);
    snprintf(c->hex, sizeof c->hex, "%s", t->hex);
    snprintf(c->name, sizeof c->name, "%s", t->name ? t->name : "?");
    return 0;
}

static int choose_each(void *context, struct query_trace *t)
{
    int err = choose(context, t);
    query_trace_free(t);
    return err;
}

/* A named trace, or all that the filter leaves. */
static int choose_all(struct deletion *d, const char *text)
{
    struct view *v = &d->view;
    int status = view_open(v, false), err = 0;
    struct query_trace trace = {0};
    if (!status && text) {
        status = view_choose(v, text, &trace);
        if (!status)
            err = choose(d, &trace);
        query_trace_free(&trace);
    } else if (!status) {
        v->filter.limit = 0;
        v->filter.is_first = true; /* what is deleted does not come back */
        err = query_traces(v->db, &v->filter, choose_each, d);
    }
    view_close(v);
    if (!status && err)
        return options_trouble("cannot read the store: %s", strerror(-err));
    return status;
}

/* ---- what was uploaded --------------------------------------------------- */

struct remote {
    const struct deletion *d;
    int sinks;
};

static void print_rest(const char *url, const char *prefix, const char *hex)
{
    static const char *const tables[] = {"spans", "processes", "rollups",
                                         "traces"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        printf("  curl -X DELETE -H \"Authorization: Bearer $KEY\" "
               "'%s/%s%s?trace_id=eq.%s'\n",
               url, prefix, tables[i], hex);
}

/* Its name is SCHEME://HOST/BASE[?prefix=P], without credentials. */
static void print_sink(void *context, const char *name)
{
    struct remote *r = context;
    char url[PATHS_MAX], prefix[64] = "";
    const char *plus = strchr(name, '+'), *query = strstr(name, "?prefix=");
    r->sinks++;
    printf("Uploaded to %s, perhaps:\n", text_shown(name).text);
    if (strncmp(name, "otlp", 4) == 0 || !plus) {
        puts("  OTLP has no way to delete; ask those who run the receiver.");
        return;
    }
    if (query)
        snprintf(prefix, sizeof prefix, "%s", query + strlen("?prefix="));
    snprintf(url, sizeof url, "%.*s%s",
             (int)(query ? query - plus - 1 : (long)strlen(plus + 1)), plus + 1,
             strncmp(name, "insforge", 8) == 0 ? "/api/database/records" : "");
    for (size_t i = 0; i < r->d->count; i++)
        print_rest(url, prefix, r->d->traces[i].hex);
}

/* ---- the command --------------------------------------------------------- */

static void print_done(const struct deletion *d, const struct chosen *c,
                       const struct retention_done *done, int err)
{
    if (d->view.json) {
        struct cJSON *o = json_object();
        json_text(o, "trace_id", c->hex);
        json_bool(o, "deleted", err == 0 && !d->is_dry);
        json_int(o, "spans", done->spans);
        json_text(o, "error",
                  err == -EBUSY    ? "it still runs"
                  : err == -ENOENT ? "it is gone already"
                  : err            ? strerror(-err)
                                   : NULL);
        json_print(stdout, o);
    } else if (d->is_dry) {
        printf("Would delete %s %s\n", c->hex, text_shown(c->name).text);
    } else if (err == 0) {
        printf("Deleted %s %s, %s spans\n", c->hex, text_shown(c->name).text,
               format_count(done->spans).text);
    } else if (err == -EBUSY) {
        options_trouble("%s %s still runs; it can be deleted when it ended",
                        c->hex, c->name);
    }
}

static int delete_all(struct deletion *d, struct retention *r)
{
    int status = EXIT_FINE;
    for (size_t i = 0; i < d->count; i++) {
        struct retention_done done = {0};
        int err = d->is_dry ? 0
                            : retention_delete(r, d->traces[i].id,
                                               format_now_ns(), &done);
        print_done(d, &d->traces[i], &done, err);
        if (err == -EBUSY && !*retention_why(r))
            status = EXIT_FOUND;
        else if (err && err != -ENOENT)
            return options_trouble("store '%s': %s", d->path, retention_why(r));
    }
    if (!d->is_dry && retention_wipe_log(r) < 0)
        options_trouble("a copy may stay in '%s-wal' until the last who has "
                        "the store open closes it",
                        d->path);
    return status;
}

static int run(struct deletion *d)
{
    char why[PATHS_MAX + 512];
    struct retention *r;
    if (paths_store_of(d->view.dir, d->view.store, d->path, sizeof d->path) < 0)
        return options_trouble("cannot tell where the store is: name it with "
                               "--store");
    if (retention_open(d->path, &r, why, sizeof why) < 0)
        return options_trouble("%s", why);
    if (d->view.json)
        json_print_schema(stdout);
    int status = delete_all(d, r);
    struct remote remote = {.d = d};
    if (status != EXIT_TROUBLE && !d->view.json &&
        retention_sinks(r, print_sink, &remote) < 0)
        options_trouble("cannot read the sinks: %s", retention_why(r));
    retention_close(r);
    return status;
}

int cmd_delete(int argc, char **argv)
{
    struct deletion d = {.view = VIEW_INIT};
    const struct option_spec specs[] = {
        VIEW_OPTIONS(d.view),
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept", &d.view.dir},
        {"dry-run", 0, OPTION_FLAG, NULL, "only say what would go", &d.is_dry},
    };
    const struct options o = {
        .command = "handspan delete",
        .operands = "[TRACE]",
        .about = "Delete a trace, or with --where, --program, --since, --until "
                 "or --pid all that\nthey match, and overwrite its bytes in "
                 "the store. A program is the first one of its\ntrace here. "
                 "Requests that delete what was\nuploaded are "
                 "printed. What still runs is left alone (exit status 1).",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    const struct view *v = &d.view;
    if (!operands && !v->where && !v->program && !v->since && !v->until &&
        v->pid < 0)
        return options_trouble("delete what? Name a TRACE, or a filter such as "
                               "--where status=ok (see --help)");
    int status = choose_all(&d, operands ? argv[0] : NULL);
    if (!status && d.count == 0) {
        options_trouble("nothing matches");
        status = EXIT_FOUND;
    } else if (!status) {
        status = run(&d);
    }
    free(d.traces);
    return status;
}
