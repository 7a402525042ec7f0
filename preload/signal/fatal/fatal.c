/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handler of ours stands only where the program has none. It notes signal
 * and address, puts SIG_DFL back and returns: the instruction faults again,
 * with its own siginfo and core. A signal that would not come again by itself
 * is queued once more as it was.
 *
 * Two of them serve our own copies as well (read_pages.h): a fault in one is
 * repaired there and then, as do the entries of the program's own handlers.
 * That ends with the first disposition of the two that no entry of ours stands
 * for, or that is gone once it was used.
 *
 * The program does not see it: sigaction() and signal() are sites of ours, and
 * an old action that is our handler is told as SIG_DFL. A handler of the
 * program replaces it (handled.c), SIG_DFL brings it back. If sigaction()
 * cannot be watched there are no handlers at all. A child of exec gets SIG_DFL,
 * as it would have.
 *
 * The handler begins on whatever stack the program has set up for signals, and
 * puts nothing on it (x86_64/signal_entry.S); where a stack overflow leaves no
 * room, the kernel kills as it does for SIG_DFL. Where the kernel's own frame
 * has no room on it, no handler of ours must be meant to run there: altstack.c.
 */
#include "preload/signal/fatal/fatal.h"
#include "lane/x86_64/machine.h"
#include "preload/signal/fatal/altstack.h"
#include "preload/bind/bind.h"
#include "preload/bind/bind_patched.h"
#include "preload/settings/config.h"
#include "preload/call/error/error.h"
#include "preload/signal/fatal/handled.h"
#include "preload/call/thread/process.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/record/sandbox.h"
#include "preload/signal/signal_stack.h"
#include "preload/call/record/span.h"
#include "preload/signal/trap.h"
#include "shim/checker.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    KERNEL_SIGSET_BYTES = 8,
    TRAP_NO_OPCODE = 6,
    TRAP_PROTECTION = 13,
    RDTSC = 0x310f,
    RDTSC_BYTES = 2,
    WAIT_STEPS = 1000, /* 0.1 s, or little more */
};

/* SIGTRAP belongs to debuggers. */
static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
enum {
    FATAL_COUNT = sizeof(fatal) / sizeof(*fatal)
};

bool fatal_is_one(int signal)
{
    for (int i = 0; i < FATAL_COUNT; i++)
        if (fatal[i] == signal)
            return true;
    return false;
}

/* True if returning from the handler makes the same fault happen again.
 * SI_KERNEL may be a fault of the processor, or the kernel's answer to a
 * handler that it found no room for. */
static bool comes_again(int signal, const siginfo_t *info)
{
    if (info->si_code <= 0 || info->si_code == SI_KERNEL || signal == SIGABRT ||
        signal == SIGSYS)
        return false;
    return !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

/* A fault, not somebody's kill(): that one must not be swallowed. */
static bool is_our_copy(int signal, const siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    return (signal == SIGSEGV || signal == SIGBUS) && info->si_code > 0 &&
           read_fix_fault((uint64_t *)&u->uc_mcontext.gregs[REG_RIP]);
}

bool fatal_is_amid_jump(int signal, greg_t *registers)
{
    uint64_t at = signal == SIGILL && registers[REG_TRAPNO] == TRAP_NO_OPCODE
                      ? bind_patched_after((uint64_t)registers[REG_RIP])
                      : 0;
    if (at != 0)
        registers[REG_RIP] = (greg_t)at;
    return at != 0;
}

bool fatal_counter_forbidden;

static void set_counter(int mode)
{
    machine_syscall(SYS_prctl, PR_SET_TSC, mode, 0, 0, 0, 0);
}

bool fatal_is_counter(int signal, greg_t *registers)
{
    static uint64_t last; /* below a filter the time stands still */
    uint64_t at = (uint64_t)registers[REG_RIP];
    if (signal != SIGSEGV || registers[REG_TRAPNO] != TRAP_PROTECTION ||
        at < runtime.self_low || at >= runtime.self_high ||
        *(const uint16_t *)at != RDTSC)
        return false;
    fatal_counter_forbidden = true;
    if (!sandboxed) {
        set_counter(PR_TSC_ENABLE);
        last = machine_ticks();
        set_counter(PR_TSC_SIGSEGV);
    }
    registers[REG_RAX] = (greg_t)(uint32_t)last;
    registers[REG_RDX] = (greg_t)(last >> 32);
    registers[REG_RIP] += RDTSC_BYTES;
    return true;
}

/* ---- what is to be known of it ------------------------------------------
 * Of more threads that die at the same moment than there are stacks, the rest
 * is known by its open spans. */

struct fatal_work {
    int signal;
    siginfo_t *info;
    const greg_t *registers;
};

/* DWARF's order: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip. */
static const uint8_t dwarf_order[LANE_STACK_REGISTERS] = {
    REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

static uint64_t fault_address(int signal, const siginfo_t *info)
{
    return comes_again(signal, info) ? (uint64_t)info->si_addr : 0;
}

void fatal_registers(const greg_t *from, uint64_t to[LANE_STACK_REGISTERS])
{
    for (int i = 0; i < LANE_STACK_REGISTERS; i++)
        to[i] = (uint64_t)from[dwarf_order[i]];
}

static void note_fatal(void *argument)
{
    lane_assert(span_busy != 0);
    const struct fatal_work *work = argument;
    uint64_t registers[LANE_STACK_REGISTERS];
    uint64_t address = fault_address(work->signal, work->info);
    process_mark_end(LANE_MARKER_SIGNAL, work->signal, address);
    fatal_registers(work->registers, registers);
    const struct error_fault fault = {.registers = registers,
                                      .address = address,
                                      .signal = work->signal,
                                      .code = work->info->si_code};
    error_note_signal(&fault);
}

static bool has_run; /* some thread's work, to its end */

static bool run(void (*fn)(void *argument), void *argument)
{
    if (!signal_stack_run(fn, argument))
        return false;
    /* release; pairs with wait_for_others() */
    __atomic_store_n(&has_run, true, __ATOMIC_RELEASE);
    return true;
}

/* There was no stack for this thread, whose return ends the process: first let
 * one of those that have a stack come to its end, if that takes no time. */
static void wait_for_others(void)
{
    const struct timespec step = {0, 100000};
    /* acquire; pairs with run() */
    for (int i = 0;
         i < WAIT_STEPS && !__atomic_load_n(&has_run, __ATOMIC_ACQUIRE); i++)
        machine_syscall(SYS_nanosleep, (long)&step, 0, 0, 0, 0, 0);
}

HIDDEN void on_fatal(int signal, siginfo_t *info, void *context);

void on_fatal(int signal, siginfo_t *info, void *context)
{
    lane_assert(fatal_is_one(signal));
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (is_our_copy(signal, info, context) ||
        (info->si_code > 0 && (fatal_is_amid_jump(signal, registers) ||
                               fatal_is_counter(signal, registers))))
        return;
    if (fatal_counter_forbidden && !sandboxed)
        set_counter(PR_TSC_ENABLE); /* it ends, its signals are blocked */
    /* the kernel's sigaction: handler, flags, restorer, mask */
    static const uint64_t by_default[4];
    int saved = errno;
    uint32_t pid = (uint32_t)syscall(SYS_getpid);
    span_busy++;
    /* a vfork child must not write its end into its parent's entry */
    if (runtime.map.session && *runtime.alive && pid == runtime.pid) {
        struct fatal_work work = {signal, info, registers};
        if (!run(note_fatal, &work)) {
            process_mark_end(LANE_MARKER_SIGNAL, signal,
                             fault_address(signal, info));
            wait_for_others();
        }
    }
    span_busy--;
    syscall(SYS_rt_sigaction, signal, by_default, NULL, KERNEL_SIGSET_BYTES);
    if (!comes_again(signal, info))
        syscall(SYS_rt_tgsigqueueinfo, pid, syscall(SYS_gettid), signal, info);
    errno = saved;
}

static bool repairs(uint64_t handler, uint64_t flags)
{
    return (handler == (uint64_t)signal_fatal_entry &&
            (flags & (uint32_t)SA_RESETHAND) == 0) ||
           handled_repairs(handler, flags);
}

/* Before it: from now on a fault may go elsewhere. */
static void before_sigaction(void *argument)
{
    struct shim_call *call = argument;
    int signal = (int)call->args.rdi;
    bool is_set = call->args.rsi != 0 && !process_is_guest();
    if (!handled_enter(call, signal_fatal_entry) && is_set &&
        (signal == SIGSEGV || signal == SIGBUS))
        read_pages_enable(NULL);
}

static void enter_sigaction(struct shim_call *call)
{
    trap_enter_sigaction(call);
    /* by a handler on its small stack, too */
    if (fatal_is_one((int)call->args.rdi))
        signal_stack_call(before_sigaction, call);
}

static void leave_sigaction(struct shim_call *call,
                            const struct shim_regs *regs)
{
    trap_leave_sigaction(call, regs);
    handled_leave(call, regs, signal_fatal_entry);
}

/* The kernel's sigaction: handler, flags, restorer, mask. */
struct disposition {
    uint64_t handler, flags, restorer, mask;
};

static bool is_ours(int signal, struct disposition *now)
{
    return machine_syscall(SYS_rt_sigaction, signal, 0, (long)now,
                           KERNEL_SIGSET_BYTES, 0, 0) == 0 &&
           now->handler == (uint64_t)(uintptr_t)signal_fatal_entry;
}

/* Set what is made of ours. Another thread may set the program's own at the
 * same moment: that one is put back. */
static void replace(int signal, struct disposition wanted)
{
    lane_assert(fatal_is_one(signal));
    uint64_t ours = (uint64_t)(uintptr_t)signal_fatal_entry;
    struct disposition was;
    for (uint64_t set = ours;; set = wanted.handler, wanted = was) {
        if (machine_syscall(SYS_rt_sigaction, signal, (long)&wanted, (long)&was,
                            KERNEL_SIGSET_BYTES, 0, 0) != 0 ||
            was.handler == set)
            return;
    }
}

void fatal_retire(void)
{
    struct disposition now;
    read_pages_enable(NULL);
    for (int i = 0; i < FATAL_COUNT; i++)
        if (is_ours(fatal[i], &now))
            replace(fatal[i], (struct disposition){0});
    __atomic_store_n(&signal_may_switch, false, __ATOMIC_RELAXED);
}

void fatal_leave_altstack(void)
{
    lane_assert(altstack_flag() == 0);
    struct disposition now;
    for (int i = 0; i < FATAL_COUNT; i++) {
        if (!is_ours(fatal[i], &now) || (now.flags & SA_ONSTACK) == 0)
            continue;
        now.flags &= ~(uint64_t)SA_ONSTACK;
        handled_toggle_default(fatal[i], SA_ONSTACK);
        replace(fatal[i], now);
    }
    trap_leave_altstack();
}

/* ---- a signal that the thread sends itself, where no frame fits --------- */

void fatal_raised(int signal, uint64_t mask,
                  const uint64_t registers[LANE_STACK_REGISTERS])
{
    lane_assert(signal > 0 && signal <= 64);
    struct disposition now;
    const struct error_fault fault = {
        .registers = registers, .signal = signal, .code = SI_TKILL};
    if ((mask >> (signal - 1) & 1) != 0 || runtime.map.session == NULL ||
        *runtime.alive == 0 || !is_ours(signal, &now))
        return;
    span_busy++;
    process_mark_end(LANE_MARKER_SIGNAL, signal, 0);
    error_note_signal(&fault);
    span_busy--;
    /* release; pairs with wait_for_others() */
    __atomic_store_n(&has_run, true, __ATOMIC_RELEASE);
    replace(signal, (struct disposition){0});
}

/* ---- the start ---------------------------------------------------------- */

void fatal_watch(void)
{
    struct sigaction ours = {.sa_sigaction = signal_fatal_entry};
    uint32_t for_copies = 0;
    if (bind_internal("sigaction", enter_sigaction, leave_sigaction) != 0)
        return;
    altstack_watch();
    ours.sa_flags = SA_SIGINFO | altstack_flag();
    signal_may_switch = !config.is_seccomp && !checker_watches;
    for (int i = 0; i < FATAL_COUNT; i++) {
        struct sigaction now;
        if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
            !(now.sa_flags & SA_SIGINFO) &&
            sigaction(fatal[i], &ours, NULL) == 0)
            for_copies += fatal[i] == SIGSEGV || fatal[i] == SIGBUS;
    }
    if (for_copies == 2 && runtime.map.clock == LANE_CLOCK_TSC)
        read_pages_enable(repairs);
}
