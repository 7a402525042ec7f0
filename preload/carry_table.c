/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of work items under way: see carry_table.h.
 *
 * Sets of eight items. An item's version is odd while somebody writes it or
 * takes it out: it is claimed by a compare and exchange of the version, and
 * nobody waits for one that is claimed. Who carries uses another place; who
 * adopts passes it over, because an item that is still being carried was not
 * handed over yet, and one that is being taken is another's. So a thread that
 * is switched out in here, or a signal handler, holds up nobody, and a fork
 * leaves at most the items behind that were claimed at that moment.
 */
#include "preload/carry_table.h"

#include <errno.h>
#include <sys/mman.h>

#include "lane/ids.h"
#include "preload/runtime.h"

enum {
    ITEMS_A_SET = 8,
    SETS = 16384, /* 131,072 items, 4 MiB */
    TRIES = 4,
};

struct place {
    uint64_t key; /* 0: free */
    uint32_t version;
    uint32_t context_many; /* context 24 bits | many << 24 */
    uint64_t parent, ticks;
};
struct set {
    struct place place[ITEMS_A_SET];
};
_Static_assert(sizeof(struct set) == 256, "two items in a cache line");

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

static struct set *set_of(uint64_t key)
{
    return &sets[key % SETS];
}

/* Nobody else writes it until settle(), if the version was this one. */
static bool claim(struct place *place, uint32_t version)
{
    /* acquire; pairs with the release of settle() */
    return (version & 1) == 0 && __atomic_compare_exchange_n(
                                     &place->version, &version, version + 1,
                                     false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void settle(struct place *place)
{
    __atomic_store_n(&place->version, place->version + 1, __ATOMIC_RELEASE);
}

static uint32_t version_of(const struct place *place)
{
    return __atomic_load_n(&place->version, __ATOMIC_ACQUIRE);
}

static uint64_t key_at(const struct place *place)
{
    return __atomic_load_n(&place->key, __ATOMIC_ACQUIRE);
}

static void set_key(struct place *place, uint64_t key)
{
    __atomic_store_n(&place->key, key, __ATOMIC_RELAXED);
}

/* Take out every item with this key but that at `keep`. */
static void remove_key(struct set *set, uint64_t key, const struct place *keep)
{
    for (int i = 0; i < ITEMS_A_SET; i++) {
        struct place *place = &set->place[i];
        uint32_t version = version_of(place);
        if (place == keep || key_at(place) != key || !claim(place, version))
            continue;
        set_key(place, 0);
        settle(place);
    }
}

/* Where this key stands, else a free place, else the oldest item's; claimed.
 * NULL: others were faster at each. `again`: the key stands elsewhere, too. */
static struct place *claim_for(struct set *set, uint64_t key, bool *again)
{
    struct place *best = NULL;
    uint32_t best_version = 0, rank = 0;
    for (int i = 0; i < ITEMS_A_SET; i++) {
        struct place *place = &set->place[i];
        uint32_t version = version_of(place);
        uint64_t stands = key_at(place);
        uint32_t its = stands == key ? 3 : stands == 0 ? 2 : 1;
        if (version & 1)
            continue;
        *again |= its == 3 && rank == 3;
        if (its > rank ||
            (its == 1 && rank == 1 && place->ticks < best->ticks)) {
            best = place;
            best_version = version;
            rank = its;
        }
    }
    return best && claim(best, best_version) ? best : NULL;
}

void carry_table_put(uint64_t key, const struct carry_item *item)
{
    struct set *set = sets ? set_of(key) : NULL;
    struct place *place = NULL;
    bool again = false;
    for (int i = 0; set && !place && i < TRIES; i++)
        place = claim_for(set, key, &again);
    if (!place) {
        count(&runtime.map.session->carry.dropped);
        return;
    }
    bool is_lost = place->key != 0 && place->key != key &&
                   item->ticks - place->ticks <= most_ticks;
    set_key(place, key);
    place->parent = item->parent;
    place->ticks = item->ticks;
    place->context_many = item->context | (uint32_t)(item->is_many != 0) << 24;
    settle(place);
    if (again) /* two threads carried it at once, some time ago */
        remove_key(set, key, place);
    if (is_lost)
        count(&runtime.map.session->carry.dropped);
}

static void read_item(const struct place *place, struct carry_item *out)
{
    *out = (struct carry_item){place->parent, place->ticks,
                               place->context_many & 0xffffff,
                               place->context_many >> 24};
}

static bool is_old(const struct carry_item *item, uint64_t now_ticks)
{
    return now_ticks > item->ticks && now_ticks - item->ticks > most_ticks;
}

/* False: somebody else was faster. */
static bool take(struct place *place, uint32_t version, uint64_t now_ticks,
                 struct carry_item *out)
{
    read_item(place, out);
    if (out->is_many && !is_old(out, now_ticks)) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return (version & 1) == 0 && version_of(place) == version;
    }
    if (!claim(place, version))
        return false;
    read_item(place, out);
    set_key(place, 0);
    settle(place);
    return true;
}

enum carry_found carry_table_take(uint64_t key, uint64_t now_ticks,
                                  struct carry_item *out)
{
    struct set *set = sets ? set_of(key) : NULL;
    for (int i = 0; set && i < ITEMS_A_SET; i++) {
        struct place *place = &set->place[i];
        uint32_t version = version_of(place);
        if (key_at(place) == key && take(place, version, now_ticks, out))
            return is_old(out, now_ticks) ? CARRY_EXPIRED : CARRY_FOUND;
    }
    return CARRY_NONE;
}

void carry_table_forget(uint64_t key)
{
    if (sets && key != 0)
        remove_key(set_of(key), key, NULL);
}
