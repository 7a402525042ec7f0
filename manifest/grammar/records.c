/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct, union and enum. A record is opaque until its closing brace, so one
 * that contains itself is an error and not a loop. Two equal definitions are
 * accepted, as in C23: two headers may have been pasted.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/grammar/grammar.h"

#include <string.h>

struct raw_member {
    struct raw_member *next;
    struct manifest_member member;
    uint32_t align_bytes;
    bool is_bit_field;
    struct mark at;
};
struct raw_record {
    struct raw_member *first, **end;
    uint32_t count, depth;
    bool is_unplaced;
};

static struct type *find_tag(struct parser *p, const char *text)
{
    struct name *name = parser_find_name(p, NAME_TAG, text, strlen(text));
    if (name)
        return name->type;
    name = parser_add_name(p, NAME_TAG, text);
    struct type *type = PARSER_NEW(p, struct type);
    if (!name || !type)
        return NULL;
    type->t.kind = MANIFEST_OPAQUE;
    type->t.align_bytes = 1;
    type->t.name = text;
    type->is_tag = true;
    name->type = type;
    return type;
}

static bool check_bit_field(struct parser *p, struct mark at,
                            const struct declarator *d, int64_t width)
{
    const struct manifest_type *t = d->type;
    if ((t->kind != MANIFEST_INT && t->kind != MANIFEST_BOOL) ||
        t->size_bytes > 8) {
        parser_error(p, d->at, "a bit field of ", type_describe(p, t));
        return false;
    }
    int64_t limit = t->kind == MANIFEST_BOOL ? 1 : (int64_t)t->size_bytes * 8;
    if (width < 0 || width > limit || (width == 0 && d->name)) {
        parser_error(p, mark_join(at, p->tok_end),
                     "this width does not fit its type");
        return false;
    }
    return true;
}

static bool check_member(struct parser *p, const struct declarator *d)
{
    if (type_is_complete(d->type))
        return true;
    if (d->type->kind == MANIFEST_OPAQUE)
        parser_error(p, d->at, "'", type_describe(p, d->type),
                     "' is not defined, so its size is not known");
    else
        parser_error(p, d->at, "a member cannot be ",
                     type_describe(p, d->type));
    return false;
}

static uint32_t depth_of(const struct manifest_type *t)
{
    bool nests = t->kind == MANIFEST_ARRAY || t->kind == MANIFEST_RECORD;
    return nests ? type_of(t)->depth : 0;
}

static bool is_unplaced(const struct manifest_type *t)
{
    while (t->kind == MANIFEST_ARRAY)
        t = t->to;
    return t->kind == MANIFEST_RECORD && type_of(t)->is_unplaced;
}

static bool add_member(struct parser *p, struct raw_record *record,
                       const struct declarator *d, struct gnu_attributes gnu)
{
    struct raw_member *raw = PARSER_NEW(p, struct raw_member);
    struct mark at = p->tok.at;
    int64_t width = 0;
    if (!raw)
        return false;
    raw->is_bit_field = parser_accept(p, ':');
    if (raw->is_bit_field &&
        (!parse_constant(p, &width) || !check_bit_field(p, at, d, width)))
        return false;
    if (!raw->is_bit_field && !check_member(p, d))
        return false;
    parse_gnu_attributes(p, &gnu); /* behind a bit field */
    raw->at = d->at;
    raw->member.name = d->name;
    raw->member.type = d->type;
    raw->member.bit_width = (uint32_t)width;
    raw->align_bytes = gnu.is_packed ? 1 : d->type->align_bytes;
    if (gnu.align_bytes > raw->align_bytes)
        raw->align_bytes = gnu.align_bytes;
    if (record->count++ == LIMIT_MEMBERS) {
        parser_error(p, d->at, "more than 4096 members");
        return false;
    }
    if (depth_of(d->type) >= record->depth)
        record->depth = depth_of(d->type) + 1;
    record->is_unplaced |= gnu.is_unplaced || is_unplaced(d->type);
    *record->end = raw;
    record->end = &raw->next;
    return true;
}

static bool parse_member(struct parser *p, struct raw_record *record)
{
    struct specifiers spec;
    struct declarator d;
    if (!parse_specifiers(p, false, &spec))
        return false;
    if (spec.is_typedef) {
        parser_error(p, spec.at, "a typedef inside of a record");
        return false;
    }
    if (parser_is(p, ';')) {
        d = (struct declarator){.type = spec.type, .at = spec.at};
        /* `struct { int a; };` shows its members; `struct tag;` nothing. */
        return spec.type->kind != MANIFEST_RECORD || type_of(spec.type)->is_tag
                   ? true
                   : add_member(p, record, &d, spec.gnu);
    }
    do {
        p->suffix = (struct gnu_attributes){0};
        if (parser_is(p, ':'))
            d = (struct declarator){.type = spec.type, .at = p->tok.at};
        else if (!parse_declarator(p, spec.type, &d))
            return false;
        if (!d.name && !parser_is(p, ':')) {
            parser_unexpected(p, "the name of a member");
            return false;
        }
        struct gnu_attributes gnu = p->suffix;
        gnu.is_packed |= spec.gnu.is_packed;
        gnu.is_unplaced |= spec.gnu.is_unplaced;
        if (spec.gnu.align_bytes > gnu.align_bytes)
            gnu.align_bytes = spec.gnu.align_bytes;
        if (!add_member(p, record, &d, gnu))
            return false;
    } while (parser_accept(p, ','));
    return true;
}

static bool parse_members(struct parser *p, struct raw_record *record)
{
    parser_advance(p);
    while (!parser_is(p, '}')) {
        struct token next = parser_peek(p, 1);
        if (parser_is(p, '[') && next.kind == TOKEN_PUNCT &&
            next.punct == '[') {
            if (p->tok.at.column == 1) { /* the next entry, most likely */
                parser_unexpected(p, "'}'");
                return false;
            }
            if (!parser_skip_brackets(p))
                return false;
            continue;
        }
        if (!parse_member(p, record) ||
            !parser_expect(p, ';', "behind the member"))
            return false;
    }
    parser_advance(p);
    return true;
}

static bool is_same(const struct manifest_type *a,
                    const struct manifest_type *b)
{
    if (a->kind != b->kind || a->size_bytes != b->size_bytes ||
        a->align_bytes != b->align_bytes || a->is_union != b->is_union ||
        a->member_count != b->member_count)
        return false;
    for (uint32_t i = 0; i < a->member_count; i++) {
        const struct manifest_member *m = &a->members[i], *n = &b->members[i];
        if (m->offset_bytes != n->offset_bytes ||
            m->bit_offset != n->bit_offset || m->bit_width != n->bit_width ||
            m->type->kind != n->type->kind || !m->name != !n->name ||
            (m->name && strcmp(m->name, n->name) != 0))
            return false;
    }
    return true;
}

/* Give every member its place; the result is in `out`. */
static bool lay_out(struct parser *p, const struct raw_record *record,
                    const struct gnu_attributes *gnu, bool is_union,
                    struct mark at, struct type *out)
{
    struct layout layout = {.is_union = is_union,
                            .is_packed = gnu->is_packed,
                            .align_bytes = gnu->align_bytes};
    struct manifest_member *members =
        parser_alloc_array(p, record->count, sizeof(*members));
    struct mark *marks =
        p->in_types ? parser_alloc_array(p, record->count, sizeof(*marks))
                    : NULL;
    uint32_t kept = 0;
    if (!members || (p->in_types && !marks))
        return false;
    for (struct raw_member *m = record->first; m; m = m->next) {
        uint32_t align =
            gnu->is_packed && m->align_bytes <= m->member.type->align_bytes
                ? 1
                : m->align_bytes;
        layout_add(&layout, &m->member, align, m->is_bit_field,
                   m->member.name != NULL);
        if (m->is_bit_field && !m->member.name)
            continue;
        if (marks)
            marks[kept] = m->at;
        members[kept++] = m->member;
    }
    out->marks = marks;
    out->is_borrowed = p->in_types;
    out->is_unplaced = record->is_unplaced || gnu->is_unplaced;
    out->t.kind = MANIFEST_RECORD;
    out->t.is_union = is_union;
    out->t.size_bytes = layout_finish(&layout);
    out->t.align_bytes = layout.align_bytes;
    out->t.members = members;
    out->t.member_count = kept;
    out->depth = record->depth ? record->depth : 1;
    if (layout.overflow || out->depth > LIMIT_NESTING) {
        parser_error(p, at,
                     layout.overflow ? "this record is too large"
                                     : "this is nested too deeply");
        return false;
    }
    return true;
}

static const struct type *keep_compiled(struct parser *p,
                                        const struct type *borrowed)
{
    struct type *copy = p->host->compares ? PARSER_NEW(p, struct type) : NULL;
    if (copy)
        *copy = *borrowed;
    return copy;
}

static bool define_record(struct parser *p, struct type *type, bool is_union,
                          struct gnu_attributes *gnu, struct mark at)
{
    struct raw_record record = {.end = &record.first};
    struct type made = {.is_tag = type->is_tag};
    if (!parse_members(p, &record))
        return false;
    parse_gnu_attributes(p, gnu);
    if (!lay_out(p, &record, gnu, is_union, at, &made))
        return false;
    made.t.name = type->t.name;
    if (type->is_borrowed && p->is_ahead)
        return true; /* its turn comes, with the comparison */
    if (type->is_borrowed && !p->in_types) { /* the manifest wins */
        for (const struct raw_member *m = record.first; m; m = m->next)
            borrow_compare_member(p, type, &m->member, m->at);
        made.compiled = keep_compiled(p, type);
        *type = made;
        return true;
    }
    if (type->t.kind == MANIFEST_RECORD) {
        if (is_same(&type->t, &made.t))
            return true;
        parser_error(p, at, "'", type_describe(p, &type->t),
                     "' was defined before, and not like this");
        return false;
    }
    *type = made;
    return true;
}

static struct type *anonymous(struct parser *p)
{
    struct type *type = PARSER_NEW(p, struct type);
    if (!type)
        return NULL;
    type->t.kind = MANIFEST_OPAQUE;
    type->t.align_bytes = 1;
    return type;
}

bool parse_record(struct parser *p, struct specifiers *out)
{
    bool is_union = parser_is_word(p, "union"), ok = true;
    struct gnu_attributes gnu = {0};
    struct mark at = p->tok.at;
    struct type *type;
    parser_advance(p);
    parse_gnu_attributes(p, &gnu);
    if (p->tok.kind == TOKEN_NAME) {
        at = p->tok.at;
        const char *tag = parser_name(p, "a tag");
        type = tag ? find_tag(p, tag) : NULL;
    } else if (parser_is(p, '{')) {
        type = anonymous(p);
    } else {
        parser_unexpected(p, "a tag or '{'");
        return false;
    }
    if (!type)
        return false;
    out->type = &type->t;
    if (!parser_is(p, '{'))
        return true;
    if (type->is_defining) {
        parser_error(p, at, "'", type_describe(p, &type->t),
                     "' is being defined here already");
        return false;
    }
    if (type->t.name && p->host->compares)
        borrow_want(p, MANIFEST_WANT_TYPE, type->t.name);
    if (!parser_enter(p))
        return false;
    type->is_defining = true;
    ok = define_record(p, type, is_union, &gnu, at);
    type->is_defining = false;
    parser_leave(p);
    out->defines = ok;
    return ok;
}

/* ---- enum ------------------------------------------------------------ */

struct raw_constant {
    struct raw_constant *next;
    struct manifest_enum constant;
};

static bool add_constant(struct parser *p, struct mark at, const char *text,
                         int64_t value)
{
    struct name *name = parser_find_name(p, NAME_CONSTANT, text, strlen(text));
    if (!p->in_types && p->host->compares)
        borrow_want(p, MANIFEST_WANT_CONSTANT, text);
    if (name && name->is_borrowed && p->is_ahead)
        return true;
    if (name && name->is_borrowed && !p->in_types) {
        borrow_compare_constant(p, at, name, value);
        name->value = value;
        name->is_borrowed = false;
        return true;
    }
    if (name && name->value == value)
        return true;
    if (name) {
        char buf[21];
        bool minus = name->value < 0;
        uint64_t n = (uint64_t)name->value;
        parser_error(p, at, "'", text, "' was ", minus ? "-" : "",
                     parser_decimal(minus ? -n : n, buf), " before");
        return false;
    }
    name = parser_add_name(p, NAME_CONSTANT, text);
    if (!name)
        return false;
    name->value = value;
    name->is_borrowed = p->in_types;
    name->at = at;
    return true;
}

/* In a string where the scope is no name of C: "t::parser<int>::done". */
static const char *constant_name(struct parser *p)
{
    return p->in_types && p->tok.kind == TOKEN_STRING
               ? parser_string(p, "a constant")
               : parser_name(p, "a constant");
}

static bool parse_constants(struct parser *p, struct raw_constant **list,
                            uint32_t *count)
{
    struct raw_constant **end = list;
    int64_t value = 0;
    parser_advance(p);
    while (!parser_is(p, '}')) {
        struct mark at = p->tok.at;
        struct raw_constant *raw = PARSER_NEW(p, struct raw_constant);
        if (!raw || !(raw->constant.name = constant_name(p)))
            return false;
        if (parser_accept(p, '=') && !parse_constant(p, &value))
            return false;
        raw->constant.value = value;
        if (!add_constant(p, at, raw->constant.name, value))
            return false;
        if ((*count)++ == LIMIT_CONSTANTS) {
            parser_error(p, at, "more than 65536 constants");
            return false;
        }
        value = (int64_t)((uint64_t)value + 1);
        *end = raw;
        end = &raw->next;
        if (!parser_accept(p, ','))
            break;
    }
    return parser_expect(p, '}', "behind the constants");
}

/* Constants of an enum of unsigned long are no int, whatever their value. */
static void set_unsigned(struct parser *p, const struct manifest_enum *list,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct name *name = parser_find_name(p, NAME_CONSTANT, list[i].name,
                                             strlen(list[i].name));
        if (name)
            name->ctype = &type_ulong.t;
    }
}

static bool define_enum(struct parser *p, struct type *type,
                        const struct manifest_type *fixed)
{
    struct raw_constant *list = NULL;
    int64_t least = 0, most = 0;
    uint32_t count = 0, n = 0;
    if (!parse_constants(p, &list, &count))
        return false;
    struct manifest_enum *constants =
        parser_alloc_array(p, count, sizeof(*constants));
    if (!constants)
        return false;
    for (; list; list = list->next) {
        constants[n++] = list->constant;
        least = list->constant.value < least ? list->constant.value : least;
        most = list->constant.value > most ? list->constant.value : most;
    }
    bool is_wide = least < INT32_MIN ||
                   most > (least < 0 ? INT32_MAX : (int64_t)UINT32_MAX);
    type->t.kind = MANIFEST_INT;
    type->t.is_signed = fixed ? fixed->is_signed : least < 0;
    type->t.size_bytes = fixed ? fixed->size_bytes : is_wide ? 8 : 4;
    type->t.align_bytes = (uint32_t)type->t.size_bytes;
    type->is_borrowed = p->in_types;
    type->t.constants = constants;
    type->t.constant_count = count;
    if (type->t.size_bytes == 8 && !type->t.is_signed)
        set_unsigned(p, constants, count);
    return true;
}

/* `enum tag : uint8_t` */
static bool parse_underlying(struct parser *p,
                             const struct manifest_type **fixed)
{
    struct specifiers spec;
    if (!parser_accept(p, ':'))
        return true;
    if (!parse_specifiers(p, false, &spec))
        return false;
    if (spec.type->kind != MANIFEST_INT && spec.type->kind != MANIFEST_BOOL) {
        parser_error(p, spec.at, "an enum is kept in an integer type");
        return false;
    }
    *fixed = spec.type;
    return true;
}

bool parse_enum(struct parser *p, struct specifiers *out)
{
    const struct manifest_type *fixed = NULL;
    struct gnu_attributes gnu = {0};
    struct type *type = NULL;
    parser_advance(p);
    if (!parser_accept_word(p, "class"))
        parser_accept_word(p, "struct");
    parse_gnu_attributes(p, &gnu);
    if (p->tok.kind == TOKEN_NAME) {
        const char *tag = parser_name(p, "a tag");
        type = tag ? find_tag(p, tag) : NULL;
    } else if (parser_is(p, '{') || parser_is(p, ':')) {
        type = anonymous(p);
    } else {
        parser_unexpected(p, "a tag or '{'");
    }
    if (!type || (p->params_depth == 0 && !parse_underlying(p, &fixed)))
        return false;
    out->type = &type->t;
    if (!parser_is(p, '{'))
        return true;
    out->defines = define_enum(p, type, fixed);
    parse_gnu_attributes(p, &gnu);
    return out->defines;
}
