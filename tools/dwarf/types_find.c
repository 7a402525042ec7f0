/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where what is asked for is: one walk of an object's debug information answers
 * all new questions. Types inside of functions are not looked for; bodies of
 * functions, most of the debug information, are stepped over.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SCOPE_DEPTH = 16
};

/* ---- looking ------------------------------------------------------------ */

struct look {
    struct debug_types *t;
    size_t object;
    size_t types, constants, functions; /* how many are new */
    bool has_templates;                 /* among the types */
    /* a filter: without their bit a name or an address is not wanted */
    uint8_t filter[1 << 13];
};

static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static uint32_t hash_address(uint64_t vaddr)
{
    return (uint32_t)(vaddr * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

static void add_hash(struct look *l, uint32_t hash)
{
    l->filter[hash >> 3 & 0x1fff] |= (uint8_t)(1 << (hash & 7));
}

static bool may_be_wanted(const struct look *l, uint32_t hash)
{
    return l->filter[hash >> 3 & 0x1fff] >> (hash & 7) & 1;
}

static void add_candidate(struct types_want *w, Dwarf_Die *die, int rank)
{
    if (w->count && rank > w->rank)
        return;
    if (rank < w->rank)
        w->count = 0;
    w->rank = rank;
    for (size_t i = 0; i < w->count; i++)
        if (types_is_same(&w->candidates[i], die))
            return;
    if (w->count < TYPES_CANDIDATES)
        w->candidates[w->count++] = *die;
}

/* Does the part behind the last "::" of a canonical name fit? */
static void look_type(struct look *l, Dwarf_Die *die)
{
    char name[TYPES_NAME], qualified[TYPES_NAME];
    const char *given = dwarf_diename(die);
    bool is_named = false;
    if (!given || types_is_flag(die, DW_AT_declaration))
        return;
    types_canonical(given, name);
    if (l->has_templates && types_is_record(dwarf_tag(die)) &&
        !strchr(given, '<')) {
        types_own_name(die, qualified);
        types_canonical(qualified, name);
    }
    if (!may_be_wanted(l, hash_text(name)))
        return;
    for (size_t i = 0; i < l->t->want_count; i++) {
        struct types_want *w = &l->t->wants[i];
        if (w->is_done || w->kind != TYPES_TYPE || strcmp(w->last, name) != 0)
            continue;
        if (!is_named)
            types_qualified_name(die, qualified);
        is_named = true;
        if (strcmp(w->name, qualified) == 0)
            add_candidate(w, die, 0);
        else if (w->last == w->name)
            add_candidate(w, die, 1);
    }
}

static void look_constants(struct look *l, Dwarf_Die *die)
{
    Dwarf_Die child;
    for (int more = dwarf_child(die, &child); more == 0 && l->t->left;
         more = dwarf_siblingof(&child, &child)) {
        const char *name = dwarf_diename(&child);
        l->t->left--;
        if (name && !may_be_wanted(l, hash_text(name)))
            continue;
        for (size_t i = 0; name && i < l->t->want_count; i++) {
            struct types_want *w = &l->t->wants[i];
            if (!w->is_done && w->kind == TYPES_CONSTANT &&
                strcmp(w->last, name) == 0)
                add_candidate(w, die, 0);
        }
    }
}

static void look_function(struct look *l, Dwarf_Die *die)
{
    Dwarf_Addr low;
    if (!debug_entry_pc(die, &low) || !may_be_wanted(l, hash_address(low)))
        return;
    for (size_t i = 0; i < l->t->want_count; i++) {
        struct types_want *w = &l->t->wants[i];
        if (!w->is_done && w->kind == TYPES_FUNCTION &&
            w->object == l->object && w->vaddr == low)
            add_candidate(w, die, 0);
    }
}

static void look_at(struct look *l, Dwarf_Die *die, int depth)
{
    Dwarf_Die child;
    if (depth > SCOPE_DEPTH)
        return;
    for (int more = dwarf_child(die, &child); more == 0 && l->t->left;
         more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        l->t->left--;
        if (tag == DW_TAG_subprogram && l->functions)
            look_function(l, &child);
        if ((types_is_record(tag) || tag == DW_TAG_typedef ||
             tag == DW_TAG_enumeration_type) &&
            l->types)
            look_type(l, &child);
        if (tag == DW_TAG_enumeration_type && l->constants)
            look_constants(l, &child);
        if (tag == DW_TAG_namespace || types_is_record(tag))
            look_at(l, &child, depth + 1);
    }
}

/* The file of a split unit: it is looked for as libdw does, below where the
 * unit was compiled and beside the object. */
static bool is_split_there(const char *object, Dwarf_Die *die, const char *name)
{
    Dwarf_Attribute a;
    char path[4096];
    const char *slash = strrchr(object, '/');
    const char *from =
        dwarf_attr(die, DW_AT_comp_dir, &a) ? dwarf_formstring(&a) : NULL;
    if (name[0] == '/')
        return access(name, F_OK) == 0;
    snprintf(path, sizeof path, "%s/%s", from ? from : ".", name);
    if (access(path, F_OK) == 0)
        return true;
    snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - object) : 0,
             object, name);
    return access(path, F_OK) == 0;
}

/* Said once for an object: what we asked for may be in a file that is not
 * there. */
static void remark_split(struct debug_types *t, struct types_object *o,
                         Dwarf_Die *die)
{
    Dwarf_Attribute a;
    const char *name = NULL;
    char package[4096];
    if (o->is_split_told)
        return;
    o->is_split_told = true;
    if (dwarf_attr(die, DW_AT_dwo_name, &a) ||
        dwarf_attr(die, DW_AT_GNU_dwo_name, &a))
        name = dwarf_formstring(&a);
    bool is_there = name && is_split_there(o->path, die, name);
    snprintf(package, sizeof package, "%s.dwp", o->path);
    bool is_packed = access(package, F_OK) == 0;
    buf_printf(&t->remarks,
               "'%s': a part of its debug information is in '%s', which %s: "
               "types and prototypes of it are not known%s%s%s\n",
               o->path, name ? name : "a .dwo file",
               is_there ? "cannot be read" : "is missing",
               is_packed ? " ('" : "", is_packed ? package : "",
               is_packed ? "' is not read: keep the .dwo files)" : "");
}

static void look_into(struct look *l, Dwarf *dwarf)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, split = {.addr = NULL};
    uint8_t type;
    while (dwarf && l->t->left &&
           dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, &split) == 0) {
        if (debug_unit_whole(&die, type, &split))
            look_at(l, &die, 0);
        else
            remark_split(l->t, &l->t->objects[l->object], &die);
        split = (Dwarf_Die){.addr = NULL};
    }
}

/* ---- answers ------------------------------------------------------------ */

static void remark_ambiguous(struct debug_types *t, struct types_want *w)
{
    buf_printf(&t->remarks,
               "'%s' is %zu types in the debug information:", w->name,
               w->count);
    for (size_t i = 0; i < w->count && i < 3; i++) {
        buf_text(&t->remarks, i ? ", " : " ");
        types_put_place(&t->remarks, &w->candidates[i]);
    }
    buf_text(&t->remarks, "; paste the one that is meant\n");
}

/* A typedef beside the tag that it names (`typedef struct job job;`) is not
 * another type. */
static void drop_aliases(struct types_want *w)
{
    size_t kept = 0;
    bool has_tag = false;
    for (size_t i = 0; i < w->count; i++)
        has_tag |= dwarf_tag(&w->candidates[i]) != DW_TAG_typedef;
    for (size_t i = 0; i < w->count; i++) {
        Dwarf_Die to = w->candidates[i];
        bool is_alias = dwarf_tag(&to) == DW_TAG_typedef && has_tag &&
                        types_peel(&to, true) && dwarf_diename(&to) &&
                        strcmp(dwarf_diename(&to), w->last) == 0;
        if (!is_alias)
            w->candidates[kept++] = w->candidates[i];
    }
    w->count = kept;
}

static void write_one(struct debug_types *t, struct types_want *w)
{
    if (w->kind == TYPES_FUNCTION) {
        types_write_function(t, w, &w->candidates[0]);
        return;
    }
    drop_aliases(w);
    if (w->count > 1) /* the same in two copies of a header, perhaps */
        remark_ambiguous(t, w);
    else if (w->count == 1 && w->kind == TYPES_TYPE)
        types_write_type(t, w, &w->candidates[0]);
    else if (w->count == 1)
        types_enum(t, &w->candidates[0]);
}

/* A tag that was named in what we wrote before: its entry is known. */
static bool write_named(struct debug_types *t, struct types_want *w)
{
    for (size_t i = 0; i < t->record_count; i++) {
        struct types_record *r = &t->records[i];
        if (strcmp(r->tag, w->name) != 0)
            continue;
        if (!r->is_written && !types_is_flag(&r->die, DW_AT_declaration))
            types_record(t, &r->die, true, 0);
        return r->is_written;
    }
    return false;
}

/* No debug information has any of the functions of that name. */
static bool is_unanswered(const struct debug_types *t,
                          const struct types_want *w)
{
    if (w->is_done || w->kind != TYPES_FUNCTION || !w->is_symbol_enough)
        return false;
    for (size_t i = 0; i < t->want_count; i++) {
        const struct types_want *other = &t->wants[i];
        if (other->kind == TYPES_FUNCTION &&
            strcmp(other->name, w->name) == 0 &&
            (other->count || (other < w && !other->is_done)))
            return false;
    }
    return true;
}

int debug_types_find(struct debug_types *t)
{
    size_t before = t->text.len_bytes;
    struct look l = {.t = t};
    for (size_t i = 0; i < t->want_count; i++) {
        struct types_want *w = &t->wants[i];
        if (w->is_done)
            continue;
        w->is_done = w->kind == TYPES_TYPE && write_named(t, w);
        l.types += !w->is_done && w->kind == TYPES_TYPE;
        l.has_templates |= w->kind == TYPES_TYPE && strchr(w->name, '<');
        l.constants += w->kind == TYPES_CONSTANT;
        l.functions += w->kind == TYPES_FUNCTION;
        add_hash(&l, w->kind == TYPES_FUNCTION ? hash_address(w->vaddr)
                                               : hash_text(w->last));
    }
    if (l.types + l.constants + l.functions)
        for (size_t i = 0; i < t->object_count; i++) {
            if (!t->objects[i].debug)
                continue;
            l.object = i;
            look_into(&l, t->objects[i].debug->dwarf);
            look_into(&l, dwarf_getalt(t->objects[i].debug->dwarf));
        }
    for (size_t i = 0; i < t->want_count; i++) {
        struct types_want *w = &t->wants[i];
        if (!w->is_done && w->count)
            write_one(t, w);
        else if (is_unanswered(t, w))
            types_write_symbol(t, w);
    }
    for (size_t i = 0; i < t->want_count; i++)
        t->wants[i].is_done = true;
    return t->failed ? -ENOMEM : t->text.len_bytes > before;
}
