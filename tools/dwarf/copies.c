/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inlined copies and clones of functions. An inlined body is a
 * DW_TAG_inlined_subroutine that names its origin; a clone is another
 * DW_TAG_subprogram with an address and the same origin. Origins are compared
 * by name and, where it is known, by the line they are declared in, because
 * each unit has its own entry for an inline function of a header.
 */
#include "tools/dwarf/debug_internal.h"
#include <dwarf.h>
#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a declaration is told from another of its name. */
struct origin {
    const char *file; /* NULL: not known */
    int line;
};
struct wanted {
    struct debug_copies *copies;
    struct origin origin;
};
struct search {
    struct wanted *by_name;
    struct wanted **by_address;
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return strcmp(x->copies->symbol, y->copies->symbol);
}

static int compare_addresses(const void *a, const void *b)
{
    const struct wanted *const *x = a, *const *y = b;
    uint64_t m = (*x)->copies->vaddr, n = (*y)->copies->vaddr;
    return m < n ? -1 : m > n;
}

/* The first of those with this name. */
static size_t find_name(const struct search *s, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->by_name[middle].copies->symbol, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t find_address(const struct search *s, uint64_t vaddr)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->by_address[middle]->copies->vaddr < vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static struct origin origin_of(Dwarf_Die *die)
{
    struct origin o = {debug_decl_file(die), 0};
    if (!o.file || dwarf_decl_line(die, &o.line) != 0)
        o.file = NULL;
    return o;
}

static bool is_same_origin(const struct origin *a, Dwarf_Die *die)
{
    struct origin b = origin_of(die);
    if (!a->file || !b.file)
        return true;
    return a->line == b.line &&
           strcmp(base_name(a->file), base_name(b.file)) == 0;
}

/* First pass: where the functions that have an address are declared. */
static int find_origin(void *context, Dwarf_Die *die)
{
    struct search *s = context;
    Dwarf_Addr low;
    if (dwarf_tag(die) != DW_TAG_subprogram || !debug_entry_pc(die, &low))
        return 0;
    if (low == 0)
        return 0;
    for (size_t i = find_address(s, low); i < s->count; i++) {
        struct wanted *w = s->by_address[i];
        if (w->copies->vaddr != low)
            break;
        w->copies->is_known = true;
        w->origin = origin_of(die);
        w->copies->file = w->origin.file;
        w->copies->line = (unsigned)w->origin.line;
    }
    return 0;
}

static struct debug_place call_of(Dwarf_Die *die)
{
    struct debug_place place = {"?", 0};
    Dwarf_Attribute a;
    Dwarf_Die cu;
    Dwarf_Files *files;
    Dwarf_Word n;
    size_t count;
    const char *name = NULL;
    if (dwarf_attr(die, DW_AT_call_line, &a) && dwarf_formudata(&a, &n) == 0)
        place.line = (unsigned)n;
    if (dwarf_attr(die, DW_AT_call_file, &a) && dwarf_formudata(&a, &n) == 0 &&
        dwarf_diecu(die, &cu, NULL, NULL) &&
        dwarf_getsrcfiles(&cu, &files, &count) == 0 && n < count)
        name = dwarf_filesrc(files, n, NULL, NULL);
    if (name)
        snprintf(place.file, sizeof place.file, "%s", base_name(name));
    return place;
}

static void note_inlined(struct debug_copies *c, Dwarf_Die *die)
{
    struct debug_place place = call_of(die);
    c->inlined++;
    for (size_t i = 0; i < c->place_count; i++)
        if (c->places[i].line == place.line &&
            strcmp(c->places[i].file, place.file) == 0)
            return;
    if (c->place_count < DEBUG_PLACES)
        c->places[c->place_count++] = place;
}

static int find_copy(void *context, Dwarf_Die *die)
{
    struct search *s = context;
    Dwarf_Addr low;
    int tag = dwarf_tag(die);
    bool inlined = tag == DW_TAG_inlined_subroutine;
    if ((!inlined && tag != DW_TAG_subprogram) || !debug_entry_pc(die, &low))
        return 0;
    const char *name = debug_linkage_name(die);
    for (size_t i = name ? find_name(s, name) : s->count; i < s->count; i++) {
        struct debug_copies *c = s->by_name[i].copies;
        if (strcmp(c->symbol, name) != 0)
            break;
        if (!is_same_origin(&s->by_name[i].origin, die))
            continue;
        c->is_known = true;
        if (inlined)
            note_inlined(c, die);
        else if (low != c->vaddr && c->clones++ < DEBUG_CLONES)
            c->clone_at[c->clones - 1] = low;
    }
    return 0;
}

/* ---- names of clones ---------------------------------------------------- */

static void name_clone(struct wanted *w, const char *name, uint64_t vaddr)
{
    struct debug_copies *c = w->copies;
    for (size_t i = 0; i < c->clones && i < DEBUG_CLONES; i++)
        if (c->clone_at[i] == vaddr)
            snprintf(c->clone_name[i], sizeof c->clone_name[i], "%s", name);
}

static void name_by_symbols(const struct search *s, Elf *elf, Elf_Scn *section,
                            const GElf_Shdr *head)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = head->sh_entsize ? head->sh_size / head->sh_entsize : 0;
    for (size_t i = 0; data && i < count && i < INT_MAX; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) ||
            GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
            continue;
        const char *name = elf_strptr(elf, head->sh_link, symbol.st_name);
        for (size_t j = 0; name && strchr(name, '.') && j < s->count; j++)
            name_clone(&s->by_name[j], name, symbol.st_value);
    }
}

static void name_clones(const struct search *s, Elf *elf)
{
    GElf_Shdr head;
    size_t clones = 0;
    for (size_t i = 0; i < s->count; i++)
        clones += s->by_name[i].copies->clones;
    for (Elf_Scn *at = NULL; clones && (at = elf_nextscn(elf, at));)
        if (gelf_getshdr(at, &head) && head.sh_type == SHT_SYMTAB)
            name_by_symbols(s, elf, at, &head);
}

void debug_copies_text(const struct debug_copies *c, char *out,
                       size_t cap_bytes)
{
    FILE *text = fmemopen(out, cap_bytes, "w");
    out[0] = 0;
    if (!text)
        return;
    if (c->inlined)
        fprintf(text, "%zu inlined cop%s", c->inlined,
                c->inlined == 1 ? "y" : "ies");
    for (size_t i = 0; i < c->place_count; i++)
        fprintf(text, ", %s:%u", c->places[i].file, c->places[i].line);
    if (c->inlined)
        fprintf(text, "%s (DWARF)",
                c->place_count == DEBUG_PLACES ? " ..." : "");
    for (size_t i = 0; i < c->clones && i < DEBUG_CLONES; i++) {
        fprintf(text, "%scalls of its clone ", c->inlined || i ? "; " : "");
        if (c->clone_name[i][0])
            fprintf(text, "%s", c->clone_name[i]);
        else
            fprintf(text, "at 0x%llx", (unsigned long long)c->clone_at[i]);
    }
    fclose(text);
    out[cap_bytes - 1] = 0;
}

int debug_find_copies(struct debug *d, struct debug_copies *at, size_t count)
{
    struct search s = {.count = count};
    int err = -ENOMEM;
    s.by_name = calloc(count + 1, sizeof *s.by_name);
    s.by_address = calloc(count + 1, sizeof(void *));
    if (s.by_name && s.by_address) {
        for (size_t i = 0; i < count; i++)
            s.by_name[i].copies = &at[i];
        qsort(s.by_name, count, sizeof *s.by_name, compare_names);
        for (size_t i = 0; i < count; i++)
            s.by_address[i] = &s.by_name[i];
        qsort(s.by_address, count, sizeof(void *), compare_addresses);
        err = debug_walk(d, find_origin, &s);
    }
    if (!err)
        err = debug_walk(d, find_copy, &s);
    if (!err)
        name_clones(&s, d->elf);
    free(s.by_name);
    free(s.by_address);
    return err;
}
