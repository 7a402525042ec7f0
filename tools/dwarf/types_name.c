/* SPDX-License-Identifier: Apache-2.0 */
/* Names of types, and ways through chains of them; every loop has an end. */
#include "tools/dwarf/types_internal.h"
#include <ctype.h>
#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCOPES_MAX = 16
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
    return language == DW_LANG_C_plus_plus ||
           language == DW_LANG_C_plus_plus_03 ||
           language == DW_LANG_C_plus_plus_11 ||
           language == DW_LANG_C_plus_plus_14;
}

void types_qualified_name(Dwarf_Die *die, char out[TYPES_NAME])
{
    Dwarf_Die *scopes;
    char whole[TYPES_NAME] = "";
    const char *name = dwarf_diename(die);
    out[0] = 0;
    if (!name)
        return;
    int count = types_is_cxx(die) ? dwarf_getscopes_die(die, &scopes) : -1;
    /* innermost first; 0 is the entry itself */
    for (int i = count < SCOPES_MAX ? count - 1 : SCOPES_MAX; i > 0; i--) {
        int tag = dwarf_tag(&scopes[i]);
        const char *scope = dwarf_diename(&scopes[i]);
        size_t len = strlen(whole);
        if (scope && (tag == DW_TAG_namespace || types_is_record(tag)))
            snprintf(whole + len, sizeof whole - len, "%s::", scope);
    }
    if (count > 0)
        free(scopes);
    size_t len = strlen(whole);
    if (len + strlen(name) < sizeof whole) {
        snprintf(whole + len, sizeof whole - len, "%s", name);
        types_canonical(whole, out);
    }
}

/* Names of files come from outside: nothing of them may end the comment. */
void types_put_place(struct buf *out, Dwarf_Die *die)
{
    const char *file = dwarf_decl_file(die);
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
