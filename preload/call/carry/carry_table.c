/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of work items under way: see carry_table.h, and carry_sets.h for
 * how it lies in memory.
 *
 * An item's version is odd while somebody writes it or takes it out: it is
 * claimed by a compare and exchange of the version, and nobody waits for one
 * that is claimed. Who carries uses another place; who adopts passes it over,
 * because an item that is still being carried was not handed over yet, and one
 * that is being taken is another's. So a thread that is switched out in here,
 * or a signal handler, holds up nobody, and a fork leaves at most the items
 * behind that were claimed at that moment.
 */
#include "preload/call/carry/carry_table.h"

#include <errno.h>
#include <sys/mman.h>

#include "lane/format/ids.h"
#include "preload/call/carry/carry_sets.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

/* Kept out of the short way, which needs few registers then. */
#define COLD __attribute__((noinline, cold))

enum {
    TRIES = 4
};

bool carry_table_has_late;
static struct set *sets; /* near, then far; NULL: no carriers here */
static uint64_t most_ticks;

uint64_t carry_key_pair(uint64_t function, uint64_t data)
{
    uint64_t key = lane_mix64(lane_mix64(function) + data);
    return key ? key : 1;
}

int carry_table_start(uint64_t age_ticks)
{
    if (sets)
        return 0;
    void *at = mmap(NULL, (NEAR_SETS + FAR_SETS) * sizeof(struct set),
                    PROT_READ | PROT_WRITE,
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

/* Set and tag: the upper bits of a key, those that all of a value reach. */
static inline struct set *near_of(uint64_t key)
{
    return &sets[key >> (64 - NEAR_SHIFT)];
}

static struct set *far_of(uint64_t key)
{
    return &sets[NEAR_SETS + (key >> (64 - FAR_SHIFT))];
}

static inline uint8_t tag_of(uint64_t key)
{
    return (uint8_t)(key >> (64 - FAR_SHIFT - 7) | TAG_USED);
}

static inline bool has_far(const struct set *near)
{
    /* acquire; pairs with count_far() */
    return __atomic_load_n(&near->far_count, __ATOMIC_ACQUIRE) != 0;
}

/* Before an item comes to a far set, and after it left. */
static void count_far(uint64_t key, uint32_t by)
{
    lane_assert(by == 1 || by == UINT32_MAX);
    /* pairs with has_far() */
    __atomic_fetch_add(&near_of(key)->far_count, by, __ATOMIC_ACQ_REL);
}

static const char nobody_knows;
const char *carry_table_alone = &nobody_knows;

static inline bool claim_alone(struct place *place, uint32_t version)
{
    bool ok;
    __asm__ volatile("cmpxchgl %3, %1"
                     : "=@ccz"(ok), "+m"(place->version), "+a"(version)
                     : "r"(version + 1)
                     : "memory");
    return ok;
}

/* Nobody else writes it until settle(), if the version was this one. While
 * there is one thread only its signal handlers could: no lock prefix then. */
static inline bool claim(struct place *place, uint32_t version)
{
    if (version & 1)
        return false;
    if (*carry_table_alone)
        return claim_alone(place, version);
    /* acquire; pairs with the release of settle() */
    return __atomic_compare_exchange_n(&place->version, &version, version + 1,
                                       false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void settle(struct place *place)
{
    lane_assert((place->version & 1) == 1);
    /* release; pairs with claim() and version_of() */
    __atomic_store_n(&place->version, place->version + 1, __ATOMIC_RELEASE);
}

static uint32_t version_of(const struct place *place)
{
    /* acquire; pairs with settle() */
    return __atomic_load_n(&place->version, __ATOMIC_ACQUIRE);
}

static uint64_t key_at(const struct place *place)
{
    /* acquire: the version is read after it; pairs with settle() */
    return __atomic_load_n(&place->key, __ATOMIC_ACQUIRE);
}

/* Of a place that is claimed; a key of 0 frees it. The tag is a hint: who was
 * handed an item sees it, who races may miss it as one may miss the key. */
static void set_key(struct set *set, struct place *place, uint64_t key)
{
    lane_assert(place >= set->place && place < set->place + ITEMS_A_SET);
    lane_assert((place->version & 1) == 1);
    __atomic_store_n(&set->tag[place - set->place], key ? tag_of(key) : 0,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&place->key, key, __ATOMIC_RELAXED);
}

/* Places of a set, as the upper bits of its tags' bytes: those that may hold
 * `key`, and those that are free. */
static inline uint64_t scan(const struct set *set, uint64_t key, uint64_t *free)
{
    /* pairs with nothing that must be seen: a tag is a hint */
    uint64_t tags = __atomic_load_n(&set->tags, __ATOMIC_ACQUIRE);
    uint64_t other = tags ^ TAGS_EACH * tag_of(key);
    *free = ~tags & TAGS_USED;
    return ~(((other & TAGS_REST) + TAGS_REST) | other) & TAGS_USED;
}

static struct place *first_of(struct set *set, uint64_t places)
{
    lane_assert(places != 0 && (places & TAGS_USED) == places);
    return &set->place[__builtin_ctzll(places) >> 3];
}

/* If it still holds `key`. */
static bool claim_key(struct place *place, uint64_t key)
{
    uint32_t version = version_of(place);
    return key_at(place) == key && claim(place, version);
}

/* Of a place that is claimed. */
static inline void vacate(struct set *set, struct place *place)
{
    lane_assert((place->version & 1) == 1);
    lane_assert(place >= set->place && place < set->place + ITEMS_A_SET);
    uint64_t key = place->key;
    set_key(set, place, 0);
    settle(place);
    if (UNLIKELY(set >= sets + NEAR_SETS))
        count_far(key, UINT32_MAX);
}

/* The places of both its sets that may hold `key`, one after the other. */
struct search {
    struct set *set;
    uint64_t places;
    const struct place *but;
    bool has_next;
};

static struct search search_start(uint64_t key, const struct place *but)
{
    struct set *near = near_of(key);
    uint64_t none;
    return (struct search){near, scan(near, key, &none), but, has_far(near)};
}

/* NULL: no more. */
static struct place *search_next(struct search *search, uint64_t key)
{
    for (;;) {
        uint64_t none;
        while (search->places) {
            struct place *place = first_of(search->set, search->places);
            search->places &= search->places - 1;
            if (place != search->but && key_at(place) == key)
                return place;
        }
        if (!search->has_next)
            return NULL;
        search->has_next = false;
        search->set = far_of(key);
        search->places = scan(search->set, key, &none);
    }
}

/* Take it out wherever it stands, but there. */
static void COLD remove_all(uint64_t key, const struct place *but)
{
    struct search search = search_start(key, but);
    for (struct place *p; (p = search_next(&search, key)) != NULL;)
        if (claim_key(p, key))
            vacate(search.set, p);
}

static void write_item(struct set *set, struct place *place, uint64_t key,
                       const struct carry_item *item, uint32_t kind)
{
    lane_assert((place->version & 1) == 1 && place >= set->place &&
                place < set->place + ITEMS_A_SET);
    lane_assert(key != 0 && item->context < 1u << 24 && kind <= KIND_AWAITED);
    place->parent = item->parent;
    place->ticks = item->ticks;
    place->context_kind = item->context | kind << 24;
    set_key(set, place, key);
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

/* A free place of a set, claimed. */
static struct place *claim_free(struct set *set)
{
    for (uint64_t none = ~set->tags & TAGS_USED; none; none &= none - 1)
        if (claim_key(first_of(set, none), 0))
            return first_of(set, none);
    return NULL;
}

static struct place *claim_far(struct set *far, uint64_t key)
{
    count_far(key, 1);
    struct place *place = claim_free(far);
    if (!place)
        count_far(key, UINT32_MAX);
    return place;
}

/* Where this key stands in the near set, else a free place there; claimed.
 * `is_twice`: it stands there again, two threads carried it at once. */
static inline struct place *claim_near(struct set *near, uint64_t key,
                                       bool *is_twice)
{
    uint64_t none, match = scan(near, key, &none);
    for (; UNLIKELY(match != 0); match &= match - 1) {
        *is_twice = (match & (match - 1)) != 0;
        if (claim_key(first_of(near, match), key))
            return first_of(near, match);
    }
    if (LIKELY(none != 0) && LIKELY(claim_key(first_of(near, none), 0)))
        return first_of(near, none);
    return NULL;
}

/* The same of both sets; if both are full, the oldest item's place of the far
 * one. NULL: others were faster at each. */
static struct place *COLD claim_any(struct set **set, uint64_t key,
                                    uint64_t now)
{
    struct set *near = near_of(key), *far = far_of(key);
    struct search search = search_start(key, NULL);
    struct place *place;
    while ((place = search_next(&search, key)) != NULL)
        if (claim_key(place, key)) {
            *set = search.set;
            return place;
        }
    *set = near;
    place = claim_free(near);
    if (place)
        return place;
    *set = far;
    place = claim_far(far, key);
    return place ? place : claim_oldest(far, now);
}

/* Was it adopted already, while the call that carries it ran? */
static bool is_late(const struct place *place, const struct carry_item *item)
{
    return place->context_kind >> 24 == KIND_AWAITED && item->began != 0 &&
           item->began <= place->ticks;
}

/* A late one looks again: an adopter may have come at the same moment, and
 * each must see the other's. */
static void COLD look_for_adopter(uint64_t key, struct set *set,
                                  struct place *mine,
                                  const struct carry_item *item)
{
    /* pairs with the fence of await() */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    struct search search = search_start(key, mine);
    for (struct place *p; (p = search_next(&search, key)) != NULL;) {
        if (!claim_key(p, key))
            continue;
        bool is_gone = is_late(p, item);
        vacate(search.set, p);
        if (is_gone && claim_key(mine, key))
            vacate(set, mine);
    }
}

void carry_table_put(uint64_t key, const struct carry_item *item)
{
    lane_assert(key != 0 && sets != NULL);
    if (!sets)
        return;
    struct set *set = near_of(key);
    struct place *place = NULL;
    bool is_twice = false;
    if (LIKELY(!has_far(set)))
        place = claim_near(set, key, &is_twice);
    for (int i = 0; UNLIKELY(!place) && i < TRIES; i++) {
        is_twice = true; /* for all that is known */
        place = claim_any(&set, key, item->ticks);
    }
    if (!place) {
        count(&runtime.map.session->carry.dropped);
        return;
    }
    if (UNLIKELY(key_at(place) == key && is_late(place, item))) {
        vacate(set, place);
        return;
    }
    write_item(set, place, key, item, item->is_many ? KIND_MANY : KIND_ONCE);
    if (UNLIKELY(is_twice))
        remove_all(key, place);
    if (UNLIKELY(item->began != 0))
        look_for_adopter(key, set, place, item);
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
static bool take(struct set *set, struct place *place, uint64_t key,
                 uint64_t now_ticks, struct carry_item *out)
{
    uint32_t version = version_of(place);
    uint32_t kind = place->context_kind >> 24;
    if (key_at(place) != key || kind == KIND_AWAITED)
        return false;
    if (kind == KIND_MANY && !is_old(place->ticks, now_ticks)) {
        read_item(place, out);
        /* the version is read again after it; pairs with settle() */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return (version & 1) == 0 && version_of(place) == version;
    }
    if (!claim(place, version))
        return false;
    read_item(place, out);
    vacate(set, place);
    return true;
}

static enum carry_found found_at(uint64_t ticks, uint64_t now_ticks)
{
    return UNLIKELY(is_old(ticks, now_ticks)) ? CARRY_EXPIRED : CARRY_FOUND;
}

static enum carry_found COLD take_any(uint64_t key, const struct place *but,
                                      uint64_t now_ticks,
                                      struct carry_item *out)
{
    struct search search = search_start(key, but);
    for (struct place *p; (p = search_next(&search, key)) != NULL;)
        if (take(search.set, p, key, now_ticks, out))
            return found_at(out->ticks, now_ticks);
    return CARRY_NONE;
}

/* Nothing stands there: whoever carries it from a call that runs already is
 * late, and must not leave it for the next item of this key. */
static enum carry_found COLD await(uint64_t key, uint64_t now_ticks,
                                   struct carry_item *out)
{
    struct carry_item mark = {.ticks = now_ticks};
    struct search search = search_start(key, NULL);
    struct set *set = near_of(key);
    if (search_next(&search, key)) /* a mark, or it comes just now */
        return take_any(key, NULL, now_ticks, out);
    struct place *place = claim_free(set);
    if (!place) {
        set = far_of(key);
        place = claim_far(set, key);
    }
    if (!place) /* no room for one */
        return CARRY_NONE;
    write_item(set, place, key, &mark, KIND_AWAITED);
    /* pairs with the fence of look_for_adopter() */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    enum carry_found found = take_any(key, place, now_ticks, out);
    if (found != CARRY_NONE && claim_key(place, key))
        vacate(set, place);
    return found;
}

enum carry_found carry_table_take(uint64_t key, uint64_t now_ticks,
                                  struct carry_item *out)
{
    lane_assert(key != 0 && sets != NULL);
    if (!sets)
        return CARRY_NONE;
    struct set *near = near_of(key);
    uint64_t none;
    for (uint64_t match = scan(near, key, &none); match; match &= match - 1)
        if (LIKELY(take(near, first_of(near, match), key, now_ticks, out)))
            return found_at(out->ticks, now_ticks);
    enum carry_found found = CARRY_NONE;
    if (has_far(near))
        found = take_any(key, NULL, now_ticks, out);
    if (found == CARRY_NONE && carry_table_has_late)
        found = await(key, now_ticks, out);
    return found;
}

void carry_table_forget(uint64_t key)
{
    if (sets && key != 0)
        remove_all(key, NULL);
}
