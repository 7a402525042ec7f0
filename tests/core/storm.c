// SPDX-License-Identifier: Apache-2.0
/*
 * A storm of signals whose handler calls traced functions, while the thread
 * does nothing else than call one: every call has exactly one record that
 * makes sense. The handler comes between any two instructions of the hooks.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    CALLS = 3000000,
    DRAIN_EVERY = 1024,
    SPANS_MAX = 4 * CALLS,
};

static long signals, records, bad, duplicates;
static uint8_t *seen;
static long (*volatile stub_leaf)(long), (*volatile stub_signal)(long);

__attribute__((noinline)) static long leaf(long x)
{
    __asm__ volatile("");
    return x + 1;
}
__attribute__((noinline)) static long in_signal(long x)
{
    __asm__ volatile("");
    return x;
}
static void on_signal(int number)
{
    (void)number;
    signals++;
    stub_signal(1);
    stub_signal(2);
}

static void look_at(const struct harness_record *record)
{
    uint64_t counter = record->span & 0xffffffffffff;
    bool is_leaf = strcmp(record->name, "leaf") == 0;
    records++;
    if (counter == 0 || counter >= SPANS_MAX || record->t1 < record->t0 ||
        record->end != 0 || record->status != 0 ||
        (is_leaf && record->depth != 0) ||
        (is_leaf && record->parent != harness_process_ref()) ||
        (record->depth != 0 && record->parent == harness_process_ref() &&
         record->depth > 1)) {
        bad++;
        return;
    }
    if (seen[counter]++ != 0)
        duplicates++;
}

static void drain(void)
{
    struct harness_record record;
    while (harness_next(&record))
        look_at(&record);
}

int main(int argc, char **argv)
{
    struct itimerval every = {{0, 40}, {0, 40}}, off = {{0, 0}, {0, 0}};
    sigset_t alarm, old;
    harness_start(argc > 1 ? argv[1] : "F");
    seen = calloc(1, SPANS_MAX);
    stub_leaf = harness_stub("leaf", leaf);
    stub_signal = harness_stub("in_signal", in_signal);
    stub_leaf(1);
    signal(SIGALRM, on_signal);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    setitimer(ITIMER_REAL, &every, NULL);
    for (long i = 1; i <= CALLS; i++) {
        CHECK(stub_leaf(i) == i + 1);
        if (i % DRAIN_EVERY != 0)
            continue;
        sigprocmask(SIG_BLOCK, &alarm, &old);
        drain();
        sigprocmask(SIG_SETMASK, &old, NULL);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    sigprocmask(SIG_BLOCK, &alarm, &old);
    drain();
    long missing = 0;
    uint64_t opened = harness_opened(harness_lane());
    for (uint64_t i = 1; i <= opened; i++)
        missing += seen[i] == 0;
    printf("%ld signals, %ld records, %ld bad, %ld duplicate, %ld missing\n",
           signals, records, bad, duplicates, missing);
    /* a handler that came while the slow way ran is a lost call, and said so */
    CHECK((long)harness_lost() + records == 1 + CALLS + 2 * signals);
    CHECK(harness_lost() <= 2);
    CHECK(signals > 100);
    CHECK(bad == 0 && duplicates == 0 && missing == 0);
    CHECK(harness_depth() == 0);
    free(seen);
    return harness_end();
}
