/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pthread_create: what is open in the creator becomes the parent of what the
 * new thread opens first, and where a stack that it was given begins is known.
 * The two meet in a box from a fixed pool: the hook puts routine, argument and
 * place into it and hands the box to pthread_create instead; the thread unpacks
 * it and jumps to its routine, so that no frame of ours stands on its stack.
 *
 * Why not a table that the thread looks itself up in: the creator learns the
 * thread's identity after the thread may have made its first traced call.
 *
 * [any thread] General registers only, no libc, no syscall (but for the pool,
 * which is mapped at start).
 */
#include "preload/call/thread_start.h"
#include "preload/call/record/span_internal.h"
#include "shim/checker.h"
#include "lane/format/assert.h"
#include <sys/mman.h>

enum {
    BOXES = 4096, /* threads that were created and did not run yet */
};

struct box {
    void *(*routine)(void *);
    void *argument;
    struct span_place place;
    uint64_t stack_low; /* of a stack that the program gave; else 0 */
    /* *runtime.alive of the process that took it, 0 free. Those that a fork
     * left behind are free as well: their threads are not in the child. */
    uint32_t owner;
};
/* Not in .bss: that counts for RLIMIT_DATA also where nothing is traced. NULL:
 * threads start below their process. */
static struct box *boxes;
static uint32_t next_box;
static uint64_t libc_low, libc_high;

void thread_start_libc(uint64_t low, uint64_t high)
{
    lane_assert(low < high);
    libc_low = low;
    libc_high = high;
    if (boxes != NULL)
        return;
    void *at = mmap(NULL, BOXES * sizeof(*boxes), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    checker_is_shared(at, BOXES * sizeof(*boxes));
    boxes = at;
}

static bool take(struct box *box, uint32_t alive)
{
    lane_assert(alive != 0);
    uint32_t owner = __atomic_load_n(&box->owner, __ATOMIC_RELAXED);
    /* acquire; pairs with the release of the thread that unpacked it */
    return owner != alive &&
           __atomic_compare_exchange_n(&box->owner, &owner, alive, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static struct box *take_box(uint32_t alive)
{
    for (uint32_t i = 0; boxes != NULL && i < BOXES; i++) {
        uint32_t at = __atomic_fetch_add(&next_box, 1, __ATOMIC_RELAXED);
        if (take(&boxes[at % BOXES], alive))
            return &boxes[at % BOXES];
    }
    return NULL;
}

static void give_back(struct box *box)
{
    lane_assert(box >= boxes && box < boxes + BOXES);
    /* release; pairs with take() */
    __atomic_store_n(&box->owner, 0, __ATOMIC_RELEASE);
}

/* glibc's pthread_attr_t. */
struct attributes {
    int32_t priority, policy, flags;
    uint64_t guard_bytes, stack_high, stack_bytes;
};
enum {
    HAS_STACK = 8 /* flags: stack_high was set */
};
static const uint64_t of_thrd_create = UINT64_MAX; /* it has none either */

/* Where the stack begins that the program gives the thread; 0: it gives none.
 * It may be an array among others, so the mapping that it lies in says nothing
 * of its end. */
static uint64_t given_stack(uint64_t attributes)
{
    const struct attributes *with = (const struct attributes *)attributes;
    if (with == NULL || attributes == of_thrd_create ||
        (with->flags & HAS_STACK) == 0)
        return 0;
    return with->stack_high - with->stack_bytes;
}

static void *begin(void *argument)
{
    lane_assert((struct box *)argument >= boxes &&
                (struct box *)argument < boxes + BOXES);
    struct box *box = argument;
    struct box mine = *box;
    span_thread.root = mine.place.parent;
    span_thread.context = mine.place.context;
    span_thread.root_alive = mine.owner;
    thread_stack_low = mine.stack_low;
    give_back(box);
    return mine.routine(mine.argument); /* a jump */
}

void thread_start_enter(struct shim_call *call)
{
    uint32_t alive = *runtime.alive;
    if (runtime.map.session == NULL || alive == 0)
        return; /* a forked child that nobody registered: below its process */
    if (call->args.rdx - libc_low < libc_high - libc_low)
        return; /* glibc's own, for timers and aio: it works for everybody */
    struct span_place place = span_here();
    uint64_t low = given_stack(call->args.rsi);
    struct box *box = NULL;
    if (place.parent != span_process.ref || low != 0)
        box = take_box(alive);
    if (box == NULL)
        return;
    lane_assert(box->owner == alive);
    box->routine = (void *(*)(void *))call->args.rdx;
    box->argument = (void *)call->args.rcx;
    box->place = place;
    box->stack_low = low;
    call->args.rdx = (uint64_t)begin;
    call->args.rcx = (uint64_t)box;
    call->flags |= SHIM_CALL_ARGS;
}

void thread_start_leave(struct shim_call *call, const struct shim_regs *regs)
{
    uint64_t offset = call->args.rcx - (uint64_t)boxes;
    if ((int)regs->rax != 0 && call->args.rdx == (uint64_t)begin &&
        offset < BOXES * sizeof(*boxes)) {
        struct box *box = &boxes[offset / sizeof *boxes];
        call->args.rdx = (uint64_t)box->routine; /* for who looks at them */
        call->args.rcx = (uint64_t)box->argument;
        give_back(box);
    }
}
