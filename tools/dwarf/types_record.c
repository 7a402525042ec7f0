/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record with every member where the compiler put it: packed, and what lies
 * between the members said by unnamed bit fields, which the rules of passing
 * records do not look at. A base class's members stand among those of the
 * class. What C cannot say is a gap.
 */
#include "tools/dwarf/types_internal.h"
#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP_BITS = 512, /* a longer one is an array of char */
};
#define SIZE_MAX_BYTES (UINT64_C(1) << 36)

struct member {
    Dwarf_Die die;
    const char *name; /* NULL: a record or union without a name */
    bool is_nameless; /* a name that C cannot say: of a base too deep, hidden */
    uint64_t bit;     /* from the start of the record */
    uint32_t width;   /* bits of a bit field, else 0 */
    int base;         /* 0: its own, else how far up */
    size_t order;
};
struct members {
    struct member *at;
    size_t count;
    bool has_lost; /* some member's place is not known */
};

static bool number(Dwarf_Die *die, unsigned attribute, uint64_t *out)
{
    Dwarf_Attribute a;
    Dwarf_Word n;
    if (!dwarf_attr(die, attribute, &a) || dwarf_formudata(&a, &n) != 0)
        return false;
    *out = n;
    return true;
}

/* ---- tags --------------------------------------------------------------- */

static bool is_tag(const char *name)
{
    char part[TYPES_NAME];
    for (;;) {
        const char *colons = strstr(name, "::");
        size_t len = colons ? (size_t)(colons - name) : strlen(name);
        snprintf(part, sizeof part, "%.*s", (int)len, name);
        if (!debug_is_word(part))
            return false;
        if (!colons)
            return true;
        name = colons + 2;
    }
}

static struct types_record *find_tag(struct debug_types *t, const char *tag)
{
    for (size_t i = 0; i < t->record_count; i++)
        if (strcmp(t->records[i].tag, tag) == 0)
            return &t->records[i];
    return NULL;
}

/* Without a name each entry is a record of its own, but the same entry is
 * asked for again and again. */
static struct types_record *find_entry(struct debug_types *t, Dwarf_Die *die)
{
    for (size_t i = 0; i < t->record_count; i++)
        if (t->records[i].die.addr == die->addr)
            return &t->records[i];
    return NULL;
}

static struct types_record *record_of(struct debug_types *t, Dwarf_Die *die)
{
    char tag[TYPES_NAME];
    struct types_record *r = find_entry(t, die);
    if (r)
        return r;
    types_qualified_name(die, tag);
    bool is_made_up = !is_tag(tag);
    if (!is_made_up && (r = find_tag(t, tag))) {
        bool is_open = types_is_flag(&r->die, DW_AT_declaration);
        if (is_open && !types_is_flag(die, DW_AT_declaration))
            r->die = *die; /* only declared where it was met first */
        if (types_is_same(&r->die, die) ||
            types_is_flag(die, DW_AT_declaration))
            return r;
        is_made_up = true; /* another one of that name */
    }
    if (t->record_count == TYPES_RECORDS)
        return NULL;
    if (is_made_up)
        snprintf(tag, sizeof tag, "handspan_%u", ++t->serial);
    r = &t->records[t->record_count];
    *r = (struct types_record){.tag = strdup(tag), .die = *die};
    if (!r->tag) {
        t->failed = true;
        return NULL;
    }
    t->record_count++;
    return r;
}

/* ---- members ------------------------------------------------------------ */

/* A number; in DWARF 2 an expression that adds it to the record's address. */
static bool member_offset(Dwarf_Die *die, uint64_t *out)
{
    Dwarf_Attribute a;
    Dwarf_Op *ops;
    size_t count;
    if (number(die, DW_AT_data_member_location, out))
        return true;
    if (!dwarf_attr(die, DW_AT_data_member_location, &a) ||
        dwarf_getlocation(&a, &ops, &count) != 0 || count != 1 ||
        ops[0].atom != DW_OP_plus_uconst)
        return false;
    *out = ops[0].number;
    return true;
}

static bool place(Dwarf_Die *die, uint64_t from, struct member *m)
{
    uint64_t offset = 0, bits = 0, size = 0, shift = 0;
    Dwarf_Attribute a;
    Dwarf_Die type;
    if (dwarf_hasattr(die, DW_AT_data_member_location) &&
        !member_offset(die, &offset))
        return false; /* computed: of a virtual base */
    if (number(die, DW_AT_bit_size, &bits)) {
        if (bits == 0 || bits > 64)
            return false;
        m->width = (uint32_t)bits;
        if (dwarf_attr(die, DW_AT_data_bit_offset, &a) &&
            number(die, DW_AT_data_bit_offset, &offset)) {
            m->bit = from + offset;
            return true;
        }
        /* DWARF 2 and 3 count from the high end of the storage unit */
        if (number(die, DW_AT_bit_offset, &shift)) {
            if (!number(die, DW_AT_byte_size, &size) && types_of(die, &type) &&
                types_peel(&type, true))
                size = (uint64_t)dwarf_bytesize(&type);
            if (size > 8 || shift + bits > size * 8)
                return false;
            m->bit = from + offset * 8 + size * 8 - shift - bits;
            return true;
        }
    }
    if (offset > SIZE_MAX_BYTES)
        return false;
    m->bit = from + offset * 8;
    return true;
}

static void collect(struct debug_types *t, struct members *list,
                    Dwarf_Die *record, uint64_t from, int base)
{
    Dwarf_Die die;
    if (base > TYPES_DEPTH)
        return;
    for (int more = dwarf_child(record, &die);
         more == 0 && list->count < TYPES_MEMBERS && t->left;
         more = dwarf_siblingof(&die, &die)) {
        int tag = dwarf_tag(&die);
        Dwarf_Die type;
        struct member *m = &list->at[list->count];
        t->left--;
        *m = (struct member){.die = die, .base = base, .order = list->count};
        if (tag != DW_TAG_member && tag != DW_TAG_inheritance)
            continue;
        if (types_is_flag(&die, DW_AT_external))
            continue; /* static */
        if (!place(&die, from, m)) {
            list->has_lost = true;
            continue;
        }
        m->name = dwarf_diename(&die);
        if (tag == DW_TAG_inheritance) {
            if (types_of(&die, &type) && types_peel(&type, true))
                collect(t, list, &type, m->bit, base + 1);
        } else {
            m->is_nameless = m->name && !debug_is_identifier(m->name);
            list->count++;
        }
    }
}

static int by_place(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->bit != y->bit)
        return x->bit < y->bit ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* The class's own member hides its base's of the same name. It stays where it
 * is, without a name: how a record is passed depends on all of its members. */
static bool is_hidden(const struct members *list, size_t index)
{
    const struct member *m = &list->at[index];
    if (m->is_nameless)
        return true;
    for (size_t i = 0; m->name && i < list->count; i++) {
        const struct member *other = &list->at[i];
        if (i != index && other->name && strcmp(other->name, m->name) == 0 &&
            (other->base < m->base || (other->base == m->base && i < index)))
            return true;
    }
    return false;
}

/* ---- writing ------------------------------------------------------------ */

static void write_gap(struct buf *out, uint64_t bits, unsigned *serial)
{
    if (bits > GAP_BITS && bits % 8 == 0) {
        buf_printf(out, "    char handspan_gap_%u[%" PRIu64 "];\n", ++*serial,
                   bits / 8);
        return;
    }
    for (; bits; bits -= bits > 64 ? 64 : bits)
        buf_printf(out, "    unsigned long : %" PRIu64 ";\n",
                   bits > 64 ? 64 : bits);
}

static uint64_t size_of(struct debug_types *t, Dwarf_Die *type)
{
    uint64_t size = 0;
    Dwarf_Die plain = *type;
    if (!types_peel(&plain, true))
        return 0;
    if (dwarf_tag(&plain) == DW_TAG_ptr_to_member_type)
        return (uint64_t)types_member_pointer_bytes(&plain);
    return types_size(t, &plain, &size) ? size : 0;
}

static bool write_body(struct debug_types *t, Dwarf_Die *die, int depth,
                       struct buf *out);

/* Bytes that no type of the manifest stands for. A pointer to a member is
 * passed as an integer, as char is; of others nobody knows. */
static void declare_bytes(Dwarf_Die *plain, uint64_t bytes,
                          struct types_declared *type)
{
    snprintf(type->before, sizeof type->before, "unsigned char ");
    snprintf(type->after, sizeof type->after, "[%" PRIu64 "]%s", bytes,
             types_is_integers(plain) ? "" : " __attribute__((unplaced))");
}

/* One member at m->bit; its bits, 0: it cannot be written. */
static uint64_t write_member(struct debug_types *t, struct member *m,
                             bool is_shown, int depth, struct buf *out)
{
    struct types_declared type;
    Dwarf_Die to, plain;
    if (!types_of(&m->die, &to))
        return 0;
    plain = to;
    uint64_t bits = m->width ? m->width : size_of(t, &to) * 8;
    if (!types_peel(&plain, true) || bits > SIZE_MAX_BYTES * 8)
        return 0;
    if (!m->name) {
        struct buf inner;
        buf_init(&inner, TYPES_TEXT);
        bool ok = types_is_record(dwarf_tag(&plain)) && bits &&
                  write_body(t, &plain, depth + 1, &inner);
        if (ok)
            buf_printf(out, "    %s;\n", buf_get(&inner));
        buf_free(&inner);
        return ok ? bits : 0;
    }
    if (!types_declare(t, &to, depth, &type)) {
        if (!bits || m->width)
            return 0;
        declare_bytes(&plain, bits / 8, &type);
    }
    if (is_shown)
        buf_printf(out, "    %s%s%s", type.before, m->name, type.after);
    else
        /* what the compiler made (a table's address) is nobody's value */
        buf_printf(out, "    %shandspan_%s_%u%s", type.before,
                   types_is_flag(&m->die, DW_AT_artificial) ? "table"
                                                            : "hidden",
                   ++t->serial, type.after);
    if (m->width)
        buf_printf(out, " : %u", m->width);
    buf_printf(out, "; /* at %" PRIu64 ", ", m->bit / 8);
    types_put_place(out, &m->die);
    buf_text(out, " */\n");
    return bits;
}

static uint64_t alignment_of(struct debug_types *t, Dwarf_Die *type, int depth)
{
    Dwarf_Die plain = *type, child;
    uint64_t most = 1, n, encoding;
    if (depth > TYPES_DEPTH || !types_peel(&plain, true))
        return 1;
    if (number(&plain, DW_AT_alignment, &n) && n && n <= 4096 &&
        (n & (n - 1)) == 0)
        return n;
    int tag = dwarf_tag(&plain);
    if (tag == DW_TAG_array_type && types_is_flag(&plain, DW_AT_GNU_vector))
        return size_of(t, &plain);
    if (tag == DW_TAG_array_type)
        return types_of(&plain, &child) ? alignment_of(t, &child, depth + 1)
                                        : 1;
    if (!types_is_record(tag)) {
        n = tag == DW_TAG_ptr_to_member_type ? 8 : size_of(t, &plain);
        if (number(&plain, DW_AT_encoding, &encoding) &&
            encoding == DW_ATE_complex_float)
            n /= 2;
        return n == 2 || n == 4 || n == 8 || n == 16 ? n : 1;
    }
    unsigned seen = 0;
    for (int more = dwarf_child(&plain, &child);
         more == 0 && ++seen <= TYPES_MEMBERS && t->left;
         more = dwarf_siblingof(&child, &child)) {
        Dwarf_Die to;
        uint64_t offset = 0;
        t->left--;
        if ((dwarf_tag(&child) != DW_TAG_member &&
             dwarf_tag(&child) != DW_TAG_inheritance) ||
            types_is_flag(&child, DW_AT_external) || !types_of(&child, &to))
            continue;
        n = alignment_of(t, &to, depth + 1);
        uint64_t own;
        if (number(&child, DW_AT_alignment, &own) && own > n && own <= 4096 &&
            (own & (own - 1)) == 0)
            n = own;
        (void)member_offset(&child, &offset);
        if (n > most && offset % n == 0)
            most = n;
    }
    return most;
}

static bool is_empty(struct debug_types *t, struct member *m)
{
    Dwarf_Die type;
    return !m->width && types_of(&m->die, &type) && size_of(t, &type) == 0;
}

/* False: some member could not be written. */
static bool write_struct(struct debug_types *t, struct members *list,
                         uint64_t size_bits, int depth, struct buf *out)
{
    uint64_t at = 0;
    unsigned serial = 0;
    bool all = true;
    qsort(list->at, list->count, sizeof *list->at, by_place);
    for (size_t i = 0; i < list->count; i++) {
        struct member *m = &list->at[i];
        if (m->bit < at || m->bit > size_bits) {
            all &= is_empty(t, m); /* it lies over another one */
            continue;
        }
        struct buf one;
        buf_init(&one, TYPES_TEXT);
        uint64_t bits = write_member(t, m, !is_hidden(list, i), depth, &one);
        if (one.len_bytes && m->bit + bits <= size_bits) {
            write_gap(out, m->bit - at, &serial);
            buf_text(out, buf_get(&one));
            at = m->bit + bits;
        } else {
            all &= is_empty(t, m);
        }
        buf_free(&one);
    }
    write_gap(out, size_bits - at, &serial);
    return all;
}

static bool write_union(struct debug_types *t, struct members *list,
                        uint64_t size_bits, int depth, struct buf *out)
{
    unsigned serial = 0;
    bool all = true;
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].bit != 0 ||
            write_member(t, &list->at[i], !is_hidden(list, i), depth, out) == 0)
            all &= is_empty(t, &list->at[i]);
    if (list->count == 0)
        write_gap(out, size_bits, &serial);
    return all;
}

/* "struct __attribute__((...)) { ... }"; with its tag behind the attributes
 * where it has one. */
static bool write_tagged(struct debug_types *t, Dwarf_Die *die, const char *tag,
                         int depth, struct buf *out)
{
    uint64_t bytes = size_of(t, die), align = alignment_of(t, die, 0);
    bool is_union = dwarf_tag(die) == DW_TAG_union_type;
    struct members list = {calloc(TYPES_MEMBERS + 1, sizeof *list.at), 0,
                           false};
    while (align > 1 && bytes % align)
        align /= 2;
    if (!list.at || depth > TYPES_DEPTH || bytes > SIZE_MAX_BYTES) {
        t->failed |= !list.at;
        free(list.at);
        return false;
    }
    collect(t, &list, die, 0, 0);
    if (list.count == TYPES_MEMBERS)
        buf_printf(&t->remarks,
                   "'%s': only the first %d members are known here\n",
                   *tag ? tag : "a record", TYPES_MEMBERS);
    struct buf body;
    buf_init(&body, TYPES_TEXT);
    bool all = is_union ? write_union(t, &list, bytes * 8, depth, &body)
                        : write_struct(t, &list, bytes * 8, depth, &body);
    if (list.has_lost) /* captures.c says so to who asks for all of it */
        buf_printf(&body, "    char handspan_lost_%u[0];\n", ++t->serial);
    /* gcc has no members in a transparent union, and an empty class has a size
     * of 1 */
    all &= list.count != 0 || bytes <= 1;
    buf_printf(out, "%s __attribute__((%s%saligned(%" PRIu64 "))) %s%s{\n%s}",
               is_union ? "union" : "struct", is_union ? "" : "packed, ",
               all ? "" : "unplaced, ", align, tag, *tag ? " " : "",
               buf_get(&body));
    buf_free(&body);
    free(list.at);
    return !out->failed;
}

static bool write_body(struct debug_types *t, Dwarf_Die *die, int depth,
                       struct buf *out)
{
    return write_tagged(t, die, "", depth, out);
}

const char *types_record(struct debug_types *t, Dwarf_Die *die, bool by_value,
                         int depth)
{
    struct types_record *r = record_of(t, die);
    if (!r || !by_value || r->is_written)
        return r ? r->tag : NULL;
    Dwarf_Die whole = r->die;
    if (r->is_begun || types_is_flag(&whole, DW_AT_declaration))
        return NULL;
    struct buf body;
    buf_init(&body, TYPES_TEXT);
    r->is_begun = true;
    bool ok = write_tagged(t, &whole, r->tag, depth, &body);
    if (ok) {
        buf_text(&t->text, "/* ");
        types_put_place(&t->text, &whole);
        buf_printf(&t->text, " */\n%s;\n", buf_get(&body));
        r->is_written = true;
    }
    r->is_begun = false;
    buf_free(&body);
    return ok ? r->tag : NULL;
}
