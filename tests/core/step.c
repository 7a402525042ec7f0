// SPDX-License-Identifier: Apache-2.0
/*
 * Is the unwind information exact? Traced calls are single-stepped; at every
 * instruction libgcc (through the signal frame) and libunwind must find the
 * way from there to main(), with its frame right: the way goes on to main()'s
 * caller.
 */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY
#include "shim/shim.h"
#include "tests/core/harness.h"

#include <libunwind.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unwind.h>

enum {
    TRAP_FLAG = 0x100,
    FRAMES_MAX = 40,
    BAD_MAX = 16,
};

static volatile sig_atomic_t is_on;
static long steps, bad_libgcc, bad_libunwind;
static uintptr_t bad_pc[BAD_MAX];
static uintptr_t main_low, main_high;
int main(int argc, char **argv);

static uintptr_t above_main; /* where main() returns to */

struct walk {
    int frames;
    bool is_in_main;
    bool is_found;
};

static bool is_main(uintptr_t pc)
{
    return pc >= main_low && pc < main_high;
}

static _Unwind_Reason_Code see_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    uintptr_t pc = _Unwind_GetIP(context);
    if (walk->is_in_main && above_main == 0)
        above_main = pc; /* the first walk, from main() itself */
    if (walk->is_in_main && pc == above_main)
        walk->is_found = true;
    walk->is_in_main = is_main(pc);
    walk->frames++;
    return walk->is_found || walk->frames > FRAMES_MAX ? _URC_END_OF_STACK
                                                       : _URC_NO_REASON;
}

static bool libunwind_finds_main(ucontext_t *context)
{
    unw_cursor_t cursor;
    unw_init_local2(&cursor, (unw_context_t *)context, UNW_INIT_SIGNAL_FRAME);
    bool is_in_main = false;
    for (int i = 0; i < FRAMES_MAX; i++) {
        unw_word_t pc = 0;
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        if (is_in_main && pc == above_main)
            return true;
        is_in_main = is_main(pc);
        if (unw_step(&cursor) <= 0)
            return false;
    }
    return false;
}

static void on_trap(int signal, siginfo_t *info, void *arg)
{
    ucontext_t *context = arg;
    struct walk walk = {0};
    (void)signal;
    (void)info;
    if (!is_on) {
        context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    steps++;
    _Unwind_Backtrace(see_frame, &walk);
    bool ok = libunwind_finds_main(context);
    if ((!walk.is_found || !ok) && bad_libgcc + bad_libunwind < BAD_MAX)
        bad_pc[bad_libgcc + bad_libunwind] =
            (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    bad_libgcc += !walk.is_found;
    bad_libunwind += !ok;
}

__attribute__((noinline)) static long leaf(long x)
{
    __asm__ volatile("");
    return x + 1;
}
static long (*volatile stub_leaf)(long);
__attribute__((noinline)) static long tailer(long x)
{
    return stub_leaf(x + 1);
}

static inline __attribute__((always_inline)) long stepped(long (*stub)(long),
                                                          long x)
{
    is_on = 1;
    __asm__ volatile("sub $128, %%rsp\n pushfq; orl $0x100, (%%rsp); popfq\n"
                     "add $128, %%rsp" ::
                         : "memory", "cc");
    long result = stub(x);
    is_on = 0; /* the handler then clears the flag */
    return result;
}


int main(int argc, char **argv)
{
    struct sigaction action = {0};
    harness_start(argc > 1 ? argv[1] : "F");
    stub_leaf = harness_stub("leaf", leaf);
    long (*volatile stub_other)(long) = harness_is_zero()
                                            ? harness_stub("leaf", leaf)
                                            : harness_stub_stack("leaf", leaf);
    long (*volatile stub_tailer)(long) = harness_stub("tailer", tailer);
    main_low = (uintptr_t)main;
    main_high = main_low + 4096;
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, NULL);

    struct walk plain = {0};
    _Unwind_Backtrace(see_frame, &plain);
    CHECK(plain.is_found);
    CHECK(stub_leaf(5) == 6);            /* attach: too long to step */
    CHECK(stepped(stub_leaf, 5) == 6);   /* plain */
    CHECK(stepped(stub_other, 5) == 6);  /* an entry out of the pool */
    CHECK(stepped(stub_other, 5) == 6);  /* out of the cache */
    CHECK(stepped(stub_tailer, 5) == 7); /* a tail span, same kind */
    stub_leaf = stub_other;
    CHECK(stepped(stub_tailer, 5) == 7); /* and into the other kind */
    long before = steps;
    shim_floor = (uintptr_t)__builtin_frame_address(0) + 4096;
    CHECK(stepped(stub_leaf, 5) == 6);   /* near the end: no frame */
    CHECK(stepped(stub_other, 5) == 6);
    CHECK(stepped(stub_tailer, 5) == 7); /* two of them */
    CHECK(steps - before > 150);
    printf("%ld steps, %ld bad with libgcc, %ld bad with libunwind\n", steps,
           bad_libgcc, bad_libunwind);
    shim_floor = 0;
    for (int i = 0; i < BAD_MAX && bad_pc[i] != 0; i++)
        printf("  at main%+ld\n", (long)(bad_pc[i] - main_low));
    CHECK(steps > 500);
    CHECK(bad_libgcc == 0);
    CHECK(bad_libunwind == 0);
    return harness_end();
}
