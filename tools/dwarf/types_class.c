/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A class with a copy constructor, move constructor or destructor of its own,
 * or with a part that has one, is passed by a pointer to a copy (Itanium C++
 * ABI, 3.1.2.3). clang says so; gcc's debug information has the declarations
 * from which it follows. Where it does not follow, nothing is guessed.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <string.h>

enum {
    PARTS_MAX = 65536 /* of a class and its parts */
};

static bool value_of(Dwarf_Die *die, unsigned attribute, Dwarf_Word *out)
{
    Dwarf_Attribute a;
    return dwarf_attr(die, attribute, &a) && dwarf_formudata(&a, out) == 0;
}

/* `X(const X &)`, `X(X &&)` */
static bool takes_itself(Dwarf_Die *function, Dwarf_Die *record)
{
    Dwarf_Die child, to;
    int count = 0;
    bool itself = false;
    for (int more = dwarf_child(function, &child); more == 0 && count < 3;
         more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_formal_parameter ||
            types_is_flag(&child, DW_AT_artificial) || !types_of(&child, &to))
            continue;
        int tag = dwarf_tag(&to);
        bool is_reference =
            tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type;
        itself = count++ == 0 && is_reference && types_of(&to, &to) &&
                 types_peel(&to, true) && to.addr == record->addr;
    }
    return itself && count == 1;
}

static bool is_special(Dwarf_Die *function, Dwarf_Die *record)
{
    const char *own = dwarf_diename(function), *name = dwarf_diename(record);
    if (!own || !name)
        return false;
    size_t len = strcspn(name, "<");
    return *own == '~' || (strncmp(own, name, len) == 0 && own[len] == 0 &&
                           takes_itself(function, record));
}

static enum types_passing of_function(Dwarf_Die *function, Dwarf_Die *record)
{
    Dwarf_Word how;
    Dwarf_Half version = 0;
    if (value_of(function, DW_AT_virtuality, &how) && how != 0)
        return BY_REFERENCE; /* it has a table, so copying is not trivial */
    if (!is_special(function, record) ||
        types_is_flag(function, DW_AT_artificial))
        return BY_VALUE;
    if (types_is_flag(function, DW_AT_deleted))
        return NOT_TOLD;
    if (value_of(function, DW_AT_defaulted, &how))
        return how == DW_DEFAULTED_in_class ? BY_VALUE : BY_REFERENCE;
    if (dwarf_cu_info(function->cu, &version, NULL, NULL, NULL, NULL, NULL,
                      NULL) != 0)
        version = 0;
    return version >= 5 ? BY_REFERENCE : NOT_TOLD; /* perhaps `= default` */
}

/* Entries may form a circle, or a tree that branches at each level. */
struct budget {
    int depth, left;
};

static enum types_passing of_record(Dwarf_Die *record, struct budget *b);

static enum types_passing of_part(Dwarf_Die *part, struct budget *b)
{
    Dwarf_Die to;
    Dwarf_Word how;
    if (dwarf_tag(part) == DW_TAG_inheritance &&
        value_of(part, DW_AT_virtuality, &how) && how != 0)
        return BY_REFERENCE;
    if (types_is_flag(part, DW_AT_external) || !types_of(part, &to) ||
        !types_peel(&to, true))
        return BY_VALUE;
    if (dwarf_tag(&to) == DW_TAG_array_type &&
        (!types_of(&to, &to) || !types_peel(&to, true)))
        return BY_VALUE;
    return types_is_record(dwarf_tag(&to)) ? of_record(&to, b) : BY_VALUE;
}

static enum types_passing of_record(Dwarf_Die *record, struct budget *b)
{
    enum types_passing all = BY_VALUE, one;
    Dwarf_Die child;
    Dwarf_Word convention;
    if (value_of(record, DW_AT_calling_convention, &convention))
        return convention == DW_CC_pass_by_reference ? BY_REFERENCE : BY_VALUE;
    if (types_is_flag(record, DW_AT_declaration) || ++b->depth > TYPES_DEPTH)
        return NOT_TOLD;
    for (int more = dwarf_child(record, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if (--b->left < 0)
            return NOT_TOLD;
        one = tag == DW_TAG_subprogram ? of_function(&child, record)
              : tag == DW_TAG_member || tag == DW_TAG_inheritance
                  ? of_part(&child, b)
                  : BY_VALUE;
        if (one == BY_REFERENCE)
            return one;
        all = one == NOT_TOLD ? one : all;
    }
    b->depth--;
    return all;
}

enum types_passing types_passing(Dwarf_Die *type)
{
    Dwarf_Die plain = *type;
    char name[TYPES_NAME];
    if (!types_peel(&plain, true) || !types_is_record(dwarf_tag(&plain)) ||
        !types_is_cxx(&plain))
        return BY_VALUE;
    const char *container = types_container(&plain, name);
    struct budget budget = {0, PARTS_MAX};
    if (!container)
        return of_record(&plain, &budget);
    return strcmp(container, "std::string_view") == 0 ? BY_VALUE : BY_REFERENCE;
}
