/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest against the debug information: what contradicts it, which is an
 * error, and what is only read otherwise, which is a warning. The manifest wins
 * in either case.
 */
#include "manifest/grammar/borrow.h"

#include <string.h>

static void note_there(struct parser *p, struct mark at)
{
    if (at.src)
        parser_report(p, MANIFEST_NOTE, at,
                      "this is what the debug information has", NULL);
}

/* "4-byte integer": as far as it matters where and how it is read. */
static const char *kind_text(struct parser *p, const struct manifest_type *t)
{
    static const char *const kinds[] = {
        "void",      "-byte integer", "-byte integer", "-byte number",
        "a pointer", "-byte array",   "a record",      "a function",
        "something", "-byte vector"};
    char text[64], digits[21];
    bool has_size = t->kind == MANIFEST_BOOL || t->kind == MANIFEST_INT ||
                    t->kind == MANIFEST_FLOAT || t->kind == MANIFEST_ARRAY ||
                    t->kind == MANIFEST_VECTOR;
    const char *parts[] = {"", "", kinds[t->kind]};
    size_t len = 0;
    if (has_size) {
        parts[1] = parser_decimal(t->size_bytes, digits);
        parts[0] = *digits == '8' ? "an " : "a ";
    }
    for (size_t i = 0; i < 3; i++) {
        memcpy(text + len, parts[i], strlen(parts[i]));
        len += strlen(parts[i]);
    }
    const char *copy = parser_copy(p, text, len);
    return copy ? copy : "";
}

static bool is_integer(const struct manifest_type *t)
{
    return t->kind == MANIFEST_INT || t->kind == MANIFEST_BOOL;
}

bool borrow_is_alike(const struct manifest_type *a,
                     const struct manifest_type *b)
{
    if (a->kind == MANIFEST_OPAQUE || b->kind == MANIFEST_OPAQUE)
        return true;
    if (is_integer(a) && is_integer(b))
        return a->size_bytes == b->size_bytes;
    if (a->kind != b->kind)
        return false;
    return a->kind == MANIFEST_POINTER || a->kind == MANIFEST_RECORD ||
           a->size_bytes == b->size_bytes;
}

/* ---- what is no contradiction, but read otherwise ---------------------- */

static const char *sign_text(const struct manifest_type *t)
{
    return t->is_signed ? "signed" : "unsigned";
}

/* An enum says of itself what its sign is; people write int. */
static bool is_sign_other(const struct manifest_type *a,
                          const struct manifest_type *b)
{
    return a->kind == MANIFEST_INT && b->kind == MANIFEST_INT &&
           a->size_bytes == b->size_bytes && a->is_signed != b->is_signed &&
           !a->constant_count && !b->constant_count &&
           !(a->is_char && b->is_char);
}

/* Would what they point to be read alike? Only what both know is judged. */
static bool is_pointee_other(const struct manifest_type *a,
                             const struct manifest_type *b)
{
    a = a->to;
    b = b->to;
    bool is_known = a->kind != MANIFEST_VOID && b->kind != MANIFEST_VOID &&
                    a->kind != MANIFEST_FUNCTION &&
                    b->kind != MANIFEST_FUNCTION;
    return is_known && !borrow_is_alike(a, b);
}

static void warn_pointee(struct parser *p, struct mark at,
                         const struct manifest_type *here,
                         const struct manifest_type *there)
{
    parser_warn(p, at, "this points to ", kind_text(p, here->to),
                " here, but in the debug information to ",
                kind_text(p, there->to));
}

void borrow_compare_size(struct parser *p, struct mark at,
                         const struct manifest_type *type)
{
    char here[21], there[21];
    const struct type *compiled =
        type->kind == MANIFEST_RECORD ? type_of(type)->compiled : NULL;
    if (!p->host->compares || !compiled ||
        compiled->t.size_bytes == type->size_bytes)
        return;
    parser_warn(p, at, "'", type_describe(p, type), "' has ",
                parser_decimal(type->size_bytes, here),
                " bytes here, but in the debug information ",
                parser_decimal(compiled->t.size_bytes, there),
                ": what stands behind it is read from the wrong place");
}

static void compare_sizes(struct parser *p, struct mark at,
                          const struct manifest_type *a,
                          const struct manifest_type *b)
{
    char here[21], there[21];
    parser_warn(p, at, "'", type_describe(p, a), "' has ",
                parser_decimal(a->size_bytes, here),
                " bytes here, but in the debug information ",
                parser_decimal(b->size_bytes, there),
                ": it is passed otherwise, and so may be what stands behind "
                "it");
}

/* Two types that are alike as far as their places go. */
static void compare_meaning(struct parser *p, struct mark at, struct mark there,
                            const struct manifest_type *a,
                            const struct manifest_type *b)
{
    if (is_sign_other(a, b))
        parser_warn(p, at, "this is ", sign_text(a),
                    " here, but in the debug information ", sign_text(b));
    else if (a->kind == MANIFEST_POINTER && b->kind == MANIFEST_POINTER &&
             is_sign_other(a->to, b->to))
        parser_warn(p, at, "this points to ", sign_text(a->to),
                    " numbers here, but in the debug information to ",
                    sign_text(b->to), " ones");
    else if (a->kind == MANIFEST_POINTER && b->kind == MANIFEST_POINTER &&
             is_pointee_other(a, b))
        warn_pointee(p, at, a, b);
    else if (a->kind == MANIFEST_RECORD && type_of(a)->compiled) {
        borrow_compare_size(p, at, a); /* both are the manifest's by now */
        if (type_of(a)->compiled->t.size_bytes == a->size_bytes)
            return;
    } else if (a->kind == MANIFEST_RECORD && b->kind == MANIFEST_RECORD &&
               a->size_bytes != b->size_bytes)
        compare_sizes(p, at, a, b);
    else
        return;
    note_there(p, there);
}

bool borrow_fits(const struct manifest_type *function, const struct name *said)
{
    if (!said->ctype)
        return false;
    const struct type *mine = type_of(function), *other = type_of(said->ctype);
    if (mine->param_count != other->param_count)
        return false;
    for (uint32_t i = 0; i < mine->param_count; i++)
        if (!borrow_is_alike(mine->params[i].type, other->params[i].type))
            return false;
    return mine->t.to->kind == MANIFEST_VOID ||
           borrow_is_alike(mine->t.to, other->t.to);
}

bool borrow_any_fits(const struct manifest_type *function,
                     const struct name *said)
{
    while (said && !borrow_fits(function, said))
        said = said->more;
    return said != NULL;
}

static const struct manifest_member *find(const struct type *record,
                                          const char *name, uint64_t *offset,
                                          struct mark *at)
{
    for (uint32_t i = 0; i < record->t.member_count; i++) {
        const struct manifest_member *m = &record->t.members[i], *inner;
        uint64_t here = *offset + m->offset_bytes;
        struct mark there = record->marks ? record->marks[i] : (struct mark){0};
        if (m->name && strcmp(m->name, name) == 0) {
            *offset = here;
            *at = there;
            return m;
        }
        if (!m->name && m->type->kind == MANIFEST_RECORD &&
            (inner = find(type_of(m->type), name, &here, at))) {
            *offset = here;
            return inner;
        }
    }
    return NULL;
}

void borrow_compare_member(struct parser *p, const struct type *borrowed,
                           const struct manifest_member *member, struct mark at)
{
    uint64_t offset = 0;
    struct mark there = {0};
    char here[21], other[21];
    if (!p->host->compares || !member->name ||
        borrowed->t.kind != MANIFEST_RECORD)
        return;
    const struct manifest_member *m =
        find(borrowed, member->name, &offset, &there);
    if (!m) {
        parser_warn(p, at, "the debug information has no member '",
                    member->name, "' in '", type_describe(p, &borrowed->t),
                    "'");
        return;
    }
    if (offset * 8 + m->bit_offset !=
        member->offset_bytes * 8 + member->bit_offset)
        parser_error(p, at, "'", member->name, "' is at offset ",
                     parser_decimal(member->offset_bytes, here),
                     " here, but the debug information has it at ",
                     parser_decimal(offset, other));
    else if (!borrow_is_alike(m->type, member->type) ||
             m->bit_width != member->bit_width)
        parser_error(p, at, "'", member->name, "' is ",
                     kind_text(p, member->type),
                     " here, but in the debug information ",
                     kind_text(p, m->type), m->bit_width ? " (bit field)" : "");
    else {
        compare_meaning(p, at, there, member->type, m->type);
        return;
    }
    note_there(p, there);
}

/* `typedef struct { ... } job_t;`, `typedef int status_t;` */
void borrow_compare_typedef(struct parser *p, struct name *name,
                            const struct declarator *d)
{
    const struct manifest_type *old = name->ctype, *t = d->type;
    name->is_borrowed = false; /* the manifest wins */
    if (!p->host->compares || old == t || type_of(t)->is_borrowed)
        return;
    if (!borrow_is_alike(old, t)) {
        parser_error(p, d->at, "'", name->text, "' is ", kind_text(p, t),
                     " here, but in the debug information ", kind_text(p, old));
        note_there(p, name->at);
    } else if (t->kind == MANIFEST_RECORD && !type_of(t)->is_tag) {
        for (uint32_t i = 0; i < t->member_count; i++)
            borrow_compare_member(p, type_of(old), &t->members[i], d->at);
    }
}

void borrow_compare_constant(struct parser *p, struct mark at,
                             const struct name *name, int64_t value)
{
    char digits[21];
    bool minus = name->value < 0;
    uint64_t n = (uint64_t)name->value;
    if (!p->host->compares || name->value == value)
        return;
    parser_error(p, at, "'", name->text, "' is ", minus ? "-" : "",
                 parser_decimal(minus ? -n : n, digits),
                 " in the debug information");
    note_there(p, name->at);
}

void borrow_compare_prototype(struct parser *p, const struct declaration *d,
                              const struct name *name)
{
    const struct type *mine = type_of(d->type), *other = type_of(name->ctype);
    char here[21], there[21];
    bool failed = p->failed;
    uint32_t count = mine->param_count;
    if (mine->param_count != other->param_count) {
        parser_error(p, d->at, "'", d->ident, "' has ",
                     parser_decimal(mine->param_count, here),
                     " parameters here, but ",
                     parser_decimal(other->param_count, there),
                     " in the debug information");
        note_there(p, name->at);
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!borrow_is_alike(mine->params[i].type, other->params[i].type)) {
            parser_error(p, mine->marks[i], "this parameter is ",
                         kind_text(p, mine->params[i].type),
                         " here, but in the debug information ",
                         kind_text(p, other->params[i].type));
            note_there(p, other->marks[i]);
        } else {
            compare_meaning(p, mine->marks[i], other->marks[i],
                            mine->params[i].type, other->params[i].type);
        }
    if (mine->t.to->kind != MANIFEST_VOID &&
        !borrow_is_alike(mine->t.to, other->t.to)) {
        parser_error(p, d->type_at, "'", d->ident, "' returns ",
                     kind_text(p, mine->t.to),
                     " here, but in the debug information ",
                     kind_text(p, other->t.to));
        note_there(p, name->at);
    } else if (mine->t.to->kind != MANIFEST_VOID) {
        compare_meaning(p, d->type_at, name->at, mine->t.to, other->t.to);
    }
    p->failed |= failed;
}
