/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prototypes as C, with where the compiler put the parameters:
 *
 *   [[span("NAME"), file("libx.so:0x1150"), args("?: rdi, -, +8")]]
 *   int f(int a, int b, long c);
 *
 * `args` has the result ("?": as the prototype says, "-": perhaps there is
 * none) and, for each parameter, what location.h says; "^" for each and the
 * result if the function has another calling convention. Of a function with a
 * prototype that C cannot say, only which symbol it is:
 *
 *   [[span("NAME"), symbol("SYMBOL")]] int f;
 */
#include "tools/dwarf/location.h"
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARAMS_MAX = 127, /* as in the manifest */
};

struct prototype {
    struct debug_types *t;
    const struct types_want *w;
    Dwarf_Die function; /* that has the code */
    bool is_foreign;    /* called in a way of its own */
    bool is_remarked;   /* why it cannot be written */
    bool is_promoted;   /* not prototyped: a float comes as a double */
    struct buf text, args;
    const char *names[PARAMS_MAX];
    size_t count, given;
};

static bool is_taken(const struct prototype *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->names[i] && strcmp(p->names[i], name) == 0)
            return true;
    return false;
}

static bool not_told(struct prototype *p)
{
    p->is_remarked = true;
    buf_printf(&p->t->remarks,
               "'%s': a class is passed by value, and its debug information "
               "does not say whether in registers or by a pointer (DWARF 5 "
               "does); write the parameters as the machine passes them\n",
               p->w->name);
    return false;
}

static void put_place(struct prototype *p, Dwarf_Die *declared)
{
    char place[LOCATION_TEXT] = "-";
    Dwarf_Die concrete;
    if (p->is_foreign)
        snprintf(place, sizeof place, "^");
    else if (location_concrete(&p->function, declared, &concrete))
        location_at_entry(&p->function, &concrete, p->w->vaddr, place);
    else if (location_is_gcc(&p->function))
        snprintf(place, sizeof place, "?");
    buf_printf(&p->args, "%s%s", p->count ? ", " : " ", place);
}

static bool declare(struct prototype *p, Dwarf_Die *type,
                    struct types_declared *out)
{
    bool is_known = types_declare(p->t, type, 0, out);
    return (is_known && (!out->after[0] || out->after[0] == ')')) ||
           types_declare_alike(type, out);
}

/* What a compiler gives only some variants of a constructor: its entry says of
 * all of them that there is one. */
static bool is_of_others(const struct prototype *p, Dwarf_Die *declared)
{
    const char *name = dwarf_diename(declared);
    Dwarf_Die function = p->function, concrete;
    return name && types_is_flag(declared, DW_AT_artificial) &&
           (strcmp(name, "__in_chrg") == 0 ||
            strcmp(name, "__vtt_parm") == 0) &&
           !location_concrete(&function, declared, &concrete);
}

static bool put_parameter(struct prototype *p, Dwarf_Die *die)
{
    struct types_declared type;
    Dwarf_Die to;
    Dwarf_Attribute a;
    bool hidden = false;
    const char *name = dwarf_diename(die), *shown;
    if (p->count == PARAMS_MAX || !types_of(die, &to) ||
        !declare(p, &to, &type))
        return false;
    if (p->is_promoted && strcmp(type.before, "float ") == 0)
        snprintf(type.before, sizeof type.before, "double ");
    if (dwarf_attr_integrate(die, DW_AT_artificial, &a))
        (void)!dwarf_formflag(&a, &hidden);
    if (hidden && name && strcmp(name, "this") == 0)
        name = "self";
    else if (!hidden && p->given < p->w->param_count &&
             p->w->params[p->given++])
        name = p->w->params[p->given - 1];
    shown = debug_is_word(name) && !is_taken(p, name) ? name : "";
    enum types_passing passing = types_passing(&to);
    if (passing == NOT_TOLD)
        return not_told(p);
    put_place(p, die);
    buf_printf(&p->text, "%s%s%s%s%s", p->count ? ", " : "", type.before,
               passing == BY_REFERENCE ? "*" : "", shown, type.after);
    p->names[p->count++] = *shown ? shown : NULL;
    return true;
}

static bool put_result(struct prototype *p, Dwarf_Die *die)
{
    struct types_declared type;
    Dwarf_Die to, plain;
    if (!types_of(die, &to)) {
        buf_text(&p->text, "void f(");
        return true;
    }
    plain = to;
    if (!types_peel(&plain, true)) {
        buf_text(&p->text, "void f(");
        return true;
    }
    enum types_passing passing = types_passing(&to);
    if (passing == NOT_TOLD && dwarf_bytesize(&plain) <= 16)
        return not_told(p);
    if (passing == BY_REFERENCE && dwarf_bytesize(&plain) <= 16) {
        buf_text(&p->text, "void *f(void *");
        buf_text(&p->args, " ?");
        p->names[p->count++] = NULL;
        return true;
    }
    if (!declare(p, &to, &type))
        return false;
    buf_printf(&p->text, "%sf(", type.after[0] ? "void *" : type.before);
    return true;
}

/* Any type at all: gcc -g1 and its like have none, and no parameters. */
static bool unit_has_types(Dwarf_Die *function)
{
    Dwarf_Die cu, child;
    if (!dwarf_diecu(function, &cu, NULL, NULL))
        return false;
    for (int more = dwarf_child(&cu, &child); more == 0;
         more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_base_type || tag == DW_TAG_pointer_type ||
            tag == DW_TAG_typedef || types_is_record(tag))
            return true;
    }
    return false;
}

/* Does its entry say which parameters it has? Of assembler code it says that
 * there is a function, of lines alone as well. */
static bool is_told(Dwarf_Die *function)
{
    Dwarf_Die declared, child, cu;
    bool has_parameters = false;
    location_declared(function, &declared);
    for (int more = dwarf_child(&declared, &child); more == 0;
         more = dwarf_siblingof(&child, &child))
        has_parameters |= dwarf_tag(&child) == DW_TAG_formal_parameter;
    int language =
        dwarf_diecu(function, &cu, NULL, NULL) ? dwarf_srclang(&cu) : 0;
    if (language == DW_LANG_Mips_Assembler)
        return false;
    return has_parameters || dwarf_hasattr_integrate(function, DW_AT_type) ||
           dwarf_hasattr_integrate(function, DW_AT_prototyped) ||
           unit_has_types(function);
}

/* `T... rest`: gcc has what it is of an instance below one entry. */
static bool put_pack(struct prototype *p, Dwarf_Die *pack)
{
    Dwarf_Die child;
    bool ok = true;
    for (int more = dwarf_child(pack, &child); ok && more == 0;
         more = dwarf_siblingof(&child, &child))
        if (dwarf_tag(&child) == DW_TAG_formal_parameter)
            ok = put_parameter(p, &child);
    return ok;
}

/* False: some part of it cannot be written in C. */
static bool put_all(struct prototype *p)
{
    Dwarf_Die declared, child;
    location_declared(&p->function, &declared);
    p->is_foreign = location_is_foreign(&p->function);
    p->is_promoted = debug_is_promoted(&p->function);
    bool is_dropped = p->w->is_result_unsure &&
                      !location_is_gcc(&p->function) &&
                      location_is_optimized(&p->function);
    buf_text(&p->args, p->is_foreign ? "^:" : is_dropped ? "-:" : "?:");
    bool ok = put_result(p, &p->function);
    for (int more = dwarf_child(&declared, &child); ok && more == 0;
         more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_unspecified_parameters) {
            buf_text(&p->text, p->count ? ", ..." : "");
            break;
        }
        if (tag == DW_TAG_formal_parameter && !is_of_others(p, &child))
            ok = put_parameter(p, &child);
        if (tag == DW_TAG_GNU_formal_parameter_pack)
            ok = put_pack(p, &child);
    }
    return ok && !p->text.failed && !p->args.failed;
}

static void put_where(struct prototype *p, struct buf *out)
{
    char where[TYPES_NAME];
    const char *path = p->t->objects[p->w->object].path;
    const char *slash = strrchr(path, '/');
    snprintf(where, sizeof where, "%.300s:0x%" PRIx64, slash ? slash + 1 : path,
             p->w->vaddr);
    buf_text(out, "), file(");
    types_put_string(out, where);
    buf_text(out, "), args(");
    types_put_string(out, buf_get(&p->args));
}

/* Whoever names a function by its name in C++ is told which symbol it is, also
 * where nothing is known of its parameters. */
static void write_symbol(struct prototype *p)
{
    struct buf *out = &p->t->text;
    if (!p->w->symbol)
        return;
    if (!p->is_remarked)
        buf_printf(&p->t->remarks,
                   "'%s': its parameters or its result are of a type that is "
                   "not known here: times only\n",
                   p->w->name);
    buf_text(out, "[[span(");
    types_put_string(out, p->w->name);
    buf_text(out, "), symbol(");
    types_put_string(out, p->w->symbol);
    buf_text(out, ")]] int f;\n");
}

static void write_whole(struct prototype *p)
{
    struct buf *out = &p->t->text;
    buf_text(out, "[[span(");
    types_put_string(out, p->w->name);
    if (p->w->symbol) {
        buf_text(out, "), symbol(");
        types_put_string(out, p->w->symbol);
    }
    put_where(p, out);
    buf_printf(out, ")]] %s%s); /* ", buf_get(&p->text),
               p->count ? "" : "void");
    types_put_place(out, &p->function);
    buf_text(out, " */\n");
}

void types_write_symbol(struct debug_types *t, const struct types_want *w)
{
    buf_text(&t->text, "[[span(");
    types_put_string(&t->text, w->name);
    buf_text(&t->text, "), symbol(");
    types_put_string(&t->text, w->symbol);
    buf_text(&t->text, "), args(\"?\")]] int f;\n");
}

bool types_write_function(struct debug_types *t, const struct types_want *w,
                          Dwarf_Die *die)
{
    struct prototype p = {.t = t, .w = w, .function = *die};
    if (!is_told(die))
        return false;
    buf_init(&p.text, 1 << 16);
    buf_init(&p.args, 1 << 14);
    bool ok = put_all(&p);
    if (ok)
        write_whole(&p);
    else
        write_symbol(&p);
    buf_free(&p.text);
    buf_free(&p.args);
    return ok;
}
