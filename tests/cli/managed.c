/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of manager_test.py: says what it was told by its manager.
 *
 * - signals: notes each signal until SIGRTMAX, then says which came how often
 *   and with what values; status 7
 * - told: says the pids in its environment and its own, sends READY=1
 * - state: says the signals and limits that it was started with; status 6
 * - orphans: leaves a child to whoever reaps; says whether it was reaped
 * - idle: until it is killed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int signals(void)
{
    int count[NSIG] = {0}, value[NSIG] = {0};
    sigset_t all;
    siginfo_t info;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    do {
        if (sigwaitinfo(&all, &info) < 0)
            continue;
        count[info.si_signo]++;
        value[info.si_signo] +=
            info.si_code == SI_QUEUE ? info.si_value.sival_int : 0;
    } while (info.si_signo != SIGRTMAX); /* the last one to be told */
    for (int i = 1; i < NSIG; i++) {
        if (count[i])
            printf("%d x%d %d\n", i, count[i], value[i]);
    }
    return 7;
}

static int told(void)
{
    static const char *const names[] = {"LISTEN_PID", "WATCHDOG_PID",
                                        "SYSTEMD_EXEC_PID"};
    for (int i = 0; i < 3; i++) {
        const char *text = getenv(names[i]);
        printf("%s %s\n", names[i],
               !text                    ? "unset"
               : atoi(text) == getpid() ? "own"
                                        : "other");
    }
    printf("pid %d\n", (int)getpid());
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
        if (fd < 0 || sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to,
                             sizeof(to)) != 7)
            return 2;
    }
    return 0;
}

/* A grandchild ends as an orphan; its pid must be free soon. */
static int orphans(void)
{
    int ends[2];
    pid_t orphan = 0;
    if (pipe(ends) != 0)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(0);
        _exit(write(ends[1], &grandchild, sizeof(grandchild)) < 0);
    }
    waitpid(child, NULL, 0);
    if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
        return 2;
    for (int i = 0; i < 2000; i++) {
        if (kill(orphan, 0) != 0 && errno == ESRCH) {
            printf("reaped, parent %d\n", (int)getppid());
            return 0;
        }
        usleep(10000);
    }
    return 1;
}

/* What it was started with. */
static int state(void)
{
    struct sigaction action;
    struct rlimit limit;
    sigset_t mask;
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", i);
    }
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) {
        if (sigismember(&mask, i) == 1)
            printf("blocked %d\n", i);
    }
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        if (getrlimit((enum __rlimit_resource)i, &limit) == 0)
            printf("limit %d: %lu %lu\n", i, limit.rlim_cur, limit.rlim_max);
    }
    return 6;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "signals") == 0)
        return signals();
    if (strcmp(what, "told") == 0)
        return told();
    if (strcmp(what, "orphans") == 0)
        return orphans();
    if (strcmp(what, "state") == 0)
        return state();
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    for (;;)
        pause();
}
