/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan run: run a command, traced, and return what it returned. Whatever
 * goes wrong on our side is told and the command runs untraced, unless
 * --strict says otherwise.
 */
#include "tools/cli/launch/child.h"
#include "lane/format/words.h"
#include "tools/cli/launch/await.h"
#include "tools/cli/command/commands.h"
#include "tools/cli/launch/launch.h"
#include "tools/cli/launch/patience.h"
#include "tools/cli/program/program.h"
#include "tools/cli/launch/sidecar_control.h"
#include "tools/cli/launch/after.h"
#include "tools/cli/launch/summary.h"
#include "tools/common/text/format.h"
#include "tools/common/notice.h"
#include "tools/common/options.h"
#include "tools/query/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_STRICT = 125,
    EXIT_CANNOT_EXECUTE = 126,
    EXIT_NOT_FOUND = 127,
    WAIT_MS = 10000, /* for the sidecar to get on with what is there */
    ABSENT_MS = 500, /* for a session that nobody saw */
    POLL_MS = 20,
    SINCE_NS = 1000000000, /* a process is in the store with a start no older */
    CLOCK_COARSE_NS = 20000000, /* times of files are that much behind */
};

struct run {
    struct launch launch;
    struct launch_options options;
    const char *summary, *on_failure;
    struct late late;
    bool is_strict, is_quiet, is_traced, is_in_scope, has_session;
    bool is_static;  /* no preload reaches the command itself */
    bool has_others; /* sessions of its trace, of what it started */
    char trace[33];  /* of TRACEPARENT; "": none */
    char id[33];     /* of its trace; "": not known */
    struct await await;
    int news_fd; /* of the directory, from the command's end on; -1 */
    int64_t start_unix_ns;
    struct child child;
};

/* ---- before ------------------------------------------------------------- */

static int not_runnable(const char *name, int err)
{
    if (err == -ENOENT) {
        options_trouble("%s: no such program%s", name,
                        strchr(name, '/') ? "" : " in PATH");
        return EXIT_NOT_FOUND;
    }
    if (err == -EISDIR)
        options_trouble("%s: is a directory", name);
    else if (err == -EACCES)
        options_trouble("%s: is not executable (chmod +x?)", name);
    else
        options_trouble("%s: %s", name, strerror(-err));
    return EXIT_CANNOT_EXECUTE;
}

/* Will a preload reach it, and is it harmless to set one? */
static bool is_reachable(struct run *r, struct program *p)
{
    program_classify(p);
    if (p->kind == PROGRAM_NATIVE)
        return true;
    if (p->kind == PROGRAM_SCRIPT || p->kind == PROGRAM_OTHER) {
        if (strcmp(r->summary, "never") != 0)
            options_trouble("%s", p->why);
        return true;
    }
    r->launch.problems++;
    r->is_static = p->kind == PROGRAM_STATIC;
    if (r->is_static)
        options_trouble("%s; it runs untraced, what it starts is traced",
                        p->why);
    else
        options_trouble("%s; it runs untraced", p->why);
    return r->is_static;
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A manifest can be for some programs only; then another one leaves no trace,
 * though what it starts may. The preload asks both names as well. */
static void note_scope(struct run *r, const struct program *p)
{
    const char *name = p->interpreter[0] ? p->interpreter : p->path;
    char *real = realpath(name, NULL);
    r->is_in_scope = launch_covers(&r->launch, base(p->path)) ||
                     launch_covers(&r->launch, base(name)) ||
                     (real && launch_covers(&r->launch, base(real)));
    free(real);
    if (!r->is_in_scope && !r->is_quiet)
        options_trouble("the manifest is for other programs than '%s' (its "
                        "[[program(...)]]); what it starts may be traced",
                        base(p->path));
}

static void note_switches(struct run *r)
{
    char flag[PATHS_MAX + 8];
    const char *disabled = getenv("HANDSPAN_DISABLED");
    snprintf(flag, sizeof flag, "%s/off", r->launch.dir);
    if (lane_is_disabled(disabled))
        options_trouble("HANDSPAN_DISABLED is '%s': nothing is traced",
                        disabled);
    else if (access(flag, F_OK) == 0)
        options_trouble("recording is switched off here; 'handspan on' "
                        "resumes");
    else
        return;
    r->is_in_scope = false;
}

/* Programs are told to rely on another sidecar than the one of our store. */
static bool is_off(void)
{
    const char *told = getenv("HANDSPAN_SIDECAR");
    return told && strcmp(told, "off") == 0;
}

static bool is_served(const struct run *r)
{
    return is_off() ? sidecar_is_running(r->launch.dir)
                    : sidecar_serves(r->launch.dir, r->launch.store);
}

static void ensure_sidecar(const struct run *r)
{
    if (r->launch.is_store_bad || is_off() || is_served(r))
        return;
    int err = sidecar_spawn(r->launch.store);
    if (err)
        options_trouble("cannot start the sidecar: %s; 'handspan sidecar' "
                        "brings the trace in later",
                        strerror(-err));
}

/* ---- after -------------------------------------------------------------- */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Is the command's own process in the store? Of what trace, then, and all? */
static bool is_process_there(struct run *r, struct query_db *db, char id[33],
                             bool *is_complete)
{
    int64_t since = r->child.start_unix_ns - SINCE_NS;
    return query_process_trace(db, r->child.pid, since, id, is_complete) > 0;
}

/* Is something of its trace there, or in the store already, and nothing of the
 * command itself? A sidecar is done with it at times before we are. */
static bool has_only_others(struct run *r)
{
    struct await_left left = await_look(&r->await);
    struct query_db *db;
    char why[PATHS_MAX + 256], id[33];
    bool found = left.dead + left.alive > 0, is_complete;
    if (query_open(r->launch.store, &db, why, sizeof why) < 0)
        return found;
    struct query_filter any = {.pid = -1};
    struct query_choice c = {0};
    found =
        !is_process_there(r, db, id, &is_complete) &&
        (found || query_choose(db, r->trace, &any, &c, why, sizeof why) == 0);
    query_choice_free(&c);
    query_close(db);
    return found;
}

/* Its pid is still taken: whoever looks for the process finds it dead, and the
 * certificate beside it. */
static void on_end(void *context, const struct child *c)
{
    struct run *r = context;
    if (!r->is_traced)
        return;
    patience_catch();
    r->news_fd = notice_open(r->launch.dir, NOTICE_REMOVED);
    r->has_session = session_exists(r->launch.dir, c->pid, c->start_time);
    if (r->has_session)
        reaped_write(r->launch.dir, c);
    else if (r->trace[0] && (r->has_others = has_only_others(r)))
        reaped_write_command(r->launch.dir, r->trace, c);
}

/* What the dead of its trace left is stored, and what we said of it. */
static bool is_all_stored(struct run *r)
{
    return !r->trace[0] || (await_look(&r->await).dead == 0 &&
                            reaped_is_command_taken(r->launch.dir, r->trace));
}

/* Ask the store once. 1: complete, 0: not yet. */
static int poll_store(struct run *r, char id[33])
{
    struct query_db *db;
    char why[PATHS_MAX + 256];
    bool complete = false;
    if (r->has_others) {
        memcpy(id, r->trace, sizeof r->trace);
        return is_all_stored(r);
    }
    if (query_open(r->launch.store, &db, why, sizeof why) < 0)
        return 0;
    bool found = is_process_there(r, db, id, &complete);
    query_close(db);
    return found && complete && is_all_stored(r);
}

/* No sidecar is there to wait for: none started, or it gave up. The next one
 * may be about to take the lock, hence a moment. */
static bool is_forsaken(const struct run *r, int64_t now, int64_t *since)
{
    if ((!r->has_session && !r->has_others) || is_served(r))
        *since = now;
    return now - *since > ABSENT_MS;
}

/* The sidecar removes what it stored. */
static const char *const removed[] = {"session-", "command-", NULL};

/* Wait until the sidecar stored the trace, or says why it cannot. True: its id
 * is in `id`. */
static bool await_trace(struct run *r, char id[33], char *why, size_t why_bytes)
{
    int64_t served = monotonic_ms();
    int64_t limit = r->has_session || r->has_others ? WAIT_MS : ABSENT_MS;
    struct patience patience;
    bool done = false;
    id[0] = 0;
    why[0] = 0;
    patience_begin(&patience, r->trace[0] ? &r->await : NULL,
                   strcmp(r->summary, "never") == 0);
    /* its session is there: it cannot be in the store yet, all of it */
    if (r->has_session &&
        session_exists(r->launch.dir, r->child.pid, r->child.start_time))
        notice_wait(r->news_fd, removed, POLL_MS);
    while (!(done = poll_store(r, id)) && patience_lasts(&patience, limit) &&
           !sidecar_trouble(r->launch.dir, r->start_unix_ns, why, why_bytes) &&
           !is_forsaken(r, monotonic_ms(), &served)) {
        notice_wait(r->news_fd, removed, POLL_MS);
        if (id[0])
            limit = WAIT_MS;
    }
    patience_end(&patience);
    return done;
}

static void report(struct run *r)
{
    char *id = r->id, why[PATHS_MAX + 1024];
    bool never = strcmp(r->summary, "never") == 0;
    bool is_left = is_off() && !is_served(r);
    why[0] = 0;
    bool stored = !is_left && await_trace(r, id, why, sizeof why);
    if (stored)
        reaped_remove(r->launch.dir, &r->child);
    /* elsewhere stderr is the command's alone */
    if (stored &&
        (strcmp(r->summary, "always") == 0 || (!never && isatty(2)))) {
        summary_print(r->launch.store, id, stderr);
        if (r->launch.manifest[0])
            summary_nothing(r->launch.store, id, stderr);
    }
    if (stored || never)
        return;
    if (is_left && (r->has_session || r->has_others))
        options_trouble("the trace is not stored: HANDSPAN_SIDECAR is off, and "
                        "no sidecar runs here. It waits in '%s' until "
                        "'handspan sidecar' brings it in",
                        r->launch.dir);
    else if (!r->has_session && !id[0])
        options_trouble("no trace: the preload did not start in this program; "
                        "'%s/log' may say why",
                        r->launch.dir);
    else if (why[0])
        options_trouble("the trace is not stored: %s. It waits in '%s' until "
                        "'handspan sidecar' brings it in",
                        why, r->launch.dir);
    else if (patience_is_interrupted())
        options_trouble("the sidecar goes on storing the trace; 'handspan "
                        "status' tells how far it is");
    else
        options_trouble("the trace is not stored yet; 'handspan status' tells "
                        "how far it is, 'handspan sidecar' brings it in");
}

/* ---- the command -------------------------------------------------------- */

static bool names_us(const char *variable)
{
    const char *value = getenv(variable);
    char *end;
    return value && strtoll(value, &end, 10) == getpid() && !*end;
}

/*
 * The main process of a service: its manager knows it by its pid (readiness,
 * watchdog, handed-over sockets, its end, its core). Nobody can stand between
 * the two, so we become the program.
 */
static bool is_main_process(void)
{
    if (getpid() == 1)
        return false; /* somebody must reap, and wait for the sidecar */
    return names_us("SYSTEMD_EXEC_PID") || names_us("LISTEN_PID") ||
           names_us("WATCHDOG_PID") ||
           (getenv("NOTIFY_SOCKET") && !getenv("SYSTEMD_EXEC_PID"));
}

static int become(const char *path, char **argv)
{
    child_exec(path, argv);
    return not_runnable(argv[0], -errno);
}

static int run(struct run *r, char **argv)
{
    struct program program;
    int err = program_find(argv[0], &program);
    if (err)
        return not_runnable(argv[0], err);
    program_classify(&program);
    struct program traced = program;
    const char *operand = program_of_loader(&program, argv);
    if (operand && program_find(operand, &traced) == 0)
        program_classify(&traced);
    r->options.program =
        traced.interpreter[0] ? traced.interpreter : traced.path;
    launch_prepare(&r->options, &r->launch);
    r->is_traced = r->launch.is_ready && is_reachable(r, &traced);
    if (r->is_strict && (r->launch.problems || !r->is_traced)) {
        options_trouble("nothing was run (--strict)");
        return EXIT_STRICT;
    }
    if (!r->launch.is_ready)
        options_trouble("'%s' runs untraced", argv[0]);
    else if (r->is_traced && !r->is_quiet)
        launch_print_unnamed(&r->launch);
    if (r->is_traced && launch_set_environment(&r->launch, !r->is_static) < 0) {
        options_trouble("out of memory");
        return EXIT_STRICT;
    }
    if (r->is_traced) {
        r->start_unix_ns = format_now_ns() - CLOCK_COARSE_NS;
        note_scope(r, &traced);
        note_switches(r);
        ensure_sidecar(r);
        if (await_trace_id(r->trace))
            await_init(&r->await, r->launch.dir, r->trace, r->start_unix_ns);
        r->late.since_unix_ns = r->start_unix_ns;
    }
    if (is_main_process() && (r->on_failure || r->late.command))
        options_trouble("%s: nobody is left to run it, the command is the "
                        "service's main process",
                        r->on_failure ? "--on-failure" : "--on-overdue");
    if (is_main_process())
        return become(program.path, argv);
    late_begin(&r->late);
    err = child_run(program.path, argv, &r->child, on_end, r);
    if (err) {
        options_trouble("it takes our place, nothing sums it up: no child: %s",
                        strerror(-err));
        return become(program.path, argv);
    }
    if (r->child.exec_errno)
        return not_runnable(argv[0], -r->child.exec_errno);
    if (r->is_traced && !r->launch.is_store_bad &&
        (r->has_session || r->has_others || (r->is_in_scope && !r->is_static)))
        report(r);
    late_end(&r->late);
    after_failure(r->on_failure, &r->launch, &r->child, r->id);
    await_free(&r->await);
    if (r->news_fd >= 0)
        close(r->news_fd);
    child_exit_as(&r->child);
}

static bool is_summary(const char *word)
{
    return !strcmp(word, "always") || !strcmp(word, "auto") ||
           !strcmp(word, "never");
}

int cmd_run(int argc, char **argv)
{
    struct run r = {.summary = "auto",
                    .news_fd = -1,
                    .late = {.trace = r.trace, .launch = &r.launch}};
    const struct option_spec specs[] = {
        {"manifest", 'm', OPTION_TEXT, "FILE",
         "what to trace; or a name that comes along (sqlite3)",
         &r.options.manifest},
        {"strict", 0, OPTION_FLAG, NULL,
         "run nothing unless all can be traced (125)", &r.is_strict},
        {"summary", 0, OPTION_TEXT, "WHEN", "always, auto (terminal), never",
         &r.summary},
        {"on-failure", 0, OPTION_TEXT, "COMMAND",
         "sh runs it if COMMAND fails, with $HANDSPAN_TRACE", &r.on_failure},
        {"on-overdue", 0, OPTION_TEXT, "COMMAND",
         "the same, once, as soon as a call is overdue", &r.late.command},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept",
         &r.options.dir},
        {"store", 0, OPTION_TEXT, "FILE", "the store", &r.options.store},
    };
    const struct options o = {
        .command = "handspan run",
        .operands = "[--] COMMAND...",
        .about = "Run a command and trace it. Returns its exit status, or "
                 "dies of its signal;\n125: --strict found something wrong, "
                 "126: COMMAND cannot be run, 127: not found.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_min = 1,
        .operand_max = -1,
        .stops_at_operand = true};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (!is_summary(r.summary))
        return options_trouble("--summary: '%s' is none of always, auto, never",
                               r.summary);
    r.is_quiet = strcmp(r.summary, "never") == 0;
    return run(&r, argv);
}
