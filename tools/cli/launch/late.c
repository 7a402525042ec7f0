/* SPDX-License-Identifier: Apache-2.0 */
/* See late.h. */
#include "tools/cli/launch/late.h"
#include "tools/cli/launch/after.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/query/failure.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
        after_overdue(l->command, l->launch, trace, line ? line : "");
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
