/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/screen/pager.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SIGNALS = 6,
    EXIT_NOT_STARTED = 127,
};
static const int signals[SIGNALS] = {SIGCHLD, SIGPIPE, SIGINT,
                                     SIGQUIT, SIGTERM, SIGHUP};

static struct {
    volatile pid_t pid; /* 0: none, or it is gone */
    int terminal;       /* standard output as it was; -1: none */
    int text;           /* our own end to read the pipe from */
    struct sigaction old[SIGNALS];
} pager = {.terminal = -1, .text = -1};

static const char *command(void)
{
    const char *kind = getenv("TERM");
    const char *own = getenv("HANDSPAN_PAGER");
    const char *named = own ? own : getenv("PAGER");
    if (!named) /* less asks for a key on a terminal that it does not know */
        return kind && *kind && strcmp(kind, "dumb") != 0 ? "less" : NULL;
    return *named && strcmp(named, "cat") != 0 ? named : NULL;
}

/* ---- the end: also from a handler of signals ------------------------------
 */

static void put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(pager.terminal, bytes, len);
        if (n < 0 && errno != EINTR)
            return;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* It failed: what it did not read is still in the pipe. */
static void show_the_rest(void)
{
    char bytes[4096];
    struct pollfd ready = {.fd = pager.text, .events = POLLIN};
    dup2(pager.terminal, STDOUT_FILENO);
    while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
        ssize_t n = read(pager.text, bytes, sizeof bytes);
        if (n <= 0)
            return;
        put(bytes, (size_t)n);
    }
}

static void take_end(int status)
{
    pager.pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        show_the_rest();
    close(pager.text); /* whoever writes on gets SIGPIPE */
    pager.text = -1;
}

static void await(int flags)
{
    int status;
    pid_t pid = pager.pid;
    pid_t got = pid > 0 ? waitpid(pid, &status, flags) : 0;
    while (got < 0 && errno == EINTR)
        got = waitpid(pid, &status, flags);
    if (got > 0)
        take_end(status);
}

static void on_child(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    await(WNOHANG);
    errno = saved;
}

/* The pager has the terminal until who reads leaves it. */
static void on_end(int signal_number)
{
    dup2(pager.terminal, STDOUT_FILENO);
    await(0);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* ---- the start ------------------------------------------------------------
 */

static void take_signals(void)
{
    struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    struct sigaction end = {.sa_handler = on_end, .sa_flags = SA_RESTART};
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigemptyset(&child.sa_mask);
    sigemptyset(&end.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        sigaddset(&child.sa_mask, signals[i]);
        sigaddset(&end.sa_mask, signals[i]);
    }
    for (int i = 0; i < SIGNALS; i++) {
        int number = signals[i];
        sigaction(number, NULL, &pager.old[i]);
        if (number == SIGCHLD)
            sigaction(number, &child, NULL);
        else if (number == SIGPIPE)
            sigaction(number, &plain, NULL);
        else if (pager.old[i].sa_handler == SIG_DFL)
            sigaction(number, &end, NULL);
    }
}

static void become(const char *what, int text)
{
    bool is_one_word = !strpbrk(what, "|&;<>()$`\\\"' \t\n*?[#~=%");
    dup2(text, STDIN_FILENO);
    setenv("LESS", "FRX", 0);
    setenv("LV", "-c", 0);
    if (is_one_word)
        execlp(what, what, (char *)NULL);
    else
        execl("/bin/sh", "sh", "-c", what, (char *)NULL);
    _exit(EXIT_NOT_STARTED);
}

void pager_start(void)
{
    int ends[2];
    const char *what = isatty(STDOUT_FILENO) ? command() : NULL;
    if (!what || pager.terminal >= 0 || pipe2(ends, O_CLOEXEC) < 0)
        return;
    fflush(stdout);
    int terminal = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    pid_t pid = terminal >= 0 ? fork() : -1;
    if (pid == 0)
        become(what, ends[0]);
    if (pid > 0) {
        pager.terminal = terminal;
        pager.text = ends[0];
        pager.pid = pid;
        take_signals();
        dup2(ends[1], STDOUT_FILENO);
        on_child(SIGCHLD); /* it may have ended before we listened */
    } else {
        close(ends[0]);
        if (terminal >= 0)
            close(terminal);
    }
    close(ends[1]);
}

void pager_end(void)
{
    if (pager.terminal < 0)
        return;
    fflush(stdout);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    dup2(pager.terminal, STDOUT_FILENO);
    await(0);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &pager.old[i], NULL);
    sigprocmask(SIG_UNBLOCK, &child, NULL);
    close(pager.terminal);
    pager.terminal = -1;
}
