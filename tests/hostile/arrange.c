// SPDX-License-Identifier: Apache-2.0
/*
 * Arranges hostile surroundings and executes a program there.
 *
 *   arrange WAY[,WAY...] PROGRAM ARGUMENT...
 *
 * WAY: one of ways[] or NAME=NUMBER of numbered[]. Status 77: not possible
 * here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CANNOT = 77,
    NOBODY = 65534,
    FDS = 64
};

static int limit(enum __rlimit_resource which, long value)
{
    const struct rlimit both = {(rlim_t)value, (rlim_t)value};
    return setrlimit(which, &both);
}

/* A filter that does `action` for one call, or none at all. */
static int filter(long number, unsigned action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {4, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int kill_for(long number)
{
    return filter(number, SECCOMP_RET_KILL_PROCESS);
}

static int refuse(long number)
{
    return filter(number, SECCOMP_RET_ERRNO | EPERM);
}

static int not_there(long number)
{
    return filter(number, SECCOMP_RET_ERRNO | ENOSYS);
}

static int close_one(long fd)
{
    return close((int)fd);
}

static int as_limit(long mib)
{
    return limit(RLIMIT_AS, mib << 20);
}

static int data_limit(long mib)
{
    return limit(RLIMIT_DATA, mib << 20);
}

static int stack_limit(long kib)
{
    return limit(RLIMIT_STACK, kib << 10);
}

static int file_limit(long bytes)
{
    signal(SIGXFSZ, SIG_DFL);
    return limit(RLIMIT_FSIZE, bytes);
}

static int fd_limit(long count)
{
    return limit(RLIMIT_NOFILE, count);
}

static int lock_limit(long kib)
{
    return limit(RLIMIT_MEMLOCK, kib << 10);
}

static int process_limit(long count)
{
    return limit(RLIMIT_NPROC, count);
}

static int core_limit(long bytes)
{
    return limit(RLIMIT_CORE, bytes);
}

static int ignore(long number)
{
    return signal((int)number, SIG_IGN) == SIG_ERR;
}

static const struct {
    const char *name;
    int (*arrange)(long);
} numbered[] = {
    {"kill", kill_for},      {"refuse", refuse},       {"nosys", not_there},
    {"close", close_one},    {"as", as_limit},         {"data", data_limit},
    {"stack", stack_limit},  {"fsize", file_limit},    {"nofile", fd_limit},
    {"memlock", lock_limit}, {"nproc", process_limit}, {"core", core_limit},
    {"ignore", ignore},
};

static int fill_fds(void)
{
    const struct rlimit both = {FDS, FDS};
    int last = -1, fd;
    if (setrlimit(RLIMIT_NOFILE, &both) != 0)
        return 1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    return last < 0 || close(last) != 0 || close(last - 1) != 0;
}

static int delete_cwd(void)
{
    char name[] = "gone-XXXXXX";
    char *path = mkdtemp(name) ? realpath(name, NULL) : NULL;
    return !path || chdir(path) != 0 || rmdir(path) != 0;
}

static int block_all(void)
{
    sigset_t all;
    sigfillset(&all);
    return sigprocmask(SIG_SETMASK, &all, NULL);
}

static int drop_user(void)
{
    return setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY);
}

static int no_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int no_random(void)
{
    return personality(ADDR_NO_RANDOMIZE) == -1;
}

static int read_implies_exec(void)
{
    return personality(READ_IMPLIES_EXEC) == -1;
}

static int old_layout(void)
{
    return personality(ADDR_COMPAT_LAYOUT) == -1;
}

static int no_huge_pages(void)
{
    return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static int subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static int strange_mask(void)
{
    umask(0777);
    return 0;
}

static int idle_batch(void)
{
    const struct sched_param none = {0};
    return sched_setscheduler(0, SCHED_BATCH, &none) || nice(19) == -1;
}

static int one_cpu(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    return sched_setaffinity(0, sizeof(one), &one);
}

static int nothing(void)
{
    return 0; /* the runner's own */
}

static const struct {
    const char *name;
    int (*arrange)(void);
} ways[] = {
    {"full-fds", fill_fds},
    {"deleted-cwd", delete_cwd},
    {"blocked", block_all},
    {"nobody", drop_user},
    {"no-new-privs", no_new_privileges},
    {"no-random", no_random},
    {"read-exec", read_implies_exec},
    {"old-layout", old_layout},
    {"no-thp", no_huge_pages},
    {"subreaper", subreaper},
    {"umask", strange_mask},
    {"batch", idle_batch},
    {"one-cpu", one_cpu},
    {"plain", nothing},
};

static int arrange(const char *way)
{
    const char *at = strchr(way, '=');
    for (size_t i = 0; at && i < sizeof(numbered) / sizeof(*numbered); i++)
        if (strlen(numbered[i].name) == (size_t)(at - way) &&
            strncmp(numbered[i].name, way, (size_t)(at - way)) == 0)
            return numbered[i].arrange(strtol(at + 1, NULL, 10));
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        if (strcmp(ways[i].name, way) == 0)
            return ways[i].arrange();
    return 1;
}

int main(int argc, char **argv)
{
    char *rest = NULL;
    if (argc < 3)
        return 2;
    const char *preload = getenv("ARRANGE_PRELOAD"); /* not into ourselves */
    if (preload && setenv("LD_PRELOAD", preload, 1) != 0)
        return 2;
    unsetenv("ARRANGE_PRELOAD");
    for (char *way = strtok_r(argv[1], ",", &rest); way;
         way = strtok_r(NULL, ",", &rest))
        if (arrange(way) != 0)
            return CANNOT;
    execv(argv[2], argv + 2);
    return CANNOT;
}
