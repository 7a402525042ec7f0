/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar's main loop: one per directory (flock of it), all sessions in
 * turn, a pause of 50 us to 50 ms when nothing is new. Ends when every session
 * is stored and a moment has passed; a session that appears just then is seen
 * because the directory is looked through once more without the lock.
 */
#define _GNU_SOURCE
#include "tools/sidecar/sidecar.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lane/format/store_name.h"
#include "tools/common/confine.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/notice.h"
#include "tools/sidecar/round.h"
#include "tools/sidecar/session/names.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/setup.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/store/trouble.h"
#include "tools/upload/upload.h"

enum {
    PAUSE_NS = 50000, /* doubled with each round without anything new */
    PAUSE_DOUBLED = 10,
    HURRIED_ROUNDS =
        8, /* an end is found, then stored, then the session's is */
    GRACE_NS = 1000000000, /* --auto stays so long after the last session */
};

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/* ---- loop ---------------------------------------------------------------- */

/* A process died, and nobody told how; or a stack is being named, or what debug
 * information says of copies is being read. That may come in a moment. */
static bool is_more_to_come(const struct sidecar *c)
{
    const struct entry *e;
    TAILQ_FOREACH(e, &c->entries.list[ENTRY_LIVE], of_list)
    if (e->session &&
        (finish_is_waiting(e->session) || !coverage_is_done(e->session)))
        return true;
    return c->has_commits;
}

/* Is the work done, for this way of running? */
static bool is_over(struct sidecar *c, int done, int64_t now_ns)
{
    if (stop || c->is_hopeless)
        return true;
    if (c->once)
        return done == 0 && c->store_failures == 0 && !c->entries.has_young;
    if (c->stay || entries_any_waiting(&c->entries)) {
        c->idle_since_ns = 0;
        return false;
    }
    if (c->idle_since_ns == 0)
        c->idle_since_ns = now_ns;
    return now_ns - c->idle_since_ns > (c->is_auto ? GRACE_NS : ROUND_SCAN_NS);
}

static struct metrics_sidecar figures_now(const struct sidecar *c)
{
    const uint32_t *count = c->entries.count;
    return (struct metrics_sidecar){.drained_items = c->drained_items,
                                    .store_failures = c->store_failures,
                                    .sessions_left_alone = count[ENTRY_ALONE],
                                    .sessions_waiting = count[ENTRY_LIVE] +
                                                        count[ENTRY_BACKLOG]};
}

/* Words of who reaped a process (tools/cli/command/cmd_run.c). */
static const char *const reapers[] = {"reaped-", "command-", NULL};

static void work(struct sidecar *c)
{
    int idle_rounds = 0, hurried = 0;
    for (;;) {
        int done = round_of_all(c);
        upload_poke(done ? c->upload : NULL);
        c->drained_items += done;
        struct metrics_sidecar figures = figures_now(c);
        health_step(&c->health, &figures, round_now());
        bool keeps = !c->store_failures &&
                     keep_step(&c->keep, c->store_path, done > 0, round_now());
        /* with --once: ends are looked for at intervals, so some rounds */
        idle_rounds = done ? 0 : idle_rounds + 1;
        bool more = c->once && (idle_rounds < 12 || is_more_to_come(c));
        if (is_over(c, more ? 1 : done, round_now()) && (stop || !keeps))
            return;
        int doubled = idle_rounds < PAUSE_DOUBLED ? idle_rounds : PAUSE_DOUBLED;
        names_pause(PAUSE_NS << (keeps ? 0 : doubled), c->news_fd);
        if (notice_take(c->news_fd, reapers)) {
            hurried = HURRIED_ROUNDS;
            idle_rounds = 0;
        }
        if (hurried > 0 && hurried-- > 0)
            round_hurry(c);
    }
}

static bool claim(struct sidecar *c, bool wait)
{
    bool has = setup_claim(&c->claim, wait);
    c->entries.takes_unnamed = !c->claim.is_named;
    c->entries.takes_left = c->is_auto || !c->store_option ? NULL : &c->claim;
    c->entries.key = c->claim.has_key ? c->claim.key : 0;
    return has;
}

/* Work, let the lock go, and look once more: whoever made a session meanwhile
 * found the lock taken and relies on us. */
static void work_until_quiet(struct sidecar *c)
{
    for (;;) {
        work(c);
        setup_leave(&c->claim);
        if (stop || c->once || c->store_failures)
            return;
        entries_scan(&c->entries, c->dir_fd, round_now(), true);
        if (!entries_any_waiting(&c->entries) || !claim(c, false))
            return;
        c->idle_since_ns = 0;
    }
}

/* ---- start --------------------------------------------------------------- */

static int open_places(struct sidecar *c)
{
    char why[2 * PATHS_MAX + 256];
    c->dir_fd =
        paths_take_dir(c->dir_option, c->dir, sizeof c->dir, why, sizeof why);
    if (c->dir_fd < 0)
        return options_trouble("%s", why);
    c->lock_fd = setup_files(c->dir_fd, c->dir, c->log_option, !c->is_auto);
    if (why[0])
        log_line("%s", why);
    if (c->lock_fd < 0)
        return EXIT_TROUBLE;
    int rc = paths_store(c->store_option, c->dir, c->store_path,
                         sizeof c->store_path);
    if (rc != 0) {
        log_line("no place for the store: %s", strerror(-rc));
        return EXIT_TROUBLE;
    }
    c->claim = (struct setup_claim){.dir_fd = c->dir_fd,
                                    .lock_fd = c->lock_fd,
                                    .is_named = c->is_auto && c->store_option,
                                    .is_auto = c->is_auto,
                                    .key = lane_store_key(c->store_path)};
    return 0;
}

static int serve(struct sidecar *c)
{
    if (!claim(c, !c->is_auto)) {
        if (!c->is_auto)
            log_line("a sidecar is at work in '%s' already", c->dir);
        return 0;
    }
    if (!c->is_auto && !c->store_option)
        setup_serve_others(&c->claim, c->dir, c->once);
    /* a sink that is misspelt is no reason to lose spans, but one to say so to
     * whoever typed it */
    if (round_uploads_start(c) != 0 && !c->is_auto)
        return EXIT_TROUBLE;
    c->is_told = faccessat(c->dir_fd, TROUBLE_FILE, F_OK, 0) == 0;
    if (round_store_ready(c) != 0 && c->is_hopeless) {
        (void)upload_finish(c->upload, 0);
        return EXIT_TROUBLE;
    }
    setup_spool(c->store_path, c->dir, c->dir_fd);
    health_begin(&c->health, c->store_path);
    c->news_fd = notice_open(c->dir, NOTICE_RENAMED);
    setup_confine();
    work_until_quiet(c);
    spool_end();
    keep_end(&c->keep);
    struct metrics_sidecar figures = figures_now(c);
    health_end(&c->health, &figures);
    int status = c->store_failures               ? EXIT_TROUBLE
                 : c->entries.count[ENTRY_ALONE] ? EXIT_FOUND
                                                 : 0;
    if (c->store && c->store_failures)
        log_line("the store '%s' does not take it; the sessions wait in '%s'",
                 c->store_path, c->dir);
    store_close(c->store);
    if (status != EXIT_TROUBLE)
        trouble_clear(c->dir_fd);
    /* whoever typed it wants to know whether all was sent */
    if (!upload_finish(c->upload, ROUND_UPLOAD_MS) && c->once && status == 0) {
        log_line("not all is sent in %d s; 'handspan upload --wait' sends the "
                 "rest",
                 ROUND_UPLOAD_MS / 1000);
        status = EXIT_FOUND;
    }
    return status;
}

int sidecar_main(int argc, char **argv)
{
    struct sidecar c = {
        .stop = &stop, .dir_fd = -1, .lock_fd = -1, .news_fd = -1};
    const struct option_spec specs[] = {
        {"dir", 'd', OPTION_TEXT, "DIR", "where the sessions are",
         &c.dir_option},
        {"store", 0, OPTION_TEXT, "FILE", "the store", &c.store_option},
        {"auto", 0, OPTION_FLAG, NULL,
         "started by a program: quiet, stays a moment for more", &c.is_auto},
        {"once", 0, OPTION_FLAG, NULL,
         "store what is there and end, whoever still runs", &c.once},
        {"stay", 0, OPTION_FLAG, NULL, "never end by itself", &c.stay},
        {"log", 0, OPTION_TEXT, "FILE", "instead of DIR/log", &c.log_option},
        {"upload", 0, OPTION_WORDS, "URL",
         "send what is stored there too; several times for several places",
         &c.uploads},
    };
    const struct options options = {
        .command = "handspan sidecar",
        .operands = "",
        .about = "Bring the sessions of a directory into the store. Ends when "
                 "all are stored.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
    };
    confine_privately(); /* before there is a key */
    umask(0077);         /* the store holds values */
    setup_standard_streams();
    int operands = options_parse(&options, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? 0 : EXIT_TROUBLE;
    setup_memory();
    if (entries_init(&c.entries) != 0)
        return options_trouble("%s", strerror(ENOMEM));
    setup_signals(on_stop);
    (void)lane_keeper_guard();
    int status = open_places(&c);
    if (status == 0)
        status = serve(&c);
    entries_free(&c.entries);
    log_close();
    return status;
}
