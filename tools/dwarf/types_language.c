/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of other languages than C and C++, whose compilers pass some types
 * otherwise than psABI 3.2.3 has it for the C of that layout. Fortran hands out
 * addresses; its debug information says of what. Rust passes scalars and pairs
 * of words as C does, and records in ways of its own; which function is
 * `extern "C"` is not said. Of others nothing is known.
 */
#include "tools/dwarf/location.h"
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <string.h>

enum {
    WORD_BYTES = 8,
    LANG_FORTRAN_18 = 0x2d, /* these two of DWARF 6 */
    LANG_ZIG = 0x27,
    LANG_RUST = 0x1c,
};

enum types_language types_language(Dwarf_Die *die)
{
    Dwarf_Die cu;
    switch (dwarf_diecu(die, &cu, NULL, NULL) ? dwarf_srclang(&cu) : 0) {
    case DW_LANG_Fortran77:
    case DW_LANG_Fortran90:
    case DW_LANG_Fortran95:
    case DW_LANG_Fortran03:
    case DW_LANG_Fortran08:
    case LANG_FORTRAN_18:
        return LANGUAGE_FORTRAN;
    case LANG_RUST:
        return LANGUAGE_RUST;
    case DW_LANG_D:
        return location_is_gcc(die) ? LANGUAGE_C : LANGUAGE_UNKNOWN;
    case DW_LANG_Go:
    case DW_LANG_Swift:
    case DW_LANG_Haskell:
    case DW_LANG_OCaml:
    case LANG_ZIG:
        return LANGUAGE_UNKNOWN;
    default:
        return LANGUAGE_C;
    }
}

/* ---- Rust --------------------------------------------------------------- */

/* Two words, or one part and nothing beside it. */
static int record_registers(Dwarf_Die *record, int size, int depth)
{
    Dwarf_Die child, type;
    int parts = 0, words = 0, last = 0;
    bool is_whole = false;
    for (int more = dwarf_child(record, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        Dwarf_Word part = 0;
        if (dwarf_tag(&child) == DW_TAG_variant_part)
            return TYPES_OWN_WAY;
        if (dwarf_tag(&child) != DW_TAG_member)
            continue;
        if (!types_of(&child, &type) || dwarf_aggregate_size(&type, &part) != 0)
            return TYPES_OWN_WAY;
        if (part == 0)
            continue;
        last = types_rust_registers(&type, depth + 1);
        words += part == WORD_BYTES && last == 1;
        is_whole = part == (Dwarf_Word)size;
        parts++;
    }
    if (parts == 2)
        return words == 2 && size == 2 * WORD_BYTES ? 2 : TYPES_OWN_WAY;
    return parts == 1 && is_whole ? last : size == 0 ? 0 : TYPES_OWN_WAY;
}

int types_rust_registers(Dwarf_Die *type, int depth)
{
    Dwarf_Die plain = *type;
    Dwarf_Attribute a;
    Dwarf_Word encoding;
    if (depth > TYPES_DEPTH || !types_peel(&plain, true))
        return TYPES_OWN_WAY;
    int size = dwarf_bytesize(&plain);
    switch (dwarf_tag(&plain)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
        return 1;
    case DW_TAG_enumeration_type:
        return size <= WORD_BYTES ? 1 : TYPES_OWN_WAY;
    case DW_TAG_base_type:
        if (size < 0 || size > WORD_BYTES ||
            !dwarf_attr(&plain, DW_AT_encoding, &a) ||
            dwarf_formudata(&a, &encoding) != 0)
            return TYPES_OWN_WAY;
        return encoding == DW_ATE_float ? size >= 4 ? 0 : TYPES_OWN_WAY : 1;
    case DW_TAG_structure_type:
        return record_registers(&plain, size, depth);
    default:
        return TYPES_OWN_WAY;
    }
}

/* ---- Fortran ------------------------------------------------------------ */

bool types_is_descriptor(Dwarf_Die *type)
{
    Dwarf_Die plain = *type;
    return types_peel(&plain, true) &&
           (dwarf_hasattr(&plain, DW_AT_data_location) ||
            dwarf_hasattr(&plain, DW_AT_allocated) ||
            dwarf_hasattr(&plain, DW_AT_associated));
}
