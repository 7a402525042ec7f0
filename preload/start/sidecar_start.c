/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar is a process of its own that nobody in the program may notice:
 *
 *   program -- clone, vfork style --> first -- the same --> sidecar (exec)
 *           <-- waits for `first`, which ends at once
 *
 * Both are cloned with exit signal 0: no SIGCHLD, and wait() without __WALL
 * does not see them. (exec makes a process an ordinary child again, hence two
 * steps: by then its parent is init.) They run on a stack of ours in our
 * memory while the caller stands still, so nothing is copied and no fork
 * handler runs; all they change is their own: session, directory, umask,
 * descriptors, signal dispositions.
 *
 * Not done when the program would get to see the orphan or the attempt:
 * PID 1, a subreaper, under seccomp, below a traced process (it may be a
 * subreaper itself, or PID 1).
 */
#include "preload/start/sidecar_start.h"
#include "lane/format/store_name.h"
#include "lane/format/assert.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ANCESTORS_MAX = 64,
    STACK_BYTES = 64 * 1024,
    ENVIRONMENT_MAX = 4096,
    KERNEL_SIGNALS = 64,
    KERNEL_SIGSET_BYTES = 8,
    OUR_CLONE = CLONE_VM | CLONE_VFORK | CLONE_UNTRACED,
};

/* ---- may we? ---------------------------------------------------------- */

/* A sidecar holds an exclusive lock. Ours is shared, so that two programs
 * that look at the same time do not take each other for one. */
static bool is_locked(const char *name, int flags)
{
    int fd = openat(config.dir_fd, name, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return false;
    bool is = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return is;
}

/* Somebody has the byte of this store. */
static bool is_served(uint64_t key)
{
    struct flock range = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = lane_store_lock_at(key),
                          .l_len = 1};
    int fd = openat(config.dir_fd, "sidecar.lock",
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is = fcntl(fd, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    close(fd);
    return is;
}

/* The sidecar of this run: that of the store which it names, else the one that
 * locks the directory. One of an older version locks the file for itself. */
static bool is_running(void)
{
    const char *store = sidecar_store();
    return is_locked("sidecar.lock", O_NOFOLLOW | O_NONBLOCK) ||
           (store ? is_served(lane_store_key(store))
                  : is_locked(".", O_DIRECTORY));
}

struct ancestor {
    uint64_t pid, start_time;
};

/* Parent and start time of a process; false: gone, or hidden. */
static bool read_ancestor(uint64_t pid, struct ancestor *out, uint64_t *parent)
{
    lane_assert(pid > 1);
    char path_bytes[40], stat[1024];
    struct text path = {path_bytes, 0, sizeof(path_bytes)};
    text_put(&path, "/proc/");
    text_put_number(&path, pid);
    text_put(&path, "/stat");
    if (config_read_file(path_bytes, stat, sizeof(stat)) <= 0)
        return false;
    const char *at = strrchr(stat, ')');
    for (unsigned field = 3; at && field <= 22; field++) {
        at = strchr(at + 1, ' ');
        const char *digits = at ? at + 1 : "";
        if (field == 4 && !text_read_number(&digits, parent))
            return false;
        if (field == 22 && text_read_number(&digits, &out->start_time)) {
            out->pid = pid;
            return true;
        }
    }
    return false;
}

/* "session-PID-STARTTIME-..." */
static bool is_session_of(const char *name, const struct ancestor *ancestors,
                          unsigned count)
{
    lane_assert(count <= ANCESTORS_MAX);
    uint64_t pid, start_time;
    if (strncmp(name, "session-", 8) != 0)
        return false;
    name += 8;
    if (!text_read_number(&name, &pid) || *name++ != '-' ||
        !text_read_number(&name, &start_time))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (ancestors[i].pid == pid && ancestors[i].start_time == start_time)
            return true;
    }
    return false;
}

struct entry { /* struct linux_dirent64 */
    uint64_t inode, offset;
    uint16_t len;
    uint8_t type;
    char name[];
};

static bool has_session_of(const struct ancestor *ancestors, unsigned count)
{
    _Alignas(8) char buf[8192];
    bool found = false;
    long n;
    int fd = openat(config.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (!found && (n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < n && !found;) {
            const struct entry *entry = (const void *)(buf + at);
            lane_assert(entry->len != 0);
            found = is_session_of(entry->name, ancestors, count);
            at += entry->len;
        }
    }
    close(fd);
    return found;
}

/* An environment variable would tell it sooner, but the environment is the
 * program's. */
static bool is_below_traced(void)
{
    struct ancestor ancestors[ANCESTORS_MAX];
    unsigned count = 0;
    uint64_t pid = config.parent_pid;
    while (pid > 1 && count < ANCESTORS_MAX) {
        uint64_t parent = 0;
        if (!read_ancestor(pid, &ancestors[count], &parent))
            break;
        count++;
        pid = parent;
    }
    return count > 0 && has_session_of(ancestors, count);
}

/* What lies in this process alone. */
static const char *why_never(void)
{
    int is_subreaper = 0;
    if (getpid() == 1)
        return "this is process 1";
    if (config.is_seccomp)
        return "a seccomp filter holds here";
    if (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper, 0, 0, 0) != 0 ||
        is_subreaper)
        return "this process is a subreaper";
    return NULL;
}

static const char *why_not(void)
{
    const char *why = why_never();
    if (why)
        return why;
    if (is_below_traced())
        return "a traced process is above this one";
    return NULL;
}

/* ---- what to start ---------------------------------------------------- */

struct start {
    char program[PATH_MAX];
    const char *argv[9];
    char *env[ENVIRONMENT_MAX];
    uint8_t *stack; /* of both steps, half each */
    sigset_t mask;
};

static bool is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* Installed (lib/handspan/libhandspan.so, bin/handspan), or as built. */
static bool find_program(struct start *start)
{
    static const char *const beside[] = {"handspan", "../bin/handspan",
                                         "../../bin/handspan"};
    struct text path = {start->program, 0, sizeof(start->program)};
    const char *told = config_get("HANDSPAN_SIDECAR");
    if (told) {
        text_put(&path, told);
        if (*told == '/' && is_executable(start->program))
            return true;
        note_lines("sidecar",
                   "HANDSPAN_SIDECAR is off, or the absolute path "
                   "of a program, not",
                   told, NULL);
        return false;
    }
    size_t dir = (size_t)(text_basename(config.self) - config.self);
    for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
        path.len = 0;
        text_put_bytes(&path, config.self, dir);
        text_put(&path, beside[i]);
        if (*config.self == '/' && text_fits(&path) &&
            is_executable(start->program) && config_is_our_file(start->program))
            return true;
    }
    return false;
}

static bool is_off(void)
{
    const char *told = config_get("HANDSPAN_SIDECAR");
    return told && strcmp(told, "off") == 0;
}

/* Its directory is not ours: the path from the root on. */
static const char *store_path(void)
{
    static char whole[PATH_MAX];
    const char *store = config_get("HANDSPAN_STORE");
    struct text path = {whole, 0, sizeof(whole)};
    if (!store || !*store)
        return NULL;
    if (*store != '/' && getcwd(whole, sizeof(whole))) {
        path.len = strlen(whole);
        text_put(&path, "/");
    }
    text_put(&path, store);
    return text_fits(&path) ? whole : NULL;
}

const char *sidecar_store(void)
{
    static const char *store;
    static bool is_known;
    if (!is_known)
        store = is_off() || why_never() ? NULL : store_path();
    is_known = true;
    return store;
}

static void make_arguments(struct start *start)
{
    unsigned n = 0;
    const char *store = store_path();
    start->argv[n++] = start->program;
    start->argv[n++] = "sidecar";
    start->argv[n++] = "--auto";
    start->argv[n++] = "--dir";
    start->argv[n++] = config.dir;
    if (store) {
        start->argv[n++] = "--store";
        start->argv[n++] = store;
    }
    lane_assert(n < sizeof start->argv / sizeof *start->argv);
    start->argv[n] = NULL;
}

static void make_environment(struct start *start)
{
    static const char *const dropped[] = {
        "LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH=", "HANDSPAN_STORE="};
    size_t n = 0;
    for (char **entry = config.env; *entry && n + 1 < ENVIRONMENT_MAX;
         entry++) {
        bool keep = true;
        for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
            keep &= strncmp(*entry, dropped[i], strlen(dropped[i])) != 0;
        if (keep)
            start->env[n++] = *entry;
    }
    lane_assert(n < ENVIRONMENT_MAX);
    start->env[n] = NULL;
}

/* ---- the two processes ------------------------------------------------ */

/* What a daemon must not inherit. Raw syscalls where libc would keep state of
 * its own: this memory is the program's. */
static void become_daemon(void)
{
    static const struct {
        uint64_t handler, flags, restorer, mask;
    } by_default;
    static const int limits[] = {RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS,
                                 RLIMIT_NOFILE, RLIMIT_DATA};
    for (int i = 1; i <= KERNEL_SIGNALS; i++)
        syscall(SYS_rt_sigaction, i, &by_default, NULL, KERNEL_SIGSET_BYTES);
    syscall(SYS_setsid);
    if (syscall(SYS_chdir, "/") != 0)
        syscall(SYS_exit_group, 126);
    syscall(SYS_umask, 077);
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        struct rlimit limit;
        if (syscall(SYS_prlimit64, 0, limits[i], NULL, &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            syscall(SYS_prlimit64, 0, limits[i], &limit, NULL);
        }
    }
    if (syscall(SYS_close_range, 0u, ~0u, 0) != 0) {
        for (int fd = 0; fd < 1024; fd++)
            syscall(SYS_close, fd);
    }
    long null = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    for (int fd = 0; null == 0 && fd < 2; fd++)
        syscall(SYS_dup, 0);
}

static int run_sidecar(void *context)
{
    struct start *start = context;
    static const uint64_t nothing_blocked;
    become_daemon();
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &nothing_blocked, NULL,
            KERNEL_SIGSET_BYTES);
    syscall(SYS_execve, start->program, start->argv, start->env);
    syscall(SYS_exit_group, 127);
    return 127;
}

static int run_first(void *context)
{
    struct start *start = context;
    int pid =
        clone(run_sidecar, start->stack + STACK_BYTES / 2, OUR_CLONE, start);
    syscall(SYS_exit_group, pid > 0 ? 0 : 1);
    return 1;
}

/* All signals wait meanwhile: a handler of the program must not run in a
 * child that shares its memory. */
static bool run(struct start *start)
{
    lane_assert(start->program[0] == '/' && start->stack != NULL);
    uint64_t all = ~UINT64_C(0), before;
    int status = 1;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before,
            KERNEL_SIGSET_BYTES);
    int pid = clone(run_first, start->stack + STACK_BYTES, OUR_CLONE, start);
    if (pid > 0) {
        /* where SIGCHLD is ignored nothing is left to wait for */
        while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
            ;
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL,
            KERNEL_SIGSET_BYTES);
    return pid > 0;
}

/* There is a sidecar, or will be: until it says what is so, whoever finds no
 * room sleeps for a moment. */
static void promise(void)
{
    uint32_t nobody = 0;
    /* relaxed: the word is all there is */
    (void)__atomic_compare_exchange_n(&runtime.map.session->spool, &nobody,
                                      LANE_SPOOL_SOON, false, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED);
}

void sidecar_start(void)
{
    if (is_off())
        return;
    if (is_running()) {
        promise();
        return;
    }
    const char *why = why_not();
    if (why) {
        note_lines("sidecar", "not started:", why, NULL);
        return;
    }
    size_t len = sizeof(struct start) + STACK_BYTES;
    uint8_t *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    struct start *start = (struct start *)(at + STACK_BYTES);
    start->stack = at;
    make_arguments(start);
    make_environment(start);
    bool is_found = find_program(start);
    if (is_found)
        promise();
    if (!is_found)
        note_line("sidecar", "not started: no `handspan` beside the preload; "
                             "HANDSPAN_SIDECAR may name it");
    else if (!run(start))
        note_line("sidecar", "not started: no process could be made");
    munmap(at, len);
}
