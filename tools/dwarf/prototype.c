/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prototypes from DWARF, for `suggest`. A type is written as the manifest can
 * use it: integers by size, pointers to named structs, references as pointers,
 * `void *self` for a method. What is passed by value and is no scalar cannot
 * be told from what we know here, so such a prototype is left out: the handler
 * has times only, and says so.
 */
#include "tools/dwarf/prototype.h"
#include "tools/dwarf/debug_internal.h"
#include <ctype.h>
#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/text/text.h"

enum {
    TYPE_BYTES = 256,
    TEXT_BYTES = 4096,
    TYPE_DEPTH = 16,
};

struct search {
    struct debug_function **by_address;
    size_t count;
    bool lacks_part; /* what entries say of types is not so */
};

static int compare(const void *a, const void *b)
{
    const struct debug_function *const *x = a, *const *y = b;
    return ((*x)->vaddr > (*y)->vaddr) - ((*x)->vaddr < (*y)->vaddr);
}

static struct debug_function *find(const struct search *s, uint64_t vaddr)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->by_address[middle]->vaddr == vaddr)
            return s->by_address[middle];
        if (s->by_address[middle]->vaddr < vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- types -------------------------------------------------------------- */

bool debug_is_identifier(const char *name)
{
    if (!name || !(isalpha((unsigned char)*name) || *name == '_'))
        return false;
    while (*name && (isalnum((unsigned char)*name) || *name == '_'))
        name++;
    return *name == 0;
}

/* Through names that mean the same type. False: void. */
static bool resolve(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    for (int i = 0; i < TYPE_DEPTH; i++) {
        int tag = dwarf_tag(die);
        if (tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
            tag != DW_TAG_volatile_type && tag != DW_TAG_restrict_type &&
            tag != DW_TAG_atomic_type)
            return true;
        Dwarf_Die next;
        if (!dwarf_attr(die, DW_AT_type, &a) || !dwarf_formref_die(&a, &next))
            return false;
        *die = next;
    }
    return true;
}

static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
    Dwarf_Attribute a;
    return dwarf_attr_integrate(die, DW_AT_type, &a) &&
           dwarf_formref_die(&a, type);
}

static const char *integer(Dwarf_Die *die, bool is_signed)
{
    static const char *const names[2][5] = {
        {"unsigned char", "unsigned short", "unsigned int", "unsigned long",
         "unsigned __int128"},
        {"signed char", "short", "int", "long", "__int128"}};
    switch (dwarf_bytesize(die)) {
    case 1:
        return names[is_signed][0];
    case 2:
        return names[is_signed][1];
    case 4:
        return names[is_signed][2];
    case 8:
        return names[is_signed][3];
    case 16:
        return names[is_signed][4];
    default:
        return NULL;
    }
}

/* Not told by its encoding, but by its name: `signed char` is a number. */
static const char *character(Dwarf_Die *die, bool is_signed)
{
    const char *name = dwarf_diename(die);
    if (!name || strcmp(name, "char") != 0)
        return integer(die, is_signed);
    return is_signed ? "char" : "handspan_unsigned_char";
}

/* 16 bytes are a long double (x87) or the type of the standard. */
static const char *floating(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    switch (dwarf_bytesize(die)) {
    case 4:
        return "float";
    case 8:
        return "double";
    case 16:
        return name && strstr(name, "128") ? "_Float128" : "long double";
    default:
        return NULL;
    }
}

static const char *complex_floating(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    switch (dwarf_bytesize(die)) {
    case 8:
        return "float _Complex";
    case 16:
        return "double _Complex";
    case 32:
        return name && strstr(name, "128") ? NULL : "long double _Complex";
    default:
        return NULL;
    }
}

/* `_BitInt(7)`: how many bits it has is not told, the others are anything. */
bool debug_is_bit_int(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    return name && strstr(name, "_BitInt");
}

const char *debug_base_type(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    Dwarf_Word encoding;
    if (!dwarf_attr(die, DW_AT_encoding, &a) ||
        dwarf_formudata(&a, &encoding) != 0 || debug_is_bit_int(die))
        return NULL;
    switch (encoding) {
    case DW_ATE_boolean:
        return dwarf_bytesize(die) == 1 ? "_Bool" : integer(die, false);
    case DW_ATE_signed:
        return integer(die, true);
    case DW_ATE_unsigned:
    case DW_ATE_UTF:
        return integer(die, false);
    case DW_ATE_unsigned_char:
    case DW_ATE_signed_char:
        return character(die, encoding == DW_ATE_signed_char);
    case DW_ATE_float:
        return floating(die);
    case DW_ATE_complex_float:
        return complex_floating(die);
    default:
        return NULL;
    }
}

static bool is_char(Dwarf_Die *die)
{
    const char *name =
        dwarf_tag(die) == DW_TAG_base_type ? debug_base_type(die) : NULL;
    return name && (strcmp(name, "char") == 0 ||
                    strcmp(name, "handspan_unsigned_char") == 0);
}

/* What a pointer leads to, as far as it is worth saying. */
static void pointee_text(Dwarf_Die *pointer, char *out, size_t cap)
{
    Dwarf_Die to;
    const char *name;
    snprintf(out, cap, "void *");
    if (!type_of(pointer, &to))
        return;
    Dwarf_Die plain = to;
    if (!resolve(&plain))
        return;
    if (is_char(&plain))
        snprintf(out, cap, "%schar *",
                 dwarf_tag(&to) == DW_TAG_const_type ? "const " : "");
    else if (dwarf_tag(&plain) == DW_TAG_structure_type &&
             debug_is_identifier(name = dwarf_diename(&plain)) &&
             strlen(name) < 100)
        snprintf(out, cap, "struct %s *", name);
    else if (dwarf_tag(&plain) == DW_TAG_base_type && debug_base_type(&plain))
        snprintf(out, cap, "%s *", debug_base_type(&plain));
}

/* "int ", "struct job *"; false: no C for it here. */
static bool type_text(Dwarf_Die *die, char *out, size_t cap)
{
    Dwarf_Die type;
    const char *name = NULL;
    if (!type_of(die, &type) || !resolve(&type)) {
        snprintf(out, cap, "void ");
        return true;
    }
    switch (dwarf_tag(&type)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        pointee_text(&type, out, cap);
        return true;
    case DW_TAG_enumeration_type:
        name = integer(&type, true);
        break;
    case DW_TAG_base_type:
        name = debug_base_type(&type);
        break;
    default:
        break;
    }
    if (name)
        snprintf(out, cap, "%s ", name);
    return name != NULL;
}

/* ---- a prototype -------------------------------------------------------- */

bool debug_is_promoted(Dwarf_Die *function)
{
    Dwarf_Die cu;
    int language =
        dwarf_diecu(function, &cu, NULL, NULL) ? dwarf_srclang(&cu) : 0;
    return (language == DW_LANG_C89 || language == DW_LANG_C ||
            language == DW_LANG_C99 || language == DW_LANG_C11) &&
           !dwarf_hasattr_integrate(function, DW_AT_prototyped);
}

static void put(char **list, const char *name)
{
    char *grown = NULL;
    if (asprintf(&grown, "%s%s%s", *list ? *list : "", *list ? ", " : "",
                 name) < 0)
        return;
    free(*list);
    *list = grown;
}

bool debug_is_word(const char *name)
{
    static const char *const keywords[] = {
        "return",   "errno",    "exit",    "class", "new",
        "this",     "delete",   "NULL",    "true",  "false",
        "template", "operator", "private", "public"};
    if (!debug_is_identifier(name))
        return false;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(name, keywords[i]) == 0)
            return false;
    return true;
}

static bool put_parameter(struct debug_function *f, Dwarf_Die *die, FILE *out,
                          int index, bool is_promoted)
{
    char type[TYPE_BYTES], plain[32];
    Dwarf_Attribute a;
    bool artificial = false;
    const char *name = dwarf_diename(die);
    if (dwarf_attr_integrate(die, DW_AT_artificial, &a))
        (void)!dwarf_formflag(&a, &artificial);
    if (artificial && name && strcmp(name, "this") == 0) {
        fprintf(out, "%svoid *self", index ? ", " : "");
        return true;
    }
    if (!type_text(die, type, sizeof type) || strcmp(type, "void ") == 0)
        return false;
    if (is_promoted && strcmp(type, "float ") == 0)
        snprintf(type, sizeof type, "double ");
    if (!debug_is_word(name)) {
        snprintf(plain, sizeof plain, "arg%d", index + 1);
        name = plain;
    }
    fprintf(out, "%s%s%s", index ? ", " : "", type, name);
    if (text_is_secret(name))
        put(&f->secrets, name);
    else if (strcmp(type, "const char *") == 0)
        put(&f->inputs, name);
    return true;
}

static char *make_prototype(struct debug_function *f, Dwarf_Die *die)
{
    char text[TEXT_BYTES] = "", type[TYPE_BYTES];
    Dwarf_Die child;
    int index = 0;
    if (!type_text(die, type, sizeof type))
        return NULL;
    bool is_promoted = debug_is_promoted(die);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    if (!out)
        return NULL;
    fprintf(out, "%s%%s(", type);
    bool ok = true;
    for (int more = dwarf_child(die, &child); ok && more == 0;
         more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_unspecified_parameters)
            fprintf(out, "%s...", index++ ? ", " : "");
        else if (tag == DW_TAG_formal_parameter)
            ok = put_parameter(f, &child, out, index++, is_promoted);
    }
    fprintf(out, "%s)", index ? "" : "void");
    ok = ok && !ferror(out);
    fclose(out);
    return ok && text[sizeof text - 2] == 0 ? strdup(text) : NULL;
}

static int look(void *context, Dwarf_Die *die)
{
    const struct search *s = context;
    Dwarf_Addr low;
    int line = 0;
    if (dwarf_tag(die) != DW_TAG_subprogram || !debug_entry_pc(die, &low))
        return 0;
    struct debug_function *f = find(s, low);
    if (!f || f->is_known)
        return 0;
    const char *file = debug_decl_file(die), *name = dwarf_diename(die);
    const char *slash = file ? strrchr(file, '/') : NULL;
    f->is_known = true;
    f->is_library = file && strncmp(file, "/usr/", 5) == 0 &&
                    strncmp(file, "/usr/src/", 9) != 0;
    f->is_destructor = name && *name == '~';
    f->file = strdup(slash ? slash + 1 : file ? file : "?");
    if (dwarf_decl_line(die, &line) == 0)
        f->line = (unsigned)line;
    f->prototype = s->lacks_part ? NULL : make_prototype(f, die);
    return 0;
}

int debug_find_functions(struct debug *d, struct debug_function *at,
                         size_t count)
{
    const char *part;
    struct search s = {calloc(count + 1, sizeof(void *)), count,
                       debug_lacks_part(d, &part)};
    if (!s.by_address)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        s.by_address[i] = &at[i];
    qsort(s.by_address, count, sizeof(void *), compare);
    int err = debug_walk(d, look, &s);
    free(s.by_address);
    return err;
}

void debug_function_free(struct debug_function *f)
{
    free(f->prototype);
    free(f->inputs);
    free(f->secrets);
    free(f->file);
    *f = (struct debug_function){0};
}
