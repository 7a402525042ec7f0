/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan status: is everything in place? Directory, sidecar, the sessions
 * that lie there with what is not stored yet, the store, losses, and the last
 * lines of the log. Works without store and without directory.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/check/completeness.h"
#include "tools/cli/launch/sessions.h"
#include "tools/cli/launch/sidecar_control.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/text/term.h"
#include "tools/common/text/text.h"
#include "tools/query/whole/status.h"
#include "tools/store/metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_LINES = 5,
    LOG_TAIL_BYTES = 8192
};

struct status {
    const char *dir_option, *store_option;
    bool json;
    char dir[PATHS_MAX], store[PATHS_MAX];
    char trouble[2 * PATHS_MAX + 256]; /* why nothing gets into the store */
    bool is_refused; /* the directory: nothing in it is to be believed */
    char *note;      /* of the directory; NULL: nothing; owned */
    struct term term;
    bool is_running, is_off;
    int64_t sessions, unreadable;
    uint64_t backlog_bytes;
};

static const char *why_unreadable(int err)
{
    switch (err) {
    case -EPROTONOSUPPORT:
        return "made by another version of handspan; left in place";
    case -EBADMSG:
        return "damaged, or no session; left in place";
    case -EAGAIN:
        return "not whole: just being made, or given up";
    default:
        return strerror(-err);
    }
}

static const char *why_refused(const struct session_info *i)
{
    return i->is_refused ? "the store refuses what is in it, as the log says; "
                           "left in place"
                         : NULL;
}

/* ---- sessions ----------------------------------------------------------- */

/* Of which recording is off, while the others record. */
static struct cJSON *off_json(const struct session_info *i)
{
    struct cJSON *all = json_array();
    for (int64_t n = 0; n < i->off_count; n++) {
        struct cJSON *o = json_object();
        json_int(o, "pid", i->off[n].pid);
        json_text(o, "name", i->off[n].name);
        json_append(all, o);
    }
    return all;
}

static void off_text(struct term_line *l, const struct session_info *i)
{
    enum {
        SHOWN_MAX = 8
    };
    if (i->off_count)
        term_line_printf(l, TERM_YELLOW,
                         ", recording is off in %lld of %lld process%s:",
                         (long long)i->off_count, (long long)i->alive_count,
                         i->alive_count == 1 ? "" : "es");
    for (int64_t n = 0; n < i->off_count && n < SHOWN_MAX; n++)
        term_line_printf(l, TERM_YELLOW, "%s %u %s", n ? "," : "",
                         i->off[n].pid, i->off[n].name);
    if (i->off_count > SHOWN_MAX)
        term_line_printf(l, TERM_YELLOW, " ...");
}

static int session_json(const struct session_info *i)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "session");
    json_text(o, "file", i->file);
    json_text(o, "error", i->err ? why_unreadable(i->err) : why_refused(i));
    json_text(o, "name", i->err ? NULL : i->name);
    json_count(o, "pid", i->err ? -1 : (int64_t)i->pid);
    json_int(o, "processes", i->process_count);
    json_int(o, "alive", i->alive_count);
    json_int(o, "lanes", i->lane_count);
    json_int(o, "backlog_bytes", (int64_t)i->backlog_bytes);
    json_int(o, "open_spans", (int64_t)i->open_spans);
    json_int(o, "dropped", (int64_t)i->dropped);
    json_int(o, "lost_threads", (int64_t)i->lost_threads);
    json_int(o, "lost_calls", (int64_t)i->lost_calls);
    json_int(o, "hook_faults", (int64_t)i->hook_faults);
    json_int(o, "manifest_errors", (int64_t)i->manifest_errors);
    json_bool(o, "is_off", i->is_off);
    json_object_add(o, "off_processes", off_json(i));
    json_text(o, "store", i->store[0] ? i->store : NULL);
    return json_print(stdout, o);
}

static void session_text(const struct status *s, const struct session_info *i)
{
    struct term_line l;
    term_line_init(&l, &s->term);
    if (i->err) {
        term_line_printf(&l, TERM_YELLOW, "  %s: %s", i->file,
                         why_unreadable(i->err));
    } else {
        term_line_printf(&l, TERM_PLAIN, "  %s, pid %u: ", i->name, i->pid);
        if (i->alive_count == 0)
            term_line_printf(&l, TERM_PLAIN, "ended");
        else if (i->process_count > 1)
            term_line_printf(&l, TERM_PLAIN, "%lld of %lld processes run",
                             (long long)i->alive_count,
                             (long long)i->process_count);
        else
            term_line_printf(&l, TERM_PLAIN, "runs");
        if (i->is_off)
            term_line_printf(&l, TERM_YELLOW, ", switched off");
        off_text(&l, i);
        term_line_printf(&l, TERM_PLAIN, ", %s open, %s to store",
                         format_count((int64_t)i->open_spans).text,
                         format_bytes((int64_t)i->backlog_bytes).text);
        if (i->is_refused)
            term_line_printf(&l, TERM_RED, ", %s", why_refused(i));
        if (i->dropped)
            term_line_printf(&l, TERM_YELLOW, ", %s without detail",
                             format_count((int64_t)i->dropped).text);
        if (i->manifest_errors)
            term_line_printf(&l, TERM_RED, ", %s errors in its manifest",
                             format_count((int64_t)i->manifest_errors).text);
        if (i->hook_faults)
            term_line_printf(&l, TERM_RED, ", %s faults of handspan's hooks",
                             format_count((int64_t)i->hook_faults).text);
        if (i->store[0] && strcmp(i->store, s->store) != 0)
            term_line_printf(&l, TERM_PLAIN, ", for the store %s",
                             text_shown(i->store).text);
    }
    term_line_end(&l);
    term_line_free(&l);
}

static int count_session(void *context, const struct session_info *i)
{
    struct status *s = context;
    s->sessions++;
    s->unreadable += i->err != 0;
    s->backlog_bytes += i->backlog_bytes;
    return 0;
}

static int print_session(void *context, const struct session_info *i)
{
    const struct status *s = context;
    if (s->json)
        return session_json(i);
    session_text(s, i);
    return 0;
}

/* ---- store -------------------------------------------------------------- */

static void print_loss(void *context, const char *kind, int64_t count)
{
    (void)context;
    printf("  %s %s\n", format_count(count).text, completeness_loss_text(kind));
}

static void add_loss(void *context, const char *kind, int64_t count)
{
    json_int(context, kind, count);
}

static void store_text(struct query_db *db, const struct query_totals *t)
{
    printf("  %s trace%s (%s running), %s calls, %s of them without detail\n",
           format_count(t->traces).text, t->traces == 1 ? "" : "s",
           format_count(t->open_traces).text, format_count(t->calls).text,
           format_count(t->dropped_calls).text);
    if (t->first_unix_ns > 0)
        printf("  since %s\n", format_time_short(t->first_unix_ns).text);
    if (query_losses(db, print_loss, NULL) < 0)
        options_trouble("cannot read the store: %s", query_error(db));
}

static int store_json(struct query_db *db, const struct query_totals *t)
{
    struct cJSON *o = json_object(), *losses = json_object();
    json_text(o, "kind", "store");
    json_int(o, "traces", t->traces);
    json_int(o, "open_traces", t->open_traces);
    json_int(o, "calls", t->calls);
    json_int(o, "dropped_calls", t->dropped_calls);
    json_count(o, "first_unix_ns", t->first_unix_ns);
    if (query_losses(db, add_loss, losses) < 0)
        options_trouble("cannot read the store: %s", query_error(db));
    json_object_add(o, "losses", losses);
    return json_print(stdout, o);
}

/* ---- the way in and out ------------------------------------------------- */

static void sink_json(const struct metrics_sink *k)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "sink");
    json_text(o, "name", k->name);
    json_text(o, "state", k->state);
    json_int(o, "sent_spans", k->sent_spans);
    json_int(o, "waiting_entries", k->waiting_entries);
    json_count(o, "waiting_since_unix_ns",
               k->waiting_since_unix_ns ? k->waiting_since_unix_ns : -1);
    json_int(o, "rejected", k->rejected);
    json_int(o, "refused", k->refused);
    json_count(o, "ok_unix_ns", k->ok_unix_ns ? k->ok_unix_ns : -1);
    json_text(o, "error", k->error);
    json_text(o, "error_code", k->error_code);
    json_count(o, "error_unix_ns", k->error_unix_ns ? k->error_unix_ns : -1);
    json_print(stdout, o);
}

static void print_sink(void *context, const struct metrics_sink *k)
{
    const struct status *s = context;
    if (s->json) {
        sink_json(k);
        return;
    }
    struct term_line l;
    term_line_init(&l, &s->term);
    term_line_text(&l, TERM_PLAIN, "Sink       ", -1);
    term_line_text(&l, TERM_PLAIN, k->name, -1);
    term_line_printf(&l, TERM_PLAIN, ": %s, %s spans sent", k->state,
                     format_count(k->sent_spans).text);
    if (k->waiting_entries)
        term_line_printf(
            &l, TERM_YELLOW, ", the rest waits since %s",
            format_ago(k->waiting_since_unix_ns, format_now_ns()).text);
    if (k->refused)
        term_line_printf(&l, TERM_YELLOW, ", %s refused (handspan uploads)",
                         format_count(k->refused).text);
    if (k->rejected)
        term_line_printf(&l, TERM_YELLOW, ", %s rejected",
                         format_count(k->rejected).text);
    term_line_end(&l);
    if (k->error) {
        term_line_printf(&l, TERM_RED,
                         "  %s: ", k->error_code ? k->error_code : "error");
        term_line_text(&l, TERM_RED, k->error, -1);
        term_line_end(&l);
    }
    term_line_free(&l);
}

static void print_sinks(const struct status *s)
{
    if (s->store[0] && metrics_sinks(s->store, print_sink, (void *)s) < 0)
        options_trouble("cannot read the sinks of the store");
}

static void print_store(const struct status *s)
{
    struct query_db *db;
    struct query_totals totals;
    char why[PATHS_MAX + 256];
    if (!s->json)
        printf("Store      %s\n",
               s->store[0] ? text_shown(s->store).text : "none");
    if (!s->store[0])
        return;
    if (query_open(s->store, &db, why, sizeof why) < 0) {
        if (!s->json)
            printf("  %s\n", access(s->store, F_OK) ? "not there yet"
                                                    : text_shown(why).text);
        return;
    }
    if (query_totals(db, &totals) < 0)
        options_trouble("cannot read the store: %s", query_error(db));
    else if (s->json)
        store_json(db, &totals);
    else
        store_text(db, &totals);
    query_close(db);
}

/* ---- log ---------------------------------------------------------------- */

/* The last lines of DIR/log: what preloads and sidecar had to say. */
static char *read_log(const struct status *s)
{
    char path[PATHS_MAX + 8];
    struct stat at;
    snprintf(path, sizeof path, "%s/log", s->dir);
    int fd = s->is_refused
                 ? -1
                 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_file = fd >= 0 && fstat(fd, &at) == 0 && S_ISREG(at.st_mode);
    FILE *in = is_file ? fdopen(fd, "r") : NULL;
    if (fd >= 0 && !in)
        close(fd);
    char *text = in ? calloc(1, LOG_TAIL_BYTES + 1) : NULL;
    if (text) {
        if (fseek(in, 0, SEEK_END) == 0 && ftell(in) > LOG_TAIL_BYTES)
            (void)fseek(in, -LOG_TAIL_BYTES, SEEK_END);
        else
            rewind(in);
        text[fread(text, 1, LOG_TAIL_BYTES, in)] = 0;
    }
    if (in)
        fclose(in);
    return text;
}

static const char *last_lines(const char *text, int lines)
{
    const char *at = text + strlen(text);
    while (at > text && at[-1] == '\n')
        at--;
    while (at > text)
        if (*--at == '\n' && --lines == 0)
            return at + 1;
    return text;
}

static void print_log(const struct status *s)
{
    char *text = read_log(s), *rest = NULL;
    if (text && *text) {
        char *copy = strdup(last_lines(text, LOG_LINES));
        struct cJSON *o = s->json ? json_object() : NULL;
        struct cJSON *lines = s->json ? json_array() : NULL;
        if (!s->json)
            printf("Log        %s/log\n", text_shown(s->dir).text);
        for (char *line = strtok_r(copy, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest)) {
            struct term_line l;
            if (s->json) {
                json_append_text(lines, line);
                continue;
            }
            term_line_init(&l, &s->term);
            term_line_pad(&l, 2);
            term_line_text(&l, TERM_DIM, line, -1);
            term_line_end(&l);
            term_line_free(&l);
        }
        if (s->json) {
            json_text(o, "kind", "log");
            json_object_add(o, "lines", lines);
            json_print(stdout, o);
        }
        free(copy);
    }
    free(text);
}

/* ---- command ------------------------------------------------------------ */

static void print_head(const struct status *s)
{
    if (s->json) {
        struct cJSON *o = json_object();
        json_print_schema(stdout);
        json_text(o, "kind", "status");
        json_text(o, "dir", s->dir);
        json_text(o, "store", s->store);
        json_bool(o, "sidecar", s->is_running);
        json_bool(o, "off", s->is_off);
        json_text(o, "trouble", s->trouble[0] ? s->trouble : NULL);
        json_text(o, "note", s->note);
        json_int(o, "sessions", s->sessions);
        json_int(o, "backlog_bytes", (int64_t)s->backlog_bytes);
        json_print(stdout, o);
        return;
    }
    printf("Directory  %s%s\n", s->dir[0] ? text_shown(s->dir).text : "none",
           s->is_refused               ? " (not used)"
           : access(s->dir, F_OK) != 0 ? " (not there yet)"
                                       : "");
    if (s->note)
        term_wrap(&s->term, TERM_YELLOW, s->note, 2);
    if (s->is_off)
        puts("Recording  off ('handspan on' resumes)");
    printf("Sidecar    %s\n",
           s->is_running   ? "runs"
           : s->is_refused ? "does not run: programs are not recorded"
           : s->sessions   ? "does not run: start one with 'handspan sidecar'"
                           : "does not run (nothing to do)");
    if (s->trouble[0])
        term_wrap(&s->term, TERM_RED, s->trouble, 2);
    printf("Sessions   %lld, %s to store\n", (long long)s->sessions,
           format_bytes((int64_t)s->backlog_bytes).text);
}

/* What stands in the way of recording, or of the store. */
static void find_trouble(struct status *s)
{
    const char *named = getenv("HANDSPAN_DIR");
    if (named && *named && *named != '/' && !s->dir_option) {
        s->is_refused = true;
        snprintf(s->trouble, sizeof s->trouble,
                 "HANDSPAN_DIR is relative ('%s'): programs that are started "
                 "with LD_PRELOAD by hand are not recorded",
                 named);
        return;
    }
    s->is_refused =
        paths_judge_dir(s->dir_option, s->trouble, sizeof s->trouble) != 0;
    if (s->is_refused)
        return;
    if (s->trouble[0]) { /* another name: told, but nothing stands in the way */
        s->note = strdup(s->trouble);
        s->trouble[0] = 0;
    }
    if (!s->note &&
        sidecar_spool_trouble(s->dir, s->trouble, sizeof s->trouble))
        s->note = strdup(s->trouble);
    if (!sidecar_trouble(s->dir, 0, s->trouble, sizeof s->trouble))
        s->trouble[0] = 0;
    int64_t room = paths_room_bytes(s->dir);
    if (room >= 0 && room < PATHS_ROOM_MIN && !s->trouble[0])
        snprintf(s->trouble, sizeof s->trouble,
                 "'%s' is full (%lld KiB left): calls are counted without "
                 "detail, and programs that start now may not be recorded",
                 s->dir, (long long)room / 1024);
}

static int print(struct status *s)
{
    char flag[PATHS_MAX + 8];
    find_trouble(s);
    snprintf(flag, sizeof flag, "%s/off", s->dir);
    s->is_off = !s->is_refused && access(flag, F_OK) == 0;
    s->is_running = !s->is_refused && sidecar_is_running(s->dir);
    int err = s->is_refused ? -ENOENT : sessions_each(s->dir, count_session, s);
    if (err && err != -ENOENT)
        options_trouble("cannot read '%s': %s", s->dir, strerror(-err));
    print_head(s);
    if (!err)
        err = sessions_each(s->dir, print_session, s);
    print_store(s);
    print_sinks(s);
    print_log(s);
    bool waits = s->sessions > s->unreadable && !s->is_running;
    return err && err != -ENOENT                     ? EXIT_TROUBLE
           : waits || s->unreadable || s->trouble[0] ? EXIT_FOUND
                                                     : EXIT_FINE;
}

int cmd_status(int argc, char **argv)
{
    struct status s = {0};
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &s.json},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept",
         &s.dir_option},
        {"store", 0, OPTION_TEXT, "FILE", "the store", &s.store_option},
    };
    const struct options o = {
        .command = "handspan status",
        .operands = "",
        .about = "Directory, sidecar, sessions that are not stored yet, "
                 "store, losses, log.\nExit status 1 when sessions wait for a "
                 "sidecar or cannot be read, or something stands in the way.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    term_detect(&s.term, stdout);
    if (paths_dir(s.dir_option, s.dir, sizeof s.dir) == -ENAMETOOLONG)
        return options_trouble("a path is too long");
    if (paths_store(s.store_option, s.dir, s.store, sizeof s.store) < 0)
        s.store[0] = 0;
    int status = print(&s);
    free(s.note);
    return status;
}
