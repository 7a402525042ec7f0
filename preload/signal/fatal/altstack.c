/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See altstack.h. Two things may happen on a stack that is too small:
 *
 *  - A signal comes while the thread stands on its own stack. Handlers of ours
 *    then do not ask for the alternate one, from the first such stack of the
 *    process on: dispositions are the process's, stacks the thread's. A stack
 *    overflow is known by its signal alone from then on.
 *  - One comes while a handler of the program stands on the alternate stack:
 *    then the next frame has to go there, whatever anyone asks for. A handler
 *    that ends by abort() or raise() does that, so what our handler would note
 *    is noted before, and SIG_DFL is what the signal finds.
 *
 * Not seen: a sigaltstack() by a raw system call. A second fault of another
 * kind in a handler on a small stack is SIGSEGV.
 */
#include "preload/signal/fatal/altstack.h"
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "preload/bind/bind.h"
#include "preload/call/error/error_copy.h"
#include "preload/signal/fatal/fatal.h"
#include "preload/call/record/process_self.h"
#include "preload/call/memory/read.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/record/sandbox.h"
#include "preload/signal/signal_stack.h"
#include "shim/shim.h"
#include "lane/format/assert.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum {
    FRAME_REST_BYTES = 736, /* siginfo, ucontext, 32-bit state, alignment */
    CALLS_BYTES = 1024,     /* from a hook of ours to the kernel's frame */
};

static uint64_t frame_bytes; /* at most, of the kernel's for a handler */

/* The kernel's own word is for the largest state a thread may ask for: tiles,
 * and who may use those needs a larger stack anyway. */
static uint64_t find_frame_bytes(void)
{
    uint64_t told = getauxval(AT_MINSIGSTKSZ);
    uint64_t found = shim_state_bytes() + FRAME_REST_BYTES;
    return told != 0 && told < found ? told : found;
}

static void enter_sigaltstack(struct shim_call *call)
{
    struct reader reader;
    stack_t stack;
    if (call->args.rdi == 0 || altstack_flag() == 0 || sandboxed ||
        process_is_guest())
        return;
    reader_start(&reader, process_self(), 0, 0);
    if (read_bytes(&reader, &stack, call->args.rdi, sizeof(stack)) !=
            sizeof(stack) ||
        (stack.ss_flags & SS_DISABLE))
        return;
    /* no room for a second frame, so our copies must not fault there */
    lane_assert(frame_bytes != 0);
    if (stack.ss_size < 2 * frame_bytes + CALLS_BYTES)
        read_pages_enable(NULL);
    if (stack.ss_size >= frame_bytes)
        return;
    altstack_note_small();
    fatal_leave_altstack();
}

/* ---- a signal that a thread sends itself -------------------------------- */

struct raised {
    uint64_t sp, mask;
    uint64_t registers[LANE_STACK_REGISTERS];
    int signal;
};

/* On an alternate stack, and the kernel's next frame may have no room there. */
static bool is_tight(uint64_t sp)
{
    lane_assert(frame_bytes != 0);
    stack_t stack;
    if (machine_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0) != 0)
        return false;
    uint64_t room = sp - (uint64_t)stack.ss_sp;
    return room < stack.ss_size && room < frame_bytes + CALLS_BYTES;
}

static void look_at_raised(void *argument)
{
    const struct raised *raised = argument;
    if (is_tight(raised->sp) && !process_is_guest())
        fatal_raised(raised->signal, raised->mask, raised->registers);
}

/* As little of the program's stack as can be: it may be the one that is
 * tight. */
static void before_signal(uint64_t sp, int signal)
{
    const uint64_t all = UINT64_MAX;
    uint64_t mask;
    if (sandboxed || !fatal_is_one(signal) ||
        machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all,
                        (long)&mask, sizeof(mask), 0, 0) != 0)
        return;
    uint8_t *end = signal_stack_take();
    if (end != NULL) {
        struct raised *raised = (struct raised *)(void *)end - 1;
        raised->sp = sp;
        lane_assert(((uint64_t)raised & 7) == 0);
        raised->mask = mask;
        raised->signal = signal;
        error_registers(raised->registers);
        error_on_stack(look_at_raised, raised, raised);
        signal_stack_give(end);
    }
    machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0,
                    sizeof(mask), 0, 0);
}

static void enter_raise(struct shim_call *call)
{
    before_signal(call->sp, (int)call->args.rdi);
}

static void enter_pthread_kill(struct shim_call *call)
{
    if (call->args.rdi == (uint64_t)pthread_self())
        before_signal(call->sp, (int)call->args.rsi);
}

void altstack_watch(void)
{
    lane_assert(frame_bytes == 0);
    frame_bytes = find_frame_bytes();
    if (bind_internal("sigaltstack", enter_sigaltstack, NULL) != 0)
        altstack_note_small();
    (void)bind_internal("raise", enter_raise, NULL);
    (void)bind_internal("pthread_kill", enter_pthread_kill, NULL);
}
