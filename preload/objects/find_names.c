/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See find_names.h. Wanted names are a hash table; what a pass found of an
 * object is a list for each name, in the order of the symbol table. Addresses
 * for the most there can be are reserved, pages come as they are touched.
 */
#include "preload/objects/find_names.h"
#include "bind/names.h"
#include "lane/format/assert.h"
#include <string.h>
#include <sys/mman.h>

enum {
    HITS_MAX = 1 << 18, /* of all names in all objects */
    PASSES_MAX = 128,   /* objects */
};

struct wanted {
    const char *name;
    uint64_t hash;
};
struct hit {
    struct plan_symbol symbol;
    const char *file;
    uint32_t next; /* of the same name in the same object, + 1; 0: the last */
};
struct pass {
    const struct module *module;
    uint32_t *first, *last; /* of each wanted name, + 1 */
};
static struct {
    struct wanted *wanted; /* first of the memory of all */
    uint32_t slots;        /* a power of two; 0: no round */
    struct hit *hits;
    uint32_t hit_count;
    uint32_t *lists; /* of all passes */
    struct pass passes[PASSES_MAX];
    uint32_t pass_count;
    bool is_full;
    uint64_t lengths[256]; /* of wanted names, mod 64, by their last byte */
} names;

static void *reserve(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static size_t lists_bytes(void)
{
    lane_assert((names.slots & (names.slots - 1)) == 0);
    return (size_t)PASSES_MAX * names.slots * 2 * sizeof(uint32_t);
}

static size_t wanted_bytes(void)
{
    return names.slots * sizeof(*names.wanted);
}

static size_t all_bytes(void)
{
    return wanted_bytes() + HITS_MAX * sizeof(*names.hits) + lists_bytes();
}

void names_begin(uint32_t count)
{
    lane_assert(names.slots == 0 && names.wanted == NULL);
    uint32_t slots = 64;
    while (slots < UINT32_MAX / 4 && slots < 2 * count)
        slots *= 2;
    names.slots = slots;
    char *at = reserve(all_bytes());
    lane_assert((names.slots & (names.slots - 1)) == 0);
    names.is_full = !at;
    names.wanted = (void *)at;
    names.hits = at ? (void *)(at + wanted_bytes()) : NULL;
    names.lists = at ? (void *)(at + all_bytes() - lists_bytes()) : NULL;
    names.hit_count = names.pass_count = 0;
}

void names_end(void)
{
    if (names.wanted)
        munmap(names.wanted, all_bytes());
    memset(&names, 0, sizeof(names));
}

static uint64_t hash_of(const char *name, size_t len)
{
    uint64_t hash = len, word;
    for (; len >= sizeof(word); len -= sizeof(word), name += sizeof(word)) {
        memcpy(&word, name, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, name, len);
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* The slot of a name, or the free one where it belongs. */
static uint32_t slot_of(const char *name, size_t len, uint64_t hash)
{
    lane_assert(name != NULL && len != 0);
    uint32_t mask = names.slots - 1, slot = (uint32_t)hash & mask;
    for (; names.wanted[slot].name; slot = (slot + 1) & mask) {
        const struct wanted *wanted = &names.wanted[slot];
        if (wanted->hash == hash && strncmp(wanted->name, name, len) == 0 &&
            wanted->name[len] == '\0')
            break;
    }
    return slot;
}

void names_add(const char *name)
{
    size_t len = strlen(name);
    if (names.is_full || names.slots == 0)
        return;
    uint64_t hash = hash_of(name, len);
    uint32_t slot = slot_of(name, len, hash);
    names.wanted[slot] = (struct wanted){name, hash};
    if (len > 0)
        names.lengths[(uint8_t)name[len - 1]] |= UINT64_C(1) << len % 64;
}

/* Most names are passed over without being hashed. */
static bool may_be_wanted(const char *name, size_t len)
{
    return len > 0 && names.lengths[(uint8_t)name[len - 1]] >> len % 64 & 1;
}

static void note_hit(struct pass *pass, const char *name, size_t len,
                     const struct plan_symbol *symbol, const char *file)
{
    lane_assert(names.hit_count <= HITS_MAX);
    if (!may_be_wanted(name, len))
        return;
    uint32_t slot = slot_of(name, len, hash_of(name, len));
    if (!names.wanted[slot].name)
        return;
    if (names.hit_count == HITS_MAX) {
        names.is_full = true;
        return;
    }
    names.hits[names.hit_count++] = (struct hit){*symbol, file, 0};
    if (pass->last[slot])
        names.hits[pass->last[slot] - 1].next = names.hit_count;
    else
        pass->first[slot] = names.hit_count;
    pass->last[slot] = names.hit_count;
}

static int see_symbol(void *context, const struct plan_symbol *symbol,
                      const char *file)
{
    lane_assert(!names.is_full);
    size_t len = strlen(symbol->name);
    const char *name = symbol->name, *dot = name;
    note_hit(context, name, len, symbol, file);
    while ((dot = memchr(dot, '.', len - (size_t)(dot - name)))) {
        note_hit(context, name, (size_t)(dot - name), symbol, file);
        dot++;
    }
    if ((name = bind_global_part(name, &len)))
        note_hit(context, name, len, symbol, file);
    return names.is_full;
}

static struct pass *pass_of(const struct module *module)
{
    for (uint32_t i = 0; i < names.pass_count; i++) {
        if (names.passes[i].module == module)
            return &names.passes[i];
    }
    if (names.pass_count == PASSES_MAX || names.is_full)
        return NULL;
    lane_assert(names.pass_count < PASSES_MAX);
    uint32_t *lists = names.lists + (size_t)names.pass_count * names.slots * 2;
    struct pass *pass = &names.passes[names.pass_count++];
    *pass = (struct pass){module, lists, lists + names.slots};
    (void)plan_image_each_in_file(&module->image, see_symbol, pass);
    return pass;
}

int names_each(struct module *module, const char *name,
               int (*each)(void *context, const struct plan_symbol *symbol,
                           const char *file),
               void *context)
{
    lane_assert(module != NULL && each != NULL);
    struct pass *pass = names.slots ? pass_of(module) : NULL;
    size_t len = strlen(name);
    if (!pass || names.is_full)
        return plan_image_each_in_file(&module->image, each, context);
    uint32_t slot = slot_of(name, len, hash_of(name, len));
    if (!names.wanted[slot].name)
        return plan_image_each_in_file(&module->image, each, context);
    for (uint32_t at = pass->first[slot]; at; at = names.hits[at - 1].next) {
        lane_assert(at <= names.hit_count);
        const struct hit *hit = &names.hits[at - 1];
        int result = each(context, &hit->symbol, hit->file);
        if (result != 0)
            return result;
    }
    return 0;
}
