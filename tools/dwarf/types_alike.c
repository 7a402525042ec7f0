/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types that C, or the manifest, has no word for, as others that are passed
 * alike (psABI 3.2.3) and that no value is made of: what stands beside them
 * keeps its place.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <stdio.h>
#include <string.h>

enum {
    MEMBER_BYTES = 8, /* of a pointer to a data member, Itanium C++ ABI 2.3 */
    METHOD_BYTES = 16,
    INTEGERS_BYTES = 16, /* more are passed in memory */
};

static Dwarf_Word encoding_of(Dwarf_Die *type)
{
    Dwarf_Attribute a;
    Dwarf_Word encoding = 0;
    if (dwarf_attr(type, DW_AT_encoding, &a))
        (void)!dwarf_formudata(&a, &encoding);
    return encoding;
}

static bool has_name(Dwarf_Die *type, const char *part)
{
    const char *name = dwarf_diename(type);
    return name && strstr(name, part);
}

/* `_BitInt(n)`, gcc's `complex int`; in DWARF 2 the encoding of that one is
 * that of `_Decimal64`, too. */
bool types_is_integers(Dwarf_Die *type)
{
    int tag = dwarf_tag(type);
    if (tag == DW_TAG_ptr_to_member_type)
        return true;
    return tag == DW_TAG_base_type &&
           (debug_is_bit_int(type) || (encoding_of(type) == DW_ATE_lo_user &&
                                       !has_name(type, "_Decimal"))) &&
           dwarf_bytesize(type) <= INTEGERS_BYTES;
}

int types_member_pointer_bytes(Dwarf_Die *type)
{
    Dwarf_Die to;
    return types_of(type, &to) && types_peel(&to, true) &&
                   dwarf_tag(&to) == DW_TAG_subroutine_type
               ? METHOD_BYTES
               : MEMBER_BYTES;
}

/* In a vector register: `_Float16`, `_Decimal64` and their like. */
static bool is_vector_like(Dwarf_Die *type, int size)
{
    Dwarf_Word encoding = encoding_of(type);
    return dwarf_tag(type) == DW_TAG_base_type &&
           ((encoding == DW_ATE_float && size == 2) ||
            (encoding == DW_ATE_complex_float && size == 4) ||
            (has_name(type, "_Decimal") &&
             (size == 4 || size == 8 || size == 16)));
}

bool types_declare_alike(Dwarf_Die *type, struct types_declared *out)
{
    Dwarf_Die plain = *type;
    if (!types_peel(&plain, true))
        return false;
    bool is_to_member = dwarf_tag(&plain) == DW_TAG_ptr_to_member_type;
    int size = is_to_member ? types_member_pointer_bytes(&plain)
                            : dwarf_bytesize(&plain);
    if (size > 0 && types_is_integers(&plain))
        snprintf(out->before, sizeof out->before,
                 "struct { unsigned char handspan_%s[%d]; } ",
                 is_to_member ? "to_member" : "bytes", size);
    else if (is_vector_like(&plain, size))
        snprintf(out->before, sizeof out->before, "__m%d ",
                 size == 16 ? 128 : 64);
    else
        return false;
    out->after[0] = 0;
    return true;
}
