/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's own span: where it begins (start, or the first traced call of
 * a forked child) and what it says of itself at its end.
 *
 * Registering runs in the constructor, or within shim_call_slow(); the end
 * marker anywhere, signal handlers included. Raw syscalls: errno stays.
 */
#define _GNU_SOURCE
#include "preload/call/thread/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "lane/format/owner.h"
#include "preload/call/record/cpu.h"
#include "preload/call/stack/fiber.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

enum {
    STAT_BYTES = 1024,
    STAT_START_TIME = 22, /* field of /proc/PID/stat, proc(5) */
};

/* What was open where this thread forks; read in the child, whose copy of it
 * stays as it was. */
static __thread struct span_place fork_place;

/* Of this process or, if it has none, of the nearest one above that has. */
static uint32_t known_number;

/* CPU time of this process when its entry's t0 was: an exec keeps the clock */
static uint64_t cpu_before_ns;

static long raw(long number, long a, long b, long c)
{
    return machine_syscall(number, a, b, c, 0, 0, 0);
}

/* Field 22 of the text; the name in field 2 may hold anything, ')' ends it. */
static uint64_t parse_start_time(const char *text, long len)
{
    lane_assert(len > 0 && len <= STAT_BYTES);
    long at = len;
    while (at > 0 && text[at - 1] != ')')
        at--;
    uint64_t number = 0;
    int field = 2;
    for (; at < len && field <= STAT_START_TIME; at++) {
        if (text[at] == ' ')
            field++;
        else if (field == STAT_START_TIME)
            number = number * 10 + (uint64_t)(text[at] - '0');
    }
    return number;
}

uint64_t process_start_time(void)
{
    char text[STAT_BYTES];
    long fd = raw(SYS_openat, AT_FDCWD, (long)"/proc/self/stat",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* no /proc (chroot): not known */
    long len = raw(SYS_read, fd, (long)text, STAT_BYTES);
    raw(SYS_close, fd, 0, 0);
    return len > 0 ? parse_start_time(text, len) : 0;
}

static uint64_t cpu_now(void)
{
    struct timespec t = {0, 0};
    raw(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (long)&t, 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void process_cpu_from(uint64_t before_ns)
{
    lane_assert(process_entry() != NULL);
    process_entry()->cpu_ns = cpu_before_ns = before_ns;
}

void process_goes_on(void)
{
    struct lane_process *entry = process_entry();
    entry->lost = LANE_LOST_NOT;
    entry->cpu_ns = cpu_before_ns;
    __atomic_store_n(&entry->state, LANE_PROCESS_RUNS, __ATOMIC_RELAXED);
    /* release; pairs with the exchange of process_mark_end() */
    __atomic_store_n(&entry->marker, LANE_MARKER_NONE, __ATOMIC_RELEASE);
}

/* `off PID` was said of who had this place before. */
static void record_again(uint32_t slot)
{
    uint64_t *word = &runtime.map.session->process_off[slot / 64];
    uint64_t bit = UINT64_C(1) << slot % 64;
    if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit)
        __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
}

int process_register(uint32_t parent, struct span_place place)
{
    struct lane_map *map = &runtime.map;
    int64_t number = lane_process_take(map);
    if (number < 0)
        return (int)number;
    if (parent == 0) {
        thread_note_main();
        cpu_start();
    }
    runtime.process = known_number = (uint32_t)number;
    struct lane_process *entry = process_entry();
    runtime.pid = (uint32_t)raw(SYS_getpid, 0, 0, 0);
    lane_assert(entry != NULL);
    entry->pid = runtime.pid;
    entry->start_time = process_start_time();
    entry->parent = parent;
    record_again(LANE_PROCESS_SLOT(number));
    entry->context = place.context;
    entry->parent_ref = place.parent;
    entry->t0_ticks = span_now();
    entry->cpu_ns = cpu_before_ns = cpu_now();
    if (parent != 0) {
        /* of the same image; an entry that stays */
        const struct lane_process *from = &map->processes[0];
        entry->command = from->command;
        entry->program = from->program;
    }
    raw(SYS_prctl, PR_GET_NAME, (long)entry->name, 0);
    span_process.ref = LANE_REF(LANE_PROCESS_LANE, number + 1);
    span_process.context = entry->context;
    span_process.is_ticks = map->clock == LANE_CLOCK_TSC;
    lane_process_ready(map, runtime.process, LANE_PROCESS_RUNS);
    return 0;
}

void process_register_child(void)
{
    lane_assert(runtime.alive != NULL && *runtime.alive != runtime.process + 1);
    struct span_place place = {span_process.ref, span_process.context};
    uint32_t parent = known_number + 1;
    if (fork_place.parent != 0)
        place = fork_place;
    fork_place.parent = 0;
    if (process_register(parent, place) != 0) {
        __atomic_fetch_add(&runtime.map.session->lost_processes, 1,
                           __ATOMIC_RELAXED);
        /* what is open belongs to the parent; nothing of ours gets an entry */
        runtime.process = PROCESS_UNKNOWN;
        runtime.pid = (uint32_t)raw(SYS_getpid, 0, 0, 0);
    }
    /* release; pairs with the hooks of other threads of this child */
    __atomic_store_n(runtime.alive, runtime.process + 1, __ATOMIC_RELEASE);
}

static long register_now(long a, long b)
{
    (void)a;
    (void)b;
    thread_enter_child();
    return 0;
}

void process_fork_enter(struct shim_call *call)
{
    (void)call;
    fork_place = runtime.map.session ? span_here() : (struct span_place){0, 0};
}

void process_fork_leave(struct shim_call *call, const struct shim_regs *regs)
{
    /* also a child without a traced call is known by its start and end */
    if (regs->rax == 0 && runtime.map.session && *runtime.alive == 0)
        shim_call_slow(register_now, 0, 0);
    if (regs->rax == 0)
        fiber_forked(call->sp);
    fork_place.parent = 0;
}

void process_mark_end(enum lane_marker marker, int code, uint64_t fault_address)
{
    lane_assert(marker != 0);
    struct lane_process *entry = process_entry();
    if (entry == NULL || *runtime.alive != runtime.process + 1)
        return;
    uint32_t none = LANE_MARKER_NONE;
    /* the first one wins; a reader looks at `state` alone */
    /* pairs with leave_exec(), and with another ending */
    if (!__atomic_compare_exchange_n(&entry->marker, &none, (uint32_t)marker,
                                     false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    struct rusage usage = {0};
    raw(SYS_getrusage, RUSAGE_SELF, (long)&usage, 0);
    entry->code = code;
    entry->fault_address = fault_address;
    uint64_t used = cpu_now();
    entry->cpu_ns = used > cpu_before_ns ? used - cpu_before_ns : 0;
    entry->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    entry->t1_ticks = span_now();
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&entry->state, LANE_PROCESS_ENDED, __ATOMIC_RELEASE);
}
