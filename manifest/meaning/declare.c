/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A C declaration and the attributes before it to a struct manifest_decl: its
 * names, roles, settings and prototype. An error here disables this
 * declaration; a type that is not known only its captures.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/meaning/meaning.h"

#include <errno.h>
#include <string.h>

bool settings_apply(struct parser *p, struct manifest_settings *settings,
                    const struct attribute *attr)
{
    switch (attr->kind) {
    case ATTR_CAPTURE:
        settings->capture = (enum manifest_capture)attr->number;
        return true;
    case ATTR_CAP:
        if (attr->number > 50000)
            parser_error(p, attr->text_at,
                         "the cap is at most 50000 bytes of an input or "
                         "output");
        else
            settings->cap_bytes = (uint32_t)attr->number;
        return true;
    case ATTR_LOCALS:
        settings->locals = attr->number;
        return true;
    case ATTR_REWRITE:
        settings->rewrite_pointers = attr->number;
        return true;
    default:
        return false;
    }
}

static void apply_attribute(struct parser *p, const struct attribute *attr,
                            struct manifest_decl *decl)
{
    switch (attr->kind) {
    case ATTR_ROOT:
        decl->roles |= MANIFEST_ROOT | MANIFEST_SPAN;
        break;
    case ATTR_SPAN:
        decl->roles |= MANIFEST_SPAN;
        break;
    case ATTR_EVENT:
        decl->roles |= MANIFEST_EVENT;
        break;
    case ATTR_MATCH:
        decl->match = attr->text;
        break;
    case ATTR_SYMBOL:
        decl->symbol = attr->text;
        break;
    case ATTR_FILE:
        decl->file = attr->text;
        break;
    case ATTR_AT:
        decl->has_at = true;
        decl->at = attr->number;
        break;
    case ATTR_SLOW:
        decl->slow_ns = attr->number;
        break;
    case ATTR_OVERDUE:
        decl->overdue_ns = attr->number;
        decl->overdue_stop = attr->has_stop;
        break;
    default:
        settings_apply(p, &decl->settings, attr);
    }
    if ((attr->kind == ATTR_SPAN || attr->kind == ATTR_ROOT ||
         attr->kind == ATTR_EVENT) &&
        attr->text) {
        decl->name = attr->text;
        decl->is_named = true;
    }
}

static const char *hex_name(struct parser *p, uint64_t n)
{
    char text[19] = "0x";
    size_t len = 2;
    for (int shift = 60; shift >= 0; shift -= 4)
        if (n >> shift || shift == 0)
            text[len++] = "0123456789abcdef"[n >> shift & 15];
    return parser_copy(p, text, len);
}

/* How is it found, and what is it called? */
static void check_names(struct parser *p, const struct declaration *d,
                        struct manifest_decl *decl)
{
    int ways = (decl->match != NULL) + (decl->symbol != NULL) + decl->has_at;
    const struct attribute *at = attribute_find(d->attrs, ATTR_AT);
    if (!decl->name)
        decl->name = decl->ident    ? decl->ident
                     : decl->match  ? decl->match
                     : decl->symbol ? decl->symbol
                     : decl->has_at ? hex_name(p, decl->at)
                                    : "?";
    if (!decl->name)
        decl->name = "?";
    if (p->failed)
        return;
    if (ways > 1)
        parser_error(p, d->at,
                     "one of match, symbol and at says where it is, not "
                     "several");
    else if (ways == 0 && !decl->ident)
        parser_error(p, d->at,
                     "what is meant? write a prototype, a name, match(...), "
                     "symbol(...) or at(...)");
    else if (at && decl->object->kind == MANIFEST_OBJECT_ANY)
        parser_error(p, at->at,
                     "an address needs its object: write "
                     "[[object(\"lib.so\")]]; or [[object(main)]]; before");
    else if (decl->ident && strstr(decl->ident, "::") && d->type && !ways)
        parser_error(p, d->at, "'", decl->ident,
                     "' is C++, and whether it has a `this` cannot be seen "
                     "here; write symbol(\"",
                     decl->ident,
                     "(...)\") and as parameters `(void *self, ...)` for a "
                     "method, or `(...)` for a function in a namespace");
}

static void check_roles(struct parser *p, const struct declaration *d,
                        const struct manifest_decl *decl)
{
    if (!decl->roles && d->attrs && !p->failed)
        parser_warn(p, d->at, "'", decl->name,
                    "' is neither span nor root, so nothing is recorded");
}

/* ---- the prototype --------------------------------------------------- */

static void nearest_type(struct parser *p, struct nearest *near)
{
    for (size_t i = 0; type_builtin_name(i); i++)
        nearest_try(near, type_builtin_name(i));
    for (size_t i = 0; i < NAME_BUCKETS; i++)
        for (struct name *n = p->names[i]; n; n = n->next)
            if (n->kind == NAME_TYPEDEF)
                nearest_try(near, n->text);
}

/* A type by value that nobody knows: what follows it may be anywhere. */
static void report_unknown_type(struct parser *p,
                                const struct manifest_decl *decl,
                                const struct manifest_type *type,
                                struct mark at)
{
    const char *name = type_describe(p, type);
    struct nearest near;
    while (type->kind == MANIFEST_ARRAY)
        type = type->to;
    if (type->name)
        borrow_want(p, MANIFEST_WANT_TYPE, type->name);
    if (type_of(type)->is_tag) {
        parser_warn(p, at, "'", name, "' is passed by value and not defined, ",
                    "so '", decl->ident, "' gets times only; add `", name,
                    " { ... };`");
        return;
    }
    nearest_start(&near, type->name ? type->name : "");
    nearest_type(p, &near);
    if (near.best)
        parser_warn(p, at, "unknown type '", name, "' by value, so '",
                    decl->ident, "' gets times only; did you mean '", near.best,
                    "'? else add `typedef int ", name, ";`");
    else
        parser_warn(p, at, "unknown type '", name, "' by value, so '",
                    decl->ident, "' gets times only; add `typedef int ", name,
                    ";`");
}

/* Complete, but nobody can say where it is: by a vector of 32 or 64 bytes, or a
 * type that is none of the manifest's. What stands before it keeps its values.
 */
static void report_unplaced(struct parser *p, const struct manifest_decl *decl,
                            struct mark at, uint32_t index)
{
    char digits[21];
    const char *name = decl->params[index].name;
    parser_report(p, MANIFEST_NOT_YET, at, "where '", decl->ident, "' gets '",
                  name ? name : parser_decimal(index + 1u, digits),
                  "' depends on how the program was compiled: it is left out, "
                  "and what may stand behind it",
                  NULL);
}

/* Where the manifest says it, if it is not the debug information that does. */
static struct mark mark_here(const struct declaration *d, struct mark at)
{
    return at.src == d->at.src ? at : d->at;
}

static bool is_result_unknown(struct parser *p, const struct declaration *d,
                              struct manifest_decl *decl)
{
    if (decl->return_place.kind != MANIFEST_UNKNOWN)
        return false;
    struct mark at = mark_here(d, d->type_at);
    decl->capture_disabled = true;
    if (type_is_complete(decl->return_type))
        parser_report(p, MANIFEST_NOT_YET, at, "where '", decl->ident,
                      "' returns its result depends on how the program was "
                      "compiled: all its values are left out",
                      NULL);
    else
        report_unknown_type(p, decl, decl->return_type, at);
    return true;
}

static void check_types(struct parser *p, const struct declaration *d,
                        struct manifest_decl *decl)
{
    const struct type *function = type_of(d->type);
    if (is_result_unknown(p, d, decl))
        return;
    for (uint32_t i = 0; i < decl->param_count; i++) {
        const struct manifest_type *type = decl->params[i].type;
        struct mark at = mark_here(d, function->marks[i]);
        if (decl->params[i].place.kind != MANIFEST_UNKNOWN)
            continue;
        if (type_is_complete(type) && type->size_bytes <= 64) {
            report_unplaced(p, decl, at, i);
            return;
        }
        decl->capture_disabled = true;
        if (!type_is_complete(type))
            report_unknown_type(p, decl, type, at);
        else
            parser_warn(p, at, "this parameter is too large");
        return;
    }
}

/* Nobody knows where anything is. */
static void doubt_all(struct parser *p, const struct declaration *d,
                      struct manifest_decl *decl, struct manifest_param *params)
{
    decl->capture_disabled = true;
    decl->return_place.kind = MANIFEST_ABSENT;
    for (uint32_t i = 0; i < decl->param_count; i++)
        params[i].place = (struct manifest_place){.kind = MANIFEST_ABSENT};
    if (d->this_kind == THIS_UNKNOWN && decl->symbol)
        parser_report(p, MANIFEST_NOT_YET, d->at, "'", d->ident,
                      "' gets times only: ", d->doubt, "; write symbol(\"",
                      decl->symbol,
                      "\") and a prototype of C: `int f(int n)` for a "
                      "function of a namespace, `int f(void *self, int n)` "
                      "for a method",
                      NULL);
    else
        parser_report(p, MANIFEST_NOT_YET, d->at, "'", d->ident,
                      "' gets times only: ", d->doubt, NULL);
}

static void set_prototype(struct parser *p, const struct declaration *d,
                          const struct name *said, struct manifest_decl *decl)
{
    const struct type *function = type_of(d->type);
    if (d->type->kind != MANIFEST_FUNCTION) {
        parser_error(p, d->at, "'", d->ident ? d->ident : "this",
                     "' is no function");
        return;
    }
    struct manifest_param *params = parser_alloc_array(
        p, function->param_count, sizeof(struct manifest_param));
    if (!params)
        return;
    if (function->param_count)
        memcpy(params, function->params,
               function->param_count * sizeof(*params));
    decl->has_prototype = true;
    decl->is_variadic = function->is_variadic;
    decl->return_type = function->t.to;
    place_function(decl->return_type, &decl->return_place, params,
                   function->param_count);
    decl->params = params;
    decl->param_count = function->param_count;
    if (d->doubt) {
        doubt_all(p, d, decl, params);
        return;
    }
    placement_apply(p, d, decl, params, said);
    check_types(p, d, decl);
}

/* ---- scope ----------------------------------------------------------- */

static void take_scope(struct parser *p, struct manifest_decl *decl)
{
    struct scope *scope = &p->scope;
    decl->object = scope->object;
    decl->settings = scope->settings;
    scope->programs_used = true;
    if (!scope->flat && scope->program_count) {
        struct manifest_program *flat = parser_alloc_array(
            p, scope->program_count, sizeof(struct manifest_program));
        uint32_t n = scope->program_count;
        if (!flat)
            return;
        for (struct program_node *i = scope->programs; n; i = i->next)
            flat[--n] = i->program;
        scope->flat = flat;
    }
    decl->programs = scope->flat;
    decl->program_count = scope->program_count;
}

static void fill(struct parser *p, const struct declaration *given,
                 bool is_function, struct manifest_decl *decl)
{
    struct declaration copy = *given, *d = &copy;
    bool broken = p->failed;
    take_scope(p, decl);
    decl->ident = d->ident;
    decl->at_source = parser_position(&d->at);
    for (const struct attribute *a = d->attrs; a; a = a->next)
        apply_attribute(p, a, decl);
    const struct name *said =
        !broken && is_function ? borrow_prototype(p, d, decl) : NULL;
    check_names(p, d, decl);
    if (!broken) {
        if (d->type)
            set_prototype(p, d, said, decl);
        declare_flows(p, d->attrs, decl);
        if (!p->fatal && (!d->type || decl->has_prototype))
            declare_captures(p, d->attrs, decl);
        check_roles(p, d, decl);
    }
    decl->disabled = p->failed;
}

const struct manifest_decl *declare_rules(struct parser *p,
                                          const struct declaration *d)
{
    struct manifest_decl *decl = PARSER_NEW(p, struct manifest_decl);
    if (decl)
        fill(p, d, false, decl);
    return decl;
}

void declare(struct parser *p, const struct declaration *d)
{
    if (p->out->decl_count >= LIMIT_DECLS) {
        parser_stop(p, -E2BIG);
        return;
    }
    struct decl_node *node = PARSER_NEW(p, struct decl_node);
    if (!node)
        return;
    fill(p, d, true, &node->decl);
    *p->decls_end = node;
    p->decls_end = &node->next;
    p->out->decl_count++;
}
