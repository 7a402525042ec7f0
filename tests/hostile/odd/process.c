// SPDX-License-Identifier: Apache-2.0
/* Processes: descriptors, limits, debuggers, ends. */
#include "odd.h"
#include <linux/close_range.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

static int close_all(char **argv)
{
    (void)argv;
    int copy = dup(1), sum = work(1);
    close_range(3, ~0u, 0);
    close(0);
    for (int i = 0; i < 50; i++)
        sum += work(i) + look("abc");
    int first = open("/dev/null", O_RDONLY), next = open("/dev/null", O_RDONLY);
    printf("%d %d %d %d\n", copy, first, next, sum);
    fflush(stdout);
    closefrom(0);
    sum = works(50);
    first = open("/dev/null", O_RDONLY);
    return first + (sum != 1275);
}

static int daemonize(char **argv)
{
    (void)argv;
    int ends[2];
    char bytes[100];
    ssize_t n, all = 0;
    if (pipe(ends) != 0)
        return CANNOT;
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        work(1);
        if (fork() != 0)
            _exit(work(1));
        close(ends[0]);
        umask(0);
        if (chdir("/") != 0)
            _exit(1);
        dprintf(ends[1], "%d\n", works(100));
        _exit(3);
    }
    close(ends[1]);
    printf("%d\n", status_of(-1));
    while ((n = read(ends[0], bytes + all, sizeof(bytes) - (size_t)all)) > 0)
        all += n;
    printf("%.*s", (int)all, bytes);
    return 0;
}

/* ---- debuggers ----------------------------------------------------------- */

static int traced_child(char **argv)
{
    (void)argv;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        long failed = ptrace(PTRACE_TRACEME, 0, 0, 0);
        work(1);
        raise(SIGSTOP);
        work(2);
        _exit(failed ? 4 : 3);
    }
    int stops = 0, status = status_of(pid);
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
    for (; WIFSTOPPED(status); status = status_of(pid)) {
        int number = WSTOPSIG(status);
        stops++;
        ptrace(PTRACE_CONT, pid, 0, number == SIGSTOP ? 0 : number);
    }
    printf("%d %x\n", stops, (unsigned)status);
    return 0;
}

/* Each instruction on its own, as a debugger's "step" has it. */
static int single_steps(char **argv)
{
    (void)argv;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        int sum = works(20) + look("stepped");
        _exit(sum == 211 ? 6 : 7);
    }
    int status = status_of(pid);
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
    for (long i = 0; WIFSTOPPED(status) && i < 20000; i++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0)
            break;
        status = status_of(pid);
    }
    if (WIFSTOPPED(status)) {
        ptrace(PTRACE_CONT, pid, 0, 0);
        status = status_of(pid);
    }
    printf("%x\n", (unsigned)status);
    return 0;
}

static int traces_itself(char **argv)
{
    (void)argv;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        long got = ptrace(PTRACE_TRACEME, 0, 0, 0);
        printf("%ld %d\n", got, works(100));
        exit(2);
    }
    printf("%x\n", (unsigned)status_of(pid));
    return 0;
}

/* The child debugs its parent, as those do that want no debugger. */
static int attaches_parent(char **argv)
{
    (void)argv;
    pid_t parent = getpid();
    int ends[2], status;
    char told = '-';
    if (pipe(ends) != 0)
        return CANNOT;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        long got = ptrace(PTRACE_ATTACH, parent, 0, 0);
        waitpid(parent, &status, __WALL);
        ssize_t n = write(ends[1], got ? "n" : "y", 1);
        ptrace(PTRACE_DETACH, parent, 0, 0);
        _exit(work((int)n));
    }
    while (read(ends[0], &told, 1) < 0)
        ;
    int sum = works(100);
    printf("%c %d %d\n", told, sum, status_of(pid));
    return 0;
}

/* ---- limits ---------------------------------------------------------------
 */

static int file_size(char **argv)
{
    (void)argv;
    const struct rlimit none = {0, 0};
    pthread_t thread;
    setrlimit(RLIMIT_FSIZE, &none);
    int sum = 0;
    for (int i = 0; i < 20000; i++)
        sum += work(i) + look("abcdefghijklmnopqrstuvwxyz");
    pthread_create(&thread, NULL, (void *(*)(void *))(void *)work, NULL);
    pthread_join(thread, NULL);
    printf("%d\n", sum);
    return 0;
}

static int limits_later(char **argv)
{
    (void)argv;
    static const enum __rlimit_resource all[] = {
        RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_SIGPENDING,
        RLIMIT_MSGQUEUE};
    const struct rlimit none = {0, 0}, little = {60 << 20, 60 << 20};
    int sum = work(1), got = setrlimit(RLIMIT_AS, &little);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        setrlimit(all[i], &none);
    for (int i = 0; i < 10000; i++)
        sum += work(i) + look("abcdefghijklmnopqrstuvwxyz");
    printf("%d %d\n", got, sum);
    fflush(stdout);
    raise(SIGSEGV);
    return 0;
}

static int no_files(char **argv)
{
    (void)argv;
    const struct rlimit three = {3, 3};
    pthread_t thread;
    void *result = NULL;
    setrlimit(RLIMIT_NOFILE, &three);
    for (intptr_t i = 0; i < 20; i++) {
        pthread_create(&thread, NULL, (void *(*)(void *))(void *)work,
                       (void *)i);
        pthread_join(thread, &result);
    }
    printf("%d %d\n", (int)(intptr_t)result, open("/dev/null", O_RDONLY));
    return 0;
}

static int undumpable(char **argv)
{
    (void)argv;
    prctl(PR_SET_DUMPABLE, 0);
    int sum = works(100) + look("text");
    printf("%d %d\n", sum, prctl(PR_GET_DUMPABLE));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(2));
    printf("%x\n", (unsigned)status_of(pid));
    fflush(stdout);
    abort();
}

static void *unshare_files(void *unused)
{
    int got = unshare(CLONE_FILES);
    close_range(3, ~0u, CLOSE_RANGE_UNSHARE);
    printf("%d %d\n", got, works(100));
    return unused;
}

static int own_files(char **argv)
{
    (void)argv;
    int fd = open("/dev/null", O_RDONLY);
    pthread_t thread;
    pthread_create(&thread, NULL, unshare_files, NULL);
    pthread_join(thread, NULL);
    printf("%d %d\n", fd, fcntl(fd, F_GETFD) >= 0);
    return 0;
}

/* Into namespaces of its own, after calls, and children there. */
static int own_namespaces(char **argv)
{
    (void)argv;
    work(1);
    int got = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                      CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
    int error = got ? errno : 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        exit(works(3) + (getpid() == 1));
    printf("%d %d %x\n", got, error, (unsigned)status_of(pid));
    return 0;
}

static void show(const char *path)
{
    char bytes[2000];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof(bytes));
    printf("%s: %.*s\n", path, (int)(n > 0 ? n : 0), bytes);
    close(fd);
}

/* What of a process others can see: threads, timers, limits, its signals. */
static int what_is_there(char **argv)
{
    static const char *const keys[] = {
        "Threads", "SigPnd",      "ShdPnd", "SigBlk", "NoNewPrivs", "Seccomp",
        "CapInh",  "CoreDumping", "FDSize", "SigIgn", "THP_enabled"};
    char line[300];
    (void)argv;
    works(100);
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof(line), status))
        for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
            if (strncmp(line, keys[i], strlen(keys[i])) == 0)
                fputs(line, stdout);
    if (status)
        fclose(status);
    show("/proc/self/timers");
    show("/proc/self/limits");
    show("/proc/self/oom_score_adj");
    show("/proc/self/timerslack_ns");
    show("/proc/self/coredump_filter");
    show("/proc/self/personality");
    return 0;
}

/* ---- ends ------------------------------------------------------------------
 */

static void at_end(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(6));
    printf("end %d\n", status_of(pid));
    fflush(stdout);
}

static void on_end(int status, void *unused)
{
    (void)unused;
    printf("%d\n", status);
    at_end();
}

static int fork_at_exit(char **argv)
{
    (void)argv;
    atexit(at_end);
    on_exit(on_end, NULL);
    work(1);
    return 4;
}

static int quick(char **argv)
{
    (void)argv;
    at_quick_exit(at_end);
    work(1);
    quick_exit(6);
}

static int waits_for_any(char **argv)
{
    (void)argv;
    siginfo_t info;
    work(1);
    errno = 0;
    int got = wait(NULL);
    printf("%d %d\n", got, errno);
    errno = 0;
    got = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD | __WALL);
    printf("%d %d\n", got, errno);
    return 0;
}

static int chain(int left)
{
    pid_t pid = left ? fork() : -1;
    if (pid == 0)
        _exit(chain(left - 1));
    return work(pid < 0 ? 0 : status_of(pid) >> 8);
}

static int fork_chain(char **argv)
{
    (void)argv;
    fflush(stdout);
    printf("%d\n", chain(40));
    return 0;
}

const struct way process_ways[] = {
    {"close-all", close_all},
    {"daemonize", daemonize},
    {"traced-child", traced_child},
    {"single-steps", single_steps},
    {"traces-itself", traces_itself},
    {"attaches-parent", attaches_parent},
    {"file-size", file_size},
    {"limits-later", limits_later},
    {"no-files", no_files},
    {"undumpable", undumpable},
    {"what-is-there", what_is_there},
    {"own-files", own_files},
    {"own-namespaces", own_namespaces},
    {"fork-at-exit", fork_at_exit},
    {"quick-exit", quick},
    {"waits-for-any", waits_for_any},
    {"fork-chain", fork_chain},
    {NULL, NULL},
};
