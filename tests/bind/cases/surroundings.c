/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a program can ask about itself that a careless preload changes:
 * printed, and compared with an untraced run. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_signals(void)
{
    sigset_t pending, blocked;
    sigpending(&pending);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i <= SIGRTMAX; i++) {
        struct sigaction action;
        memset(&action, 0, sizeof(action));
        if (sigismember(&pending, i) == 1 || sigismember(&blocked, i) == 1)
            printf("signal %d pending or blocked\n", i);
        if (sigaction(i, NULL, &action) == 0 &&
            (action.sa_handler != SIG_DFL || action.sa_flags))
            printf("signal %d is handled\n", i);
    }
}
static void print_descriptors(void)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && (entry = readdir(dir)))
        printf("descriptor %s\n", entry->d_name);
    closedir(dir);
}
static void print_children(void)
{
    int status;
    errno = 0;
    printf("wait %d", waitpid(-1, &status, WNOHANG));
    printf(" %d", errno);
    printf(", all %d", waitpid(-1, &status, WNOHANG | __WALL));
    printf(" %d\n", errno);
}
static void print_limits(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        if (getrlimit(i, &limit) == 0)
            printf("limit %d %lx %lx\n", i, limit.rlim_cur, limit.rlim_max);
    }
}

__attribute__((noipa)) int work(int n)
{
    __asm__ volatile("");
    errno = n;
    return n;
}
int main(int argc, char **argv)
{
    char name[16] = "", cwd[4096];
    printf("errno %d\n", errno);
    printf("dlerror %s\n", dlerror() ? "set" : "clear");
    printf("arguments %d %s\n", argc, argv[argc - 1] ? "there" : "gone");
    printf("cwd %s umask %o\n", getcwd(cwd, sizeof(cwd)), umask(022));
    prctl(PR_GET_NAME, name);
    printf("name %s, death signal kept %d\n", name, prctl(PR_GET_DUMPABLE));
    printf("symbol %s\n", dlsym(RTLD_DEFAULT, "span_enter") ? "seen" : "hid");
    printf("group %d session %d\n", getpgrp() == getpid(),
           getsid(0) == getpid());
    print_signals();
    print_descriptors();
    print_children();
    print_limits();
    printf("work %d", work(42));
    printf(" errno %d\n", errno);
    return 0;
}
