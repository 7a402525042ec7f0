/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two entries of one type? Every unit has its own. The path of a file does not
 * tell: units have it from folders of their own; its name, the line, the size
 * and the members do. So does what a type is made of, wherever it stands: the
 * same members at the same offsets, of types that are made alike. What is met
 * again below itself is alike if the rest is; what is too deep or too large to
 * compare is not.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <string.h>

enum {
    ALIKE_DEPTH = 16,    /* of types in each other */
    ALIKE_ENTRIES = 5000 /* in all */
};
struct pair {
    void *a, *b;
};
struct alike {
    struct pair open[ALIKE_DEPTH]; /* being compared */
    int depth;
    int left; /* entries */
};

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

/* Named, placed and counted alike? */
static bool is_entry_same(Dwarf_Die *a, Dwarf_Die *b)
{
    return dwarf_tag(a) == dwarf_tag(b) &&
           is_same_text(dwarf_diename(a), dwarf_diename(b)) &&
           is_number_same(a, b, DW_AT_data_member_location) &&
           is_number_same(a, b, DW_AT_data_bit_offset) &&
           is_number_same(a, b, DW_AT_bit_offset) &&
           is_number_same(a, b, DW_AT_bit_size) &&
           is_number_same(a, b, DW_AT_const_value) &&
           is_number_same(a, b, DW_AT_upper_bound) &&
           is_number_same(a, b, DW_AT_count) &&
           is_number_same(a, b, DW_AT_encoding) &&
           is_number_same(a, b, DW_AT_alignment) &&
           dwarf_bytesize(a) == dwarf_bytesize(b);
}

/* The next one that a type is made of, from *die on. */
static int next_part(int more, Dwarf_Die *die)
{
    while (more == 0 && dwarf_tag(die) != DW_TAG_member &&
           dwarf_tag(die) != DW_TAG_inheritance &&
           dwarf_tag(die) != DW_TAG_enumerator &&
           dwarf_tag(die) != DW_TAG_subrange_type &&
           dwarf_tag(die) != DW_TAG_variant_part &&
           dwarf_tag(die) != DW_TAG_formal_parameter)
        more = dwarf_siblingof(die, die);
    return more;
}

/* ---- the same place of a source ------------------------------------------ */

/* A member or an enumerator of two entries: named, placed and typed alike? */
static bool is_part_same(Dwarf_Die *a, Dwarf_Die *b)
{
    Dwarf_Die x, y;
    if (!is_entry_same(a, b))
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

static bool is_same_place(Dwarf_Die *a, Dwarf_Die *b)
{
    const char *x = debug_decl_file(a), *y = debug_decl_file(b);
    const char *m = x ? strrchr(x, '/') : NULL;
    const char *n = y ? strrchr(y, '/') : NULL;
    return dwarf_tag(a) == dwarf_tag(b) && is_same_text(m ? m : x, n ? n : y) &&
           is_number_same(a, b, DW_AT_decl_line) &&
           dwarf_bytesize(a) == dwarf_bytesize(b) &&
           (dwarf_tag(a) == DW_TAG_subprogram || are_parts_same(a, b));
}

/* ---- made alike -----------------------------------------------------------
 */

static bool is_alike(struct alike *c, Dwarf_Die *a, Dwarf_Die *b);

/* The types of two entries; of both there may be none. */
static bool are_types_alike(struct alike *c, Dwarf_Die *a, Dwarf_Die *b)
{
    Dwarf_Die x, y;
    bool has_x = types_of(a, &x), has_y = types_of(b, &y);
    if (!has_x || !has_y)
        return has_x == has_y;
    if (!types_peel(&x, true) || !types_peel(&y, true))
        return false;
    return is_alike(c, &x, &y);
}

/* An offset or a bound that is no number may be anything. */
static bool has_other_number(Dwarf_Die *die)
{
    static const unsigned numbers[] = {DW_AT_data_member_location,
                                       DW_AT_upper_bound, DW_AT_count};
    Dwarf_Attribute a;
    Dwarf_Word n;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (dwarf_attr(die, numbers[i], &a) && dwarf_formudata(&a, &n) != 0)
            return true;
    return false;
}

static bool are_parts_alike(struct alike *c, Dwarf_Die *a, Dwarf_Die *b)
{
    Dwarf_Die x, y;
    int m = next_part(dwarf_child(a, &x), &x);
    int n = next_part(dwarf_child(b, &y), &y);
    while (m == 0 && n == 0) {
        bool is_told = dwarf_tag(&x) != DW_TAG_variant_part;
        if (c->left-- <= 0 || !is_told || has_other_number(&x) ||
            !is_entry_same(&x, &y) || !are_types_alike(c, &x, &y))
            return false;
        m = next_part(dwarf_siblingof(&x, &x), &x);
        n = next_part(dwarf_siblingof(&y, &y), &y);
    }
    return m != 0 && n != 0;
}

static bool is_open(const struct alike *c, Dwarf_Die *a, Dwarf_Die *b)
{
    for (int i = 0; i < c->depth; i++)
        if (c->open[i].a == a->addr && c->open[i].b == b->addr)
            return true;
    return false;
}

static bool is_alike(struct alike *c, Dwarf_Die *a, Dwarf_Die *b)
{
    if (a->addr == b->addr || is_open(c, a, b))
        return true;
    if (c->depth == ALIKE_DEPTH || c->left-- <= 0)
        return false;
    bool is_declared = types_is_flag(a, DW_AT_declaration) ||
                       types_is_flag(b, DW_AT_declaration);
    if (is_declared) /* there are no members to contradict */
        return dwarf_tag(a) == dwarf_tag(b) && dwarf_diename(a) &&
               is_same_text(dwarf_diename(a), dwarf_diename(b));
    if (!is_entry_same(a, b))
        return false;
    c->open[c->depth++] = (struct pair){a->addr, b->addr};
    bool is = are_types_alike(c, a, b) && are_parts_alike(c, a, b);
    c->depth--;
    return is;
}

static bool is_type(int tag)
{
    return types_is_record(tag) || tag == DW_TAG_enumeration_type ||
           tag == DW_TAG_typedef;
}

bool types_is_same(Dwarf_Die *a, Dwarf_Die *b)
{
    struct alike c = {.depth = 0, .left = ALIKE_ENTRIES};
    if (dwarf_dieoffset(a) == dwarf_dieoffset(b) && a->addr == b->addr)
        return true;
    return is_same_place(a, b) || (is_type(dwarf_tag(a)) && is_alike(&c, a, b));
}
