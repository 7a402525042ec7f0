/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types and enums as C. Names come from a file that others made: only such as
 * are names in C are written, whatever else is said in words of ours.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENUM_MAX = 4096,
    POINTERS_MAX = 8,
};

void types_put_string(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_char(out, '\\');
        buf_char(out, (unsigned char)*text < ' ' ? ' ' : *text);
    }
    buf_char(out, '"');
}

/* ---- enums -------------------------------------------------------------- */

static const struct types_constant *find_constant(const struct debug_types *t,
                                                  const char *name)
{
    for (size_t i = 0; i < t->constant_count; i++)
        if (strcmp(t->constants[i].name, name) == 0)
            return &t->constants[i];
    return NULL;
}

static bool keep_constant(struct debug_types *t, const char *name,
                          int64_t value)
{
    const struct types_constant *known = find_constant(t, name);
    if (known)
        return known->value == value;
    if (t->constant_count == TYPES_CONSTANTS)
        return false;
    struct types_constant *c = &t->constants[t->constant_count];
    *c = (struct types_constant){strdup(name), value};
    t->failed |= !c->name;
    t->constant_count += c->name != NULL;
    return c->name != NULL;
}

/* In C++ behind its scope, with `enum class` also behind the enum. */
static void constant_scope(Dwarf_Die *die, char out[TYPES_NAME])
{
    types_qualified_name(die, out);
    size_t len = strlen(out);
    if (types_is_flag(die, DW_AT_enum_class)) {
        snprintf(out + len, TYPES_NAME - len, "::");
        return;
    }
    char *last = NULL;
    for (char *at = out; (at = strstr(at, "::")); at += 2)
        last = at + 2;
    if (last)
        *last = 0;
    else
        out[0] = 0;
}

/* gcc writes 200 of a signed enum as one byte: only DW_FORM_sdata and its like
 * have a sign. */
static bool constant_value(Dwarf_Die *die, bool is_signed, uint64_t size,
                           int64_t *out)
{
    Dwarf_Attribute a;
    Dwarf_Word u;
    Dwarf_Sword s;
    if (!dwarf_attr(die, DW_AT_const_value, &a))
        return false;
    unsigned form = dwarf_whatform(&a);
    if (form == DW_FORM_sdata || form == DW_FORM_implicit_const) {
        if (dwarf_formsdata(&a, &s) != 0)
            return false;
        u = (Dwarf_Word)s;
    } else if (dwarf_formudata(&a, &u) != 0) {
        return false;
    }
    uint32_t unused = size < 8 ? (uint32_t)(64 - size * 8) : 0;
    *out = is_signed ? (int64_t)(u << unused) >> unused
                     : (int64_t)(u << unused >> unused);
    return true;
}

static bool is_signed_enum(Dwarf_Die *die)
{
    Dwarf_Die child;
    Dwarf_Attribute a;
    Dwarf_Sword s;
    Dwarf_Word encoding;
    if (types_of(die, &child) && types_peel(&child, true))
        return dwarf_attr(&child, DW_AT_encoding, &a) &&
               dwarf_formudata(&a, &encoding) == 0 &&
               (encoding == DW_ATE_signed || encoding == DW_ATE_signed_char);
    for (int more = dwarf_child(die, &child); more == 0;
         more = dwarf_siblingof(&child, &child))
        if (dwarf_attr(&child, DW_AT_const_value, &a) &&
            dwarf_whatform(&a) == DW_FORM_sdata &&
            dwarf_formsdata(&a, &s) == 0 && s < 0)
            return true;
    return false;
}

/* A scope that is no name of C (an instance of a template) needs quotes. */
static void put_constant(struct buf *out, const char *name, int64_t value,
                         bool is_signed)
{
    bool is_plain = !name[strspn(name, "abcdefghijklmnopqrstuvwxyz_:"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789")];
    buf_text(out, "    ");
    if (is_plain)
        buf_text(out, name);
    else
        types_put_string(out, name);
    if (is_signed)
        buf_printf(out, " = %" PRId64 ",\n", value);
    else
        buf_printf(out, " = %" PRIu64 "u,\n", (uint64_t)value);
}

static void write_constants(struct debug_types *t, Dwarf_Die *die,
                            bool is_signed, uint64_t size)
{
    char scope[TYPES_NAME], name[TYPES_NAME];
    Dwarf_Die child;
    int count = 0;
    constant_scope(die, scope);
    for (int more = dwarf_child(die, &child);
         more == 0 && count < ENUM_MAX && t->left;
         more = dwarf_siblingof(&child, &child)) {
        const char *own = dwarf_diename(&child);
        int64_t value;
        t->left--;
        if (!debug_is_identifier(own) ||
            !constant_value(&child, is_signed, size, &value) ||
            strlen(scope) + strlen(own) >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s%.*s", (int)strlen(scope), scope,
                 (int)strlen(own), own);
        if (!keep_constant(t, name, value)) /* another enum's */
            continue;
        put_constant(&t->text, name, value, is_signed);
        count++;
    }
}

const char *types_enum(struct debug_types *t, Dwarf_Die *die)
{
    static const char *const types[2][4] = {
        {"unsigned char", "unsigned short", "unsigned int", "unsigned long"},
        {"signed char", "short", "int", "long"}};
    int size = dwarf_bytesize(die);
    int log = size == 1   ? 0
              : size == 2 ? 1
              : size == 4 ? 2
              : size == 8 ? 3
                          : -1;
    bool is_signed = is_signed_enum(die);
    for (size_t i = 0; i < t->record_count; i++)
        if (t->records[i].is_written && types_is_same(&t->records[i].die, die))
            return t->records[i].tag;
    const char *tag = log < 0 ? NULL : types_record(t, die, false, 0);
    if (!tag)
        return NULL;
    for (size_t i = 0; i < t->record_count; i++)
        if (t->records[i].tag == tag) {
            if (t->records[i].is_written)
                return tag;
            t->records[i].is_written = true;
        }
    buf_text(&t->text, "/* ");
    types_put_place(&t->text, die);
    buf_printf(&t->text, " */\nenum %s : %s {\n", tag, types[is_signed][log]);
    write_constants(t, die, is_signed, (uint64_t)size);
    buf_text(&t->text, "};\n");
    return tag;
}

/* ---- containers --------------------------------------------------------- */

static bool is_in_std(Dwarf_Die *record)
{
    char name[TYPES_NAME];
    types_qualified_name(record, name);
    return strncmp(name, "std::", 5) == 0;
}

const char *types_container(Dwarf_Die *record, char out[TYPES_NAME])
{
    char name[TYPES_NAME];
    int size = dwarf_bytesize(record);
    Dwarf_Die child, element;
    types_own_name(record, name);
    if (size == 32 && strncmp(name, "basic_string<char,", 18) == 0)
        return is_in_std(record) ? "std::string" : NULL;
    if (size == 16 && strncmp(name, "basic_string_view<char,", 23) == 0)
        return is_in_std(record) ? "std::string_view" : NULL;
    if (size != 24 || strncmp(name, "vector<", 7) != 0 || !is_in_std(record))
        return NULL;
    for (int more = dwarf_child(record, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_template_type_parameter)
            continue;
        const char *scalar = NULL;
        if (types_of(&child, &element) && types_peel(&element, true) &&
            dwarf_tag(&element) == DW_TAG_base_type)
            scalar = debug_base_type(&element);
        if (!scalar || strcmp(scalar, "_Bool") == 0 ||
            strstr(scalar, "_Complex") || strstr(scalar, "128"))
            return NULL;
        snprintf(out, TYPES_NAME, "std::vector<%s>", scalar);
        return out;
    }
    return NULL;
}

/* ---- declarators -------------------------------------------------------- */

static bool is_pointer(int tag)
{
    return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
           tag == DW_TAG_rvalue_reference_type;
}

static void put_base(struct types_declared *out, const char *kind,
                     const char *name, int stars)
{
    char pointers[POINTERS_MAX + 1];
    memset(pointers, '*', (size_t)stars);
    pointers[stars] = 0;
    int n = snprintf(out->before, sizeof out->before, "%s%s %s", kind, name,
                     pointers);
    if (n < 0 || (size_t)n >= sizeof out->before)
        snprintf(out->before, sizeof out->before, "void *");
}

static bool declare_named(struct debug_types *t, Dwarf_Die *type, int depth,
                          int stars, struct types_declared *out)
{
    char buf[TYPES_NAME];
    int tag = dwarf_tag(type);
    const char *name;
    if (tag == DW_TAG_base_type && (name = debug_base_type(type))) {
        put_base(out, "", name, stars);
        return true;
    }
    if (tag == DW_TAG_enumeration_type && (name = types_enum(t, type))) {
        put_base(out, "enum ", name, stars);
        return true;
    }
    if (types_is_record(tag) && (name = types_container(type, buf))) {
        put_base(out, "", name, stars);
        return true;
    }
    if (types_is_record(tag) &&
        (name = types_record(t, type, stars == 0, depth + 1))) {
        put_base(out, tag == DW_TAG_union_type ? "union " : "struct ", name,
                 stars);
        return true;
    }
    put_base(out, "", "void", stars);
    return stars > 0;
}

static bool declare_vector(struct debug_types *t, Dwarf_Die *type,
                           struct types_declared *out)
{
    uint64_t size = 0;
    if (!types_size(t, type, &size) ||
        (size != 8 && size != 16 && size != 32 && size != 64))
        return false;
    snprintf(out->before, sizeof out->before, "__m%u ", (unsigned)size * 8);
    return true;
}

/* `int a[]`, whose bound is nowhere. */
static bool is_open(Dwarf_Die *range)
{
    return !dwarf_hasattr_integrate(range, DW_AT_upper_bound) &&
           !dwarf_hasattr_integrate(range, DW_AT_count);
}

/* "[2][3]"; Fortran, which counts from one, has its columns the other way
 * round: all in one there, and where a stride makes more of it. */
static bool put_dimensions(struct debug_types *t, Dwarf_Die *type,
                           uint64_t whole, char *out, size_t cap)
{
    Dwarf_Die child;
    size_t len = 0;
    uint64_t product = 1, count;
    int64_t lower;
    int dimensions = 0;
    for (int more = dwarf_child(type, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_subrange_type)
            continue;
        if (!types_elements(t, &child, &count)) {
            if (dimensions || !is_open(&child))
                return false;
            count = 0;
        }
        len += (size_t)snprintf(out + len, cap - len, "[%" PRIu64 "]", count);
        if (len >= cap)
            return false;
        dimensions++;
        product *= count;
    }
    if (product != whole || !types_lower(t, type, &lower) || lower != 0)
        snprintf(out, cap, "[%" PRIu64 "]", whole);
    return dimensions > 0;
}

static bool declare_array(struct debug_types *t, Dwarf_Die *type, int depth,
                          int stars, struct types_declared *out)
{
    Dwarf_Die element;
    uint64_t whole, one;
    struct types_declared of;
    char own[sizeof out->after], pointers[POINTERS_MAX + 1] = "";
    if (types_is_flag(type, DW_AT_GNU_vector))
        return stars == 0 && declare_vector(t, type, out);
    if (!types_of(type, &element) || !types_peel(&element, true) ||
        !types_size(t, &element, &one) || one == 0)
        return false;
    if (!types_size(t, type, &whole))
        whole = 0;
    if (!put_dimensions(t, type, whole / one, own, sizeof own) ||
        !types_declare(t, &element, depth + 1, &of) || of.after[0] == ')')
        return false;
    memset(pointers, '*', (size_t)stars);
    int n = snprintf(out->before, sizeof out->before, "%s%s%s", of.before,
                     stars ? "(" : "", pointers);
    int m = snprintf(out->after, sizeof out->after, "%s%s%s", stars ? ")" : "",
                     own, of.after);
    return n > 0 && (size_t)n < sizeof out->before && m > 0 &&
           (size_t)m < sizeof out->after;
}

/* What a pointer leads to may be anything. */
static bool declare_far_array(struct debug_types *t, Dwarf_Die *type, int depth,
                              int stars, struct types_declared *out)
{
    if (declare_array(t, type, depth, stars, out))
        return true;
    *out = (struct types_declared){.before = "", .after = ""};
    put_base(out, "", "void", stars);
    return stars > 0;
}

bool types_declare(struct debug_types *t, Dwarf_Die *type, int depth,
                   struct types_declared *out)
{
    Dwarf_Die at = *type;
    int stars = 0;
    *out = (struct types_declared){.before = "", .after = ""};
    if (depth > TYPES_DEPTH)
        return false;
    for (bool known = types_peel(&at, true); stars < POINTERS_MAX;
         known = types_peel(&at, true)) {
        int tag = dwarf_tag(&at);
        Dwarf_Die to;
        if (!known) { /* void */
            put_base(out, "", "void", stars);
            return stars > 0;
        }
        if (tag == DW_TAG_unspecified_type) /* nullptr_t */
            break;
        if (!is_pointer(tag))
            return tag == DW_TAG_array_type
                       ? declare_far_array(t, &at, depth, stars, out)
                       : declare_named(t, &at, depth, stars, out);
        stars++;
        if (!types_of(&at, &to)) {
            put_base(out, "", "void", stars);
            return true;
        }
        at = to;
    }
    put_base(out, "", "void", 1);
    return true;
}

/* ---- what was asked for ------------------------------------------------- */

/* The name that was asked for, beside the tag. */
static void write_alias(struct debug_types *t, const struct types_want *w,
                        const struct types_declared *type)
{
    buf_text(&t->text, "[[symbol(");
    types_put_string(&t->text, w->name);
    buf_printf(&t->text, ")]] typedef %shandspan_alias_%u%s;\n", type->before,
               ++t->serial, type->after);
}

bool types_write_type(struct debug_types *t, const struct types_want *w,
                      Dwarf_Die *die)
{
    struct types_declared type;
    bool is_alias = dwarf_tag(die) == DW_TAG_typedef || types_is_cxx(die);
    if (!types_declare(t, die, 0, &type))
        return false;
    if (is_alias)
        write_alias(t, w, &type);
    return true;
}
