/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's record (OTEP 4947, "Thread-Local Context Record"): trace id, span
 * id and flags of the innermost span that is open where it runs, else of what
 * its work belongs to. It stays at its place; `valid` is 0 while it changes,
 * and where nobody knows: a reader sees the thread stopped.
 *
 * Around span_enter and span_leave instead of in them, so that nobody pays for
 * it who did not ask. Not with fibers: a switch of stacks is not seen, and the
 * record would say what is open on the stack that was left.
 *
 * [any thread, signal handlers] General registers only, no libc.
 */
#define _GNU_SOURCE
#include "preload/call/thread_context.h"

#include <linux/memfd.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/call/record/sandbox.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

struct record {
    uint64_t trace_id[2], span_id; /* bytes of W3C's order */
    uint8_t valid, flags;
    uint16_t attributes_bytes; /* none */
    uint32_t pad;
};
_Static_assert(offsetof(struct record, valid) == 24 &&
                   offsetof(struct record, attributes_bytes) == 26,
               "OTEP 4947");

/* OTEP 4719: what stands at the beginning of the mapping. published_ns is of
 * CLOCK_BOOTTIME; readers look whether it changes. */
struct header {
    char signature[8];
    uint32_t version, payload_bytes;
    uint64_t published_ns;
    const void *payload;
};
_Static_assert(sizeof(struct header) == 32, "OTEP 4719");
enum {
    HEADER_VERSION = 2,
    PAGE = 4096,
};
/* A ProcessContext in protobuf, its attributes: how threads say where they
 * are, and that they say no attributes. */
static const char payload[] =
    "\x12\x2e\x0a\x1athreadlocal.schema_version\x12\x10\x0a\x0etlsdesc_v1_dev"
    "\x12\x23\x0a\x1dthreadlocal.attribute_key_map\x12\x02\x2a";

/* What is found by otel_thread_ctx_v1. */
static __thread struct record *volatile slot;
static __thread struct record record;
static __thread struct span_place said; /* what the record says */
static uint32_t announced;              /* pid */
static shim_enter_fn *plain_enter;
static shim_leave_fn *plain_leave;

int64_t thread_context_offset(void)
{
    return (int64_t)((uint64_t)&slot - (uint64_t)__builtin_thread_pointer());
}

/* ---- the process -------------------------------------------------------- */

static long raw(long number, long a, long b, long c)
{
    return machine_syscall(number, a, b, c, 0, 0, 0);
}

/* Shown in /proc/PID/maps by its name even where mappings have none. */
static long map_named(void)
{
    long fd = raw(SYS_memfd_create, (long)"OTEL_CTX", MFD_CLOEXEC, 0);
    long at = fd < 0 ? fd : raw(SYS_ftruncate, fd, PAGE, 0);
    if (at == 0)
        at = machine_syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        raw(SYS_close, fd, 0, 0);
    return at;
}

int thread_context_announce(void)
{
    struct timespec now = {0, 0};
    long at = map_named();
    if (at < 0 && at > -PAGE)
        return (int)at;
    raw(SYS_madvise, at, PAGE, MADV_DONTFORK); /* a child makes its own */
    raw(SYS_clock_gettime, CLOCK_BOOTTIME, (long)&now, 0);
    struct header *header = (struct header *)at;
    char *bytes = (char *)(header + 1);
    for (size_t i = 0; i < sizeof payload; i++)
        bytes[i] = payload[i];
    header->version = HEADER_VERSION;
    header->payload_bytes = sizeof payload; /* its last byte is 0: an empty
                                               array */
    header->published_ns =
        (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    header->payload = bytes;
    uint64_t signature;
    __builtin_memcpy(&signature, "OTEL_CTX", sizeof signature);
    /* release; pairs with readers outside: signature last */
    __atomic_store_n((uint64_t *)(void *)header->signature, signature,
                     __ATOMIC_RELEASE);
    machine_syscall(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, PAGE,
                    (long)"OTEL_CTX", 0);
    __atomic_store_n(&announced, runtime.pid, __ATOMIC_RELAXED);
    return 0;
}

/* The first span of a forked child. */
static void announce_child(void)
{
    lane_assert(runtime.map.session != NULL);
    uint32_t pid = __atomic_load_n(&announced, __ATOMIC_RELAXED);
    if (pid != runtime.pid && !sandboxed &&
        __atomic_compare_exchange_n(&announced, &pid, runtime.pid, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        if (thread_context_announce() != 0)
            return; /* then readers do not look at this process */
}

/* ---- the thread --------------------------------------------------------- */

static void set_valid(uint8_t valid)
{
    /* pairs with what reads while this thread stands still */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&record.valid, valid, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void write_record(struct span_place place)
{
    lane_assert(place.context <
                runtime.map.table[LANE_TABLE_CONTEXTS].capacity);
    const struct lane_context *context = span_context_at(place.context);
    if (UNLIKELY(announced != runtime.pid))
        announce_child();
    set_valid(0);
    __builtin_memcpy(record.trace_id, context->trace_id,
                     sizeof record.trace_id);
    record.span_id =
        __builtin_bswap64(lane_span_id(runtime.map.session->key, place.parent));
    record.flags = (uint8_t)context->flags;
    said = place;
    slot = &record;
    set_valid(1);
}

/* What is open for the code that runs below `sp`. */
static struct span_place place_at(struct lane *lane, uint64_t sp)
{
    lane_assert(span_is_own(lane));
    uint64_t depth = span_depth_seen(lane);
    if (depth == 0)
        return (struct span_place){span_thread.root, span_thread.context};
    if (depth <= LANE_OPEN_MAX) {
        const struct lane_open *top = &lane->open[depth - 1];
        if ((top->state == LANE_OPEN_CALL || top->state == LANE_OPEN_TAIL) &&
            top->sp >= sp && top->sp < span_thread.stack_high &&
            sp >= span_thread.stack_low)
            return (struct span_place){top->span,
                                       top->context_depth & 0xffffff};
    }
    return span_find_place(lane, sp);
}

static void publish(const struct shim_call *call)
{
    lane_assert(call->site < SHIM_SITE_MAX);
    struct lane *lane = span_lane;
    if (span_busy != 0)
        return;
    if (lane == NULL || *runtime.alive != span_thread.alive ||
        !runtime_is_recording() ||
        (runtime.sites[call->site].flags & SITE_STACKS)) {
        set_valid(0);
        return;
    }
    struct span_place place = place_at(lane, call->sp);
    if (!record.valid || said.parent != place.parent ||
        said.context != place.context)
        write_record(place);
}

static void enter_publishing(struct shim_call *call)
{
    plain_enter(call);
    publish(call);
}

static void leave_publishing(struct shim_call *call,
                             const struct shim_regs *regs, enum shim_end end,
                             void *exception)
{
    plain_leave(call, regs, end, exception);
    publish(call);
}

void thread_context_begin(void)
{
    lane_assert(plain_enter == NULL && shim_enter != NULL &&
                shim_leave != NULL);
    plain_enter = shim_enter;
    plain_leave = shim_leave;
    shim_enter = enter_publishing;
    shim_leave = leave_publishing;
}
