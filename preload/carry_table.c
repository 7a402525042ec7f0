/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of work items under way: see carry_table.h.
 *
 * A set is 256 bytes: the lock word and the keys share the first line, so
 * that a key that is not there costs one line; what is known of the items
 * stands in the three lines after it. The lock word is 0, or the number of
 * the process that holds it: a forked child finds a set locked that another
 * thread of its parent was just changing, and empties it.
 */
#include "preload/carry_table.h"

#include <errno.h>
#include <sys/mman.h>

#include "lane/ids.h"
#include "preload/runtime.h"

enum {
    ITEMS_A_SET = 7,
    SETS = 16384, /* 114,688 items, 4 MiB */
    TRIES = 500,
};

struct set {
    uint64_t lock; /* process index + 1 of its holder */
    uint64_t key[ITEMS_A_SET];
    struct carry_item item[ITEMS_A_SET];
    uint64_t pad0[3];
};
_Static_assert(sizeof(struct carry_item) == 24, "seven in three lines");
_Static_assert(sizeof(struct set) == 256, "four cache lines");

static struct set *sets; /* NULL: no carriers in this program */
static uint64_t most_ticks;

uint64_t carry_key(uint64_t value)
{
    return lane_mix64(value); /* a bijection: 0 for 0 alone */
}

uint64_t carry_key_pair(uint64_t function, uint64_t data)
{
    uint64_t key = lane_mix64(lane_mix64(function) + data);
    return key ? key : 1;
}

int carry_table_start(uint64_t age_ticks)
{
    if (sets)
        return 0;
    void *at = mmap(NULL, SETS * sizeof(struct set), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    most_ticks = age_ticks;
    sets = at;
    return 0;
}

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Take a set's lock. NULL: it is in use for too long. */
static struct set *lock_set(uint64_t key)
{
    struct set *set = &sets[key % SETS];
    uint64_t mine = (uint64_t)runtime.process + 1;
    for (int i = 0; i < TRIES; i++) {
        uint64_t holder = __atomic_load_n(&set->lock, __ATOMIC_RELAXED);
        /* acquire; pairs with unlock_set */
        if ((holder == 0 || holder != mine) &&
            __atomic_compare_exchange_n(&set->lock, &holder, mine, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            for (int j = 0; holder != 0 && j < ITEMS_A_SET; j++)
                set->key[j] = 0; /* half changed when this process forked */
            return set;
        }
        __builtin_ia32_pause();
    }
    return NULL;
}

static void unlock_set(struct set *set)
{
    __atomic_store_n(&set->lock, 0, __ATOMIC_RELEASE);
}

/* Where this key stands, else a free place, else the oldest item's. */
static int find_place(const struct set *set, uint64_t key)
{
    int free = -1, oldest = 0;
    for (int i = 0; i < ITEMS_A_SET; i++) {
        if (set->key[i] == key)
            return i;
        if (set->key[i] == 0)
            free = free < 0 ? i : free;
        else if (set->item[i].ticks < set->item[oldest].ticks)
            oldest = i;
    }
    return free >= 0 ? free : oldest;
}

void carry_table_put(uint64_t key, const struct carry_item *item)
{
    struct set *set = sets ? lock_set(key) : NULL;
    if (!set) {
        count(&runtime.map.session->carry.dropped);
        return;
    }
    int i = find_place(set, key);
    bool is_lost = set->key[i] != 0 && set->key[i] != key &&
                   item->ticks - set->item[i].ticks <= most_ticks;
    set->key[i] = key;
    set->item[i] = *item;
    unlock_set(set);
    if (is_lost)
        count(&runtime.map.session->carry.dropped);
}

enum carry_found carry_table_take(uint64_t key, uint64_t now_ticks,
                                  struct carry_item *out)
{
    struct set *set = sets ? lock_set(key) : NULL;
    enum carry_found found = CARRY_NONE;
    if (!set)
        return CARRY_NONE;
    for (int i = 0; i < ITEMS_A_SET; i++) {
        if (set->key[i] != key)
            continue;
        *out = set->item[i];
        found = CARRY_FOUND;
        if (now_ticks - out->ticks > most_ticks && now_ticks > out->ticks)
            found = CARRY_EXPIRED;
        if (!out->is_many || found == CARRY_EXPIRED)
            set->key[i] = 0;
        break;
    }
    unlock_set(set);
    return found;
}

void carry_table_forget(uint64_t key)
{
    struct set *set = sets ? lock_set(key) : NULL;
    if (!set)
        return;
    for (int i = 0; i < ITEMS_A_SET; i++) {
        if (set->key[i] == key)
            set->key[i] = 0;
    }
    unlock_set(set);
}
