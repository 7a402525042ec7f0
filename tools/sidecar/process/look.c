/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See look.h. The stop is made by a child of ours: ptrace and wait belong to
 * one thread and may block on a thread in uninterruptible sleep, and a tracer
 * that is killed lets go of its tracee. So the sidecar waits for the child for
 * as long as it likes, and the thread goes on in any case.
 */
#define _GNU_SOURCE
#include "tools/sidecar/process/look.h"
#include "lane/format/assert.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOP_MS = 300,
    TRIES = 4,
    RSP = 7,
    RIP = 16,
    STATE_FIELD_SKIP = 2, /* ") S" */
};

static bool read_file(int32_t pid, int32_t tid, const char *name, char *out,
                      size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, cap_bytes - 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    errno = error;
    return n >= 0;
}

bool look_read(int32_t pid, uint64_t address, void *out, size_t len_bytes)
{
    lane_assert(len_bytes != 0 && pid > 0);
    struct iovec here = {out, len_bytes};
    struct iovec there = {(void *)(uintptr_t)address, len_bytes};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)len_bytes;
}

/* The number that a thread has in its own pid namespace; 0: it is not there. */
static uint32_t inner_tid(int32_t pid, int32_t tid)
{
    char path[64], status[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, status, sizeof status - 1);
    if (fd >= 0)
        close(fd);
    status[n > 0 ? n : 0] = 0;
    char *line = strstr(status, "\nNSpid:");
    char *end = line ? strchr(line + 1, '\n') : NULL;
    if (!end)
        return 0;
    *end = 0;
    const char *last = strrchr(line, '\t');
    return last ? (uint32_t)strtoul(last, NULL, 10) : 0;
}

int32_t look_find_thread(int32_t pid, uint32_t tid)
{
    char path[64];
    int32_t found = 0;
    if (tid <= INT32_MAX && inner_tid(pid, (int32_t)tid) == tid)
        return (int32_t)tid; /* in our namespace: nearly always */
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    struct dirent *entry;
    while (tasks && !found && (entry = readdir(tasks))) {
        int32_t ours = (int32_t)strtol(entry->d_name, NULL, 10);
        if (ours > 0 && inner_tid(pid, ours) == tid)
            found = ours;
    }
    if (tasks)
        closedir(tasks);
    return found;
}

/* ---- the stack ----------------------------------------------------------- */

/* From rsp up, as far as the stack goes and there is room. */
static bool copy_stack(int32_t pid, uint64_t stack_low, uint64_t stack_high,
                       struct look *l)
{
    lane_assert(l->known >> RSP & 1);
    uint64_t from = l->registers[RSP] & ~(uint64_t)7;
    uint64_t len = sizeof l->bytes;
    l->is_truncated = true;
    if (from >= stack_low && from < stack_high && stack_high - from <= len) {
        len = stack_high - from;
        l->is_truncated = false;
    }
    struct iovec here = {l->bytes, len};
    struct iovec there = {(void *)(uintptr_t)from, len};
    ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (n < 0)
        return false;
    if ((uint64_t)n < len)
        l->is_truncated = false; /* it ends in what is not there */
    lane_assert((uint64_t)n <= len && len <= sizeof l->bytes);
    l->first_address = from;
    l->stack_bytes = (uint32_t)n & ~7u;
    return true;
}

static void fail(struct look *l, const char *trouble, int error)
{
    lane_assert(trouble != NULL);
    l->trouble = trouble;
    l->error = error;
    l->stack_bytes = 0;
}

/* ---- without a stop ------------------------------------------------------ */

/* /proc/.../syscall: "running", "-1 SP PC", "NR ARGUMENT*6 SP PC". */
static bool read_place(const char *text, struct look *l)
{
    char *end;
    uint64_t word[8];
    int count = 0;
    long number = strtol(text, &end, 10);
    if (end == text)
        return false;
    while (count < 8 && *end == ' ') {
        const char *at = end;
        word[count++] = strtoull(at, &end, 16);
    }
    if (count != 2 && count != 8)
        return false;
    lane_assert(count == 2 || count == 8);
    l->syscall = number < 0 ? LOOK_NO_SYSCALL : (int32_t)number;
    l->argument = count == 8 ? word[0] : 0;
    l->registers[RSP] = word[count - 2];
    l->registers[RIP] = word[count - 1];
    l->known = 1u << RSP | 1u << RIP;
    return true;
}

static void look_quietly(int32_t pid, int32_t tid, uint64_t stack_low,
                         uint64_t stack_high, struct look *l)
{
    char before[256], after[256];
    for (int i = 0; i < TRIES; i++) {
        if (!read_file(pid, tid, "syscall", before, sizeof before)) {
            fail(l, "not readable", errno);
            return;
        }
        if (!read_place(before, l)) {
            l->syscall = LOOK_UNKNOWN;
            fail(l, "it was running", 0);
            continue;
        }
        if (!copy_stack(pid, stack_low, stack_high, l)) {
            fail(l, "not readable", errno);
            return;
        }
        /* has it stood still meanwhile? */
        if (read_file(pid, tid, "syscall", after, sizeof after) &&
            strcmp(before, after) == 0) {
            l->trouble = NULL;
            return;
        }
        fail(l, "it went on while it was read", 0);
    }
}

/* ---- with a stop --------------------------------------------------------- */

static void take_registers(const struct user_regs_struct *r, struct look *l)
{
    const uint64_t registers[LANE_STACK_REGISTERS] = {
        r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
        r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};
    memcpy(l->registers, registers, sizeof registers);
    l->known = (1u << LANE_STACK_REGISTERS) - 1;
}

/* In the child. What it finds is in shared memory before it lets go. */
static void stop_and_read(int32_t pid, int32_t tid, uint64_t stack_low,
                          uint64_t stack_high, struct look *l)
{
    struct user_regs_struct registers;
    int status = 0, signal = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 ||
        ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0) {
        fail(l, "not to be stopped", errno);
        return;
    }
    if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
        fail(l, "it ended", 0);
        return;
    }
    /* not our stop but a signal on its way: it is handed on */
    if (status >> 16 == 0)
        signal = WSTOPSIG(status);
    if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) == 0) {
        take_registers(&registers, l);
        if (copy_stack(pid, stack_low, stack_high, l)) {
            l->trouble = NULL;
            l->was_stopped = true;
        } else {
            fail(l, "not readable", errno);
        }
    } else {
        fail(l, "not readable", errno);
    }
    (void)ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
}

static void wait_child(pid_t child, struct look *l)
{
    lane_assert(child > 0);
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd ends = {.fd = pidfd, .events = POLLIN};
    int n;
    do
        n = poll(&ends, 1, STOP_MS);
    while (n < 0 && errno == EINTR);
    if (n != 1 || pidfd < 0) {
        (void)kill(child, SIGKILL);
        fail(l, "it did not stop in time", 0);
    }
    if (pidfd >= 0)
        close(pidfd);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* False: as if it had not been tried. */
static bool look_stopped(int32_t pid, int32_t tid, uint64_t stack_low,
                         uint64_t stack_high, struct look *out)
{
    lane_assert(tid > 0 && pid > 0);
    struct look *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l == MAP_FAILED)
        return false;
    *l = (struct look){.trouble = "it did not stop in time",
                       .syscall = LOOK_UNKNOWN};
    pid_t child = fork();
    if (child == 0) {
        stop_and_read(pid, tid, stack_low, stack_high, l);
        _exit(0);
    }
    if (child > 0)
        wait_child(child, l);
    bool good = child > 0 && !l->trouble;
    if (good) {
        memcpy(out->registers, l->registers, sizeof out->registers);
        lane_assert(l->stack_bytes <= sizeof l->bytes);
        memcpy(out->bytes, l->bytes, l->stack_bytes);
        out->known = l->known;
        out->first_address = l->first_address;
        out->stack_bytes = l->stack_bytes;
        out->is_truncated = l->is_truncated;
        out->was_stopped = true;
        out->trouble = NULL;
        out->error = 0;
    }
    (void)memset(l, 0, sizeof *l);
    (void)munmap(l, sizeof *l);
    return good;
}

void look_at(int32_t pid, int32_t tid, uint64_t stack_low, uint64_t stack_high,
             bool may_stop, struct look *out)
{
    lane_assert(pid > 0 && tid > 0 && out != NULL);
    char text[1024];
    memset(out, 0, offsetof(struct look, bytes));
    out->syscall = LOOK_UNKNOWN;
    if (read_file(pid, tid, "stat", text, sizeof text)) {
        const char *end = strrchr(text, ')'); /* the name may hold anything */
        if (end && strlen(end) > STATE_FIELD_SKIP)
            out->state = end[STATE_FIELD_SKIP];
    }
    if (read_file(pid, tid, "wchan", text, sizeof text) &&
        strcmp(text, "0") != 0)
        snprintf(out->kernel, sizeof out->kernel, "%.63s", text);
    /* first what it does undisturbed: a stop may end the system call */
    look_quietly(pid, tid, stack_low, stack_high, out);
    if (may_stop)
        (void)look_stopped(pid, tid, stack_low, stack_high, out);
}

/* ---- system calls -------------------------------------------------------- */

/* Those that a thread waits in. */
static const struct {
    int32_t number;
    bool has_descriptor;
    const char *name;
} calls[] = {
    {SYS_read, 1, "read"},
    {SYS_write, 1, "write"},
    {SYS_readv, 1, "readv"},
    {SYS_writev, 1, "writev"},
    {SYS_pread64, 1, "pread64"},
    {SYS_pwrite64, 1, "pwrite64"},
    {SYS_open, 0, "open"},
    {SYS_openat, 0, "openat"},
    {SYS_close, 1, "close"},
    {SYS_fsync, 1, "fsync"},
    {SYS_fdatasync, 1, "fdatasync"},
    {SYS_flock, 1, "flock"},
    {SYS_fcntl, 1, "fcntl"},
    {SYS_ioctl, 1, "ioctl"},
    {SYS_poll, 0, "poll"},
    {SYS_ppoll, 0, "ppoll"},
    {SYS_select, 0, "select"},
    {SYS_pselect6, 0, "pselect6"},
    {SYS_epoll_wait, 1, "epoll_wait"},
    {SYS_epoll_pwait, 1, "epoll_pwait"},
    {SYS_connect, 1, "connect"},
    {SYS_accept, 1, "accept"},
    {SYS_accept4, 1, "accept4"},
    {SYS_recvfrom, 1, "recvfrom"},
    {SYS_recvmsg, 1, "recvmsg"},
    {SYS_recvmmsg, 1, "recvmmsg"},
    {SYS_sendto, 1, "sendto"},
    {SYS_sendmsg, 1, "sendmsg"},
    {SYS_sendfile, 0, "sendfile"},
    {SYS_splice, 1, "splice"},
    {SYS_futex, 0, "futex"},
    {SYS_nanosleep, 0, "nanosleep"},
    {SYS_clock_nanosleep, 0, "clock_nanosleep"},
    {SYS_pause, 0, "pause"},
    {SYS_rt_sigsuspend, 0, "rt_sigsuspend"},
    {SYS_rt_sigtimedwait, 0, "rt_sigtimedwait"},
    {SYS_restart_syscall, 0, "restart_syscall"},
    {SYS_wait4, 0, "wait4"},
    {SYS_waitid, 0, "waitid"},
    {SYS_msgrcv, 0, "msgrcv"},
    {SYS_msgsnd, 0, "msgsnd"},
    {SYS_semop, 0, "semop"},
    {SYS_semtimedop, 0, "semtimedop"},
    {SYS_io_getevents, 0, "io_getevents"},
    {SYS_io_uring_enter, 1, "io_uring_enter"},
    {SYS_mmap, 0, "mmap"},
    {SYS_munmap, 0, "munmap"},
    {SYS_madvise, 0, "madvise"},
    {SYS_execve, 0, "execve"},
};

const char *look_syscall_name(int32_t number)
{
    lane_assert(number >= LOOK_UNKNOWN);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}

bool look_takes_descriptor(int32_t number)
{
    lane_assert(number >= LOOK_UNKNOWN);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].has_descriptor;
    return false;
}
