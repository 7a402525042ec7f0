/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to follow a work item, against the floor (two rdtsc and a
 * 64-byte record, inline), in one process and in turn. Run by carry.py.
 *
 *   spans     hand over and work, both traced as spans
 *   followed  the same, with carry() at the first and adopt() at the second
 *   bare      functions that are no spans, with carry() and adopt(return)
 *
 * One thread; then two that hand items to each other through a ring. Prints
 * NAME LEAST MEDIAN lines, ns an item.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

enum {
    ITEMS = 1000,
    ROUNDS_MAX = 2000,
    KEYS = 64, /* items under way, as a queue would have */
    RING = 256,
};
#define HANDLER                                                                \
    __attribute__((noinline, noclone, visibility("default"))) uint64_t
#define BODY                                                                   \
    {                                                                          \
        __asm__ volatile("" : "+r"(item));                                     \
        return item;                                                           \
    }
HANDLER untraced_give(uint64_t item) BODY HANDLER
    untraced_work(uint64_t item) BODY HANDLER
    span_give(uint64_t item) BODY HANDLER span_work(uint64_t item) BODY HANDLER
    followed_give(uint64_t item) BODY HANDLER
    followed_work(uint64_t item) BODY HANDLER
    bare_give(uint64_t item) BODY HANDLER bare_work(uint64_t item) BODY

    static struct {
    uint64_t word[8];
} floor_ring[1 << 12] __attribute__((aligned(64)));
static uint64_t floor_head;
HANDLER floor_give(uint64_t item)
{
    uint64_t *record = floor_ring[floor_head++ % (1 << 12)].word;
    uint64_t t0 = __rdtsc();
    __asm__ volatile("" : "+r"(item));
    for (int i = 1; i < 6; i++)
        record[i] = item + (uint64_t)i;
    record[0] = t0;
    record[6] = __rdtsc();
    __atomic_store_n(&record[7], floor_head, __ATOMIC_RELEASE);
    return item;
}

typedef uint64_t handler_fn(uint64_t);
static struct variant {
    const char *name;
    handler_fn *volatile give, *volatile work;
    double one[ROUNDS_MAX], two[ROUNDS_MAX];
} variants[] = {
    {.name = "untraced", .give = untraced_give, .work = untraced_work},
    {.name = "floor", .give = floor_give, .work = untraced_work},
    {.name = "spans", .give = span_give, .work = span_work},
    {.name = "followed", .give = followed_give, .work = followed_work},
    {.name = "bare", .give = bare_give, .work = bare_work},
};
enum {
    VARIANTS = sizeof variants / sizeof *variants,
    BARE = VARIANTS - 1,
};

/* Keeps the compiler from making one call of two. */
static inline int nothing(void)
{
    int zero = 0;
    __asm__ volatile("" : "+r"(zero));
    return zero;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The sidecar empties the lane meanwhile: its memory is used again. */
static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
}

static uint64_t item_of(uint64_t i)
{
    return 4096 + (i % KEYS) * 64;
}

/* ---- one thread --------------------------------------------------------- */

static __attribute__((noinline)) double one_thread(struct variant *v)
{
    double start = now_ns();
    for (uint64_t i = 0; i < ITEMS; i++) {
        v->give(item_of(i));
        v->work(item_of(i));
    }
    return (now_ns() - start) / ITEMS;
}

/* ---- two threads -------------------------------------------------------- */

static struct {
    _Alignas(64) uint64_t slot[RING];
    _Alignas(64) uint64_t head;
    _Alignas(64) uint64_t tail;
    _Alignas(64) struct variant *round;
    _Alignas(64) int cpu;
} shared;

static __attribute__((noinline)) void consume(struct variant *v)
{
    for (uint64_t i = 0; i < ITEMS; i++) {
        while (__atomic_load_n(&shared.head, __ATOMIC_ACQUIRE) <= i)
            _mm_pause();
        v->work(shared.slot[i % RING]);
        __atomic_store_n(&shared.tail, i + 1, __ATOMIC_RELEASE);
    }
}

/* What a function does before its pop may be the work of the item before, if it
 * is called again from the same place: so the popping variant has its own. */
static void consume_one(struct variant *v)
{
    if (v == &variants[BARE]) {
        consume(v);
        (void)nothing();
    } else {
        consume(v);
    }
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void *consumer(void *arg)
{
    (void)arg;
    pin(shared.cpu);
    for (;;) {
        struct variant *v;
        while (!(v = __atomic_load_n(&shared.round, __ATOMIC_ACQUIRE)))
            _mm_pause();
        if (v->name == NULL)
            return NULL;
        consume_one(v);
        __atomic_store_n(&shared.round, NULL, __ATOMIC_RELEASE);
    }
}

static __attribute__((noinline)) double two_threads(struct variant *v)
{
    shared.head = shared.tail = 0;
    double start = now_ns();
    __atomic_store_n(&shared.round, v, __ATOMIC_RELEASE);
    for (uint64_t i = 0; i < ITEMS; i++) {
        while (i - __atomic_load_n(&shared.tail, __ATOMIC_ACQUIRE) >= KEYS)
            _mm_pause();
        uint64_t item = item_of(i);
        v->give(item);
        shared.slot[i % RING] = item;
        __atomic_store_n(&shared.head, i + 1, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&shared.round, __ATOMIC_ACQUIRE))
        _mm_pause();
    return (now_ns() - start) / ITEMS;
}

/* A line that travels to the other processor: half of there and back. */
static uint64_t line __attribute__((aligned(64)));
static void *answer(void *arg)
{
    (void)arg;
    pin(shared.cpu);
    for (uint64_t i = 0; i < 2 * ITEMS; i += 2) {
        while (__atomic_load_n(&line, __ATOMIC_ACQUIRE) != i + 1)
            _mm_pause();
        __atomic_store_n(&line, i + 2, __ATOMIC_RELEASE);
    }
    return NULL;
}

static double travel(void)
{
    pthread_t thread;
    line = 0;
    if (pthread_create(&thread, NULL, answer, NULL) != 0)
        return 0;
    double start = now_ns();
    for (uint64_t i = 0; i < 2 * ITEMS; i += 2) {
        __atomic_store_n(&line, i + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&line, __ATOMIC_ACQUIRE) != i + 2)
            _mm_pause();
    }
    double ns = (now_ns() - start) / ITEMS / 2;
    pthread_join(thread, NULL);
    return ns;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void tell(const char *kind, const char *name, double *ns, int rounds)
{
    qsort(ns, (size_t)rounds, sizeof *ns, by_size);
    printf("%s.%s %.2f %.2f\n", kind, name, ns[0], ns[rounds / 2]);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 60;
    pthread_t thread;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    pin(0);
    shared.cpu = 1;
    for (int r = 0; r < rounds; r++)
        for (int v = 0; v < VARIANTS; v++) {
            rest();
            /* who pops, from another place: see consume_one() */
            if (v == BARE)
                variants[v].one[r] = one_thread(&variants[v]) + nothing();
            else
                variants[v].one[r] = one_thread(&variants[v]);
        }
    double lines[ROUNDS_MAX];
    for (int r = 0; r < rounds; r++)
        lines[r] = travel();
    if (pthread_create(&thread, NULL, consumer, NULL) != 0)
        return 1;
    for (int r = 0; r < rounds; r++)
        for (int v = 0; v < VARIANTS; v++) {
            rest();
            variants[v].two[r] = two_threads(&variants[v]);
        }
    struct variant stop = {.name = NULL};
    __atomic_store_n(&shared.round, &stop, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    for (int v = 0; v < VARIANTS; v++)
        tell("one", variants[v].name, variants[v].one, rounds);
    for (int v = 0; v < VARIANTS; v++)
        tell("two", variants[v].name, variants[v].two, rounds);
    tell("two", "line", lines, rounds);
    return 0;
}
