/* SPDX-License-Identifier: Apache-2.0 */
/* See after.h. */
#include "tools/cli/launch/after.h"
#include "lane/format/exec_time.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/query/failure.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The environment that `run` was started in, but for where things are. */
static void restore(const struct launch *l, const char *trace)
{
    const char *preload = getenv("LD_PRELOAD");
    size_t own = strlen(l->preload);
    if (preload && strncmp(preload, l->preload, own) == 0) {
        preload += own + strspn(preload + own, ": ");
        if (*preload)
            setenv("LD_PRELOAD", preload, 1);
        else
            unsetenv("LD_PRELOAD");
    }
    unsetenv("TRACEPARENT");
    unsetenv(LANE_EXEC_VARIABLE);
    setenv("HANDSPAN_DIR", l->dir, 1);
    setenv("HANDSPAN_STORE", l->store, 1);
    unsetenv("HANDSPAN_ENDED");
    unsetenv("HANDSPAN_OVERDUE");
    if (trace[0])
        setenv("HANDSPAN_TRACE", trace, 1);
    else
        unsetenv("HANDSPAN_TRACE");
}

static void run_shell(const char *command)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0)
        (void)dup2(null, 0);
    (void)dup2(2, 1); /* standard output is the command's alone */
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void put_ended(int status, char *out, size_t cap)
{
    const char *name =
        WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (name)
        snprintf(out, cap, "SIG%s", name);
    else if (WIFSIGNALED(status))
        snprintf(out, cap, "signal %d", WTERMSIG(status));
    else
        snprintf(out, cap, "exit %d", WEXITSTATUS(status));
}

/* By sh, and wait for it. `option`: whose command it is. */
static void run_and_wait(const char *option, const char *command,
                         const struct launch *l, const char *trace,
                         const char *name, const char *value)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        restore(l, trace);
        setenv(name, value, 1);
        run_shell(command);
    }
    pid_t got = pid;
    while (pid > 0 && (got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (got < 0)
        options_trouble("%s could not be run: %s", option, strerror(errno));
    else if (WIFSIGNALED(status))
        options_trouble("%s ended by signal %d", option, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        options_trouble("%s ended with exit status %d", option,
                        WEXITSTATUS(status));
}

void after_failure(const char *command, const struct launch *l,
                   const struct child *c, const char *trace)
{
    char ended[32];
    if (!command || c->wait_status == 0)
        return;
    put_ended(c->wait_status, ended, sizeof ended);
    run_and_wait("--on-failure", command, l, trace, "HANDSPAN_ENDED", ended);
}

/* ---- while it runs ------------------------------------------------------ */

enum {
    LOOK_MS = 1000
};

/* Look once, and do what was asked for. True: it was to be done. */
static bool look(const struct late *l)
{
    struct query_db *db;
    char why[PATHS_MAX + 256], trace[33], *line = NULL;
    if (query_open(l->launch->store, &db, why, sizeof why) < 0)
        return false;
    int found =
        query_overdue_first(db, l->trace, l->since_unix_ns, trace, &line);
    query_close(db);
    if (found > 0)
        run_and_wait("--on-overdue", l->command, l->launch, trace,
                     "HANDSPAN_OVERDUE", line ? line : "");
    free(line);
    return found > 0;
}

/* The process that looks: until it found something, or nobody holds the other
 * end of `stop_fd` any more. */
static _Noreturn void look_on(const struct late *l, int stop_fd, int done_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&stop, 1, LOOK_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            _exit(0);
        if (ready == 0 && look(l)) {
            (void)!write(done_fd, "", 1);
            _exit(0);
        }
    }
}

static int start(struct late *l)
{
    int stop[2], done[2];
    if (pipe2(stop, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(done, O_CLOEXEC) < 0) {
        int err = -errno;
        close(stop[0]);
        close(stop[1]);
        return err;
    }
    l->pid = fork();
    int err = l->pid < 0 ? -errno : 0;
    if (l->pid == 0) {
        close(stop[1]);
        close(done[0]);
        look_on(l, stop[0], done[1]);
    }
    close(stop[0]);
    close(done[1]);
    l->stop_fd = stop[1];
    l->done_fd = done[0];
    return err;
}

void late_begin(struct late *l)
{
    l->stop_fd = l->done_fd = -1;
    l->pid = -1;
    if (!l->command || !l->trace[0])
        return;
    int err = start(l);
    if (err)
        options_trouble("--on-overdue is looked at when the command has "
                        "ended: %s",
                        strerror(-err));
}

void late_end(struct late *l)
{
    char byte;
    ssize_t got = 0;
    if (!l->command || !l->trace[0])
        return;
    if (l->stop_fd >= 0) {
        close(l->stop_fd);
        while ((got = read(l->done_fd, &byte, 1)) < 0 && errno == EINTR)
            ;
        close(l->done_fd);
    }
    if (l->pid > 0) /* who waited for the command may have reaped it */
        (void)waitpid(l->pid, NULL, 0);
    if (got <= 0)
        (void)look(l);
}
