/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See handled.h. Each handler of the program gets an entry of ours
 * (x86_64/signal_entry.S), for good: which one the kernel calls says which one
 * of the program's is meant, so that there is no moment in which the two could
 * disagree. Where the entries are used up the kernel gets the program's own
 * address, and no stack is noted.
 *
 * A program may live on such signals, many of them a second (a JIT compiler, a
 * garbage collector's write barrier). What is noted is bounded by the place of
 * the fault and in all; beyond that an entry costs some tens of nanoseconds.
 */
#include "preload/signal/fatal/handled.h"
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include "lane/x86_64/machine.h"
#include "preload/signal/fatal/altstack.h"
#include "preload/call/error/error.h"
#include "preload/signal/fatal/fatal.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/record/sandbox.h"
#include "preload/signal/signal_stack.h"
#include "preload/call/record/span.h"
#include "lane/format/assert.h"

enum {
    SLOTS = 32, /* x86_64/signal_entry.S: ENTRIES */
    ENTRY_BYTES = 16,
    NESTED = 2, /* sigaction() in a signal handler during sigaction() */
    TRAP_PAGE_FAULT = 14,
    FAULT_PROTECTED = 1,
    KERNEL_SIGSET = 8,
    CODE_64 = 0x33,
};

extern HIDDEN uint8_t handled_entries[SLOTS * ENTRY_BYTES];
HIDDEN uint64_t handled_note(int signal, const siginfo_t *info,
                             ucontext_t *context, uint64_t frame,
                             uint64_t number);

/* Written once. `flags`: those of SA_SIGINFO and SA_RESETHAND. */
static struct slot {
    uint64_t handler; /* 0: free, 1: being written */
    uint64_t flags;
} slots[SLOTS];
static void (*stands_for_default)(int, siginfo_t *, void *);

/* What stands for SIG_DFL has other flags than the program gave: those are the
 * difference. Of one that it never set there is nothing to tell. */
static struct {
    bool is_set;
    int changed;
} defaults[SIGSYS + 1];

static __thread struct sigaction handed[NESTED];
static __thread uint32_t handed_count;
static __thread int handed_changed[NESTED];

/* ---- entries ------------------------------------------------------------ */

/* Entry for a handler; 0: there is none left. */
static uint64_t entry_of(uint64_t handler, uint64_t flags)
{
    lane_assert(handler > 1 &&
                (flags & ~(uint64_t)(SA_SIGINFO | SA_RESETHAND)) == 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        uint64_t is = 0;
        /* acquire; pairs with the release below */
        if (__atomic_compare_exchange_n(&slot->handler, &is, 1, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            slot->flags = flags;
            /* release; pairs with the acquire here and in handled_note() */
            __atomic_store_n(&slot->handler, handler, __ATOMIC_RELEASE);
        } else if (is != handler || slot->flags != flags) {
            continue;
        }
        return (uint64_t)handled_entries + i * ENTRY_BYTES;
    }
    return 0;
}

/* The handler behind an entry; 0: it is none. */
static uint64_t handler_of(uint64_t entry)
{
    uint64_t at = entry - (uint64_t)handled_entries;
    if (at >= sizeof(handled_entries) || at % ENTRY_BYTES != 0)
        return 0;
    /* acquire; pairs with entry_of() */
    return __atomic_load_n(&slots[at / ENTRY_BYTES].handler, __ATOMIC_ACQUIRE);
}

/* ---- sigaction() -------------------------------------------------------- */

/* On a stack of ours a fault of the copy is not repaired: the kernel copies. */
static bool read_action(struct sigaction *to, uint64_t from)
{
    struct reader reader;
    if (!read_is_forbidden())
        return read_by_kernel(process_self(), to, from, sizeof(*to)) ==
               sizeof(*to);
    reader_start(&reader, process_self(), 0, 0);
    return read_bytes(&reader, to, from, sizeof(*to)) == sizeof(*to);
}

static int flags_for_default(int flags)
{
    return (flags & ~SA_ONSTACK) | SA_SIGINFO | altstack_flag();
}

void handled_toggle_default(int signal, int flags)
{
    lane_assert(fatal_is_one(signal));
    defaults[signal].changed ^= flags;
}

bool handled_repairs(uint64_t entry, uint64_t flags)
{
    return handler_of(entry) > 1 && (flags & (uint32_t)SA_RESETHAND) == 0;
}

bool handled_enter(struct shim_call *call,
                   void (*by_default)(int, siginfo_t *, void *))
{
    struct sigaction *ours = &handed[handed_count % NESTED];
    if (call->args.rsi == 0 || sandboxed || handed_count >= NESTED ||
        process_is_guest() || !read_action(ours, call->args.rsi))
        return false;
    if (ours->sa_handler == SIG_IGN ||
        handler_of((uint64_t)ours->sa_sigaction) != 0)
        return false;
    stands_for_default = by_default;
    if (ours->sa_handler == SIG_DFL) {
        int flags = flags_for_default(ours->sa_flags);
        handed_changed[handed_count] = flags ^ ours->sa_flags;
        ours->sa_sigaction = by_default;
        ours->sa_flags = flags;
    } else {
        uint64_t entry = entry_of((uint64_t)ours->sa_sigaction,
                                  (uint64_t)(uint32_t)ours->sa_flags &
                                      (SA_SIGINFO | SA_RESETHAND));
        if (entry == 0)
            return false;
        ours->sa_sigaction = (void (*)(int, siginfo_t *, void *))entry;
    }
    lane_assert(handed_count < NESTED);
    handed_count++;
    call->args.rsi = (uint64_t)ours;
    return (ours->sa_flags & (int)SA_RESETHAND) == 0;
}

static void tell_default(int signal, struct sigaction *old)
{
    lane_assert(fatal_is_one(signal));
    uint64_t *mask = (uint64_t *)&old->sa_mask;
    old->sa_handler = SIG_DFL;
    if (defaults[signal].is_set) {
        old->sa_flags ^= defaults[signal].changed;
        return;
    }
    old->sa_flags = 0;
    old->sa_restorer = NULL;
    for (size_t i = 0; i < sizeof(old->sa_mask) / sizeof(*mask); i++)
        mask[i] = 0;
}

static void tell(int signal, struct sigaction *old,
                 void (*by_default)(int, siginfo_t *, void *))
{
    uint64_t handler = handler_of((uint64_t)old->sa_sigaction);
    if (handler != 0)
        old->sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
    else if (old->sa_sigaction == by_default)
        tell_default(signal, old);
}

void handled_leave(struct shim_call *call, const struct shim_regs *regs,
                   void (*by_default)(int, siginfo_t *, void *))
{
    struct sigaction *old = (struct sigaction *)call->args.rdx;
    const struct sigaction *ours = (const struct sigaction *)call->args.rsi;
    int signal = (int)call->args.rdi;
    bool is_ours = ours >= handed && ours < handed + NESTED;
    bool is_done = (uint32_t)regs->rax == 0;
    if (is_done && fatal_is_one(signal) && old != NULL)
        tell(signal, old, by_default);
    if (!is_ours)
        return;
    handed_count = (uint32_t)(ours - handed);
    if (is_done && ours->sa_sigaction == by_default) {
        defaults[signal].changed = handed_changed[handed_count];
        defaults[signal].is_set = true;
    }
}

/* ---- the signal --------------------------------------------------------- */

struct work {
    int signal;
    bool has_info;
    const siginfo_t *info;
    const ucontext_t *context;
    uint64_t frame;
};

/* Without SA_SIGINFO the kernel writes no siginfo: what the processor said of
 * its last fault is left, which is this one unless somebody sent the signal. */
static void guess_info(const greg_t *registers, struct error_fault *fault)
{
    fault->code = SI_KERNEL;
    if (fault->signal != SIGSEGV || registers[REG_TRAPNO] != TRAP_PAGE_FAULT)
        return;
    fault->address = (uint64_t)registers[REG_CR2];
    fault->code =
        registers[REG_ERR] & FAULT_PROTECTED ? SEGV_ACCERR : SEGV_MAPERR;
}

static void note(void *argument)
{
    lane_assert(span_busy != 0 && !sandboxed);
    const struct work *work = argument;
    const greg_t *registers = work->context->uc_mcontext.gregs;
    uint64_t dwarf[LANE_STACK_REGISTERS];
    struct error_fault fault = {.registers = dwarf, .signal = work->signal};
    fatal_registers(registers, dwarf);
    if (!work->has_info) {
        guess_info(registers, &fault);
    } else {
        fault.code = work->info->si_code;
        if (fault.code > 0 && fault.signal != SIGABRT && fault.signal != SIGSYS)
            fault.address = (uint64_t)work->info->si_addr;
    }
    const struct error_handler_frame frame = {
        .address = {work->frame, (uint64_t)&registers[REG_RSP],
                    (uint64_t)&registers[REG_R15]}};
    error_note_handled(&fault, &frame);
}

/* SA_RESETHAND: the kernel has put SIG_DFL there. */
static void stand_for_default(int signal)
{
    lane_assert(fatal_is_one(signal));
    /* the kernel's sigaction: handler, flags, restorer, mask */
    uint64_t now[4];
    if (stands_for_default == NULL ||
        machine_syscall(SYS_rt_sigaction, signal, 0, (long)now, KERNEL_SIGSET,
                        0, 0) != 0 ||
        now[0] != (uint64_t)SIG_DFL)
        return;
    int told = (int)now[1], flags = flags_for_default(told);
    defaults[signal].changed = flags ^ told;
    defaults[signal].is_set = true;
    now[0] = (uint64_t)stands_for_default;
    now[1] = (now[1] & ~UINT64_C(0xffffffff)) | (uint32_t)flags;
    machine_syscall(SYS_rt_sigaction, signal, (long)now, 0, KERNEL_SIGSET, 0,
                    0);
}

/* A fault, not somebody's kill(), as far as that is told. */
static bool is_our_copy(int signal, const siginfo_t *info, ucontext_t *context,
                        uint64_t flags)
{
    greg_t *registers = context->uc_mcontext.gregs;
    return (signal == SIGSEGV || signal == SIGBUS) &&
           registers[REG_TRAPNO] == TRAP_PAGE_FAULT &&
           ((flags & SA_SIGINFO) == 0 || info->si_code > 0) &&
           read_fix_fault((uint64_t *)&registers[REG_RIP]);
}

/* SA_RESETHAND: the kernel has forgotten the handler that is yet to be called.
 */
static void set_again(int signal, uint64_t number)
{
    uint64_t now[4];
    if (machine_syscall(SYS_rt_sigaction, signal, 0, (long)now, KERNEL_SIGSET,
                        0, 0) != 0 ||
        now[0] != (uint64_t)SIG_DFL)
        return;
    now[0] = (uint64_t)handled_entries + number * ENTRY_BYTES;
    machine_syscall(SYS_rt_sigaction, signal, (long)now, 0, KERNEL_SIGSET, 0,
                    0);
}

/* Somebody sent it while the thread stood on a stack of ours (a fault of our
 * own is the other possibility, and ends the process): once more, and blocked
 * until the thread is back on its own. */
static void put_off(int signal, const siginfo_t *info, ucontext_t *context,
                    uint64_t number)
{
    siginfo_t again = {.si_signo = signal, .si_code = SI_TKILL};
    long pid = machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    long tid = machine_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
    if (slots[number].flags & SA_RESETHAND)
        set_again(signal, number);
    *(uint64_t *)&context->uc_sigmask |= UINT64_C(1) << (signal - 1);
    machine_syscall(SYS_rt_tgsigqueueinfo, pid, tid, signal,
                    (long)(slots[number].flags & SA_SIGINFO ? info : &again), 0,
                    0);
}

uint64_t handled_note(int signal, const siginfo_t *info, ucontext_t *context,
                      uint64_t frame, uint64_t number)
{
    lane_assert(number < SLOTS && slots[number].handler > 1);
    const struct slot *slot = &slots[number];
    const greg_t *registers = context->uc_mcontext.gregs;
    if (is_our_copy(signal, info, context, slot->flags) ||
        fatal_is_amid_jump(signal, context->uc_mcontext.gregs) ||
        fatal_is_counter(signal, context->uc_mcontext.gregs))
        return 0;
    if (shim_stacks_have((uint64_t)registers[REG_RSP])) {
        put_off(signal, info, context, number);
        return 0;
    }
    /* 32-bit code may have fs elsewhere: no thread-local variable, then */
    if ((registers[REG_CSGSFS] & 0xffff) != CODE_64)
        return slot->handler;
    /* it may run with the signal blocked, where a fault of our copies kills */
    read_pages_drop();
    bool is_last = (slot->flags & SA_RESETHAND) != 0;
    bool is_wanted = !sandboxed && !fatal_counter_forbidden &&
                     error_wants_handled((uint64_t)registers[REG_RIP],
                                         (uint64_t)registers[REG_RSP]);
    if (sandboxed || !(is_last || is_wanted) || process_is_guest())
        return slot->handler;
    if (is_last)
        stand_for_default(signal);
    if (!is_wanted)
        return slot->handler;
    struct work work = {signal, (slot->flags & SA_SIGINFO) != 0, info, context,
                        frame};
    /* another signal's handler may jump out of here, and never come back */
    const uint64_t all = UINT64_MAX;
    uint64_t mask;
    if (machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all,
                        (long)&mask, KERNEL_SIGSET, 0, 0) != 0)
        return slot->handler;
    span_busy++;
    (void)signal_stack_run(note, &work);
    span_busy--;
    machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0,
                    KERNEL_SIGSET, 0, 0);
    return slot->handler;
}
