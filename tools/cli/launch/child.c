/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command of `handspan run`. While it runs, what others send to us, who
 * hold its name in their eyes, goes to it; the keyboard's signals it gets
 * itself, because it is in the same process group. It stops: we stop. We are
 * killed: it is.
 */
#include "tools/cli/launch/child.h"
#include "lane/format/exec_time.h"
#include "tools/cli/launch/sidecar_control.h"
#include "lane/x86_64/machine.h"
#include "tools/common/inherited.h"
#include "tools/common/text/format.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct dispositions {
    struct sigaction of[NSIG];
    sigset_t mask;
};

/* All signals wait for sigwaitinfo(): none is lost, none interrupts. What kills
 * by a fault of our own cannot be blocked. */
static void take_signals(struct dispositions *old)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old->mask);
    for (int signal = 1; signal < NSIG; signal++) {
        /* one that is ignored would not wait */
        if (sigaction(signal, NULL, &old->of[signal]) == 0)
            sigaction(signal, &standard, NULL);
    }
}

static void give_signals_back(const struct dispositions *old)
{
    for (int signal = 1; signal < NSIG; signal++) {
        if (old->of[signal].sa_handler != SIG_DFL)
            sigaction(signal, &old->of[signal], NULL);
    }
    sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

/*
 * The kernel's own signals of the terminal went to the whole process group,
 * the program in it. But a hangup is told to the leader of the session alone,
 * and timers that were set before our exec are ours alone.
 */
static bool is_for_child(const siginfo_t *info, pid_t child)
{
    if (info->si_code <= 0) /* a process sent it: the child, to its group */
        return info->si_pid != child;
    switch (info->si_signo) {
    case SIGHUP:
    case SIGCONT:
        return getsid(0) == getpid();
    case SIGALRM:
    case SIGVTALRM:
    case SIGPROF:
        return true;
    default:
        return false;
    }
}

static void hand_on(pid_t child, const siginfo_t *info)
{
    siginfo_t same = *info;
    /* with its value, and its sender's name */
    if (info->si_code == SI_QUEUE &&
        syscall(SYS_rt_sigqueueinfo, child, info->si_signo, &same) == 0)
        return;
    kill(child, info->si_signo);
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

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Nobody else will know when it was exec'ed; last of all. */
static void tell_time(void)
{
    static char variable[LANE_EXEC_BYTES];
    pid_t pid = getpid();
    struct lane_exec_time time = {.pid = (uint64_t)pid,
                                  .start_time = process_start_time(pid)};
    if (!getenv(LANE_EXEC_VARIABLE))
        return; /* launch_set_environment() asks for it */
    time.cpu_ns = (uint64_t)clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    time.monotonic_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC);
    time.ticks = machine_ticks();
    lane_exec_time_put(&time, variable);
    putenv(variable);
}

void child_exec(const char *path, char **argv)
{
    inherited_give_back();
    tell_time();
    execv(path, argv);
    if (errno == ENOEXEC)
        exec_by_shell(path, argv);
}

static void rename_pid(const char *name, const char *parent, const char *own)
{
    const char *value = getenv(name);
    if (value && strcmp(value, parent) == 0)
        setenv(name, own, 1);
}

static _Noreturn void be_child(const char *path, char **argv, int report,
                               const struct dispositions *old, pid_t parent)
{
    char parent_text[16], own_text[16];
    snprintf(parent_text, sizeof parent_text, "%d", (int)parent);
    snprintf(own_text, sizeof own_text, "%d", (int)getpid());
    /* what was handed over to a pid is handed over to the program's */
    rename_pid("LISTEN_PID", parent_text, own_text);
    rename_pid("WATCHDOG_PID", parent_text, own_text);
    rename_pid("SYSTEMD_EXEC_PID", parent_text, own_text);
    /* nobody could end it any more in the name of its manager */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    give_signals_back(old);
    child_exec(path, argv);
    int err = errno;
    while (write(report, &err, sizeof err) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* Dead: look at it, reap it. */
static void bury(struct child *c, const siginfo_t *info,
                 void (*ended)(void *context, const struct child *c),
                 void *context)
{
    struct timespec now;
    c->end_ticks = machine_ticks();
    clock_gettime(CLOCK_MONOTONIC, &now);
    c->end_monotonic_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    c->end_unix_ns = format_now_ns();
    c->wait_status = info->si_code == CLD_EXITED ? (info->si_status & 0xff) << 8
                                                 : info->si_status & 0x7f;
    if (info->si_code == CLD_DUMPED)
        c->wait_status |= 0x80;
    if (ended && !c->exec_errno)
        ended(context, c);
    while (wait4(c->pid, &c->wait_status, 0, &c->usage) < 0 && errno == EINTR)
        ;
}

/* False: it did not stop us (nobody could let a group without a shell go on).
 */
static bool stop_by(int signal)
{
    const struct timespec now = {0, 0};
    struct sigaction standard = {.sa_handler = SIG_DFL}, old;
    sigset_t set;
    sigaction(signal, &standard, &old);
    sigemptyset(&set);
    sigaddset(&set, signal);
    kill(getpid(), signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(signal, &old, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    return sigtimedwait(&set, NULL, &now) == SIGCONT;
}

/* What its manager sees of us is what became of it, by the same signal; who
 * lets us go on means it. */
static void stop_as_child(pid_t child, int signal)
{
    if (signal == SIGSTOP || !stop_by(signal))
        stop_by(SIGSTOP);
    kill(child, SIGCONT);
}

/* News of children: of the command, or of others that we inherited (as the
 * first process of a container all that lost their parents). True: the command
 * is dead. */
static bool see_children(struct child *c, siginfo_t *info)
{
    for (;;) {
        info->si_pid = 0;
        /* the system call tells usage as well; waitid() of libc does not */
        if (syscall(SYS_waitid, P_ALL, 0, info,
                    WEXITED | WSTOPPED | WNOHANG | WNOWAIT, &c->usage) < 0 ||
            info->si_pid == 0)
            return false;
        bool is_ours = info->si_pid == c->pid;
        bool is_stop = info->si_code == CLD_STOPPED;
        if (is_ours && !is_stop)
            return true;
        syscall(SYS_waitid, P_PID, info->si_pid, info,
                (is_stop ? WSTOPPED : WEXITED) | WNOHANG, NULL);
        if (is_ours)
            stop_as_child(c->pid, info->si_status);
    }
}

/* Until it is dead: signals are handed on, a stop is followed. */
static void await(struct child *c,
                  void (*ended)(void *context, const struct child *c),
                  void *context)
{
    siginfo_t info, news;
    sigset_t all;
    sigfillset(&all);
    while (!see_children(c, &news)) {
        if (sigwaitinfo(&all, &info) < 0 ||
            (info.si_signo == SIGCHLD && info.si_code > 0))
            continue;
        if (is_for_child(&info, c->pid))
            hand_on(c->pid, &info);
    }
    bury(c, &news, ended, context);
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
    pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0)
        be_child(path, argv, report[1], &old, parent);
    int err = c->pid < 0 ? -errno : 0;
    close(report[1]);
    if (!err) {
        c->start_time = process_start_time(c->pid);
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
