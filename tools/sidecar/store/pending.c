/* SPDX-License-Identifier: Apache-2.0 */
/* Spans whose record is still to come: see pending.h. */
#include "tools/sidecar/store/pending.h"
#include "tools/sidecar/store/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/ids.h"
#include "lane/format/assert.h"

enum {
    FIRST_CHAINS = 256,
    SPARES_MAX = 256,
    FRAME_HEAD = 4, /* of a stored frame: count | site << 16 */
};

int pending_init(struct pending_map *map)
{
    *map = (struct pending_map){.chains = FIRST_CHAINS};
    map->chain = calloc(map->chains, sizeof *map->chain);
    return map->chain ? 0 : -ENOMEM;
}

static void pending_empty(struct pending *p)
{
    for (int i = 0; i < PENDING_KINDS; i++)
        free(p->frame[i].payload);
    free(p->inner);
}

/* Nearly every span with values is one for a moment: kept for the next. */
static void pending_delete(struct pending_map *map, struct pending *p)
{
    pending_empty(p);
    if (map->spares == SPARES_MAX) {
        free(p);
        return;
    }
    p->next = map->spare;
    map->spare = p;
    map->spares++;
}

static struct pending *pending_new(struct pending_map *map)
{
    lane_assert((map->spares == 0) == (map->spare == NULL));
    struct pending *p = map->spare;
    if (!p)
        return calloc(1, sizeof *p);
    map->spare = p->next;
    map->spares--;
    *p = (struct pending){0};
    return p;
}

void pending_free(struct pending_map *map)
{
    for (uint32_t i = 0; map->chain && i < map->chains; i++)
        while (map->chain[i]) {
            struct pending *p = map->chain[i];
            map->chain[i] = p->next;
            pending_empty(p);
            free(p);
        }
    while (map->spare) {
        struct pending *p = map->spare;
        map->spare = p->next;
        free(p);
    }
    free(map->chain);
    free(map->dropped);
    *map = (struct pending_map){0};
}

static struct pending **chain_of(const struct pending_map *map, uint64_t ref)
{
    lane_assert(map->chains != 0 && map->chain != NULL);
    return &map->chain[lane_mix64(ref) & (map->chains - 1)];
}

struct pending *pending_find(const struct pending_map *map, uint64_t ref)
{
    struct pending *p = *chain_of(map, ref);
    while (p && p->ref != ref)
        p = p->next;
    return p;
}

static void grow(struct pending_map *map)
{
    struct pending_map larger = {.chains = map->chains * 2};
    larger.chain = calloc(larger.chains, sizeof *larger.chain);
    if (!larger.chain)
        return; /* longer chains, then */
    for (uint32_t i = 0; i < map->chains; i++)
        while (map->chain[i]) {
            struct pending *p = map->chain[i];
            map->chain[i] = p->next;
            struct pending **to = chain_of(&larger, p->ref);
            p->next = *to;
            *to = p;
        }
    free(map->chain);
    map->chain = larger.chain;
    map->chains = larger.chains;
}

struct pending *pending_get(struct pending_map *map, uint64_t ref)
{
    struct pending *p = pending_find(map, ref);
    if (p)
        return p;
    if (map->count >= map->chains * 2)
        grow(map);
    p = pending_new(map);
    if (!p)
        return NULL;
    p->ref = ref;
    struct pending **to = chain_of(map, ref);
    p->next = *to;
    *to = p;
    map->count++;
    return p;
}

int pending_put_frame(struct pending_map *map, uint64_t ref, uint32_t kind,
                      uint32_t count, uint32_t site, const void *payload,
                      uint32_t len_bytes)
{
    if (kind == 0 || kind >= PENDING_KINDS)
        return -EINVAL;
    struct pending *p = pending_get(map, ref);
    uint8_t *copy = malloc(len_bytes ? len_bytes : 1);
    if (!p || !copy) {
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, payload, len_bytes);
    free(p->frame[kind].payload);
    p->frame[kind] = (struct pending_frame){copy, len_bytes, count, site};
    p->changed |= 1u << kind;
    return 0;
}

static struct pending_inner *inner_find(const struct pending *p,
                                        uint32_t context, uint32_t site)
{
    for (uint32_t i = 0; p && i < p->inner_count; i++)
        if (p->inner[i].site == site && p->inner[i].context == context)
            return &p->inner[i];
    return NULL;
}

static void inner_add(struct pending *p, const struct pending_inner *more)
{
    lane_assert(p->inner_count <= p->inner_cap &&
                p->inner_count <= PENDING_INNER_MAX);
    struct pending_inner *there = inner_find(p, more->context, more->site);
    if (there) {
        there->ns = clock_add_ns(there->ns, more->ns);
        there->cpu_ns = clock_add_ns(there->cpu_ns, more->cpu_ns);
        return;
    }
    if (p->inner_count == PENDING_INNER_MAX)
        return; /* then its total counts inner activations, too */
    if (p->inner_count == p->inner_cap) {
        uint32_t cap = p->inner_cap ? p->inner_cap * 2 : 4;
        void *grown = realloc(p->inner, cap * sizeof *p->inner);
        if (!grown)
            return;
        p->inner = grown;
        p->inner_cap = cap;
    }
    p->inner[p->inner_count++] = *more;
}

void pending_add_child(struct pending *into, const struct pending *child,
                       const struct pending_inner *own)
{
    lane_assert(into != child);
    into->children_ns = clock_add_ns(into->children_ns, own->ns);
    inner_add(into, own);
    for (uint32_t i = 0; child && i < child->inner_count; i++) {
        const struct pending_inner *below = &child->inner[i];
        if (below->site != own->site || below->context != own->context)
            inner_add(into, below);
    }
    into->changed |= 1;
}

struct pending_inner pending_inner_of(const struct pending *p, uint32_t context,
                                      uint32_t site)
{
    const struct pending_inner *there = inner_find(p, context, site);
    return there ? *there : (struct pending_inner){.site = site};
}

static void note_dropped(struct pending_map *map, uint64_t ref)
{
    lane_assert(map->dropped_count <= map->dropped_cap);
    if (map->dropped_count == map->dropped_cap) {
        uint32_t cap = map->dropped_cap ? map->dropped_cap * 2 : 64;
        void *grown = realloc(map->dropped, cap * sizeof *map->dropped);
        if (!grown)
            return; /* a row too many stays until the session ends */
        map->dropped = grown;
        map->dropped_cap = cap;
    }
    map->dropped[map->dropped_count++] = ref;
}

void pending_drop(struct pending_map *map, struct pending *p)
{
    lane_assert(map->count != 0);
    lane_assert(pending_find(map, p->ref) == p);
    struct pending **at = chain_of(map, p->ref);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    map->count--;
    if (p->is_stored)
        note_dropped(map, p->ref);
    pending_delete(map, p);
}

void pending_each(struct pending_map *map,
                  void (*call)(struct pending *p, void *with), void *with)
{
    for (uint32_t i = 0; i < map->chains; i++)
        for (struct pending *p = map->chain[i], *next; p; p = next) {
            next = p->next;
            call(p, with);
        }
}

/* ---- store ------------------------------------------------------------ */

struct save {
    struct store *store;
    int64_t session;
    int rc;
};

static int save_children(struct save *s, const struct pending *p)
{
    size_t pairs = p->inner_count * sizeof *p->inner;
    size_t len = sizeof p->children_ns + pairs;
    uint8_t blob[sizeof p->children_ns +
                 PENDING_INNER_MAX * sizeof(struct pending_inner)];
    memcpy(blob, &p->children_ns, sizeof p->children_ns);
    if (pairs)
        memcpy(blob + sizeof p->children_ns, p->inner, pairs);
    return store_run(s->store, STORE_FRAME_SET, "iiib", s->session,
                     (int64_t)p->ref, (int64_t)0, (const void *)blob, len);
}

static int save_frame(struct save *s, const struct pending *p, int kind)
{
    lane_assert(kind > 0 && kind < PENDING_KINDS);
    const struct pending_frame *f = &p->frame[kind];
    uint8_t *blob = malloc(FRAME_HEAD + f->len_bytes);
    if (!blob)
        return -ENOMEM;
    uint32_t head = (f->count & 0xffff) | f->site << 16;
    memcpy(blob, &head, FRAME_HEAD);
    memcpy(blob + FRAME_HEAD, f->payload, f->len_bytes);
    int rc = store_run(s->store, STORE_FRAME_SET, "iiib", s->session,
                       (int64_t)p->ref, (int64_t)kind, (const void *)blob,
                       (size_t)FRAME_HEAD + f->len_bytes);
    free(blob);
    return rc;
}

static void save_one(struct pending *p, void *with)
{
    struct save *s = with;
    for (int kind = 0; p->changed && s->rc >= 0 && kind < PENDING_KINDS;
         kind++) {
        if (!(p->changed & (1u << kind)))
            continue;
        s->rc = kind == 0 ? save_children(s, p) : save_frame(s, p, kind);
        p->is_stored = true;
    }
    if (s->rc >= 0)
        p->changed = 0;
}

int pending_save(struct pending_map *map, struct store *store, int64_t session)
{
    struct save s = {store, session, 0};
    for (uint32_t i = 0; i < map->dropped_count && s.rc >= 0; i++)
        s.rc = store_run(store, STORE_FRAME_DROP, "ii", session,
                         (int64_t)map->dropped[i]);
    map->dropped_count = 0;
    pending_each(map, save_one, &s);
    return s.rc < 0 ? s.rc : 0;
}

static int load_one(struct pending_map *map, uint64_t ref, uint32_t kind,
                    const uint8_t *blob, size_t len_bytes)
{
    struct pending *p = pending_get(map, ref);
    if (!p)
        return -ENOMEM;
    p->is_stored = true;
    uint32_t count;
    if (kind != 0 && len_bytes >= FRAME_HEAD) {
        memcpy(&count, blob, FRAME_HEAD);
        int rc = pending_put_frame(map, ref, kind, count & 0xffff, count >> 16,
                                   blob + FRAME_HEAD,
                                   (uint32_t)(len_bytes - FRAME_HEAD));
        p->changed = 0;
        return rc;
    }
    if (kind == 0 && len_bytes >= sizeof p->children_ns) {
        memcpy(&p->children_ns, blob, sizeof p->children_ns);
        for (size_t at = sizeof p->children_ns;
             at + sizeof *p->inner <= len_bytes; at += sizeof *p->inner) {
            struct pending_inner inner;
            memcpy(&inner, blob + at, sizeof inner);
            inner_add(p, &inner);
        }
    }
    return 0;
}

int pending_load(struct pending_map *map, struct store *store, int64_t session)
{
    int rc = store_start(store, STORE_FRAME_ALL, "i", session);
    while (rc > 0) {
        size_t len;
        const void *blob = store_blob(store, STORE_FRAME_ALL, 2, &len);
        rc =
            load_one(map, (uint64_t)store_int(store, STORE_FRAME_ALL, 0),
                     (uint32_t)store_int(store, STORE_FRAME_ALL, 1), blob, len);
        if (rc == 0)
            rc = store_next(store, STORE_FRAME_ALL);
    }
    return rc;
}
