/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked for, and where it is: one walk of an object's debug
 * information answers all new questions. Types inside of functions are not
 * looked for; bodies of functions, most of the debug information, are stepped
 * over.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SCOPE_DEPTH = 16
};

/* ---- asking ------------------------------------------------------------- */

struct debug_types *debug_types_new(void)
{
    struct debug_types *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->wants = calloc(TYPES_WANTS, sizeof *t->wants);
    t->records = calloc(TYPES_RECORDS, sizeof *t->records);
    t->constants = calloc(TYPES_CONSTANTS, sizeof *t->constants);
    buf_init(&t->text, TYPES_TEXT);
    buf_init(&t->remarks, 1 << 16);
    t->left = DEBUG_ENTRIES_MAX;
    if (t->wants && t->records && t->constants)
        return t;
    debug_types_free(t);
    return NULL;
}

void debug_types_free(struct debug_types *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->want_count; i++) {
        for (size_t j = 0; j < t->wants[i].param_count; j++)
            free(t->wants[i].params[j]);
        free(t->wants[i].params);
        free(t->wants[i].symbol);
        free(t->wants[i].name);
    }
    for (size_t i = 0; i < t->record_count; i++)
        free(t->records[i].tag);
    for (size_t i = 0; i < t->constant_count; i++)
        free(t->constants[i].name);
    for (size_t i = 0; i < t->object_count; i++) {
        debug_close(t->objects[i].debug);
        free(t->objects[i].path);
    }
    free(t->objects);
    free(t->wants);
    free(t->records);
    free(t->constants);
    buf_free(&t->text);
    buf_free(&t->remarks);
    free(t);
}

static size_t find_object(const struct debug_types *t, const char *path)
{
    size_t i = 0;
    while (i < t->object_count && strcmp(t->objects[i].path, path) != 0)
        i++;
    return i;
}

int debug_types_add_object(struct debug_types *t, const char *path)
{
    if (find_object(t, path) < t->object_count)
        return 0;
    void *grown =
        realloc(t->objects, (t->object_count + 1) * sizeof *t->objects);
    if (!grown)
        return -ENOMEM;
    t->objects = grown;
    struct types_object *o = &t->objects[t->object_count];
    *o = (struct types_object){.path = strdup(path)};
    if (!o->path)
        return -ENOMEM;
    t->object_count++;
    const char *part;
    if (debug_open(path, &o->debug) == 0 && !debug_lacks_part(o->debug, &part))
        return 0;
    if (o->debug) {
        buf_printf(&t->remarks,
                   "'%s': a part of its debug information is in '%.200s', "
                   "which is missing: none of it is used\n",
                   path, part);
        debug_close(o->debug);
    }
    o->debug = NULL;
    if (debug_is_zstd(path))
        buf_printf(&t->remarks,
                   "'%s': its debug information is compressed with zstd, which "
                   "is not read here; objcopy --decompress-debug-sections\n",
                   path);
    return 0;
}

bool debug_types_has(struct debug_types *t, const char *object)
{
    size_t i = find_object(t, object);
    return i < t->object_count && t->objects[i].debug;
}

static const char *last_part(const char *name)
{
    const char *angle = strchr(name, '<'), *last = name;
    for (const char *at = name;
         (at = strstr(at, "::")) && (!angle || at < angle);)
        last = at += 2;
    return last;
}

static bool is_asked(const struct types_want *w, enum types_kind kind,
                     const char *name, size_t object, uint64_t vaddr)
{
    return w->kind == kind && strcmp(w->name, name) == 0 &&
           (kind != TYPES_FUNCTION ||
            (w->object == object && w->vaddr == vaddr));
}

/* `object` and `vaddr`: of a function. NULL: asked before, or no room. */
static struct types_want *want(struct debug_types *t, enum types_kind kind,
                               const char *name, size_t object, uint64_t vaddr)
{
    char canonical[TYPES_NAME];
    if (kind == TYPES_FUNCTION)
        snprintf(canonical, sizeof canonical, "%s", name);
    else
        types_canonical(name, canonical);
    if (!canonical[0] || strlen(name) >= TYPES_NAME ||
        t->want_count == TYPES_WANTS)
        return NULL;
    for (size_t i = 0; i < t->want_count; i++)
        if (is_asked(&t->wants[i], kind, canonical, object, vaddr))
            return NULL;
    struct types_want *w = &t->wants[t->want_count];
    *w = (struct types_want){.kind = kind,
                             .name = strdup(canonical),
                             .object = object,
                             .vaddr = vaddr};
    if (!w->name) {
        t->failed = true;
        return NULL;
    }
    w->last = last_part(w->name);
    t->want_count++;
    return w;
}

void debug_types_want_type(struct debug_types *t, const char *name)
{
    want(t, TYPES_TYPE, name, 0, 0);
}

void debug_types_want_constant(struct debug_types *t, const char *name)
{
    want(t, TYPES_CONSTANT, name, 0, 0);
}

void debug_types_want_function(struct debug_types *t,
                               const struct debug_types_function *f)
{
    size_t index = find_object(t, f->object);
    struct types_want *w =
        index < t->object_count
            ? want(t, TYPES_FUNCTION, f->name, index, f->vaddr)
            : NULL;
    if (!w)
        return;
    w->is_result_unsure = f->is_result_unsure;
    w->is_symbol_enough = f->is_symbol_enough;
    w->symbol = f->symbol ? strdup(f->symbol) : NULL;
    w->params = calloc(f->param_count + 1, sizeof *w->params);
    w->param_count = w->params ? f->param_count : 0;
    for (size_t i = 0; i < w->param_count; i++)
        w->params[i] = f->params[i] ? strdup(f->params[i]) : NULL;
    t->failed |= !w->params || (f->symbol && !w->symbol);
}

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

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_number_same(Dwarf_Die *a, Dwarf_Die *b, unsigned attribute)
{
    Dwarf_Attribute x, y;
    Dwarf_Word m = 0, n = 0;
    bool has_x = dwarf_attr(a, attribute, &x) && dwarf_formudata(&x, &m) == 0;
    bool has_y = dwarf_attr(b, attribute, &y) && dwarf_formudata(&y, &n) == 0;
    return has_x == has_y && m == n;
}

/* A member or an enumerator of two entries: named, placed and typed alike? */
static bool is_part_same(Dwarf_Die *a, Dwarf_Die *b)
{
    Dwarf_Die x, y;
    if (dwarf_tag(a) != dwarf_tag(b) ||
        !is_same_text(dwarf_diename(a), dwarf_diename(b)) ||
        !is_number_same(a, b, DW_AT_data_member_location) ||
        !is_number_same(a, b, DW_AT_data_bit_offset) ||
        !is_number_same(a, b, DW_AT_bit_size) ||
        !is_number_same(a, b, DW_AT_const_value))
        return false;
    bool has_x = types_of(a, &x), has_y = types_of(b, &y);
    if (!has_x || !has_y)
        return has_x == has_y;
    types_peel(&x, false);
    types_peel(&y, false);
    return dwarf_tag(&x) == dwarf_tag(&y) &&
           is_same_text(dwarf_diename(&x), dwarf_diename(&y)) &&
           dwarf_bytesize(&x) == dwarf_bytesize(&y);
}

/* The next member, base class or enumerator, from *die on. */
static int next_part(int more, Dwarf_Die *die)
{
    while (more == 0 && dwarf_tag(die) != DW_TAG_member &&
           dwarf_tag(die) != DW_TAG_inheritance &&
           dwarf_tag(die) != DW_TAG_enumerator)
        more = dwarf_siblingof(die, die);
    return more;
}

static bool are_parts_same(Dwarf_Die *a, Dwarf_Die *b)
{
    Dwarf_Die x, y;
    int m = next_part(dwarf_child(a, &x), &x);
    int n = next_part(dwarf_child(b, &y), &y);
    for (int i = 0; m == 0 && n == 0 && i < TYPES_MEMBERS; i++) {
        if (!is_part_same(&x, &y))
            return false;
        m = next_part(dwarf_siblingof(&x, &x), &x);
        n = next_part(dwarf_siblingof(&y, &y), &y);
    }
    return m != 0 && n != 0;
}

/* Two entries of one type: every unit has its own. The path of a file does not
 * tell: units have it from folders of their own. */
bool types_is_same(Dwarf_Die *a, Dwarf_Die *b)
{
    if (dwarf_dieoffset(a) == dwarf_dieoffset(b) && a->addr == b->addr)
        return true;
    const char *x = debug_decl_file(a), *y = debug_decl_file(b);
    const char *m = x ? strrchr(x, '/') : NULL;
    const char *n = y ? strrchr(y, '/') : NULL;
    return dwarf_tag(a) == dwarf_tag(b) && is_same_text(m ? m : x, n ? n : y) &&
           is_number_same(a, b, DW_AT_decl_line) &&
           dwarf_bytesize(a) == dwarf_bytesize(b) && are_parts_same(a, b);
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

const char *debug_types_text(const struct debug_types *t)
{
    return t->text.failed ? "" : buf_get(&t->text);
}

const char *debug_types_remarks(const struct debug_types *t)
{
    return buf_get(&t->remarks);
}
