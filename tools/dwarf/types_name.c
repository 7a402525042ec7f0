/* SPDX-License-Identifier: Apache-2.0 */
/* Names of types, and ways through chains of them; every loop has an end. */
#include "tools/dwarf/types_internal.h"
#include <ctype.h>
#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCOPES_MAX = 16,
    ARGUMENTS_MAX = 16, /* of a template */
    NAME_DEPTH = 4,
    /* newer than this libdw */
    CXX_17 = 0x2b,
    CXX_20 = 0x2c,
    CXX_23 = 0x3a,
};

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* What gcc writes in names, and what people do. */
static const struct {
    const char *from, *to;
} words[] = {
    {"long long unsigned int", "unsigned long long"},
    {"long long int", "long long"},
    {"long unsigned int", "unsigned long"},
    {"short unsigned int", "unsigned short"},
    {"long int", "long"},
    {"short int", "short"},
};

void types_canonical(const char *name, char out[TYPES_NAME])
{
    size_t n = 0;
    out[0] = 0;
    for (const char *at = name; *at;) {
        bool starts = n == 0 || !is_word_byte(out[n - 1]);
        const char *to = NULL;
        for (size_t i = 0; starts && !to && i < sizeof words / sizeof *words;
             i++) {
            size_t len = strlen(words[i].from);
            if (strncmp(at, words[i].from, len) == 0 &&
                !is_word_byte(at[len])) {
                to = words[i].to;
                at += len;
            }
        }
        size_t add = to ? strlen(to) : 1;
        if (n + add + 1 >= TYPES_NAME) {
            out[0] = 0; /* too long to be asked for */
            return;
        }
        if (to) {
            memcpy(out + n, to, add);
            n += add;
        } else {
            if (!isspace((unsigned char)*at) ||
                (n && is_word_byte(out[n - 1]) && is_word_byte(at[1])))
                out[n++] = isspace((unsigned char)*at) ? ' ' : *at;
            at++;
        }
    }
    out[n] = 0;
}

bool types_of(Dwarf_Die *die, Dwarf_Die *type)
{
    Dwarf_Attribute a;
    return dwarf_attr_integrate(die, DW_AT_type, &a) &&
           dwarf_formref_die(&a, type);
}

/* With -fdebug-types-section an entry only says in which unit the type is. */
static void follow_signature(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    Dwarf_Die type;
    if (dwarf_hasattr(die, DW_AT_signature) &&
        dwarf_attr(die, DW_AT_signature, &a) && dwarf_formref_die(&a, &type))
        *die = type;
}

bool types_peel(Dwarf_Die *die, bool typedefs)
{
    follow_signature(die);
    for (int i = 0; i < TYPES_PEEL; i++) {
        int tag = dwarf_tag(die);
        Dwarf_Die next;
        if (!(tag == DW_TAG_typedef && typedefs) && tag != DW_TAG_const_type &&
            tag != DW_TAG_volatile_type && tag != DW_TAG_restrict_type &&
            tag != DW_TAG_atomic_type)
            return true;
        if (!types_of(die, &next))
            return false;
        *die = next;
        follow_signature(die);
    }
    return false;
}

bool types_is_record(int tag)
{
    return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
           tag == DW_TAG_union_type;
}

/* What an object's languages count arrays from, if all say the same. Assembler
 * has none. */
static void take_lower(struct debug_types *t, struct types_object *o)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, split = {.addr = NULL};
    uint8_t type;
    while (t->left && dwarf_get_units(o->debug->dwarf, cu, &cu, NULL, &type,
                                      &die, &split) == 0) {
        t->left--;
        bool is_whole = debug_unit_whole(&die, type, &split);
        int language = is_whole ? dwarf_srclang(&die) : -1;
        Dwarf_Sword lower = 0;
        split = (Dwarf_Die){.addr = NULL};
        if (language < 0 || language == DW_LANG_Mips_Assembler)
            continue;
        if (dwarf_default_lower_bound(language, &lower) != 0 ||
            (o->is_lower_known && lower != o->lower)) {
            o->is_lower_known = false;
            return;
        }
        o->lower = lower;
        o->is_lower_known = true;
    }
}

/* A unit that dwz made has no language, those that import it do. */
bool types_lower(struct debug_types *t, Dwarf_Die *die, int64_t *out)
{
    Dwarf *dwarf = dwarf_cu_getdwarf(die->cu);
    Dwarf_Die cu;
    Dwarf_Sword lower;
    int language = dwarf_diecu(die, &cu, NULL, NULL) ? dwarf_srclang(&cu) : -1;
    if (language >= 0 && dwarf_default_lower_bound(language, &lower) == 0) {
        *out = lower;
        return true;
    }
    for (size_t i = 0; i < t->object_count; i++) {
        struct types_object *o = &t->objects[i];
        if (!o->debug || (o->debug->dwarf != dwarf &&
                          dwarf_getalt(o->debug->dwarf) != dwarf))
            continue;
        if (!o->has_lower)
            take_lower(t, o);
        o->has_lower = true;
        *out = o->lower;
        return o->is_lower_known;
    }
    return false;
}

static bool bound(Dwarf_Die *range, unsigned name, int64_t *out)
{
    Dwarf_Attribute a;
    Dwarf_Word n;
    if (!dwarf_attr_integrate(range, name, &a) || dwarf_formudata(&a, &n) != 0)
        return false;
    *out = (int64_t)n;
    return true;
}

bool types_elements(struct debug_types *t, Dwarf_Die *range, uint64_t *count)
{
    int64_t n, upper, lower;
    if (!bound(range, DW_AT_count, &n)) {
        if (!bound(range, DW_AT_upper_bound, &upper) ||
            (dwarf_hasattr_integrate(range, DW_AT_lower_bound)
                 ? !bound(range, DW_AT_lower_bound, &lower)
                 : !types_lower(t, range, &lower)) ||
            __builtin_sub_overflow(upper, lower, &n) ||
            __builtin_add_overflow(n, 1, &n))
            return false;
    }
    *count = (uint64_t)n;
    return n >= 0;
}

static bool size_at(struct debug_types *t, Dwarf_Die *type, int depth,
                    uint64_t *bytes)
{
    Dwarf_Word size;
    Dwarf_Die plain = *type, element, range;
    uint64_t count;
    if (dwarf_aggregate_size(type, &size) == 0) {
        *bytes = size;
        return true;
    }
    if (depth > TYPES_DEPTH || !types_peel(&plain, true) ||
        dwarf_tag(&plain) != DW_TAG_array_type ||
        dwarf_hasattr_integrate(&plain, DW_AT_byte_stride) ||
        dwarf_hasattr_integrate(&plain, DW_AT_bit_stride) ||
        !types_of(&plain, &element) || !size_at(t, &element, depth + 1, bytes))
        return false;
    for (int more = dwarf_child(&plain, &range); more == 0;
         more = dwarf_siblingof(&range, &range))
        if (dwarf_tag(&range) != DW_TAG_subrange_type ||
            !types_elements(t, &range, &count) ||
            __builtin_mul_overflow(*bytes, count, bytes))
            return false;
    return true;
}

bool types_size(struct debug_types *t, Dwarf_Die *type, uint64_t *bytes)
{
    return size_at(t, type, 0, bytes);
}

bool types_is_flag(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute a;
    bool flag = false;
    return dwarf_attr(die, attribute, &a) && dwarf_formflag(&a, &flag) == 0 &&
           flag;
}

bool types_is_cxx(Dwarf_Die *die)
{
    Dwarf_Die cu;
    int language = dwarf_diecu(die, &cu, NULL, NULL) ? dwarf_srclang(&cu) : 0;
    /* the units that dwz makes of several have no language; what makes C++
     * differ is not in those of C */
    return language < 0 || language == DW_LANG_C_plus_plus ||
           language == DW_LANG_C_plus_plus_03 ||
           language == DW_LANG_C_plus_plus_11 ||
           language == DW_LANG_C_plus_plus_14 || language == CXX_17 ||
           language == CXX_20 || language == CXX_23;
}

/* The declaration that stands in its namespace: a type unit of gcc has the
 * definition outside of it. */
static Dwarf_Die declaration_of(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    Dwarf_Die to;
    return dwarf_attr(die, DW_AT_specification, &a) &&
                   dwarf_formref_die(&a, &to)
               ? to
               : *die;
}

/* ---- names without their template arguments ---------------------------- */

static void type_name(Dwarf_Die *die, int depth, char out[TYPES_NAME]);

static void append(char out[TYPES_NAME], const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, TYPES_NAME - len, "%s", text);
}

/* One argument; false: this child is none. */
static bool argument_name(Dwarf_Die *child, int depth, char out[TYPES_NAME])
{
    Dwarf_Die type;
    Dwarf_Attribute a;
    Dwarf_Sword value;
    int tag = dwarf_tag(child);
    if (tag == DW_TAG_template_type_parameter) {
        snprintf(out, TYPES_NAME, "void");
        if (types_of(child, &type))
            type_name(&type, depth + 1, out);
        return true;
    }
    if (tag != DW_TAG_template_value_parameter)
        return false;
    snprintf(out, TYPES_NAME, "?");
    if (dwarf_attr(child, DW_AT_const_value, &a) &&
        dwarf_formsdata(&a, &value) == 0)
        snprintf(out, TYPES_NAME, "%lld", (long long)value);
    return true;
}

/* With -gsimple-template-names "pair<int, long>" is called "pair": its
 * arguments are entries of their own. */
static void own_name(Dwarf_Die *die, int depth, char out[TYPES_NAME])
{
    char argument[TYPES_NAME];
    Dwarf_Die child;
    int count = 0;
    const char *name = dwarf_diename(die);
    snprintf(out, TYPES_NAME, "%s", name ? name : "");
    if (!name || depth > NAME_DEPTH || !types_is_record(dwarf_tag(die)) ||
        strchr(name, '<'))
        return;
    for (int more = dwarf_child(die, &child);
         more == 0 && count < ARGUMENTS_MAX;
         more = dwarf_siblingof(&child, &child))
        if (argument_name(&child, depth, argument)) {
            append(out, count++ ? ", " : "<");
            append(out, argument);
        }
    if (count)
        append(out, ">");
}

static void qualified(Dwarf_Die *die, int depth, char out[TYPES_NAME]);

/* As gcc and clang write an argument, for what is common. */
static void type_name(Dwarf_Die *die, int depth, char out[TYPES_NAME])
{
    Dwarf_Die to = *die;
    const char *end = "";
    int tag = dwarf_tag(&to);
    if (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
        tag == DW_TAG_const_type) {
        end = tag == DW_TAG_pointer_type     ? " *"
              : tag == DW_TAG_reference_type ? " &"
                                             : "";
        snprintf(out, TYPES_NAME, "%s", "void");
        if (depth <= NAME_DEPTH && types_of(die, &to))
            type_name(&to, depth + 1, out);
        if (tag == DW_TAG_const_type) {
            char whole[TYPES_NAME] = "const ";
            append(whole, out);
            memcpy(out, whole, TYPES_NAME);
        }
        append(out, end);
        return;
    }
    qualified(&to, depth, out);
}

static void qualified(Dwarf_Die *die, int depth, char out[TYPES_NAME])
{
    Dwarf_Die *scopes, declared = declaration_of(die);
    char own[TYPES_NAME], whole[TYPES_NAME] = "";
    out[0] = 0;
    if (!dwarf_diename(die))
        return;
    int count =
        types_is_cxx(die) ? dwarf_getscopes_die(&declared, &scopes) : -1;
    /* innermost first; 0 is the entry itself */
    for (int i = count < SCOPES_MAX ? count - 1 : SCOPES_MAX; i > 0; i--) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_namespace && !types_is_record(tag))
            continue;
        own_name(&scopes[i], depth, own);
        append(whole, own);
        append(whole, *own ? "::" : "");
    }
    if (count > 0)
        free(scopes);
    own_name(die, depth, own);
    if (strlen(whole) + strlen(own) + 1 < sizeof whole) {
        append(whole, own);
        types_canonical(whole, out);
    }
}

void types_qualified_name(Dwarf_Die *die, char out[TYPES_NAME])
{
    qualified(die, 0, out);
}

void types_own_name(Dwarf_Die *die, char out[TYPES_NAME])
{
    own_name(die, 0, out);
}

const char *debug_decl_file(Dwarf_Die *die)
{
    uint8_t type = 0;
    /* libdw 0.188 ends the process for an entry of a .dwo file */
    if (die->cu &&
        dwarf_cu_info(die->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) ==
            0 &&
        (type == DW_UT_split_compile || type == DW_UT_split_type))
        return NULL;
    return dwarf_decl_file(die);
}

/* Names of files come from outside: nothing of them may end the comment. */
void types_put_place(struct buf *out, Dwarf_Die *die)
{
    const char *file = debug_decl_file(die);
    const char *slash = file ? strrchr(file, '/') : NULL;
    int line = 0;
    file = slash ? slash + 1 : file ? file : "?";
    for (size_t i = 0; file[i] && i < 100; i++)
        buf_char(out, isalnum((unsigned char)file[i]) || strchr("._-+", file[i])
                          ? file[i]
                          : '?');
    if (dwarf_decl_line(die, &line) == 0)
        buf_printf(out, ":%d", line);
}
