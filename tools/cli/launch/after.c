/* SPDX-License-Identifier: Apache-2.0 */
/* See after.h. */
#include "tools/cli/launch/after.h"
#include "lane/format/exec_time.h"
#include "tools/common/options.h"
#include <errno.h>
#include <fcntl.h>
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

void after_overdue(const char *command, const struct launch *l,
                   const char *trace, const char *line)
{
    run_and_wait("--on-overdue", command, l, trace, "HANDSPAN_OVERDUE", line);
}
