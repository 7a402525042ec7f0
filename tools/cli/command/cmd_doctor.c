/* SPDX-License-Identifier: Apache-2.0 */
/* handspan doctor: what of this machine stands in the way, and what to do. */
#include "tools/cli/command/commands.h"
#include "tools/cli/launch/trial.h"
#include "tools/common/config.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/text/term.h"
#include "tools/query/db.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ROOM_GOOD =
        256 << 20, /* bytes: a session that is written fast has 64 MiB */
    SPACE_GOOD = 600 << 20, /* address space of which an eighth is enough */
};
enum verdict {
    FINE,
    NOTE, /* works, but not all of it */
    BAD,
};

struct doctor {
    struct term term;
    bool json;
    int worst;
    char preload[PATHS_MAX];
};

/* One finding: what was looked at, and what of it; a NOTE or BAD says what to
 * do. */
static void __attribute__((format(printf, 4, 5)))
tell(struct doctor *d, enum verdict verdict, const char *what,
     const char *format, ...)
{
    static const char *const words[] = {"ok", "note", "BAD"};
    static const enum term_style styles[] = {TERM_GREEN, TERM_YELLOW, TERM_RED};
    char text[PATHS_MAX + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if ((int)verdict > d->worst)
        d->worst = (int)verdict;
    if (d->json) {
        struct cJSON *o = json_object();
        json_text(o, "what", what);
        json_text(o, "verdict", words[verdict]);
        json_text(o, "text", text);
        (void)json_print(stdout, o);
        return;
    }
    struct term_line line;
    term_line_init(&line, &d->term);
    term_line_text(&line, styles[verdict], words[verdict], -1);
    term_line_pad(&line, 6);
    term_line_text(&line, TERM_PLAIN, what, -1);
    term_line_pad(&line, 18);
    term_line_wrap(&line, TERM_PLAIN, text, 18);
    term_line_end(&line);
    term_line_free(&line);
}

static void look_at_preload(struct doctor *d)
{
    if (paths_preload(d->preload, sizeof d->preload) != 0) {
        d->preload[0] = 0;
        tell(d, BAD, "preload",
             "no libhandspan.so beside this handspan: install it whole, or say "
             "where it is: HANDSPAN_PRELOAD");
    } else
        tell(d, FINE, "preload", "%s", d->preload);
}

static void look_at_directory(struct doctor *d)
{
    char dir[PATHS_MAX], why[PATHS_MAX];
    if (paths_judge_dir(NULL, why, sizeof why) != 0) {
        tell(d, BAD, "directory", "%s", why);
        return;
    }
    if (paths_dir(NULL, dir, sizeof dir) != 0) {
        tell(d, BAD, "directory", "none can be had: name one, HANDSPAN_DIR");
        return;
    }
    char *slash = strrchr(dir, '/');
    int64_t room = paths_room_bytes(dir);
    if (room < 0 && slash && slash != dir) { /* not made yet */
        *slash = 0;
        room = paths_room_bytes(dir);
        *slash = '/';
    }
    if (room >= 0 && room < ROOM_GOOD)
        tell(d, NOTE, "directory",
             "%s: %s free. Spans wait there until they are stored, and an "
             "eighth is used at most: give it more (docker run "
             "--shm-size=512m), or another HANDSPAN_DIR",
             dir, format_bytes(room).text);
    else
        tell(d, FINE, "directory", "%s, %s free", dir,
             room < 0 ? "?" : format_bytes(room).text);
}

static void look_at_store(struct doctor *d)
{
    char store[PATHS_MAX], why[512];
    struct query_db *db;
    if (paths_store_of(NULL, NULL, store, sizeof store) != 0) {
        tell(d, BAD, "store", "none can be had: name one, HANDSPAN_STORE");
        return;
    }
    if (access(store, F_OK) != 0) {
        tell(d, FINE, "store", "%s, made by the first run", store);
        return;
    }
    if (query_open(store, &db, why, sizeof why) != 0) {
        tell(d, BAD, "store", "%s", why);
        return;
    }
    query_close(db);
    if (access(store, W_OK) != 0)
        tell(d, NOTE, "store", "%s can be read, not written", store);
    else
        tell(d, FINE, "store", "%s", store);
}

static void tell_setting(void *context, const char *text)
{
    tell(context, NOTE, "settings", "%s", text);
}

static void look_at_settings(struct doctor *d)
{
    const char *off = getenv("HANDSPAN_DISABLED");
    int problems = config_problems(true, tell_setting, d);
    if (off && *off)
        tell(d, NOTE, "settings",
             "HANDSPAN_DISABLED=%s: unset it where programs are to be traced",
             off);
    else if (problems == 0)
        tell(d, FINE, "settings", "nothing in them that means nothing");
}

static bool status_has(const char *line)
{
    char text[256];
    bool has = false;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && !has && fgets(text, sizeof text, f))
        has = strcmp(text, line) == 0;
    if (f)
        fclose(f);
    return has;
}

static void look_at_limits(struct doctor *d)
{
    struct rlimit space;
    if (status_has("Seccomp:\t2\n"))
        tell(d, NOTE, "seccomp",
             "what is started here has a filter (Docker's is one): texts on "
             "the heap are 'unreadable'; times, scalars and errors are not "
             "affected");
    else
        tell(d, FINE, "seccomp", "no filter");
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur < SPACE_GOOD)
        tell(d, NOTE, "address space",
             "ulimit -v leaves %s: below 60 MiB nothing is recorded, below "
             "600 MiB bursts lose spans",
             format_bytes((int64_t)space.rlim_cur).text);
}

static void look_at_neighbours(struct doctor *d)
{
    const char *preload = getenv("LD_PRELOAD"), *audit = getenv("LD_AUDIT");
    if (audit && *audit)
        tell(d, NOTE, "LD_AUDIT",
             "'%s' sees every binding: what it changes we see changed", audit);
    if (preload && *preload && !strstr(preload, "libhandspan"))
        tell(d, FINE, "LD_PRELOAD", "'%s' goes along", preload);
}

/* Who is no relative may be looked at by the sidecar? */
static void look_at_ptrace(struct doctor *d)
{
    FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = 0;
    if (f && fscanf(f, "%d", &scope) == 1 && scope > 0 && geteuid() != 0)
        tell(d, NOTE, "ptrace",
             "kernel.yama.ptrace_scope is %d: calls that are open too long "
             "(overdue) are told without their stack, unless it is 0",
             scope);
    if (f)
        fclose(f);
}

static void look_at_debug_files(struct doctor *d)
{
    const char *urls = config_get(CONFIG_DEBUGINFOD_URLS);
    if (access("/usr/lib/debug/.build-id", R_OK) == 0)
        tell(d, FINE, "debug files", "/usr/lib/debug");
    else if (urls && *urls)
        tell(d, FINE, "debug files", "asked for at %s", urls);
    else
        tell(d, NOTE, "debug files",
             "none are installed and debuginfod_urls is not set: stripped "
             "programs have no static functions, files and lines");
}

static void look_at_trial(struct doctor *d)
{
    char why[512];
    if (!d->preload[0])
        return;
    int64_t calls = trial_run(d->preload, why, sizeof why);
    if (calls == 1)
        tell(d, FINE, "trial", "a program was traced, its call stored");
    else if (calls < 0)
        tell(d, BAD, "trial", "a program could not be traced: %s", why);
    else
        tell(d, BAD, "trial",
             "a program ran, and %lld calls of 1 were stored: see its log by "
             "HANDSPAN_LOG=stderr",
             (long long)calls);
}

static int examine(struct doctor *d)
{
    static void (*const looks[])(struct doctor *) = {
        look_at_preload,    look_at_directory,   look_at_store,
        look_at_settings,   look_at_limits,      look_at_ptrace,
        look_at_neighbours, look_at_debug_files, look_at_trial};
    if (d->json)
        json_print_schema(stdout);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        looks[i](d);
    return d->worst == BAD ? EXIT_FOUND : EXIT_FINE;
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor d = {.worst = FINE};
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &d.json},
    };
    const struct options o = {
        .command = "handspan doctor",
        .operands = "",
        .about = "What of this machine stands in the way of tracing, and what "
                 "to do about it; a small\nprogram is traced for a trial. Exit "
                 "status 1 when something is BAD.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    term_detect(&d.term, stdout);
    return examine(&d);
}
