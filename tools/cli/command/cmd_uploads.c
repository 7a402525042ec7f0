/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan uploads: the sinks of the store, how far each is and what it said
 * last; the rows that one refused, with their error; and what to do with them.
 * The sidecar does the sending: this only looks, and marks.
 */
#include "tools/cli/command/commands.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/text/term.h"
#include "tools/upload/outbox/feed.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct uploads {
    const char *store_option, *again, *drop, *forget;
    bool json;
    char store[PATHS_MAX];
    struct term term;
    struct feed *feed;
    int64_t sinks, refused, troubled;
};

static void time_json(struct cJSON *o, const char *key, int64_t unix_ns)
{
    if (unix_ns == UPLOAD_NULL)
        json_null(o, key);
    else
        json_text(o, key, format_rfc3339(unix_ns).text);
}

static void sink_json(const struct feed_sink *k)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "sink");
    json_int(o, "id", k->sink);
    json_text(o, "name", k->name);
    json_text(o, "state", k->state);
    json_int(o, "sent_spans", k->sent_spans);
    json_int(o, "sent_rows", k->sent_rows);
    json_int(o, "rejected", k->rejected);
    json_int(o, "refused", k->refused);
    json_int(o, "waiting_spans", k->waiting_spans);
    time_json(o, "waiting_since", k->waiting_since_unix_ns);
    time_json(o, "ok_at", k->ok_unix_ns);
    json_text(o, "error", k->error);
    json_text(o, "error_code", k->error_code);
    time_json(o, "error_at", k->error_unix_ns);
    time_json(o, "retry_at", k->retry_unix_ns);
    (void)json_print(stdout, o);
}

static void sink_text(const struct uploads *u, const struct feed_sink *k)
{
    struct term_line l;
    bool bad = k->error != NULL;
    term_line_init(&l, &u->term);
    term_line_printf(&l, TERM_PLAIN, "%lld ", (long long)k->sink);
    term_line_text(&l, TERM_BOLD, k->name, -1);
    term_line_printf(&l, bad ? TERM_YELLOW : TERM_PLAIN, "  %s", k->state);
    term_line_end(&l);
    term_line_printf(&l, TERM_PLAIN, "  %s spans sent",
                     format_count(k->sent_spans).text);
    if (k->waiting_since_unix_ns != UPLOAD_NULL) {
        int64_t age = format_now_ns() - k->waiting_since_unix_ns;
        term_line_printf(&l, TERM_PLAIN, ", %s wait since %s",
                         format_count(k->waiting_spans).text,
                         format_duration(age > 0 ? age : 0, u->term.utf8).text);
    }
    if (k->refused)
        term_line_printf(&l, TERM_RED, ", %s refused",
                         format_count(k->refused).text);
    if (k->rejected)
        term_line_printf(&l, TERM_RED, ", %s rejected there",
                         format_count(k->rejected).text);
    term_line_end(&l);
    if (bad) {
        term_line_printf(&l, TERM_PLAIN, "  %s  ",
                         format_time_short(k->error_unix_ns).text);
        term_line_text(&l, TERM_YELLOW, k->error, -1);
        term_line_end(&l);
    }
    term_line_free(&l);
}

static void on_sink(void *with, const struct feed_sink *k)
{
    struct uploads *u = with;
    u->sinks++;
    u->troubled += k->error != NULL || k->refused > 0;
    if (u->json)
        sink_json(k);
    else
        sink_text(u, k);
}

static void on_refused(void *with, const struct feed_refused *r)
{
    struct uploads *u = with;
    struct cJSON *o;
    struct term_line l;
    if (u->json) {
        o = json_object();
        json_text(o, "kind", "refused");
        json_int(o, "id", r->id);
        json_text(o, "sink", r->sink);
        json_text(o, "table", r->kind);
        json_text(o, "key", r->key);
        json_text(o, "code", r->code);
        json_text(o, "message", r->message);
        time_json(o, "at", r->at_unix_ns);
        json_int(o, "tries", r->tries);
        json_bool(o, "again", r->again);
        json_text(o, "body", r->body);
        (void)json_print(stdout, o);
        return;
    }
    if (u->refused++ == 0)
        puts("\nRefused rows (kept here; 'handspan uploads --again=ID'):");
    term_line_init(&l, &u->term);
    term_line_printf(&l, TERM_PLAIN, "%4lld %s ", (long long)r->id, r->kind);
    term_line_text(&l, TERM_BOLD, r->key, -1);
    if (r->again)
        term_line_printf(&l, TERM_DIM, " (goes again)");
    term_line_end(&l);
    term_line_printf(&l, TERM_PLAIN, "     ");
    term_line_text(&l, TERM_RED, r->message, -1);
    term_line_end(&l);
    term_line_free(&l);
}

/* "all" or a number; -1: neither. */
static int64_t id_of(const char *text)
{
    char *end;
    if (strcmp(text, "all") == 0 || text[0] == 0)
        return 0;
    long long id = strtoll(text, &end, 10);
    return *end == 0 && id > 0 ? id : -1;
}

static int change(const char *what, const char *text,
                  int (*call)(struct feed *feed, int64_t id), struct feed *feed,
                  bool needs_id)
{
    int64_t id = id_of(text);
    if (id < 0 || (needs_id && id == 0))
        return options_trouble("--%s: '%s' is not an id%s: 'handspan "
                               "uploads' lists them",
                               what, text, needs_id ? "" : " or 'all'");
    int rc = call(feed, id);
    if (rc < 0)
        return options_trouble("%s", feed_why(feed));
    printf("%d row%s\n", rc, rc == 1 ? "" : "s");
    return rc > 0 ? EXIT_FINE : EXIT_FOUND;
}

static int print(struct uploads *u)
{
    if (u->json)
        json_print_schema(stdout);
    int rc = feed_sinks(u->feed, on_sink, u);
    if (rc == 0)
        rc = feed_refused(u->feed, on_refused, u);
    if (rc < 0)
        return options_trouble("%s", feed_why(u->feed));
    if (u->sinks == 0 && !u->json)
        puts("Nothing was ever sent anywhere; see 'handspan sidecar "
             "--upload'.");
    return u->troubled ? EXIT_FOUND : EXIT_FINE;
}

static int open_store(struct uploads *u)
{
    char why[PATHS_MAX];
    int rc = paths_store_of(NULL, u->store_option, u->store, sizeof u->store);
    if (rc == 0)
        rc = feed_open_all(u->store, &u->feed, why, sizeof why);
    else
        snprintf(why, sizeof why, "%s", strerror(-rc));
    return rc == 0 ? 0 : options_trouble("store '%s': %s", u->store, why);
}

int cmd_uploads(int argc, char **argv)
{
    struct uploads u = {0};
    const struct option_spec specs[] = {
        {"store", 0, OPTION_TEXT, "FILE", "the store", &u.store_option},
        {"json", 0, OPTION_FLAG, NULL, "one object a line", &u.json},
        {"again", 0, OPTION_TEXT, "ID|all",
         "send a refused row again, with the next upload", &u.again},
        {"drop", 0, OPTION_TEXT, "ID|all",
         "forget a refused row; its span stays in the store", &u.drop},
        {"forget", 0, OPTION_TEXT, "SINK",
         "forget a sink: named again, it gets everything anew", &u.forget},
    };
    const struct options o = {
        .command = "handspan uploads",
        .operands = "",
        .about = "Where spans are sent: how far each sink is, its last error, "
                 "and the rows that it refused. Exit status 1: there is one.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    term_detect(&u.term, stdout);
    int status = open_store(&u);
    if (status)
        return status;
    if (u.again)
        status = change("again", u.again, feed_set_again, u.feed, false);
    else if (u.drop)
        status = change("drop", u.drop, feed_drop_refused, u.feed, false);
    else if (u.forget)
        status = change("forget", u.forget, feed_drop_sink, u.feed, true);
    else
        status = print(&u);
    feed_close(u.feed);
    return status;
}
