/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prototype of a declaration: as it stands there, compared with what the
 * debug information has, or taken from that; and by which name the debug
 * information is asked for it.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/meaning/meaning.h"

#include <string.h>

enum {
    KEY_BYTES = 600,
    PASTED_BYTES = 400
};

/* Without blanks in a row; a long one ends in a number that is its own. */
static const char *pasted_text(struct parser *p, const struct mark *at)
{
    char text[PASTED_BYTES + 24], digits[21];
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    size_t len = 0;
    bool is_cut = false, was_blank = false;
    for (uint32_t i = at->offset; i < p->tok_end; i++) {
        char c = at->src->text[i];
        bool is_blank = c == ' ' || (c >= '\t' && c <= '\r');
        if (is_blank && was_blank)
            continue;
        was_blank = is_blank;
        c = is_blank ? ' ' : c;
        hash = (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
        if (len < PASTED_BYTES)
            text[len++] = c;
        else
            is_cut = true;
    }
    if (is_cut) {
        size_t n = strlen(parser_decimal(hash, digits));
        text[len++] = '#';
        memcpy(text + len, digits, n);
        len += n;
    }
    return parser_copy(p, text, len);
}

static bool is_cxx(const char *name)
{
    return strchr(name, ':') || strchr(name, '<') || strchr(name, '~');
}

/* What the prototype of this declaration is asked for by; NULL: not at all. A
 * static function of another object or file is another one. */
static const char *wanted_name(struct parser *p, const struct declaration *d,
                               const struct manifest_decl *decl,
                               bool *is_pasted)
{
    static const char glue[] = " of ";
    const struct manifest_object *object = decl->object;
    *is_pasted = !decl->match && !decl->symbol && d->ident &&
                 (d->readable || is_cxx(d->ident));
    const char *parts[] = {
        decl->match             ? decl->match
        : decl->symbol          ? decl->symbol
        : *is_pasted && d->type ? pasted_text(p, &d->at)
                                : d->ident,
        object->kind == MANIFEST_OBJECT_MAIN ? "main" : object->pattern,
        object->build_id, decl->file};
    char text[KEY_BYTES];
    size_t len = 0;
    if (decl->has_at || !parts[0])
        return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = parts[i] ? strlen(parts[i]) : 0;
        if (!parts[i])
            continue;
        if (len + n + sizeof glue > sizeof text)
            return NULL;
        memcpy(text + len, glue, i ? sizeof glue - 1 : 0);
        len += i ? sizeof glue - 1 : 0;
        memcpy(text + len, parts[i], n);
        len += n;
    }
    return parser_copy(p, text, len);
}

/* `name`: NULL, or only which symbol it is; with `args` because there is no
 * debug information, else because C cannot say what that has. */
static void without_prototype(struct parser *p, struct declaration *d,
                              const struct name *name,
                              const struct manifest_want *w,
                              const char **symbol)
{
    if (d->readable) {
        pasted_assume(p, d);
        if (name && !name->args)
            d->doubt = "its parameters or its result are of a type that is not "
                       "known here";
    } else if (name && w->is_pasted) {
        d->type = NULL;
    } else if (w->is_pasted && d->type && w->qualifiers &&
               (*symbol = declared_readable(p, d, w->qualifiers))) {
        d->this_kind = *w->qualifiers ? THIS_FIRST : THIS_UNKNOWN;
        pasted_assume(p, d);
    }
}

const struct name *borrow_prototype(struct parser *p, struct declaration *d,
                                    struct manifest_decl *decl)
{
    struct manifest_want w = {.kind = MANIFEST_WANT_FUNCTION, .decl = decl};
    w.name = wanted_name(p, d, decl, &w.is_pasted);
    if (!w.name || (decl->match && !d->type))
        return NULL;
    if (d->type && d->type->kind == MANIFEST_FUNCTION) {
        w.has_params = true;
        w.params = type_of(d->type)->params;
        w.param_count = type_of(d->type)->param_count;
    }
    w.is_placement = w.has_params && !w.is_pasted;
    w.pasted = d->readable;
    w.qualifiers = w.is_pasted ? declared_qualifiers(p, d) : "";
    struct name *name =
        parser_find_name(p, NAME_PROTOTYPE, w.name, strlen(w.name));
    while (name && !name->ctype && name->more)
        name = name->more;
    if (!name)
        borrow_ask(p, &w);
    if (w.is_pasted)
        decl->symbol = name && name->symbol ? name->symbol : d->readable;
    if (!name || !name->ctype) {
        without_prototype(p, d, name, &w, &decl->symbol);
        return NULL;
    }
    if (!w.has_params || w.is_pasted)
        d->type = name->ctype;
    else if (p->host->compares && !decl->match && w.has_params &&
             !(name->more && borrow_any_fits(d->type, name)))
        borrow_compare_prototype(p, d, name);
    return name;
}
