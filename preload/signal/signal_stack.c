/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See signal_stack.h. A few for the whole process, because bss of every process
 * counts in its RLIMIT_DATA; the entries in assembly take them as well.
 */
#include "preload/signal/signal_stack.h"
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"
#include "preload/call/error/error_copy.h"
#include "shim/checker.h"
#include "lane/format/assert.h"

HIDDEN uint8_t signal_stacks[SIGNAL_STACKS][SIGNAL_STACK_BYTES]
    __attribute__((aligned(64)));
HIDDEN uint32_t signal_stacks_taken[SIGNAL_STACKS];
bool signal_may_switch;
static uint32_t is_small; /* an alternate stack of the program */

void altstack_note_small(void)
{
    /* release; pairs with altstack_flag() */
    __atomic_store_n(&is_small, 1, __ATOMIC_RELEASE);
}

int altstack_flag(void)
{
    /* acquire; pairs with altstack_note_small() */
    return __atomic_load_n(&is_small, __ATOMIC_ACQUIRE) ? 0 : SA_ONSTACK;
}

uint8_t *signal_stack_take(void)
{
    if (checker_watches)
        return NULL;
    /* acquire; pairs with signal_stack_give() */
    for (int i = 0; i < SIGNAL_STACKS; i++)
        if (__atomic_exchange_n(&signal_stacks_taken[i], 1, __ATOMIC_ACQUIRE) ==
            0)
            return signal_stacks[i] + SIGNAL_STACK_BYTES;
    return NULL;
}

void signal_stack_give(const uint8_t *end)
{
    lane_assert(end != NULL);
    uint64_t i = (uint64_t)(end - signal_stacks[0]) / SIGNAL_STACK_BYTES - 1;
    /* release; pairs with signal_stack_take() */
    __atomic_store_n(&signal_stacks_taken[i], 0, __ATOMIC_RELEASE);
}

bool signal_stack_run(void (*fn)(void *argument), void *argument)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    if (here - (uint64_t)signal_stacks < sizeof(signal_stacks) ||
        checker_watches) {
        fn(argument);
        return true;
    }
    uint8_t *end = signal_stack_take();
    if (end == NULL)
        return false;
    error_on_stack(fn, argument, end);
    signal_stack_give(end);
    return true;
}

void signal_stack_call(void (*fn)(void *argument), void *argument)
{
    lane_assert(fn != NULL);
    const uint64_t all = UINT64_MAX;
    uint64_t mask;
    if (!signal_may_switch ||
        machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all,
                        (long)&mask, sizeof(mask), 0, 0) != 0) {
        fn(argument);
        return;
    }
    if (!signal_stack_run(fn, argument))
        fn(argument);
    machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0,
                    sizeof(mask), 0, 0);
}
