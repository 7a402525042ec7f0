/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan uploads: the sinks of the store, how far each is and what it said
 * last; the rows that one refused, with their error; and what to do with them.
 * handspan upload: sends what the store has, now, without a sidecar. The
 * uploaders are those of the sidecar (tools/upload); how far they are stands in
 * the store, so one that belongs to a sidecar at work counts as well.
 */
#include "tools/cli/command/commands.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/config.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/text/term.h"
#include "tools/upload/outbox/feed.h"
#include "tools/upload/upload.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 200,
    SHORT_MS = 10000, /* without --wait */
    HELD_MS = 30000,  /* a person must do something */
    TELL_MS = 10000,  /* where nobody watches */
    FINISH_MS = 1000,
};

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

/* ---- handspan upload ----------------------------------------------------- */

struct sending {
    const char *urls;
    char store[PATHS_MAX], why[1024];
    struct feed *feed;
    bool wait, is_terminal;
    int64_t named;                /* sinks of the URLs */
    int64_t found, waiting, sent; /* of them: as the store says now */
    int64_t refused, held;
    char held_why[512];
};

static void say(const char *text)
{
    fprintf(stderr, "handspan: %s\n", text);
}

static void count_name(void *context, const char *name)
{
    (void)name;
    struct sending *u = context;
    u->named++;
}

static void is_it(void *context, const char *name)
{
    const char **wanted = context;
    if (*wanted && strcmp(*wanted, name) == 0)
        *wanted = NULL;
}

static void on_sending(void *with, const struct feed_sink *k)
{
    struct sending *u = with;
    const char *wanted = k->name;
    (void)upload_names(u->urls, is_it, &wanted);
    if (wanted)
        return;
    u->found++;
    u->waiting += k->waiting_entries ? k->waiting_spans + 1 : 0;
    u->sent += k->sent_spans;
    u->refused += k->refused;
    if (strcmp(k->state, "held") != 0 && strcmp(k->state, "retrying") != 0)
        return;
    u->held++;
    snprintf(u->held_why, sizeof u->held_why, "%s: %s", k->name,
             k->error ? k->error : k->state);
}

static int look(struct sending *u)
{
    u->found = u->waiting = u->sent = u->refused = u->held = 0;
    return feed_sinks(u->feed, on_sending, u);
}

static void tell(const struct sending *u, int64_t elapsed_ms, bool is_end)
{
    int64_t left = u->waiting;
    if (!is_end && !u->is_terminal && elapsed_ms % TELL_MS >= LOOK_MS)
        return;
    fprintf(stderr, "%s%s spans sent, %s to go%s",
            u->is_terminal ? "\r\033[K" : "", format_count(u->sent).text,
            format_count(left).text, u->is_terminal && !is_end ? "" : "\n");
}

/* True when all is there. */
static bool wait_for(struct sending *u)
{
    int64_t elapsed_ms = 0, held_ms = 0, before = -1;
    for (;; elapsed_ms += LOOK_MS) {
        if (look(u) < 0)
            return false;
        bool is_all = u->found == u->named && u->waiting == 0;
        held_ms = u->held && u->sent == before ? held_ms + LOOK_MS : 0;
        before = u->sent;
        bool is_enough = u->wait ? held_ms >= HELD_MS : elapsed_ms >= SHORT_MS;
        if (u->found == u->named && (elapsed_ms || !is_all))
            tell(u, elapsed_ms, is_all || is_enough);
        if (is_all || is_enough)
            return is_all;
        poll(NULL, 0, LOOK_MS);
    }
}

static int verdict(const struct sending *u, bool is_all)
{
    if (!is_all && u->held)
        fprintf(stderr, "handspan: not all is sent: %s\n", u->held_why);
    else if (!is_all)
        fprintf(stderr, "handspan: not all is sent yet%s\n",
                u->wait ? "" : "; with --wait it is waited for");
    if (u->refused)
        fprintf(stderr, "handspan: %s refused: 'handspan uploads' shows why\n",
                format_count(u->refused).text);
    return is_all && !u->refused ? EXIT_FINE : EXIT_FOUND;
}

static int send_all(struct sending *u)
{
    struct upload *upload = NULL;
    int rc = feed_open_all(u->store, &u->feed, u->why, sizeof u->why);
    if (rc < 0)
        return options_trouble("store '%s': %s", u->store, u->why);
    rc = upload_start(u->store, u->urls, NULL, FINISH_MS, say, &upload, u->why,
                      sizeof u->why);
    if (rc < 0) {
        feed_close(u->feed);
        return options_trouble("%s", u->why);
    }
    bool is_all = wait_for(u);
    if (!upload_finish(upload, FINISH_MS))
        is_all = is_all && look(u) == 0 && u->waiting == 0;
    int status = verdict(u, is_all);
    feed_close(u->feed);
    return status;
}

int cmd_upload(int argc, char **argv)
{
    static struct option_words urls;
    const char *store = NULL;
    struct sending u = {.is_terminal = isatty(STDERR_FILENO)};
    const struct option_spec specs[] = {
        {"store", 0, OPTION_TEXT, "FILE", "the store", &store},
        {"upload", 0, OPTION_WORDS, "URL",
         "where to; several times for several places", &urls},
        {"wait", 0, OPTION_FLAG, NULL,
         "until all is there, however long it takes; gives up when a place "
         "takes nothing for 30 seconds",
         &u.wait},
    };
    const struct options o = {
        .command = "handspan upload",
        .operands = "",
        .about = "Send what the store has, without a sidecar: to --upload, "
                 "else $HANDSPAN_UPLOAD,\nelse 'upload' of the settings. "
                 "Without --wait for ten seconds. Exit status 1: not all is "
                 "there.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int rc = paths_store_of(NULL, store, u.store, sizeof u.store);
    if (rc < 0)
        return options_trouble("store: %s", strerror(-rc));
    config_set(CONFIG_UPLOAD, urls.text[0] ? urls.text : NULL);
    u.urls = config_get(CONFIG_UPLOAD);
    if (!u.urls || !upload_names(u.urls, count_name, &u))
        return options_trouble("where to? --upload URL, $HANDSPAN_UPLOAD or "
                               "'upload' in the settings (upload.md)");
    return send_all(&u);
}
