// SPDX-License-Identifier: Apache-2.0
/*
 * What spans say besides their times: CPU time, traces of roots, and that
 * nothing is lost silently: when the log is full, when lanes run out, when
 * tracing is off, under internal sites, at the end of the process.
 */
#define _GNU_SOURCE
#include "lane/format/owner.h"
#include "tests/core/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/call/thread/process.h"

enum {
    SPIN_NS = 3 * 1000 * 1000,
    FLOOD = 3000000, /* records: more than the log has room for */
};

static long (*volatile stub_leaf)(long), (*volatile stub_root)(long);

__attribute__((noinline)) static long leaf(long x)
{
    __asm__ volatile("");
    return x + 1;
}
__attribute__((noinline)) static long root(long x)
{
    long y = stub_leaf(x);
    __asm__ volatile("");
    return x == 0 ? y : stub_root(x - 1) + y;
}

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- CPU time ------------------------------------------------------------ */

static uint64_t truth_cpu, truth_wall;
__attribute__((noinline)) static long spin(long ns)
{
    uint64_t wall = now(CLOCK_MONOTONIC);
    uint64_t start = now(CLOCK_THREAD_CPUTIME_ID);
    while (now(CLOCK_THREAD_CPUTIME_ID) - start < (uint64_t)ns)
        ;
    truth_cpu = now(CLOCK_THREAD_CPUTIME_ID) - start;
    truth_wall = now(CLOCK_MONOTONIC) - wall;
    return 0;
}
__attribute__((noinline)) static long wait_for_child(long ns)
{
    int pipe_ends[2], status;
    char byte;
    uint64_t wall = now(CLOCK_MONOTONIC);
    uint64_t start = now(CLOCK_THREAD_CPUTIME_ID);
    if (pipe(pipe_ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        spin(ns);
        _exit(write(pipe_ends[1], "x", 1) == 1 ? 0 : 1);
    }
    long got = read(pipe_ends[0], &byte, 1);
    waitpid(pid, &status, 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    truth_cpu = now(CLOCK_THREAD_CPUTIME_ID) - start;
    truth_wall = now(CLOCK_MONOTONIC) - wall;
    return got;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void test_cpu_time(double ns_per_tick)
{
    struct harness_record record;
    long (*volatile stubs[2])(long) = {harness_stub("spin", spin),
                                       harness_stub("wait", wait_for_child)};
    stub_leaf(1);
    while (harness_next(&record))
        ;
    if (record.cpu_ns == UINT64_MAX) {
        puts("no rseq: CPU time is not known here");
        return;
    }
    /* time that the hypervisor takes away is seen by one clock alone, and a
     * thread may lose its processor between the record's time and the truth's:
     * most calls must agree, not each */
    int far = 0;
    for (int i = 0; i < 10; i++) {
        stubs[i % 2](SPIN_NS);
        CHECK(harness_next(&record));
        double wall = (double)(record.t1 - record.t0) * ns_per_tick;
        uint64_t slack = truth_cpu / 100 + 30000;
        CHECK(wall * 1.01 + 100000 > (double)truth_wall); /* it is around it */
        if (difference(record.cpu_ns, truth_cpu) < slack &&
            wall < (double)truth_wall * 1.01 + 100000)
            continue;
        far++;
        fprintf(stderr, "%s: cpu %ld, truth %ld; wall %ld, truth %ld\n",
                record.name, (long)record.cpu_ns, (long)truth_cpu, (long)wall,
                (long)truth_wall);
    }
    CHECK(far <= 3);
}

/* ---- roots ------------------------------------------------------------------
 */

static void test_roots(void)
{
    struct harness_record record;
    uint64_t outer[2] = {0, 0};
    uint32_t context[2];
    stub_root = harness_stub_flags("root", root, SITE_ROOT);
    for (int i = 0; i < 2; i++) {
        CHECK(stub_root(2) == 3 + 2 + 1);
        context[i] = 0;
        for (int n = 0; n < 6; n++) {
            CHECK(harness_next(&record));
            if (context[i] == 0)
                context[i] = record.context;
            CHECK(record.context == context[i] && record.context != 0);
            bool is_outermost = record.depth == 0;
            CHECK((record.parent == 0) == is_outermost);
            CHECK(((record.status & LANE_STATUS_ROOT) != 0) == is_outermost);
            if (is_outermost)
                outer[i] = record.span;
        }
    }
    CHECK(outer[0] != outer[1] && context[0] != context[1]);
    const struct lane_context *a = &runtime.map.contexts[context[0]];
    const struct lane_context *b = &runtime.map.contexts[context[1]];
    CHECK(a->state == 1 && b->state == 1);
    CHECK(memcmp(a->trace_id, b->trace_id, 16) != 0);
    CHECK(memcmp(a->trace_id, runtime.map.contexts[0].trace_id, 16) != 0);
    stub_leaf(1);
    CHECK(harness_next(&record) && record.context == 0);
}

/* ---- off, internal
 * ------------------------------------------------------------ */

static int hooks[2];
static void on_enter(struct shim_call *call)
{
    hooks[0] += call->args.rdi == 7;
}
static void on_leave(struct shim_call *call, const struct shim_regs *regs)
{
    hooks[1] += regs->rax == 8 && call->args.rdi == 7;
}
static long (*volatile stub_internal)(long);
__attribute__((noinline)) static long tail_internal(long x)
{
    return stub_internal(x);
}

static void test_gate_and_hooks(void)
{
    struct harness_record record;
    runtime.map.session->gate = LANE_GATE_OFF;
    CHECK(stub_leaf(1) == 2);
    CHECK(!harness_next(&record));
    runtime.map.session->gate = LANE_GATE_OPEN;

    stub_internal = harness_stub_flags("internal", leaf, SITE_INTERNAL);
    struct site *site = &runtime.sites[runtime.map.session->site_next - 1];
    site->hook_enter = on_enter;
    site->hook_leave = on_leave;
    CHECK(stub_internal(7) == 8);
    CHECK(hooks[0] == 1 && hooks[1] == 1);
    CHECK(!harness_next(&record));
    long (*volatile outer)(long) = harness_stub("outer", tail_internal);
    CHECK(outer(7) == 8); /* also tail-called it has its leave */
    CHECK(hooks[0] == 2 && hooks[1] == 2);
    CHECK(harness_next(&record) && strcmp(record.name, "outer") == 0);
    span_busy++;
    CHECK(stub_leaf(1) == 2 && outer(7) == 8);
    span_busy--;
    CHECK(!harness_next(&record) && hooks[0] == 2);
}

/* ---- no room
 * ------------------------------------------------------------------- */

static void test_full_log(void)
{
    struct harness_record record;
    long records = 0;
    for (long i = 0; i < FLOOD; i++)
        CHECK(stub_leaf(i) == i + 1);
    while (harness_next(&record))
        records++;
    uint64_t counted = harness_counted("leaf");
    printf("%ld records, %ld counted\n", records, (long)counted);
    CHECK(counted > 0);
    /* the first one that found no room, outermost: kept */
    CHECK(harness_kept() == 1);
    CHECK(records + 1 + (long)counted == FLOOD);
    CHECK(stub_leaf(1) == 2);
}

static pthread_barrier_t barrier;
static void *call_once(void *arg)
{
    pthread_barrier_wait(&barrier);
    return (void *)stub_leaf((long)arg);
}

static void test_no_lanes(void)
{
    enum {
        THREADS = 4
    };
    pthread_t threads[THREADS];
    struct lane_session *session = runtime.map.session;
    uint32_t next = session->lane_next;
    uint64_t before = harness_counted("leaf");
    for (uint32_t i = 0; i < next; i++) /* nobody else's is to be had */
        runtime.map.lanes[i].owner = LANE_OWNER_SIDECAR;
    session->lane_next = session->table[LANE_TABLE_LANES].capacity;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_once, (void *)i);
    for (long i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        CHECK((long)result == i + 1);
    }
    session->lane_next = next;
    CHECK(harness_counted("leaf") - before == THREADS);
    CHECK(session->lost_threads == THREADS);
}

static void test_end(void)
{
    const struct lane_process *process =
        &runtime.map.processes[runtime.process];
    CHECK(process->state == LANE_PROCESS_RUNS);
    CHECK(process->pid == (uint32_t)getpid() && process->start_time > 0);
    process_mark_end(LANE_MARKER_EXIT, 3, 0);
    process_mark_end(LANE_MARKER_SIGNAL, 11, 1);
    CHECK(process->state == LANE_PROCESS_ENDED);
    CHECK(process->marker == LANE_MARKER_EXIT && process->code == 3);
    CHECK(process->cpu_ns > SPIN_NS && process->peak_bytes > 1 << 20);
    CHECK(process->t1_ticks > process->t0_ticks);
}

int main(int argc, char **argv)
{
    harness_start(argc > 1 ? argv[1] : "F");
    stub_leaf = harness_stub("leaf", leaf);
    test_cpu_time(harness_ns_per_tick());
    test_roots();
    test_gate_and_hooks();
    test_full_log();
    test_no_lanes();
    test_end();
    return harness_end();
}
