/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler of SIGTRAP and what must hold before it is needed.
 *
 * A thread that blocks SIGTRAP dies of a trap, so no thread may while text is
 * being patched; afterwards only who stood in the patched bytes can meet one,
 * and that thread did not block it. A debugger would be told of our traps and
 * cannot put them back: none may be attached.
 *
 * The program's own handler is called for all that is not ours. Flags and mask
 * that it asks for go to the kernel as they are, but SA_RESETHAND, which would
 * take ours away: that one is done here.
 */
#include "preload/signal/trap.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "lane/x86_64/machine.h"
#include "preload/signal/signal_stack.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/sandbox.h"
#include "preload/settings/text.h"
#include "shim/live.h"
#include "lane/format/assert.h"

enum {
    TRAP_BIT = SIGTRAP - 1,
    LIBC_BIT = 32 - 1, /* SIGCANCEL, SIGSETXID */
    STATUS_BYTES = 4096,
    MASK_BYTES = 8,
    STEP_NS = 200000,
    STEPS_MAX = 100,
    MOMENT_STEPS = 2500, /* half a second: of a loaded machine */
};

/* What the program believes to be the disposition. */
static struct {
    uint64_t handler;
    int flags;
    sigset_t mask;
} program;
static bool is_installed;
static uint32_t ready_pid; /* process whose cores may be synchronised */
static __thread struct sigaction handed;   /* to the kernel */
static __thread struct sigaction intended; /* by the program */

/* ---- the handler -------------------------------------------------------- */

static void die_by_default(const siginfo_t *info)
{
    /* the kernel's sigaction: handler, flags, restorer, mask */
    static const uint64_t by_default[4];
    long pid = machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    long tid = machine_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
    machine_syscall(SYS_rt_sigaction, SIGTRAP, (long)by_default, 0, MASK_BYTES,
                    0, 0);
    machine_syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGTRAP, (long)info, 0, 0);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    uint64_t pc = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    uint64_t target = info->si_code == SI_KERNEL ? shim_live_target(pc - 1) : 0;
    if (target != 0) {
        u->uc_mcontext.gregs[REG_RIP] = (greg_t)target;
        return;
    }
    uint64_t handler = program.handler;
    if (handler == (uint64_t)SIG_IGN && info->si_code <= 0)
        return;
    if (handler == (uint64_t)SIG_DFL || handler == (uint64_t)SIG_IGN) {
        die_by_default(info);
        return;
    }
    if (program.flags & (int)SA_RESETHAND)
        program.handler = (uint64_t)SIG_DFL;
    ((void (*)(int, siginfo_t *, void *))handler)(signal, info, context);
}

/* ---- what the program sees ---------------------------------------------- */

void trap_enter_sigaction(struct shim_call *call)
{
    if (!is_installed || (int)call->args.rdi != SIGTRAP || call->args.rsi == 0)
        return;
    read_copy(&intended, (const void *)call->args.rsi, sizeof(intended));
    read_copy(&handed, &intended, sizeof(handed));
    uint64_t handler = (uint64_t)intended.sa_sigaction;
    if (handler == (uint64_t)SIG_DFL || handler == (uint64_t)SIG_IGN)
        handed.sa_flags = altstack_flag();
    handed.sa_flags &= ~(int)SA_RESETHAND;
    handed.sa_flags |= SA_SIGINFO;
    handed.sa_sigaction = on_trap;
    call->args.rsi = (uint64_t)&handed;
}

void trap_leave_sigaction(struct shim_call *call, const struct shim_regs *regs)
{
    struct sigaction *old = (struct sigaction *)call->args.rdx;
    if (!is_installed || (int)call->args.rdi != SIGTRAP ||
        (uint32_t)regs->rax != 0)
        return;
    if (old && old->sa_sigaction == on_trap) {
        old->sa_sigaction = (void (*)(int, siginfo_t *, void *))program.handler;
        old->sa_flags = program.flags;
        read_copy(&old->sa_mask, &program.mask, sizeof(program.mask));
    }
    if (call->args.rsi == (uint64_t)&handed) {
        program.handler = (uint64_t)intended.sa_sigaction;
        program.flags = intended.sa_flags;
        read_copy(&program.mask, &intended.sa_mask, sizeof(program.mask));
    }
}

static const char *install(void)
{
    struct sigaction ours = {.sa_flags = SA_SIGINFO | altstack_flag()}, now;
    if (is_installed)
        return NULL;
    if (sigaction(SIGTRAP, NULL, &now) != 0)
        return "SIGTRAP is not to be had";
    if (now.sa_handler == SIG_IGN)
        return "the program ignores SIGTRAP, which it would not survive";
    if (now.sa_handler != SIG_DFL) {
        ours.sa_mask = now.sa_mask;
        ours.sa_flags = (now.sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
    } else {
        sigfillset(&ours.sa_mask);
    }
    program.handler = (uint64_t)now.sa_sigaction;
    program.flags = now.sa_flags;
    program.mask = now.sa_mask;
    ours.sa_sigaction = on_trap;
    if (sigaction(SIGTRAP, &ours, NULL) != 0)
        return "SIGTRAP is not to be had";
    is_installed = true;
    return NULL;
}

void trap_leave_altstack(void)
{
    uint64_t now[4]; /* the kernel's sigaction: handler, flags, ... */
    bool is_default = program.handler == (uint64_t)SIG_DFL ||
                      program.handler == (uint64_t)SIG_IGN;
    /* where it has a handler, the stack is what it asked for */
    if (!is_installed || !is_default ||
        machine_syscall(SYS_rt_sigaction, SIGTRAP, 0, (long)now, MASK_BYTES, 0,
                        0) != 0 ||
        now[0] != (uint64_t)on_trap)
        return;
    now[1] &= ~(uint64_t)SA_ONSTACK;
    machine_syscall(SYS_rt_sigaction, SIGTRAP, (long)now, 0, MASK_BYTES, 0, 0);
}

/* ---- what must hold ----------------------------------------------------- */

/* A word of /proc/.../status. */
static bool read_status(const char *path, const char *key, unsigned base,
                        uint64_t *value)
{
    lane_assert(base == 10 || base == 16);
    char bytes[STATUS_BYTES];
    long fd = machine_syscall(SYS_openat, AT_FDCWD, (long)path,
                              O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return false;
    long n =
        machine_syscall(SYS_read, fd, (long)bytes, sizeof(bytes) - 1, 0, 0, 0);
    machine_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    bytes[n > 0 ? n : 0] = '\0';
    const char *at = strstr(bytes, key);
    if (!at)
        return false;
    *value = 0;
    for (at += strlen(key); *at == ' ' || *at == '\t'; at++)
        ;
    for (;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : base;
        if (digit >= base)
            return true;
        *value = *value * base + digit;
    }
}

uint32_t trap_thread_count(void)
{
    struct stat st;
    if (sandboxed || stat("/proc/self/task", &st) != 0 || st.st_nlink < 3)
        return 0;
    return (uint32_t)st.st_nlink - 2;
}

enum traps { /* of a thread; the worst one last */
    TRAPS_OPEN,
    TRAPS_MOMENT, /* blocked by libc, while it makes or ends a thread */
    TRAPS_BLOCKED,
    TRAPS_UNKNOWN,
};

/* Only libc itself blocks its own two signals as well. */
static enum traps traps_of_mask(uint64_t mask)
{
    const uint64_t own = UINT64_C(3) << LIBC_BIT;
    return !(mask >> TRAP_BIT & 1) ? TRAPS_OPEN
           : (mask & own) == own   ? TRAPS_MOMENT
                                   : TRAPS_BLOCKED;
}

static enum traps traps_of(const char *tid)
{
    char path[64];
    struct text text = {path, 0, sizeof(path)};
    uint64_t mask;
    text_put(&text, "/proc/self/task/");
    text_put(&text, tid);
    text_put(&text, "/status");
    if (read_status(path, "\nSigBlk:", 16, &mask))
        return traps_of_mask(mask);
    return machine_syscall(SYS_faccessat, AT_FDCWD, (long)path, 0, 0, 0, 0) ==
                   -ENOENT
               ? TRAPS_OPEN /* it is gone */
               : TRAPS_UNKNOWN;
}

struct entry { /* linux_dirent64 */
    uint64_t inode, offset;
    uint16_t len_bytes;
    uint8_t type;
    char name[];
};

static enum traps look_at_threads(uint64_t own_mask)
{
    static char bytes[4096] __attribute__((aligned(8)));
    char self[24];
    struct text text = {self, 0, sizeof(self)};
    enum traps worst = own_mask >> TRAP_BIT & 1 ? TRAPS_BLOCKED : TRAPS_OPEN;
    text_put_number(&text,
                    (uint64_t)machine_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0));
    long fd = machine_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/task",
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return TRAPS_UNKNOWN;
    long n;
    while (worst < TRAPS_BLOCKED &&
           (n = machine_syscall(SYS_getdents64, fd, (long)bytes, sizeof(bytes),
                                0, 0, 0)) > 0) {
        for (long at = 0; at < n && worst < TRAPS_BLOCKED;) {
            const struct entry *entry = (void *)(bytes + at);
            lane_assert(entry->len_bytes != 0);
            at += entry->len_bytes;
            if (entry->name[0] == '.' || strcmp(entry->name, self) == 0)
                continue;
            enum traps traps = traps_of(entry->name);
            worst = traps > worst ? traps : worst;
        }
    }
    machine_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return worst;
}

/* libc blocks all signals for a moment when it makes a thread, and in a new
 * thread until it runs: worth some patience, once. */
static const char *wait_for_threads(uint64_t own_mask)
{
    static bool is_hopeless;
    struct timespec step = {0, STEP_NS};
    enum traps traps = look_at_threads(own_mask);
    for (int i = 0;
         traps != TRAPS_OPEN && i < (is_hopeless             ? 2
                                     : traps == TRAPS_MOMENT ? MOMENT_STEPS
                                                             : STEPS_MAX);
         i++) {
        machine_syscall(SYS_nanosleep, (long)&step, 0, 0, 0, 0, 0);
        traps = look_at_threads(own_mask);
    }
    is_hopeless = traps != TRAPS_OPEN;
    return traps == TRAPS_OPEN ? NULL
           : traps == TRAPS_UNKNOWN
               ? "/proc does not tell what other threads do"
               : "a thread blocks SIGTRAP";
}

const char *trap_prepare(uint64_t mask)
{
    uint64_t tracer;
    if (sandboxed)
        return "the process has locked itself in (seccomp)";
    if (!read_status("/proc/self/status", "\nTracerPid:", 10, &tracer))
        return "/proc does not tell what other threads do";
    if (tracer != 0)
        return "a debugger or strace is attached";
    if (ready_pid != runtime.pid && shim_live_start() != 0)
        return "the kernel refuses membarrier";
    ready_pid = runtime.pid;
    const char *why = wait_for_threads(mask);
    return why ? why : install();
}
