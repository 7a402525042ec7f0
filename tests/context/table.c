/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of work items alone (preload/call/carry/carry_table.c), fuller than any
 * program of the other tests makes it: every item is given out once, to who
 * asks for its key, with what was said of it, or was counted as dropped.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "preload/call/carry/carry_table.h"
#include "preload/call/record/runtime.h"

enum {
    MANY = 30000, /* under way at once: in both tables */
    FLOOD = 1 << 20,
    PAIRS = 3, /* of threads */
    HANDED = 200000,
    RING = 1024, /* under way in each pair: more than the near table holds */
};
struct runtime runtime; /* as in preload/call/record/runtime.c */
static struct lane_session session;

static void expect(bool ok, const char *what, uint64_t i)
{
    if (ok)
        return;
    printf("%s, item %llu\n", what, (unsigned long long)i);
    exit(1);
}

static void put(uint64_t key, uint64_t parent)
{
    struct carry_item item = {.parent = parent, .ticks = parent, .context = 7};
    carry_table_put(carry_key(key), &item);
}

static bool take(uint64_t key, uint64_t *parent)
{
    struct carry_item item;
    if (carry_table_take(carry_key(key), 1, &item) != CARRY_FOUND)
        return false;
    *parent = item.parent;
    return item.context == 7;
}

/* Addresses of a pool of 64-byte items, and numbers. */
static uint64_t key_of(uint64_t i)
{
    return i % 2 ? i : 0x7f0000000000 + i * 64;
}

static uint64_t count_taken(uint64_t items, uint64_t said)
{
    uint64_t taken = 0, parent;
    for (uint64_t i = 1; i <= items; i++) {
        if (!take(key_of(i), &parent))
            continue;
        expect(parent == said + i, "of another item", i);
        expect(!take(key_of(i), &parent), "given out twice", i);
        taken++;
    }
    return taken;
}

static void check_many(void)
{
    for (uint64_t i = 1; i <= MANY; i++)
        put(key_of(i), i);
    for (uint64_t i = 1; i <= MANY; i++) /* the same keys, other items */
        put(key_of(i), MANY + i);
    expect(session.carry.dropped == 0, "dropped", session.carry.dropped);
    uint64_t taken = count_taken(MANY, MANY);
    expect(taken == MANY, "lost", taken);
}

static void check_forgotten(void)
{
    uint64_t parent;
    for (uint64_t i = 1; i <= MANY; i++)
        put(key_of(i), i);
    for (uint64_t i = 1; i <= MANY; i++)
        carry_table_forget(carry_key(key_of(i)));
    for (uint64_t i = 1; i <= MANY; i++)
        expect(!take(key_of(i), &parent), "not forgotten", i);
}

static void check_flood(void)
{
    session.carry.dropped = 0;
    for (uint64_t i = 1; i <= FLOOD; i++)
        put(key_of(i), i);
    uint64_t taken = count_taken(FLOOD, 0);
    expect(taken + session.carry.dropped == FLOOD, "lost", taken);
    expect(taken > 80000, "little room", taken);
}

/* ---- threads that hand over to each other -------------------------------- */

struct pair {
    uint64_t base;
    uint64_t head, tail; /* handed over, taken up */
};

static uint64_t item_at(const struct pair *p, uint64_t i)
{
    return p->base + i % RING * 64; /* its memory is used again at once */
}

static void *give(void *arg)
{
    struct pair *p = arg;
    for (uint64_t i = 0; i < HANDED; i++) {
        while (i - __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) >= RING)
            sched_yield();
        put(item_at(p, i), p->base + i);
        __atomic_store_n(&p->head, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void *work(void *arg)
{
    struct pair *p = arg;
    for (uint64_t i = 0; i < HANDED; i++) {
        uint64_t parent;
        while (__atomic_load_n(&p->head, __ATOMIC_ACQUIRE) <= i)
            sched_yield();
        expect(take(item_at(p, i), &parent), "not there", i);
        expect(parent == p->base + i, "of another item", i);
        __atomic_store_n(&p->tail, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void check_threads(void)
{
    static struct pair pairs[PAIRS];
    pthread_t threads[2 * PAIRS];
    session.carry.dropped = 0;
    for (int i = 0; i < PAIRS; i++) {
        pairs[i].base = (uint64_t)(i + 1) << 32;
        if (pthread_create(&threads[2 * i], NULL, give, &pairs[i]) != 0 ||
            pthread_create(&threads[2 * i + 1], NULL, work, &pairs[i]) != 0)
            exit(2);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        pthread_join(threads[i], NULL);
    expect(session.carry.dropped == 0, "dropped", session.carry.dropped);
}

int main(void)
{
    runtime.map.session = &session;
    if (carry_table_start(UINT64_C(1) << 60) != 0)
        return 2;
    check_many();
    check_forgotten();
    check_flood();
    check_threads();
    return 0;
}
