/* SPDX-License-Identifier: Apache-2.0 */
/* The list of candidates: what gets into it, what is left out, in which
 * order. */
#include "tools/cli/suggest/suggest.h"
#include "tools/cli/suggest/suggest_choose.h"
#include "shim/plan/plan.h"
#include "tools/cli/program/functions.h"
#include "tools/common/text/hash.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OWN_MOST = 150, /* functions of the program itself */
    LIBRARY_MOST = 120,
    CANDIDATES_MOST = 20000,
    EXPORT_LEAST_BYTES = 8,
    OWN_LEAST_BYTES = 24,
    NAMELESS_LEAST_BYTES = 1024,
    HELPER_MOST_BYTES = 256, /* that a helper's word in a name is believed of */
    CALLERS_MOST = 64,
    PROOF_STEPS = 200000, /* in all: some 0.1 s */
};

/* ---- the list ----------------------------------------------------------- */

static size_t hash_of(const struct object *object, const char *name,
                      uint64_t vaddr)
{
    uint64_t hash = (uint64_t)(uintptr_t)object * 31 + vaddr;
    if (!object)
        hash = hash_text(hash, name);
    return (size_t)(hash * 0x9e3779b97f4a7c15u >> 20);
}

/* Its slot, or the free one where it belongs. Twice as many as candidates. */
static uint32_t *slot_of(const struct suggestions *s,
                         const struct object *object, const char *name,
                         uint64_t vaddr)
{
    size_t mask = 2 * s->cap - 1;
    for (size_t i = hash_of(object, name, vaddr) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &s->slots[i];
        if (!*slot)
            return slot;
        const struct candidate *c = &s->at[*slot - 1];
        if (c->object == object && c->vaddr == vaddr &&
            (object || strcmp(c->name, name) == 0))
            return slot;
    }
}

struct candidate *suggest_find(const struct suggestions *s,
                               const struct object *object, uint64_t vaddr)
{
    uint32_t slot = s->cap ? *slot_of(s, object, "", vaddr) : 0;
    return slot ? &s->at[slot - 1] : NULL;
}

static bool grow(struct suggestions *s)
{
    size_t cap = s->cap ? s->cap * 2 : 256;
    uint32_t *slots = calloc(2 * cap, sizeof *slots);
    void *grown = realloc(s->at, cap * sizeof *s->at);
    if (grown)
        s->at = grown;
    if (!grown || !slots) {
        free(slots);
        return false;
    }
    free(s->slots);
    s->slots = slots;
    s->cap = cap;
    for (size_t i = 0; i < s->count; i++)
        *slot_of(s, s->at[i].object, s->at[i].name, s->at[i].vaddr) =
            (uint32_t)i + 1;
    return true;
}

struct candidate *suggest_add(struct suggestions *s,
                              const struct object *object, const char *name,
                              uint64_t vaddr, enum suggest_kind kind,
                              const char *note)
{
    if (s->count == s->cap && !grow(s)) {
        s->failed = true;
        return NULL;
    }
    uint32_t *slot = slot_of(s, object, name, vaddr);
    if (*slot) {
        struct candidate *c = &s->at[*slot - 1];
        if (kind > c->kind)
            c->kind = kind;
        if (note && !c->note)
            c->note = strdup(note);
        return c;
    }
    if (s->count == CANDIDATES_MOST)
        return NULL;
    struct candidate *c = &s->at[s->count++];
    *slot = (uint32_t)s->count;
    *c = (struct candidate){.object = object,
                            .name = name,
                            .vaddr = vaddr,
                            .kind = kind,
                            .note = note ? strdup(note) : NULL,
                            .score = name ? suggest_score_name(name) : 1};
    uint64_t end;
    if (object && plan_image_function_extent(&object->image, vaddr, &end) == 0)
        c->size_bytes = end - vaddr;
    return c;
}

/* ---- where they come from ----------------------------------------------- */

struct from {
    struct suggestions *s;
    const struct objects *objects;
    const struct object *object;
    enum suggest_kind kind;
    const struct suggest_choice *choice;
};

static bool is_wanted(const struct from *f, const char *name,
                      uint64_t size_bytes)
{
    int score = suggest_score_name(name);
    if (f->choice->glob_count) {
        for (size_t i = 0; i < f->choice->glob_count; i++)
            if (manifest_match_glob(f->choice->globs[i], name))
                return true;
        return false;
    }
    /* what it imports it wants to be done, whatever the word for it */
    if (f->kind == SUGGEST_OWN)
        return score >= 0 || (score > -4 && size_bytes >= HELPER_MOST_BYTES);
    return score >= -1;
}

static int is_cold_part(void *context, const struct plan_symbol *symbol,
                        const char *file)
{
    (void)file;
    return strcmp(symbol->name, context) == 0;
}

/* What throws is elsewhere; the rest of it may be a few bytes. */
static bool has_cold_part(const struct object *object, const char *name)
{
    char cold[1024];
    int len = snprintf(cold, sizeof cold, "%s.cold", name);
    return len > 0 && (size_t)len < sizeof cold &&
           object_names_each(object->names, &object->image, cold, is_cold_part,
                             cold) != 0;
}

/* What has no word of work in its name and is large does work, too. */
static uint64_t least_bytes(enum suggest_kind kind, const char *name)
{
    if (kind != SUGGEST_EXPORT)
        return OWN_LEAST_BYTES;
    return suggest_score_name(name) >= 1 ? EXPORT_LEAST_BYTES
                                         : NAMELESS_LEAST_BYTES;
}

static int take_symbol(void *context, const struct plan_symbol *symbol)
{
    struct from *f = context;
    if (!symbol->vaddr || symbol->is_ifunc || !symbol->is_function ||
        strchr(symbol->name, '.'))
        return 0;
    uint64_t end = symbol->vaddr;
    bool is_known =
        plan_image_function_extent(&f->object->image, symbol->vaddr, &end) == 0;
    uint64_t size = is_known ? end - symbol->vaddr : 0;
    if (!is_wanted(f, symbol->name, size) ||
        (f->kind == SUGGEST_EXPORT && !symbol->is_exported))
        return 0;
    if (!f->choice->glob_count && is_known &&
        size < least_bytes(f->kind, symbol->name) &&
        !has_cold_part(f->object, symbol->name))
        return 0;
    suggest_add(f->s, f->object, symbol->name, symbol->vaddr, f->kind, NULL);
    return 0;
}

static int take_import(void *context, const struct plan_slot *slot)
{
    struct from *f = context;
    struct plan_symbol symbol;
    if (!slot->name || slot->is_defined_here || !is_wanted(f, slot->name, 0))
        return 0;
    for (size_t i = 1; i < f->objects->count; i++) {
        const struct object *o = &f->objects->at[i];
        if (plan_image_find_symbol(&o->image, slot->name, &symbol) < 0 ||
            !symbol.is_exported)
            continue;
        if (!suggest_is_plumbing(o) && symbol.is_function && symbol.vaddr &&
            !symbol.is_ifunc)
            suggest_add(f->s, o, symbol.name, symbol.vaddr, SUGGEST_IMPORT,
                        NULL);
        return 0;
    }
    return 0;
}

/* Code of an object, in bytes. */
static uint64_t code_bytes(const struct object *o)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < o->image.segment_count; i++)
        if (o->image.segments[i].flags & PF_X)
            sum += o->image.segments[i].filesz;
    return sum;
}

static bool is_installed(const struct object *o)
{
    return strncmp(o->path, "/usr/lib/", 9) == 0 ||
           strncmp(o->path, "/lib/", 5) == 0 ||
           strncmp(o->path, "/lib64/", 7) == 0;
}

/* The one library that a small program is made around: what it imports most of,
 * and more code than it has itself. NULL: it has its work itself. */
static const struct object *core_of(const struct suggestions *s,
                                    const struct objects *objects)
{
    const struct object *core = NULL;
    size_t most = 0;
    for (size_t i = 1; i < objects->count; i++) {
        const struct object *o = &objects->at[i];
        size_t n = 0;
        for (size_t j = 0; j < s->count; j++)
            n += s->at[j].object == o;
        if (n > most && code_bytes(o) > code_bytes(&objects->at[0]))
            core = o;
        most = n > most ? n : most;
    }
    return core;
}

static void collect(struct suggestions *s, const struct objects *objects,
                    const struct suggest_choice *choice)
{
    struct from f = {s, objects, &objects->at[0], SUGGEST_OWN, choice};
    for (size_t i = 0; i < objects->count; i++) {
        if (objects->at[i].parent == 0 && !suggest_is_plumbing(&objects->at[i]))
            object_add_symtab(objects, &objects->at[i]);
        object_index_labels(objects, &objects->at[i]);
    }
    plan_image_each_function(&f.object->image, take_symbol, &f);
    f.kind = SUGGEST_IMPORT;
    plan_image_each_slot(&f.object->image, take_import, &f);
    const struct object *core = core_of(s, objects);
    for (size_t i = 1; i < objects->count; i++) {
        f.object = &objects->at[i];
        f.kind = SUGGEST_EXPORT;
        if (f.object->parent == 0 && !suggest_is_plumbing(f.object) &&
            (choice->glob_count || f.object == core || !is_installed(f.object)))
            plan_image_each_function(&f.object->image, take_symbol, &f);
    }
    if (choice->glob_count)
        return;
    suggest_from_code(s, objects);
    suggest_plugins(s, objects);
}

/* ---- what is left out --------------------------------------------------- */

static void ask_debug(struct suggestions *s, const struct object *object,
                      struct suggest_notes *notes)
{
    struct debug *debug;
    struct debug_function *asked = calloc(s->count + 1, sizeof *asked);
    size_t n = 0;
    bool any = false;
    for (size_t i = 0; asked && i < s->count; i++)
        if (s->at[i].object == object)
            asked[n++].vaddr = s->at[i].vaddr;
    if (n && debug_open(object->path, &debug) == 0) {
        any = debug_find_functions(debug, asked, n) == 0;
        debug_close(debug);
    }
    n = 0;
    for (size_t i = 0; asked && i < s->count; i++)
        if (s->at[i].object == object)
            s->at[i].debug = asked[n++];
    free(asked);
    if (n && !any)
        notes->without_debug++;
    if (n && any)
        notes->with_debug++;
}

/* Where its entry cannot be patched, check would not be content. */
static bool can_be_bound(const struct objects *objects,
                         const struct candidate *c, void *scratch,
                         uint32_t *steps_left)
{
    struct plan_patch patch;
    if (!c->object)
        return true;
    object_find_branches(objects, c->object, c->vaddr);
    return plan_entry_patch(&plan_decoder_zydis, &c->object->image, c->vaddr, 0,
                            scratch, &patch) == 0 &&
           patch.verdict == PLAN_OK &&
           plan_prove_within(&plan_decoder_zydis, &c->object->image, c->vaddr,
                             NULL, scratch, steps_left,
                             NULL) != PLAN_STACK_CALLER;
}

static bool is_helper(const struct candidate *c)
{
    if (c->debug.is_destructor || c->debug.is_library)
        return true;
    if (c->name && strncmp(c->name, "_Z", 2) == 0 &&
        (strncmp(c->name, "_ZNSt", 5) == 0 ||
         strncmp(c->name, "_ZSt", 4) == 0 ||
         strncmp(c->name, "_ZNKSt", 6) == 0 || strstr(c->name, "D0Ev") ||
         strstr(c->name, "D1Ev") || strstr(c->name, "D2Ev") ||
         strncmp(c->name, "_ZN9__gnu_cxx", 13) == 0))
        return true;
    return (c->kind == SUGGEST_TABLE || c->kind == SUGGEST_BUILTIN ||
            c->kind == SUGGEST_CALLBACK) &&
           c->score < 0 && c->size_bytes < HELPER_MOST_BYTES;
}

static int rank(const struct candidate *c)
{
    int kinds[SUGGEST_KINDS] = {0, 0, 6, -20, 6, 6, 8};
    int size = 0, called = 0;
    for (uint64_t n = c->size_bytes; n > 15; n /= 16)
        size++;
    /* from several places; what is called from everywhere is a helper */
    for (uint32_t n = c->callers; c->callers <= CALLERS_MOST && n > 1; n /= 2)
        called += called < 3;
    return 2 * (c->score > 5 ? 5 : c->score) + kinds[c->kind] + size + called;
}

static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->object != y->object)
        return !x->object              ? 1
               : !y->object            ? -1
               : x->object < y->object ? -1
                                       : 1;
    if (!x->object && x->vaddr != y->vaddr) /* a folder of plugins */
        return x->vaddr > y->vaddr ? 1 : -1;
    if (rank(x) != rank(y))
        return rank(y) - rank(x);
    return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static void leave_out(struct suggestions *s, const struct objects *objects,
                      const struct suggest_choice *choice,
                      struct suggest_notes *notes)
{
    void *scratch = malloc(plan_scratch_bytes());
    uint32_t steps_left = PROOF_STEPS;
    const struct object *last = NULL;
    size_t shown[2] = {0}; /* of an object; what is imported of it apart */
    for (size_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->at[i];
        size_t *of_kind = &shown[c->kind == SUGGEST_IMPORT];
        bool own = c->object && c->object->kind == OBJECT_MAIN;
        size_t most = own ? OWN_MOST : LIBRARY_MOST;
        if (c->object != last)
            shown[0] = shown[1] = 0;
        last = c->object;
        if (!choice->glob_count && is_helper(c)) {
            c->is_left_out = true;
        } else if (!choice->glob_count && *of_kind >= most) {
            c->is_left_out = true; /* whether it could be bound is not asked:
                                      that costs most */
            notes->beyond++;
        } else if (!scratch ||
                   !can_be_bound(objects, c, scratch, &steps_left)) {
            c->is_left_out = true;
        } else {
            ++*of_kind;
        }
    }
    free(scratch);
}

int suggest_choose(const struct objects *objects,
                   const struct suggest_choice *choice, struct suggestions *out,
                   struct suggest_notes *notes)
{
    *out = (struct suggestions){0};
    *notes = (struct suggest_notes){0};
    collect(out, objects, choice);
    for (size_t i = 0; i < objects->count; i++)
        ask_debug(out, &objects->at[i], notes);
    suggest_count_calls(out, objects);
    if (out->count > 0)
        qsort(out->at, out->count, sizeof *out->at, compare);
    leave_out(out, objects, choice, notes);
    return out->failed ? -ENOMEM : 0;
}

void suggest_free(struct suggestions *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->at[i].note);
        free(s->at[i].plugins);
        debug_function_free(&s->at[i].debug);
    }
    free(s->at);
    free(s->slots);
    *s = (struct suggestions){0};
}
