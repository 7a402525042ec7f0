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
#include "preload/span_internal.h"

enum {
    ITEMS_A_SET = 8,
    SETS = 16384, /* 131,072 items, 4 MiB */
    TRIES = 4,
};

enum kind {
    KIND_ONCE,
    KIND_MANY,
    KIND_AWAITED, /* adopted at `ticks`, not carried yet */
};
struct place {
    uint64_t key; /* 0: free */
    uint32_t version;
    uint32_t context_kind; /* context 24 bits | enum kind << 24 */
    uint64_t parent, ticks;
};
struct set {
    struct place place[ITEMS_A_SET];
};
_Static_assert(sizeof(struct set) == 256, "two items in a cache line");

bool carry_table_has_late;
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

/* The places of a set that hold `key`, as bits, and those that are free. */
static inline uint32_t scan(const struct set *set, uint64_t key, uint32_t *free)
{
    uint32_t match = 0, none = 0;
#pragma GCC unroll 8
    for (int i = 0; i < ITEMS_A_SET; i++) {
        uint64_t stands = key_at(&set->place[i]);
        match |= (uint32_t)(stands == key) << i;
        none |= (uint32_t)(stands == 0) << i;
    }
    *free = none;
    return match;
}

static struct place *first_of(struct set *set, uint32_t places)
{
    return &set->place[__builtin_ctz(places)];
}

/* If it still holds `key`. */
static bool claim_key(struct place *place, uint64_t key)
{
    uint32_t version = version_of(place);
    return key_at(place) == key && claim(place, version);
}

/* Take out what is at those places, if it still has this key. */
static void remove_from(struct set *set, uint64_t key, uint32_t places)
{
    for (; places; places &= places - 1) {
        struct place *place = first_of(set, places);
        if (!claim_key(place, key))
            continue;
        set_key(place, 0);
        settle(place);
    }
}

static void write_item(struct place *place, uint64_t key,
                       const struct carry_item *item, uint32_t kind)
{
    place->parent = item->parent;
    place->ticks = item->ticks;
    place->context_kind = item->context | kind << 24;
    set_key(place, key);
    settle(place);
}

/* ---- carried ------------------------------------------------------------ */

/* The oldest item of a full set, claimed. NULL: somebody was faster. */
static struct place *claim_oldest(struct set *set, uint64_t now)
{
    struct place *oldest = &set->place[0];
    for (int i = 1; i < ITEMS_A_SET; i++)
        if (set->place[i].ticks < oldest->ticks)
            oldest = &set->place[i];
    uint32_t version = version_of(oldest);
    uint32_t kind = oldest->context_kind >> 24;
    uint64_t ticks = oldest->ticks;
    if (!claim(oldest, version))
        return NULL;
    if (kind != KIND_AWAITED && now - ticks <= most_ticks)
        count(&runtime.map.session->carry.dropped);
    return oldest;
}

/* Where this key stands, else a free place, else the oldest item's; claimed.
 * NULL: others were faster at each. `again`: where it stands, too, because two
 * threads carried it at once, some time ago. */
static struct place *claim_for(struct set *set, uint64_t key, uint64_t now,
                               uint32_t *again)
{
    uint32_t none, match = scan(set, key, &none);
    for (; match; match &= match - 1) {
        *again = match & (match - 1);
        if (claim_key(first_of(set, match), key))
            return first_of(set, match);
    }
    for (; none; none &= none - 1)
        if (claim_key(first_of(set, none), 0))
            return first_of(set, none);
    return claim_oldest(set, now);
}

/* Was it adopted already, while the call that carries it ran? */
static bool is_late(const struct place *place, const struct carry_item *item)
{
    return place->context_kind >> 24 == KIND_AWAITED && item->began != 0 &&
           item->began <= place->ticks;
}

/* A late one looks again: an adopter may have come at the same moment, and
 * each must see the other's. */
static void look_for_adopter(struct set *set, uint64_t key,
                             const struct place *mine,
                             const struct carry_item *item)
{
    uint32_t none, own = 1u << (mine - set->place);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t others = scan(set, key, &none) & ~own;
    for (; others; others &= others - 1) {
        struct place *place = first_of(set, others);
        if (!claim_key(place, key))
            continue;
        bool is_gone = is_late(place, item);
        set_key(place, 0);
        settle(place);
        if (is_gone)
            remove_from(set, key, own);
    }
}

void carry_table_put(uint64_t key, const struct carry_item *item)
{
    struct set *set = sets ? set_of(key) : NULL;
    struct place *place = NULL;
    uint32_t again = 0;
    for (int i = 0; set && !place && i < TRIES; i++)
        place = claim_for(set, key, item->ticks, &again);
    if (!place) {
        count(&runtime.map.session->carry.dropped);
        return;
    }
    if (UNLIKELY(key_at(place) == key && is_late(place, item))) {
        set_key(place, 0);
        settle(place);
        return;
    }
    write_item(place, key, item, item->is_many ? KIND_MANY : KIND_ONCE);
    if (UNLIKELY(again != 0))
        remove_from(set, key, again);
    if (UNLIKELY(item->began != 0))
        look_for_adopter(set, key, place, item);
}

/* ---- adopted ------------------------------------------------------------ */

static void read_item(const struct place *place, struct carry_item *out)
{
    out->parent = place->parent;
    out->ticks = place->ticks;
    out->began = 0;
    out->context = place->context_kind & 0xffffff;
    out->is_many = place->context_kind >> 24 == KIND_MANY;
}

static bool is_old(uint64_t ticks, uint64_t now_ticks)
{
    return now_ticks > ticks && now_ticks - ticks > most_ticks;
}

/* False: somebody else was faster, or nobody carried it. */
static bool take(struct place *place, uint64_t key, uint64_t now_ticks,
                 struct carry_item *out)
{
    uint32_t version = version_of(place);
    uint32_t kind = place->context_kind >> 24;
    if (key_at(place) != key || kind == KIND_AWAITED)
        return false;
    if (kind == KIND_MANY && !is_old(place->ticks, now_ticks)) {
        read_item(place, out);
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

static enum carry_found take_one(struct set *set, uint32_t match, uint64_t key,
                                 uint64_t now_ticks, struct carry_item *out)
{
    for (; match; match &= match - 1)
        if (take(first_of(set, match), key, now_ticks, out))
            return UNLIKELY(is_old(out->ticks, now_ticks)) ? CARRY_EXPIRED
                                                           : CARRY_FOUND;
    return CARRY_NONE;
}

/* Nothing stands there: whoever carries it from a call that runs already is
 * late, and must not leave it for the next item of this key. */
static enum carry_found await(struct set *set, uint64_t key, uint64_t now_ticks,
                              struct carry_item *out)
{
    struct carry_item mark = {.ticks = now_ticks};
    uint32_t none, match = scan(set, key, &none);
    while (!match && none && !claim_key(first_of(set, none), 0))
        none &= none - 1;
    if (match || !none) /* there is a mark, or no room for one */
        return take_one(set, match, key, now_ticks, out);
    write_item(first_of(set, none), key, &mark, KIND_AWAITED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t own = none & -none, rest;
    match = scan(set, key, &rest) & ~own;
    enum carry_found found = take_one(set, match, key, now_ticks, out);
    if (found != CARRY_NONE)
        remove_from(set, key, own);
    return found;
}

enum carry_found carry_table_take(uint64_t key, uint64_t now_ticks,
                                  struct carry_item *out)
{
    struct set *set = sets ? set_of(key) : NULL;
    uint32_t none;
    if (!set)
        return CARRY_NONE;
    enum carry_found found =
        take_one(set, scan(set, key, &none), key, now_ticks, out);
    if (UNLIKELY(found == CARRY_NONE && carry_table_has_late))
        return await(set, key, now_ticks, out);
    return found;
}

void carry_table_forget(uint64_t key)
{
    uint32_t none;
    if (sets && key != 0)
        remove_from(set_of(key), key, scan(set_of(key), key, &none));
}
