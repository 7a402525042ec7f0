/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of process can do no more once it confined itself, and what it
 * still can. Each try is in a child of its own. 77: this kernel has no filters.
 */
#define _GNU_SOURCE
#include "tools/common/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/handspan-confine-XXXXXX";
static char inside[64], outside[64];

/* Each returns 0 if it could, else errno. */
static int result(long rc)
{
    return rc < 0 ? errno : 0;
}
static int make_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}
static int make_child(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return result(pid);
}
static int run_other(void)
{
    char *argv[] = {"true", NULL};
    return result(execv("/bin/true", argv));
}
static int write_file(const char *path)
{
    return result(open(path, O_WRONLY | O_CREAT, 0600));
}
static int write_outside(void)
{
    return write_file(outside);
}
static int write_inside(void)
{
    return write_file(inside);
}
static int remove_outside(void)
{
    return result(unlink(outside));
}
static int read_file(void)
{
    char bytes[16];
    int fd = open("/proc/self/status", O_RDONLY);
    return fd < 0 ? errno : result(read(fd, bytes, sizeof bytes));
}
static int map_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == MAP_FAILED
               ? errno
               : 0;
}
static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == MAP_FAILED
               ? errno
               : 0;
}
static int make_code_later(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}
static int signal_other(void)
{
    return result(kill(getppid(), 0));
}
static int signal_other_thread(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}
static int look_into_other(void)
{
    static char here[8] = "x", there[8];
    struct iovec to = {there, 1}, from = {here, 1};
    return result(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
}
static int new_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}
static int other_abi(void)
{
    return result(syscall(0x40000000 + SYS_getpid));
}
static int new_ring(void)
{
    return result(syscall(SYS_io_uring_setup, 1, NULL));
}
static int be_dumped(void)
{
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    return core.rlim_max != 0 || prctl(PR_GET_DUMPABLE) > 0 ? 0 : EPERM;
}
static int gain_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : EPERM;
}

enum {
    S = 1 << CONFINE_SIDECAR,
    N = 1 << CONFINE_NETWORK,
    R = 1 << CONFINE_READER,
    F = 1 << CONFINE_FILLER,
    LANDLOCK = 1 << 8, /* refused only where the kernel has it */
};
static const struct {
    const char *what;
    int (*attempt)(void);
    int can; /* kinds that still can; the others get EPERM or EACCES */
} tries[] = {
    {"read a file", read_file, S | N | R | F},
    {"map memory", map_memory, S | N | R | F},
    {"make a socket", make_socket, S | N},
    {"make a child", make_child, S | N},
    {"run another program", run_other, S},
    {"write a file elsewhere", write_outside, S | N | LANDLOCK},
    {"write a file in its place", write_inside, S | N | F},
    {"remove a file", remove_outside, S | N | LANDLOCK},
    {"map code", make_code, S | N},
    {"make memory code", make_code_later, S | N},
    {"signal another process", signal_other, S},
    {"signal another's thread", signal_other_thread, S | N},
    {"look into another process", look_into_other, S},
    {"make a namespace", new_namespace, 0},
    {"use another ABI", other_abi, 0},
    {"make a ring", new_ring, 0},
    {"leave a core", be_dumped, 0},
    {"gain privileges", gain_privileges, 0},
};

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static int attempt(int i, enum confine_kind kind)
{
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        int rc = confine(kind, kind == CONFINE_FILLER ? top : NULL);
        _exit(rc ? 255 : tries[i].attempt());
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int check(int i, enum confine_kind kind)
{
    static const char *const names[] = {"sidecar", "network", "reader",
                                        "filler"};
    write_file(outside);
    int got = attempt(i, kind);
    bool can = (tries[i].can & (1 << kind)) != 0;
    if ((tries[i].can & LANDLOCK) && kind == CONFINE_FILLER && !has_landlock())
        return 0;
    if (can ? got == 0 : got == EPERM || got == EACCES)
        return 0;
    fprintf(stderr, "a %s that tries to %s: %s\n", names[kind], tries[i].what,
            got < 0    ? "killed"
            : got == 0 ? "can"
                       : strerror(got));
    return 1;
}

int main(void)
{
    int bad = 0;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
        puts("skipped: this kernel has no seccomp filters");
        return 77;
    }
    if (!mkdtemp(top))
        return 2;
    snprintf(inside, sizeof inside, "%s/inside", top);
    snprintf(outside, sizeof outside, "%s-outside", top);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        for (int kind = CONFINE_SIDECAR; kind <= CONFINE_FILLER; kind++)
            bad |= check((int)i, (enum confine_kind)kind);
    unlink(inside);
    unlink(outside);
    rmdir(top);
    return bad;
}
