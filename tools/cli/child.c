/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command of `handspan run`. Like system(3): while it runs the keyboard's
 * signals concern it alone (it is in the same process group and gets them
 * itself), and what others send to us, who hold its name in their eyes, goes
 * to it.
 */
#include "tools/cli/child.h"
#include "tools/cli/sidecar_control.h"
#include "tools/common/format.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = {SIGTERM, SIGHUP,  SIGUSR1,
                                SIGUSR2, SIGALRM, SIGCONT};
enum {
    FORWARDED = sizeof forwarded / sizeof *forwarded
};

/* Read by the handler: 0 while there is nobody to hand signals to. */
static volatile sig_atomic_t child_pid;

static void forward(int signal)
{
    int saved = errno;
    if (child_pid > 0)
        kill((pid_t)child_pid, signal);
    errno = saved;
}

struct dispositions {
    struct sigaction keyboard[2], forwarded[FORWARDED], pipe;
    sigset_t mask;
};

static void take_signals(struct dispositions *old)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction handler = {.sa_handler = forward, .sa_flags = SA_RESTART};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old->mask);
    sigaction(SIGINT, &ignore, &old->keyboard[0]);
    sigaction(SIGQUIT, &ignore, &old->keyboard[1]);
    for (size_t i = 0; i < FORWARDED; i++) {
        sigaction(forwarded[i], NULL, &old->forwarded[i]);
        if (old->forwarded[i].sa_handler != SIG_IGN) /* nohup stays */
            sigaction(forwarded[i], &handler, NULL);
    }
}

static void give_signals_back(const struct dispositions *old)
{
    sigaction(SIGINT, &old->keyboard[0], NULL);
    sigaction(SIGQUIT, &old->keyboard[1], NULL);
    for (size_t i = 0; i < FORWARDED; i++)
        sigaction(forwarded[i], &old->forwarded[i], NULL);
    sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

static bool is_elf(const char *path)
{
    char magic[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool elf =
        fd >= 0 && read(fd, magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0;
    if (fd >= 0)
        close(fd);
    return elf;
}

/* A text file without "#!" is for the shell, as in execvp(); what the kernel
 * does not take of another machine is not. */
static void exec_by_shell(const char *path, char **argv)
{
    if (is_elf(path)) {
        errno = ENOEXEC;
        return;
    }
    size_t count = 0;
    while (argv[count])
        count++;
    char **shell = calloc(count + 2, sizeof *shell);
    if (!shell)
        return;
    shell[0] = (char *)(uintptr_t) "sh";
    shell[1] = (char *)(uintptr_t)path;
    memcpy(shell + 2, argv + 1, count * sizeof *shell);
    execv("/bin/sh", shell);
    free(shell);
}

static _Noreturn void be_child(const char *path, char **argv, int report,
                               const struct dispositions *old)
{
    give_signals_back(old);
    execv(path, argv);
    if (errno == ENOEXEC)
        exec_by_shell(path, argv);
    int err = errno;
    while (write(report, &err, sizeof err) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* Wait until it is dead, look at it, reap it. */
static void await(struct child *c,
                  void (*ended)(void *context, const struct child *c),
                  void *context)
{
    siginfo_t info;
    /* the system call tells usage as well; waitid() of libc does not */
    while (syscall(SYS_waitid, P_PID, c->pid, &info, WEXITED | WNOWAIT,
                   &c->usage) < 0 &&
           errno == EINTR)
        ;
    c->end_unix_ns = format_now_ns();
    c->wait_status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8
                                                : info.si_status & 0x7f;
    if (info.si_code == CLD_DUMPED)
        c->wait_status |= 0x80;
    if (ended && !c->exec_errno)
        ended(context, c);
    child_pid = 0; /* its number may be given away from here on */
    while (wait4(c->pid, &c->wait_status, 0, &c->usage) < 0 && errno == EINTR)
        ;
}

int child_run(const char *path, char **argv, struct child *c,
              void (*ended)(void *context, const struct child *c),
              void *context)
{
    struct dispositions old;
    int report[2];
    *c = (struct child){0};
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    take_signals(&old);
    c->start_unix_ns = format_now_ns();
    c->pid = fork();
    if (c->pid == 0)
        be_child(path, argv, report[1], &old);
    int err = c->pid < 0 ? -errno : 0;
    close(report[1]);
    if (!err) {
        child_pid = c->pid;
        c->start_time = process_start_time(c->pid);
        sigprocmask(SIG_SETMASK, &old.mask, NULL);
        ssize_t got;
        while ((got = read(report[0], &c->exec_errno, sizeof(int))) < 0 &&
               errno == EINTR)
            ;
        if (got != (ssize_t)sizeof(int))
            c->exec_errno = 0;
        await(c, ended, context);
    }
    close(report[0]);
    give_signals_back(&old);
    return err;
}

_Noreturn void child_exit_as(const struct child *c)
{
    if (!WIFSIGNALED(c->wait_status))
        exit(WEXITSTATUS(c->wait_status));
    int signal = WTERMSIG(c->wait_status);
    struct rlimit none = {0, 0};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t set;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0); /* a core_pattern with a pipe heeds this one */
    sigaction(signal, &standard, NULL);
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), signal);
    exit(128 + signal);
}
