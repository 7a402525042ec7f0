/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that no call names: those whose address stands in an array of the
 * executable's data, and those whose address is taken right before a call of a
 * function that registers. The code is looked at as bytes: `lea reg, [rip+x]`
 * where x is exactly the start of a function, then a call within the next
 * instructions. That may find too little, and what it finds is a function.
 */
#include "tools/cli/suggest/suggest.h"
#include <ctype.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum {
    NEAR_BYTES = 48, /* from the lea to the call */
    TABLE_LEAST = 2, /* pointers in a row, up to TABLE_GAP bytes apart */
    TABLE_GAP = 40,
    BUILTINS_LEAST = 100, /* of such a table */
};

struct pointer {
    uint64_t at, to;
};
struct pointers {
    struct pointer *list;
    size_t count, cap;
    const struct plan_image *image;
};

/* Most of what is asked are addresses of data. */
static bool is_code(const struct plan_image *image, uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->segment_count; i++)
        if (image->segments[i].flags & PF_X &&
            vaddr - image->segments[i].vaddr < image->segments[i].filesz)
            return true;
    return false;
}

static bool is_function(const struct plan_image *image, uint64_t vaddr)
{
    uint64_t end;
    return is_code(image, vaddr) &&
           plan_image_function_extent(image, vaddr, &end) == 0;
}

static const char *name_at(const struct plan_image *image, uint64_t vaddr)
{
    struct plan_symbol symbol;
    return plan_image_symbol_at(image, vaddr, &symbol) == 0 ? symbol.name
                                                            : NULL;
}

/* ---- tables ------------------------------------------------------------- */

static int take_pointer(void *context, const struct plan_slot *slot)
{
    struct pointers *p = context;
    uint64_t to = slot->type == R_X86_64_RELATIVE ? slot->addend
                  : slot->type == R_X86_64_64 && slot->is_defined_here
                      ? slot->definition
                      : 0;
    if (!to || !is_function(p->image, to))
        return 0;
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 256;
        void *grown = realloc(p->list, cap * sizeof *p->list);
        if (!grown)
            return 1;
        p->list = grown;
        p->cap = cap;
    }
    p->list[p->count++] = (struct pointer){slot->vaddr, to};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct pointer *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* .init_array and .fini_array are tables, too, but not of handlers. */
static bool is_start_up(const struct plan_image *image, uint64_t at)
{
    uint64_t count = image->dynamic_len / sizeof(Elf64_Dyn);
    const char *table =
        plan_image_at(image, image->dynamic, image->dynamic_len);
    uint64_t start[2] = {0}, len[2] = {0};
    for (uint64_t i = 0; table && i < count; i++) {
        Elf64_Dyn d;
        memcpy(&d, table + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_INIT_ARRAY || d.d_tag == DT_FINI_ARRAY)
            start[d.d_tag == DT_FINI_ARRAY] = d.d_un.d_ptr;
        if (d.d_tag == DT_INIT_ARRAYSZ || d.d_tag == DT_FINI_ARRAYSZ)
            len[d.d_tag == DT_FINI_ARRAYSZ] = d.d_un.d_val;
    }
    return at - start[0] < len[0] || at - start[1] < len[1];
}

static void add_tables(struct suggestions *s, const struct object *object)
{
    struct pointers p = {.image = &object->image};
    plan_image_each_slot(&object->image, take_pointer, &p);
    if (p.count)
        qsort(p.list, p.count, sizeof *p.list, compare);
    for (size_t i = 0, n; i < p.count; i += n) {
        for (n = 1; i + n < p.count &&
                    p.list[i + n].at - p.list[i + n - 1].at <= TABLE_GAP;
             n++)
            ;
        if (n < TABLE_LEAST || is_start_up(&object->image, p.list[i].at))
            continue;
        for (size_t j = i; j < i + n; j++) {
            char note[128];
            snprintf(note, sizeof note, "in the table at 0x%llx",
                     (unsigned long long)p.list[i].at);
            suggest_add(
                s, object, name_at(&object->image, p.list[j].to), p.list[j].to,
                n < BUILTINS_LEAST ? SUGGEST_TABLE : SUGGEST_BUILTIN, note);
        }
    }
    free(p.list);
}

/* ---- callbacks ---------------------------------------------------------- */

static bool is_registration(const char *name)
{
    static const char *const words[] = {
        "register", "callback", "_cb",    "handler", "hook",     "add_watch",
        "connect",  "_create",  "signal", "atexit",  "set_func", "subscribe",
        "_on_",     "listen",   "spawn",  "init",    "Create"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (isupper((unsigned char)*words[i]) ? !!strstr(name, words[i])
                                              : !!strcasestr(name, words[i]))
            return strcmp(name, "__libc_start_main") != 0;
    return false;
}

/* The slots of an object that have a name, by address: there is a question for
 * each call behind an address that is taken. */
struct named_slot {
    uint64_t vaddr;
    const char *name;
};
struct code {
    const struct object *object;
    struct named_slot *slots;
    size_t count, cap;
};

static int take_slot(void *context, const struct plan_slot *slot)
{
    struct code *c = context;
    if (!slot->name)
        return 0;
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 256;
        void *grown = realloc(c->slots, cap * sizeof *c->slots);
        if (!grown)
            return 1;
        c->slots = grown;
        c->cap = cap;
    }
    c->slots[c->count++] = (struct named_slot){slot->vaddr, slot->name};
    return 0;
}

static int compare_slots(const void *a, const void *b)
{
    const struct named_slot *x = a, *y = b;
    return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static const char *slot_name(const struct code *c, uint64_t vaddr)
{
    struct named_slot wanted = {vaddr, NULL};
    const struct named_slot *slot =
        c->count ? bsearch(&wanted, c->slots, c->count, sizeof *c->slots,
                           compare_slots)
                 : NULL;
    return slot ? slot->name : NULL;
}

/* A stub of the PLT jumps through one slot: [endbr64] [bnd] jmp [rip+x]. */
static const char *stub_name(const struct code *c, uint64_t vaddr)
{
    const uint8_t *b = plan_image_at(&c->object->image, vaddr, 16);
    for (uint64_t i = 0; b && i < 6; i++) {
        int32_t rel;
        if (b[i] != 0xff || b[i + 1] != 0x25)
            continue;
        memcpy(&rel, b + i + 2, sizeof rel);
        const char *name = slot_name(c, vaddr + i + 6 + (uint64_t)(int64_t)rel);
        if (name)
            return name;
    }
    return NULL;
}

/* Whom the call at `b` (link-time address `at`) calls, NULL: not a call that
 * we know. */
static const char *callee(const struct code *c, const uint8_t *b, uint64_t at)
{
    const struct plan_image *image = &c->object->image;
    int32_t rel;
    if (b[0] == 0xe8) {
        memcpy(&rel, b + 1, sizeof rel);
        uint64_t to = at + 5 + (uint64_t)(int64_t)rel;
        const char *name = stub_name(c, to);
        return name ? name : is_function(image, to) ? name_at(image, to) : NULL;
    }
    if (b[0] == 0xff && b[1] == 0x15) {
        memcpy(&rel, b + 2, sizeof rel);
        return slot_name(c, at + 6 + (uint64_t)(int64_t)rel);
    }
    return NULL;
}

/* The address that an instruction at `b` puts into an argument register, 0:
 * it does not. */
static uint64_t taken_address(const uint8_t *b, uint64_t at)
{
    int32_t rel;
    bool low = b[0] == 0x48 &&
               (b[2] == 0x3d || b[2] == 0x35 || b[2] == 0x15 || b[2] == 0x0d);
    bool high = b[0] == 0x4c && (b[2] == 0x05 || b[2] == 0x0d);
    if (b[1] != 0x8d || (!low && !high))
        return 0;
    memcpy(&rel, b + 3, sizeof rel);
    return at + 7 + (uint64_t)(int64_t)rel;
}

static void scan(struct suggestions *s, const struct code *c, const uint8_t *b,
                 uint64_t start, uint64_t len)
{
    const struct object *object = c->object;
    const struct plan_image *image = &object->image;
    for (uint64_t i = 0; i + NEAR_BYTES + 8 < len; i++) {
        uint64_t to = taken_address(b + i, start + i);
        if (!to || !is_function(image, to))
            continue;
        for (uint64_t j = i + 7; j < i + NEAR_BYTES; j++) {
            const char *name = callee(c, b + j, start + j);
            if (!name)
                continue;
            if (is_registration(name)) {
                char note[256];
                snprintf(note, sizeof note, "handed to %s at 0x%llx", name,
                         (unsigned long long)(start + j));
                suggest_add(s, object, name_at(image, to), to, SUGGEST_CALLBACK,
                            note);
            }
            break;
        }
    }
}

void suggest_from_code(struct suggestions *s, const struct objects *objects)
{
    const struct object *main = &objects->at[0];
    struct code code = {.object = main};
    plan_image_each_slot(&main->image, take_slot, &code);
    if (code.count)
        qsort(code.slots, code.count, sizeof *code.slots, compare_slots);
    for (uint32_t i = 0; i < main->image.segment_count; i++) {
        const struct plan_segment *g = &main->image.segments[i];
        const uint8_t *bytes = plan_image_at(&main->image, g->vaddr, g->filesz);
        if (bytes && (g->flags & PF_X))
            scan(s, &code, bytes, g->vaddr, g->filesz);
    }
    free(code.slots);
    add_tables(s, main);
}
