/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bind_lock.h. The word is the holder's process. A child that was forked
 * while a thread of its parent was binding inherits half a binding, which
 * works (whoever comes there traps and is sent on), and a lock that nobody
 * will open: it binds nothing more.
 */
#include "preload/bind/bind_lock.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include "lane/x86_64/machine.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"

enum {
    MASK_BYTES = 8,
    STEP_NS = 50000,
    STEPS_MAX = 200000,
};
static uint32_t holder;

static void set_mask(uint64_t mask, uint64_t *old)
{
    if (!sandboxed)
        machine_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)old,
                        MASK_BYTES, 0, 0);
}

/* 1: taken, 0: somebody has it, -1: it will never be free. */
static int try(void)
{
    uint32_t seen = 0;
    /* acquire; pairs with bind_unlock() */
    if (__atomic_compare_exchange_n(&holder, &seen, runtime.pid, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 1;
    return seen != runtime.pid || sandboxed ? -1 : 0;
}

/* Who waits blocks nothing: whoever has the lock looks at all threads' masks
 * (trap.c), and a signal need not wait with us. */
bool bind_lock(struct bind_hold *hold)
{
    lane_assert(hold != NULL);
    struct timespec step = {0, STEP_NS};
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &hold->cancel_state);
    hold->mask = 0;
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        set_mask(UINT64_MAX, &hold->mask);
        int got = try();
        if (got > 0)
            return true;
        set_mask(hold->mask, NULL);
        if (got < 0)
            break;
        machine_syscall(SYS_nanosleep, (long)&step, 0, 0, 0, 0, 0);
    }
    pthread_setcancelstate(hold->cancel_state, NULL);
    return false;
}

bool bind_lock_now(struct bind_hold *hold)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &hold->cancel_state);
    hold->mask = 0;
    set_mask(UINT64_MAX, &hold->mask);
    if (try() > 0)
        return true;
    set_mask(hold->mask, NULL);
    pthread_setcancelstate(hold->cancel_state, NULL);
    return false;
}

void bind_unlock(const struct bind_hold *hold)
{
    lane_assert(hold != NULL);
    /* release; pairs with try() */
    __atomic_store_n(&holder, 0, __ATOMIC_RELEASE);
    set_mask(hold->mask, NULL);
    pthread_setcancelstate(hold->cancel_state, NULL);
}
