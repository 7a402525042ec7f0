// SPDX-License-Identifier: Apache-2.0
/* Where a program goes and what it does to what is there already. */
#include "odd.h"
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/ioctl.h>

extern char **environ;

/* ---- descriptors -----------------------------------------------------------
 */

static int over_all_descriptors(int n)
{
    for (int fd = 3; fd < 1024; fd++)
        dup2(1, fd);
    return work(n) + look("all are taken");
}

static int every_descriptor(char **argv)
{
    (void)argv;
    pthread_t thread;
    void *got;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 1024;
    setrlimit(RLIMIT_NOFILE, &limit);
    int sum = wide(4, over_all_descriptors);
    pthread_create(&thread, NULL, (void *(*)(void *))(void *)work, (void *)4);
    pthread_join(thread, &got);
    int next = open("/dev/null", O_RDONLY), error = errno;
    printf("%d %d %d %d\n", sum, (int)(intptr_t)got, next, error);
    return 0;
}

/* ---- io_uring --------------------------------------------------------------
 */

static int ring_fd;
static char *ring, *submitted;
static struct io_uring_params ring_at;

static unsigned *in_ring(unsigned at)
{
    return (unsigned *)(void *)(ring + at);
}

static int one_request(int n)
{
    struct io_uring_sqe *entry = (void *)submitted;
    static char bytes[5];
    unsigned tail = *in_ring(ring_at.sq_off.tail);
    memset(entry, 0, sizeof(*entry));
    entry->opcode = IORING_OP_WRITE;
    entry->fd = 1;
    entry->addr = (uintptr_t)bytes;
    entry->len = (unsigned)snprintf(bytes, sizeof(bytes), "%d\n", n % 10);
    entry->off = (uint64_t)-1;
    in_ring(ring_at.sq_off.array)[tail & (ring_at.sq_entries - 1)] = 0;
    __atomic_store_n(in_ring(ring_at.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    work(n);
    int got = (int)syscall(SYS_io_uring_enter, ring_fd, 1, 1,
                           IORING_ENTER_GETEVENTS, NULL, 0);
    unsigned head = *in_ring(ring_at.cq_off.head);
    __atomic_store_n(in_ring(ring_at.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return got + work(n);
}

static int uring(char **argv)
{
    (void)argv;
    int sum = 0;
    fflush(stdout);
    ring_fd = (int)syscall(SYS_io_uring_setup, 4, &ring_at);
    if (ring_fd < 0)
        return CANNOT;
    ring = mmap(NULL, ring_at.cq_off.cqes + 4096, PROT_READ | PROT_WRITE,
                MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
    submitted = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
                     IORING_OFF_SQES);
    if (ring == MAP_FAILED || submitted == MAP_FAILED)
        return CANNOT;
    for (int i = 0; i < 20; i++)
        sum += wide(i % 5, one_request);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(5));
    printf("%d %x\n", sum, (unsigned)status_of(pid));
    return 0;
}

/* ---- a supervisor that answers a thread's system calls ----------------------
 */

static int listener = -1;

static void *supervised(void *unused)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    __atomic_store_n(&listener, fd < 0 ? -2 : fd, __ATOMIC_SEQ_CST);
    if (fd < 0)
        return unused;
    long sum = 0;
    for (int i = 0; i < 20; i++)
        sum += work(i) + look("supervised") + syscall(SYS_getppid);
    sum += wide(300, work);
    return (void *)sum;
}

static int notified(char **argv)
{
    (void)argv;
    pthread_t thread;
    void *got;
    static struct seccomp_notif asked;
    static struct seccomp_notif_resp answer;
    int others = 0;
    pthread_create(&thread, NULL, supervised, NULL);
    while ((ring_fd = __atomic_load_n(&listener, __ATOMIC_SEQ_CST)) == -1)
        sched_yield();
    if (ring_fd < 0)
        return CANNOT;
    for (int i = 0; i < 20; i++) {
        memset(&asked, 0, sizeof(asked));
        if (ioctl(ring_fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
            return 5;
        others += asked.data.nr != SYS_getppid;
        answer.id = asked.id;
        answer.val = work(99);
        ioctl(ring_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    pthread_join(thread, &got);
    printf("%ld %d\n", (long)got, others);
    return 0;
}

/* A filter whose answers are errors, for all that is not needed to say so. */
static int all_refused(char **argv)
{
    (void)argv;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_nanosleep, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    int sum = work(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return CANNOT;
    errno = 0;
    sum += works(3000) + wide(3000, work) + look("refused");
    printf("%d %d\n", sum, errno);
    return 0;
}

/* ---- other namespaces -------------------------------------------------------
 */

static int in_namespaces(int n)
{
    static const char *const names[] = {
        "uts", "ipc", "net", "cgroup", "time_for_children", "pid", "mnt"};
    char path[100];
    int got = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", n, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        got += (setns(fd, 0) == 0) << i;
        close(fd);
        got += work(0) - 1;
    }
    return got;
}

static int other_namespaces(char **argv)
{
    (void)argv;
    int ends[2];
    if (geteuid() != 0 || pipe(ends) != 0)
        return CANNOT;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int failed = unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                             CLONE_NEWCGROUP | CLONE_NEWNS | CLONE_NEWPID |
                             0x80 /* CLONE_NEWTIME */);
        pid_t inner = failed ? 0 : fork();
        if (inner == 0) {
            if (!failed)
                pause();
            _exit(1);
        }
        if (write(ends[1], &inner, sizeof(inner)) < 0)
            _exit(2);
        pause();
    }
    pid_t inner = 0;
    if (read(ends[0], &inner, sizeof(inner)) < 0 || inner <= 0)
        return CANNOT;
    int got = in_namespaces(inner);
    fflush(stdout);
    pid_t there = fork();
    if (there == 0)
        _exit(work(getpid() == 1 ? 9 : getpid() > 1 ? 5 : 0));
    printf("%x %x %d\n", (unsigned)got, (unsigned)status_of(there), works(5));
    kill(inner, SIGKILL);
    kill(pid, SIGKILL);
    status_of(pid);
    return 0;
}

/* ---- programs that are not there
 * --------------------------------------------- */

static int exec_fails(int n)
{
    char *const args[] = {"none", NULL};
    int error = 0, *at = &error;
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/nonexistent/program", args, environ);
        *at = errno;
        _exit(work(n) & 3);
    }
    return (status_of(pid) >> 8) + 100 * error;
}

static int vfork_fails(char **argv)
{
    char *const args[] = {argv[0], "child", NULL};
    int sum = 0;
    for (int i = 0; i < 20; i++)
        sum += wide(i % 6, exec_fails);
    pid_t pid = 0;
    errno = 0;
    int got = posix_spawnp(&pid, "no-such-program", NULL, NULL, args, environ);
    printf("%d %d %d\n", sum, got, errno);
    return 0;
}

static int vfork_killed(int n)
{
    pid_t pid = vfork();
    if (pid == 0) {
        work(n);
        kill(getpid(), n % 2 ? SIGKILL : SIGSEGV);
    }
    return status_of(pid) & 0x7f;
}

static int vfork_dies(char **argv)
{
    (void)argv;
    int sum = 0;
    for (int i = 0; i < 20; i++)
        sum += vfork_killed(i) + wide(3, vfork_killed);
    printf("%d\n", sum);
    return 0;
}

/* ---- threads that libc is not told of
 * ----------------------------------------- */

static volatile int waits;

static void *leaves_raw(void *unused)
{
    struct robust_list_head own = {.list = {&own.list}};
    if (waits)
        syscall(SYS_set_robust_list, &own, sizeof(own));
    work(1);
    syscall(SYS_exit, 0);
    return unused;
}

static int leaves_open(int n)
{
    work(n);
    syscall(SYS_exit, 0);
    return n;
}

static void *leaves_below(void *unused)
{
    wide(5, leaves_open);
    return unused;
}

static int raw_thread_exit(char **argv)
{
    (void)argv;
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        waits = i % 2;
        pthread_create(&thread, NULL, i % 3 ? leaves_raw : leaves_below, NULL);
        pthread_join(thread, NULL);
    }
    printf("%d\n", works(10));
    return 0;
}

/* ---- its own pages
 * ------------------------------------------------------------- */

/* The kernel may drop what was read from a file, and what was written over it.
 */
static int text_dropped(char **argv)
{
    (void)argv;
    int sum = works(10);
    void *page = (void *)((uintptr_t)work & ~(uintptr_t)(PAGE - 1));
    int got = madvise(page, PAGE, MADV_DONTNEED);
    sum += works(100) + look("x") + wide(20, work);
    printf("%d %d\n", got, sum + works(10));
    return 0;
}

/* The heap grows up from the program's end: as far as untraced. */
static int heap_grows(char **argv)
{
    (void)argv;
    enum {
        STEP = 16 << 20
    };
    int steps = 0;
    work(1);
    while (steps < 32 && sbrk(STEP) != (void *)-1)
        steps++;
    printf("%d %d\n", steps, works(4));
    return 0;
}

const struct way place_ways[] = {
    {"every-descriptor", every_descriptor},
    {"uring", uring},
    {"notified", notified},
    {"all-refused", all_refused},
    {"other-namespaces", other_namespaces},
    {"vfork-fails", vfork_fails},
    {"vfork-dies", vfork_dies},
    {"raw-thread-exit", raw_thread_exit},
    {"text-dropped", text_dropped},
    {"heap-grows", heap_grows},
    {NULL, NULL},
};
