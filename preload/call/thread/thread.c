/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's first traced call: it gets a lane, and the lane learns whose it
 * is. Also the first one in a forked child, which registers its process.
 *
 * Runs once per thread on the path of a call, within shim_call_slow() (libc
 * may be called), with span_busy raised. No malloc, no stdio; the syscalls
 * are raw where errno would change. At most some 2 KiB of stack: this may be a
 * signal stack.
 *
 * The lane's robust mutex is a glibc robust mutex in shared memory that this
 * thread holds for life: when the thread ends, however it does, the kernel
 * marks it (FUTEX_OWNER_DIED) and the lane can be taken over.
 */
#define _GNU_SOURCE
#include "preload/call/record/span_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/call/record/cpu.h"
#include "preload/call/thread/process.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/thread/robust.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"

enum {
    ALIVE_REGISTERING = -1, /* a thread of a fresh child registers it */
    MAPS_PIECE = 1024,
    PAGE = 4096,
};
__thread uint64_t thread_stack_low;
static const uint64_t stack_default = 8ull << 20; /* if nothing says more */
static const uint64_t stack_most = 16ull << 30;

static long raw(long number, long a, long b, long c)
{
    return machine_syscall(number, a, b, c, 0, 0, 0);
}

/* ---- where the thread's own stack lies -------------------------------- */

/* The main thread's: the kernel put the auxiliary vector's random bytes right
 * above its first frame. It may grow down to the limit. Returns where it ends:
 * the limit counts from the mapping's end, above the environment; an overflow
 * has its stack pointer beyond that, and is still one of this stack. */
static uint64_t find_main_stack(void)
{
    struct rlimit limit = {0, 0};
    uint64_t high = getauxval(AT_RANDOM), top = getauxval(AT_EXECFN);
    raw(SYS_getrlimit, RLIMIT_STACK, (long)&limit, 0);
    uint64_t len = limit.rlim_cur;
    if (len == 0)
        len = stack_default;
    if (len > stack_most)
        len = stack_most;
    top = ((top > high ? top : high) | (PAGE - 1)) + 1;
    span_thread.stack_high = high;
    span_thread.stack_low = high > len ? high - len : 0;
    return top > len ? top - len : 0;
}

struct maps_reader {
    uint64_t wanted;
    uint64_t low, high, number;
    uint32_t column; /* 0 low, 1 high, 2 the rest of the line */
};

/* One character of /proc/self/maps; true when the wanted line was read. */
static bool maps_feed(struct maps_reader *reader, char c)
{
    lane_assert(reader->column <= 2);
    if (c == '\n') {
        reader->column = 0;
        reader->number = 0;
    } else if (reader->column < 2) {
        if (c == '-' || c == ' ') {
            *(reader->column == 0 ? &reader->low : &reader->high) =
                reader->number;
            reader->number = 0;
            reader->column++;
            return c == ' ' && reader->wanted >= reader->low &&
                   reader->wanted < reader->high;
        }
        uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        reader->number = reader->number << 4 | digit;
    }
    return false;
}

/* The mapping that `address` lies in. */
static bool find_mapping(uint64_t address, uint64_t *low, uint64_t *high)
{
    char piece[MAPS_PIECE];
    struct maps_reader reader = {.wanted = address};
    bool is_found = false;
    long fd = raw(SYS_openat, AT_FDCWD, (long)"/proc/self/maps",
                  O_RDONLY | O_CLOEXEC);
    long got = 0;
    if (fd < 0)
        return false;
    while (!is_found && (got = raw(SYS_read, fd, (long)piece, MAPS_PIECE)) > 0)
        for (long i = 0; i < got && !is_found; i++)
            is_found = maps_feed(&reader, piece[i]);
    raw(SYS_close, fd, 0, 0);
    if (is_found) {
        *low = reader.low;
        *high = reader.high;
    }
    return is_found;
}

/* Another thread's: glibc puts the thread's control block at the top of its
 * stack's mapping, in stacks that the program gave as well. */
static uint64_t find_thread_stack(void)
{
    uint64_t block = (uint64_t)__builtin_thread_pointer();
    uint64_t low, high;
    if (!find_mapping(block, &low, &high))
        low = block - stack_default;
    if (thread_stack_low > low && thread_stack_low < block)
        low = thread_stack_low;
    span_thread.stack_low = low;
    span_thread.stack_high = block;
    return low;
}

/* Of the first thread; a child that another one forked has that one's stack. */
static uint64_t main_block;

void thread_note_main(void)
{
    main_block = (uint64_t)__builtin_thread_pointer();
}

/* What of it may be ours. */
static void measure_stack(uint64_t low)
{
    lane_assert(low <= span_thread.stack_high);
    uint64_t bytes = span_thread.stack_high - low;
    uint64_t most = span_most_frames(bytes);
    shim_floor = low + span_end_bytes(bytes);
    span_thread.depth_most = most < LANE_OPEN_MAX ? most : LANE_OPEN_MAX;
}

/* ---- the lane --------------------------------------------------------- */

static struct lane *take_lane(void)
{
    lane_assert(span_busy != 0 && runtime.map.session != NULL);
    uint32_t tid = (uint32_t)raw(SYS_gettid, 0, 0, 0);
    struct lane *lane = NULL;
    if (runtime.process != PROCESS_UNKNOWN)
        lane = lane_take(&runtime.map, &span_thread.window, tid, runtime.pid,
                         runtime.process);
    if (lane == NULL) {
        /* counted once per thread: span_thread.alive says it was here before */
        if (span_thread.alive != *runtime.alive)
            __atomic_fetch_add(&runtime.map.session->lost_threads, 1,
                               __ATOMIC_RELAXED);
        return NULL;
    }
    robust_hold(lane);
    bool is_main = main_block == (uint64_t)__builtin_thread_pointer();
    measure_stack(is_main ? find_main_stack() : find_thread_stack());
    lane->stack_low = span_thread.stack_low; /* for who looks from outside */
    lane->stack_high = span_thread.stack_high;
    if (span_thread.root_alive != *runtime.alive) { /* nobody created it, or
                                                       before a fork */
        span_thread.root = span_process.ref;
        span_thread.context = span_process.context;
        span_thread.root_alive = *runtime.alive;
    }
    uint32_t index = span_thread.window.index;
    lane_assert(span_is_own(lane));
    span_thread.ref_base = LANE_REF(index, 0);
    span_thread.commit_base = LANE_COMMIT(index, 0, LANE_ITEM_RECORD);
    cpu_attach(lane);
    shim_cache_use(index);
    read_pages_use(index);
    span_thread.error =
        runtime.program_errno ? runtime.program_errno() : &errno;
    return lane;
}

/* The first of a forked child. False: another thread is just doing it. */
static bool enter_child(void)
{
    uint32_t alive = 0;
    /* pairs with process_register_child(), and another thread here */
    if (!__atomic_compare_exchange_n(runtime.alive, &alive,
                                     (uint32_t)ALIVE_REGISTERING, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return alive != (uint32_t)ALIVE_REGISTERING;
    process_register_child();
    return true;
}

void thread_enter_child(void)
{
    int saved = errno;
    if (sandboxed)
        return;
    span_busy++;
    (void)enter_child();
    span_busy--;
    errno = saved;
}

struct lane *thread_attach(void)
{
    if (runtime.map.session == NULL)
        return NULL;
    int saved = errno;
    span_busy++;
    struct lane *lane = span_lane;
    if (*runtime.alive != span_thread.alive || lane == NULL) {
        lane = !sandboxed && enter_child() ? take_lane() : NULL;
        if (sandboxed)
            __atomic_fetch_add(&runtime.map.session->lost_threads, 1,
                               __ATOMIC_RELAXED);
        span_lane = lane;
        if (lane == NULL)
            shim_cache_use(UINT32_MAX);
        /* pairs with a handler of this thread, that gets the lane */
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        span_thread.alive = *runtime.alive;
    }
    span_busy--;
    errno = saved;
    return lane;
}
