/* SPDX-License-Identifier: Apache-2.0 */
/* See values.h. */
#define _GNU_SOURCE
#include "tools/symbolize/values.h"
#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "tools/common/text/buf.h"
#include "tools/common/text/text.h"

enum {
    VALUE_BYTES = 2048, /* read of one */
    TEXT_BYTES = 400,   /* written of one */
    STRING_BYTES = VALUES_SECRET_BYTES,
    SECRET_LEAST = 4, /* shorter text is no secret, and is everywhere */
    DEPTH = 4,
    ELEMENTS = 8,
    MEMBERS = 24,
    VARIABLES = 64, /* of a frame */
};

struct writer {
    const struct location_place *place;
    struct buf *out;
    const struct values *values;
};

static void put_value(const struct writer *w, Dwarf_Die *type,
                      const uint8_t *bytes, size_t len, int depth);

/* Its type without typedefs and qualifiers. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
    Dwarf_Attribute attr;
    return dwarf_attr_integrate(die, DW_AT_type, &attr) &&
           dwarf_formref_die(&attr, type) && dwarf_peel_type(type, type) == 0;
}

static int64_t number_of(Dwarf_Die *die, unsigned name, int64_t otherwise)
{
    Dwarf_Attribute attr;
    Dwarf_Sword value;
    if (!dwarf_attr_integrate(die, name, &attr) ||
        dwarf_formsdata(&attr, &value) != 0)
        return otherwise;
    return value;
}

static uint64_t unsigned_of(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    memcpy(&value, bytes, len < sizeof value ? len : sizeof value);
    return value;
}

static int64_t signed_of(const uint8_t *bytes, size_t len)
{
    unsigned shift = len < 8 ? (unsigned)(64 - 8 * len) : 0;
    return (int64_t)(unsigned_of(bytes, len) << shift) >> shift;
}

/* ---- scalars ------------------------------------------------------------- */

static void put_float(struct buf *out, const uint8_t *bytes, size_t len)
{
    float f;
    double d;
    long double l;
    if (len == sizeof f) {
        memcpy(&f, bytes, sizeof f);
        buf_printf(out, "%.9g", (double)f);
    } else if (len == sizeof d) {
        memcpy(&d, bytes, sizeof d);
        buf_printf(out, "%.17g", d);
    } else if (len == sizeof l) {
        memcpy(&l, bytes, sizeof l);
        buf_printf(out, "%.18Lg", l);
    } else {
        buf_printf(out, "(%zu bytes)", len);
    }
}

static void put_base(struct buf *out, Dwarf_Die *type, const uint8_t *bytes,
                     size_t len)
{
    int64_t encoding = number_of(type, DW_AT_encoding, 0);
    if (encoding == DW_ATE_float)
        put_float(out, bytes, len);
    else if (len > 8)
        buf_printf(out, "(%zu bytes)", len);
    else if (encoding == DW_ATE_boolean)
        buf_text(out, unsigned_of(bytes, len) ? "true" : "false");
    else if (encoding == DW_ATE_signed || encoding == DW_ATE_signed_char)
        buf_printf(out, "%" PRId64, signed_of(bytes, len));
    else
        buf_printf(out, "%" PRIu64, unsigned_of(bytes, len));
}

static void put_enum(struct buf *out, Dwarf_Die *type, const uint8_t *bytes,
                     size_t len)
{
    Dwarf_Die child;
    int64_t value = signed_of(bytes, len);
    for (int rc = dwarf_child(type, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_enumerator ||
            signed_of((const uint8_t *)&(int64_t){number_of(
                          &child, DW_AT_const_value, INT64_MIN)},
                      len) != value)
            continue;
        const char *name = dwarf_diename(&child);
        buf_text(out, name ? name : "?");
        return;
    }
    buf_printf(out, "%" PRId64, value);
}

/* Is it what a secret variable has, or a part of it, or is that in it? */
static bool is_hidden(const struct writer *w, const uint8_t *bytes, size_t len)
{
    const struct values_secrets *secrets = w->values->secrets;
    len = strnlen((const char *)bytes, len);
    for (int i = 0; i < secrets->count && len >= SECRET_LEAST; i++) {
        const uint8_t *text = secrets->text[i].bytes;
        size_t size = secrets->text[i].len;
        if (memmem(bytes, len, text, size) || memmem(text, size, bytes, len))
            return true;
    }
    return false;
}

/* Quoted as in C, up to a NUL. */
static void put_string(const struct writer *w, const uint8_t *bytes, size_t len)
{
    struct buf *out = w->out;
    size_t i = 0;
    if (is_hidden(w, bytes, len)) {
        buf_text(out, "(secret)");
        return;
    }
    buf_char(out, '"');
    for (; i < len && bytes[i]; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            buf_printf(out, "\\%c", bytes[i]);
        else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            buf_char(out, (char)bytes[i]);
        else
            buf_printf(out, "\\%03o", bytes[i]);
    }
    buf_char(out, '"');
    if (i == len)
        buf_text(out, "...");
}

static bool is_char(Dwarf_Die *type)
{
    int64_t encoding = number_of(type, DW_AT_encoding, 0);
    return dwarf_tag(type) == DW_TAG_base_type &&
           number_of(type, DW_AT_byte_size, 0) == 1 &&
           (encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char);
}

/* The address, and the text there if the copy has it. */
static void put_pointer(const struct writer *w, Dwarf_Die *type,
                        const uint8_t *bytes, size_t len)
{
    Dwarf_Die target;
    uint8_t text[STRING_BYTES];
    uint64_t address = unsigned_of(bytes, len);
    buf_printf(w->out, "0x%" PRIx64, address);
    if (!type_of(type, &target) || !is_char(&target))
        return;
    size_t have = location_memory(w->place, address, text, sizeof text);
    if (have == 0)
        return;
    buf_char(w->out, ' ');
    put_string(w, text, have);
}

/* ---- what has parts ------------------------------------------------------ */

static bool is_secret(const char *name)
{
    return name && text_is_secret(name);
}

static bool has_secret(Dwarf_Die *type)
{
    Dwarf_Die child;
    for (int rc = dwarf_child(type, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child))
        if (is_secret(dwarf_diename(&child)))
            return true;
    return false;
}

static void note_text(struct values_secrets *secrets, const uint8_t *bytes,
                      size_t len)
{
    len = strnlen((const char *)bytes, len);
    if (len < SECRET_LEAST || secrets->count == VALUES_SECRETS)
        return;
    memcpy(secrets->text[secrets->count].bytes, bytes, len);
    secrets->text[secrets->count++].len = len;
}

/* Remember the text in a secret: its own, and what its parts point to. */
static void note_secret(const struct writer *w, Dwarf_Die *type,
                        const uint8_t *bytes, size_t len, int depth)
{
    uint8_t text[STRING_BYTES];
    Dwarf_Die part, child;
    int tag = dwarf_tag(type);
    bool has_part = tag != DW_TAG_base_type && type_of(type, &part);
    if (!w->values->is_filling || depth > DEPTH)
        return;
    if (tag == DW_TAG_array_type && has_part && is_char(&part)) {
        note_text(w->values->secrets, bytes,
                  len < STRING_BYTES ? len : STRING_BYTES);
    } else if (has_part && is_char(&part)) {
        size_t have = location_memory(w->place, unsigned_of(bytes, len), text,
                                      sizeof text);
        note_text(w->values->secrets, text, have);
    }
    if (tag != DW_TAG_structure_type && tag != DW_TAG_class_type &&
        tag != DW_TAG_union_type)
        return;
    for (int rc = dwarf_child(type, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        int64_t at = number_of(&child, DW_AT_data_member_location, 0);
        Dwarf_Word size;
        if ((dwarf_tag(&child) == DW_TAG_member ||
             dwarf_tag(&child) == DW_TAG_inheritance) &&
            type_of(&child, &part) && dwarf_aggregate_size(&part, &size) == 0 &&
            at >= 0 && (uint64_t)at <= len && size <= len - (uint64_t)at)
            note_secret(w, &part, bytes + at, size, depth + 1);
    }
}

static void put_bits(const struct writer *w, Dwarf_Die *member, Dwarf_Die *type,
                     const uint8_t *bytes, size_t len)
{
    int64_t size = number_of(member, DW_AT_bit_size, 0);
    int64_t at = number_of(member, DW_AT_data_bit_offset, -1);
    if (at < 0 || size <= 0 || size > 56 || (size_t)(at + size + 7) / 8 > len) {
        buf_text(w->out, "?");
        return;
    }
    uint64_t raw = unsigned_of(bytes + at / 8, len - (size_t)at / 8);
    raw = raw >> (at % 8) & ((1ull << size) - 1);
    int64_t encoding = number_of(type, DW_AT_encoding, 0);
    if (encoding == DW_ATE_signed && raw >> (size - 1))
        raw |= ~0ull << size;
    put_value(w, type, (const uint8_t *)&raw, sizeof raw, 0);
}

static void put_member(const struct writer *w, Dwarf_Die *member,
                       const uint8_t *bytes, size_t len, int depth)
{
    Dwarf_Die type;
    bool has_type = type_of(member, &type);
    bool is_base = dwarf_tag(member) == DW_TAG_inheritance;
    const char *name = dwarf_diename(is_base ? &type : member);
    int64_t at = number_of(member, DW_AT_data_member_location, 0);
    int64_t size = has_type ? number_of(&type, DW_AT_byte_size, -1) : -1;
    Dwarf_Word whole;
    if (has_type && size < 0 && dwarf_aggregate_size(&type, &whole) == 0)
        size = (int64_t)whole;
    if (name)
        buf_printf(w->out, is_base ? "<%s> = " : "%s = ", name);
    if (is_secret(name) && has_type && at >= 0 && size >= 0 &&
        (uint64_t)(at + size) <= len)
        note_secret(w, &type, bytes + at, (size_t)size, depth);
    if (is_secret(name))
        buf_text(w->out, "(secret)");
    else if (has_type && dwarf_hasattr(member, DW_AT_bit_size))
        put_bits(w, member, &type, bytes, len);
    else if (!has_type || at < 0 || size < 0 || (uint64_t)(at + size) > len)
        buf_text(w->out, "?");
    else
        put_value(w, &type, bytes + at, (size_t)size, depth + 1);
}

static void put_struct(const struct writer *w, Dwarf_Die *type,
                       const uint8_t *bytes, size_t len, int depth)
{
    Dwarf_Die child;
    int count = 0;
    if (depth >= DEPTH) {
        buf_text(w->out, "{...}");
        return;
    }
    /* one of a union's members is the bytes of all */
    if (dwarf_tag(type) == DW_TAG_union_type && has_secret(type)) {
        note_secret(w, type, bytes, len, depth);
        buf_text(w->out, "(secret)");
        return;
    }
    buf_char(w->out, '{');
    for (int rc = dwarf_child(type, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
            dwarf_hasattr(&child, DW_AT_external))
            continue; /* static ones are elsewhere */
        if (count)
            buf_text(w->out, ", ");
        if (count++ == MEMBERS) {
            buf_text(w->out, "...");
            break;
        }
        put_member(w, &child, bytes, len, depth);
    }
    buf_char(w->out, '}');
}

static void put_array(const struct writer *w, Dwarf_Die *type,
                      const uint8_t *bytes, size_t len, int depth)
{
    Dwarf_Die element, range, more;
    Dwarf_Word size;
    bool is_plain =
        dwarf_child(type, &range) == 0 && dwarf_siblingof(&range, &more) != 0;
    if (!is_plain || !type_of(type, &element) ||
        dwarf_aggregate_size(&element, &size) != 0 || size == 0 ||
        depth >= DEPTH) {
        buf_text(w->out, "{...}");
        return;
    }
    if (is_char(&element)) {
        put_string(w, bytes, len < STRING_BYTES ? len : STRING_BYTES);
        return;
    }
    buf_char(w->out, '{');
    for (size_t i = 0; (i + 1) * size <= len; i++) {
        if (i)
            buf_text(w->out, ", ");
        if (i == ELEMENTS) {
            buf_text(w->out, "...");
            break;
        }
        put_value(w, &element, bytes + i * size, size, depth + 1);
    }
    buf_char(w->out, '}');
}

static void put_value(const struct writer *w, Dwarf_Die *type,
                      const uint8_t *bytes, size_t len, int depth)
{
    switch (dwarf_tag(type)) {
    case DW_TAG_base_type:
        put_base(w->out, type, bytes, len);
        break;
    case DW_TAG_enumeration_type:
        put_enum(w->out, type, bytes, len);
        break;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        put_pointer(w, type, bytes, len);
        break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        put_struct(w, type, bytes, len, depth);
        break;
    case DW_TAG_array_type:
        put_array(w, type, bytes, len, depth);
        break;
    default:
        buf_printf(w->out, "(%zu bytes)", len);
    }
}

/* ---- variables ----------------------------------------------------------- */

static void put_variable(const struct values *v, Dwarf_Die *variable,
                         struct buf *out)
{
    uint8_t bytes[VALUE_BYTES];
    const struct location_place *place = &v->place;
    struct writer w = {place, out, v};
    bool is_hidden_name = is_secret(dwarf_diename(variable));
    Dwarf_Die type;
    Dwarf_Word size;
    if (is_hidden_name && !v->is_filling) {
        buf_text(out, "(secret)");
        return;
    }
    if (!type_of(variable, &type) || dwarf_aggregate_size(&type, &size) != 0) {
        buf_text(out, "(of unknown type)");
        return;
    }
    if (size > sizeof bytes) {
        buf_printf(out, "(%" PRIu64 " bytes)", (uint64_t)size);
        return;
    }
    switch (location_read(place, variable, bytes, size)) {
    case LOCATION_FOUND:
        if (is_hidden_name)
            note_secret(&w, &type, bytes, size, 0);
        else
            put_value(&w, &type, bytes, size, 0);
        break;
    case LOCATION_GONE:
        buf_text(out, "(optimized out)");
        break;
    case LOCATION_UNKNOWN:
        buf_text(out, "(not in the copy)");
    }
}

static void add_variable(struct values *v, Dwarf_Die *variable, cJSON *to)
{
    const char *name = dwarf_diename(variable);
    struct buf text;
    if (!name || cJSON_GetObjectItemCaseSensitive(to, name) ||
        dwarf_hasattr(variable, DW_AT_declaration))
        return; /* an inner one of the same name is meant */
    buf_init(&text, TEXT_BYTES);
    put_variable(v, variable, &text);
    uint32_t len = (uint32_t)(strlen(name) + text.len_bytes + 8);
    if (len <= v->room) {
        struct buf valid, key; /* a broken file may hold anything */
        buf_init(&valid, 4 * TEXT_BYTES);
        buf_init(&key, 4 * TEXT_BYTES);
        text_valid(&valid, buf_get(&text));
        buf_text(&valid, text.failed ? "..." : "");
        text_valid(&key, name);
        cJSON_AddStringToObject(to, buf_get(&key), buf_get(&valid));
        buf_free(&key);
        buf_free(&valid);
        v->room -= len;
    } else {
        v->room = 0;
    }
    buf_free(&text);
}

static void add_children(struct values *v, Dwarf_Die *scope, cJSON *arguments,
                         cJSON *locals)
{
    Dwarf_Die child;
    int count = 0;
    for (int rc = dwarf_child(scope, &child); rc == 0 && count < VARIABLES;
         rc = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_formal_parameter)
            add_variable(v, &child, arguments);
        else if (tag == DW_TAG_variable)
            add_variable(v, &child, locals);
        else
            continue;
        count++;
    }
}

void values_add(struct values *values, const struct values_scope *scope,
                cJSON *frame)
{
    if (values->room == 0)
        return;
    cJSON *arguments = cJSON_AddObjectToObject(frame, "arguments");
    cJSON *locals = cJSON_AddObjectToObject(frame, "locals");
    for (int i = 0; i < scope->block_count; i++)
        add_children(values, &scope->blocks[i], arguments, locals);
    add_children(values, scope->function, arguments, locals);
    if (values->room == 0)
        cJSON_AddBoolToObject(frame, "values_cut", true);
}
