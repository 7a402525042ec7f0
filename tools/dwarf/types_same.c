/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two entries of one type? Every unit has its own. The path of a file does not
 * tell: units have it from folders of their own; its name, the line, the size
 * and the members do.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <string.h>

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
