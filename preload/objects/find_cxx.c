/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See find_cxx.h. Wanted names and their identifiers are two hash tables; what
 * a pass found is a list for each name. Addresses for the most there can be
 * are reserved, pages come as they are touched.
 */
#include "preload/objects/find_cxx.h"
#include "bind/names.h"
#include "preload/objects/demangler.h"
#include "preload/objects/names_kept.h"
#include "shim/plan/names/cxx_name.h"
#include "shim/plan/names/rust_name.h"
#include "lane/format/assert.h"
#include <string.h>
#include <sys/mman.h>

enum {
    HITS_MAX = 1 << 17,
    PASSES_MAX = 128,        /* kept; beyond that they are made anew */
    NAME_MAX_BYTES = 16384,  /* of one as people read it */
    KEPT_SYMBOLS_MIN = 2000, /* fewer are looked at in no time */
};

struct wanted {
    const char *name;
    uint64_t hash;
};
struct part {
    const char *bytes;
    size_t len;
};
struct hit {
    struct plan_symbol symbol;
    uint32_t next; /* of the same name in the same pass, + 1; 0: the last */
};
struct pass {
    const struct module *module;
    bool with_symtab;
    uint32_t *first, *last; /* of each wanted name, + 1 */
};
static struct {
    char *memory; /* of all that follows */
    size_t bytes;
    uint32_t slots; /* of both tables, a power of two */
    struct wanted *wanted;
    struct part *parts;
    struct hit *hits;
    uint32_t *lists;
    char *name; /* as people read it */
    uint32_t hit_count, pass_count, name_count;
    struct pass passes[PASSES_MAX];
    bool any_symbol;       /* a wanted name has no identifier to look for */
    uint64_t lengths[256]; /* of parts, mod 64, by their first byte */
} cxx;

static void *take(size_t *at, size_t bytes)
{
    void *memory = cxx.memory ? cxx.memory + *at : NULL;
    *at += (bytes + 15) & ~(size_t)15;
    return memory;
}

/* Once to know how much, once to know where. */
static size_t lay_out(void)
{
    size_t at = 0;
    cxx.wanted = take(&at, cxx.slots * sizeof(*cxx.wanted));
    cxx.parts = take(&at, cxx.slots * sizeof(*cxx.parts));
    cxx.hits = take(&at, HITS_MAX * sizeof(*cxx.hits));
    cxx.lists =
        take(&at, (size_t)PASSES_MAX * cxx.slots * 2 * sizeof(uint32_t));
    cxx.name = take(&at, NAME_MAX_BYTES);
    return at;
}

void cxx_begin(uint32_t count)
{
    lane_assert(cxx.memory == NULL);
    cxx.slots = 64;
    while (cxx.slots < UINT32_MAX / 4 && cxx.slots < 2 * count)
        cxx.slots *= 2;
}

static bool is_ready(void)
{
    if (cxx.memory || cxx.slots == 0)
        return cxx.memory;
    cxx.bytes = lay_out();
    void *at = mmap(NULL, cxx.bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    cxx.memory = at;
    (void)lay_out();
    lane_assert(cxx.lists != NULL && cxx.name != NULL);
    (void)demangler_begin(); /* without it Rust's are found */
    return true;
}

void cxx_end(void)
{
    if (cxx.memory)
        munmap(cxx.memory, cxx.bytes);
    demangler_end();
    memset(&cxx, 0, sizeof(cxx));
}

/* ---- what is wanted --------------------------------------------------------
 */

/* The slot of a name, or the free one where it belongs. */
static uint32_t slot_of(const char *name)
{
    lane_assert((cxx.slots & (cxx.slots - 1)) == 0 &&
                cxx.name_count < cxx.slots);
    uint64_t hash = name_hash(name);
    uint32_t mask = cxx.slots - 1, slot = (uint32_t)(hash ^ hash >> 32) & mask;
    for (; cxx.wanted[slot].name; slot = (slot + 1) & mask) {
        if (cxx.wanted[slot].hash == hash &&
            name_is_same(cxx.wanted[slot].name, name))
            break;
    }
    return slot;
}

static uint32_t part_slot(const char *part, size_t len)
{
    lane_assert((cxx.slots & (cxx.slots - 1)) == 0 && cxx.slots != 0);
    uint64_t hash = len;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)part[i]) * UINT64_C(0x100000001b3);
    uint32_t mask = cxx.slots - 1, slot = (uint32_t)(hash ^ hash >> 32) & mask;
    for (; cxx.parts[slot].bytes; slot = (slot + 1) & mask) {
        if (cxx.parts[slot].len == len &&
            memcmp(cxx.parts[slot].bytes, part, len) == 0)
            break;
    }
    return slot;
}

static void add_part(const char *part, size_t len)
{
    cxx.parts[part_slot(part, len)] = (struct part){part, len};
    cxx.lengths[(uint8_t)*part] |= UINT64_C(1) << len % 64;
}

void cxx_add(const char *readable)
{
    size_t len;
    if (!is_ready())
        return;
    uint32_t slot = slot_of(readable);
    if (!cxx.wanted[slot].name) {
        cxx.wanted[slot] = (struct wanted){readable, name_hash(readable)};
        cxx.name_count++;
    }
    const char *part = name_part(readable, &len);
    if (part)
        add_part(part, len);
    else
        cxx.any_symbol = true;
}

/* ---- one pass over an object -----------------------------------------------
 */

static bool is_wanted_part(void *context, const char *part, size_t len)
{
    (void)context;
    return len > 0 && (cxx.lengths[(uint8_t)*part] >> len % 64 & 1) &&
           cxx.parts[part_slot(part, len)].bytes;
}

static void note_slot(struct pass *pass, uint32_t slot,
                      const struct plan_symbol *symbol)
{
    lane_assert(cxx.hit_count <= HITS_MAX && pass->first != NULL);
    if (cxx.hit_count == HITS_MAX)
        return;
    cxx.hits[cxx.hit_count++] = (struct hit){*symbol, 0};
    if (pass->last[slot])
        cxx.hits[pass->last[slot] - 1].next = cxx.hit_count;
    else
        pass->first[slot] = cxx.hit_count;
    pass->last[slot] = cxx.hit_count;
}

static void note_hit(struct pass *pass, const char *name,
                     const struct plan_symbol *symbol)
{
    uint32_t slot = slot_of(name);
    if (cxx.wanted[slot].name)
        note_slot(pass, slot, symbol);
}

static bool is_mangled(const char *name)
{
    return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

static bool may_be_wanted(void *context, const char *name)
{
    (void)context;
    return is_mangled(name) &&
           (cxx.any_symbol || name_any_part(name, is_wanted_part, NULL));
}

/* Rust: `_R...`, or `_ZN...` with a hash at its end, which a C++ demangler
 * takes for a namespace. */
static int see_symbol(void *context, const struct plan_symbol *symbol)
{
    const char *mangled = symbol->name;
    if (symbol->vaddr == 0)
        return 0;
    if (rust_name(mangled, cxx.name, 512))
        note_hit(context, cxx.name, symbol);
    if (mangled[1] != 'Z' || !demangler_read(mangled, cxx.name, NAME_MAX_BYTES))
        return 0;
    bind_cut_suffix(mangled, cxx.name);
    note_hit(context, cxx.name, symbol);
    const char *untyped = name_skip_return_type(cxx.name);
    if (untyped != cxx.name)
        note_hit(context, untyped, symbol);
    return 0;
}

static void forget_passes(void)
{
    lane_assert(cxx.pass_count <= PASSES_MAX);
    memset(cxx.lists, 0,
           (size_t)cxx.pass_count * cxx.slots * 2 * sizeof(*cxx.lists));
    cxx.pass_count = cxx.hit_count = 0;
}

/* ---- what was kept of a pass --------------------------------------------- */

static void note_kept(void *context, const struct names_kept *found)
{
    if (found->wanted < cxx.slots && cxx.wanted[found->wanted].name)
        note_slot(context, found->wanted, &found->symbol);
}

static uint64_t sum_of_wanted(void)
{
    uint64_t sum = cxx.name_count;
    for (uint32_t i = 0; i < cxx.slots; i++)
        if (cxx.wanted[i].name)
            sum = ((sum << 7 | sum >> 57) ^ cxx.wanted[i].hash ^ i) *
                  UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (demangler_is_open() ? 1 : 0);
}

struct found {
    const struct pass *pass;
    uint32_t slot, at; /* the next one; `at` 0: the first of the slot */
};

/* In the order of slots, and in each of symbols. */
static struct names_kept get_found(void *context, uint32_t i)
{
    struct found *next = context;
    (void)i;
    while (!next->at && !(next->at = next->pass->first[next->slot]))
        next->slot++;
    lane_assert(next->slot < cxx.slots && next->at <= cxx.hit_count);
    const struct hit *hit = &cxx.hits[next->at - 1];
    struct names_kept found = {next->slot, hit->symbol};
    next->at = hit->next;
    next->slot += !next->at;
    return found;
}

static void pass_over(struct pass *pass, struct module *module)
{
    struct kept_identity of;
    uint32_t before = cxx.hit_count;
    bool is_kept = module->image.dynsym_count + module->image.symtab_count >=
                       KEPT_SYMBOLS_MIN &&
                   names_kept_identify(module, sum_of_wanted(), &of);
    if (is_kept && names_kept_each(module, &of, note_kept, pass))
        return;
    (void)plan_image_each_wanted(&module->image, may_be_wanted, see_symbol,
                                 pass);
    struct found found = {pass, 0, 0};
    if (is_kept && cxx.hit_count < HITS_MAX)
        names_kept_store(module, &of, cxx.hit_count - before, get_found,
                         &found);
}

/* An object whose .symtab came meanwhile is another one. */
static struct pass *pass_of(struct module *module)
{
    bool with_symtab = module->image.symtab != NULL;
    for (uint32_t i = 0; i < cxx.pass_count; i++) {
        if (cxx.passes[i].module == module &&
            cxx.passes[i].with_symtab == with_symtab)
            return &cxx.passes[i];
    }
    if (cxx.pass_count == PASSES_MAX || cxx.hit_count > HITS_MAX / 2)
        forget_passes();
    lane_assert(cxx.pass_count < PASSES_MAX);
    uint32_t *lists = cxx.lists + (size_t)cxx.pass_count * cxx.slots * 2;
    struct pass *pass = &cxx.passes[cxx.pass_count++];
    *pass = (struct pass){module, with_symtab, lists, lists + cxx.slots};
    pass_over(pass, module);
    return pass;
}

int cxx_each(struct module *module, const char *readable,
             int (*each)(void *context, const struct plan_symbol *symbol),
             void *context)
{
    lane_assert(module != NULL && each != NULL);
    const struct pass *pass = cxx.name_count > 0 ? pass_of(module) : NULL;
    uint32_t at = pass ? pass->first[slot_of(readable)] : 0;
    for (; at; at = cxx.hits[at - 1].next) {
        lane_assert(at <= cxx.hit_count);
        int result = each(context, &cxx.hits[at - 1].symbol);
        if (result != 0)
            return result;
    }
    return 0;
}

/* ---- globs ---------------------------------------------------------------
 */

struct matching {
    const char *glob;
    const char *part; /* an identifier that must stand in it; NULL: none */
    size_t part_len;
    int (*each)(void *context, const struct plan_symbol *symbol);
    void *context;
};

static bool is_part(void *context, const char *part, size_t len)
{
    const struct matching *m = context;
    return len == m->part_len && memcmp(part, m->part, len) == 0;
}

static bool may_match(void *context, const char *name)
{
    const struct matching *m = context;
    return is_mangled(name) &&
           (!m->part || name_any_part(name, is_part, context));
}

static int see_matching(void *context, const struct plan_symbol *symbol)
{
    struct matching *m = context;
    const char *mangled = symbol->name;
    if (symbol->vaddr == 0)
        return 0;
    bool matches = rust_name(mangled, cxx.name, 512) &&
                   bind_match_readable(m->glob, cxx.name);
    if (!matches && mangled[1] == 'Z' &&
        demangler_read(mangled, cxx.name, NAME_MAX_BYTES)) {
        bind_cut_suffix(mangled, cxx.name);
        matches = bind_match_readable(m->glob, cxx.name);
    }
    return matches ? m->each(m->context, symbol) : 0;
}

int cxx_each_matching(struct module *module, const char *glob,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol),
                      void *context)
{
    struct matching m = {.glob = glob, .each = each, .context = context};
    if (!is_ready())
        return 0;
    m.part = bind_glob_part(glob, &m.part_len);
    return plan_image_each_wanted(&module->image, may_match, see_matching, &m);
}
