/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of C on x86-64 Linux (psABI 3.1.2), the names that stddef.h,
 * stdint.h, stdbool.h and sys/types.h would give, pointers and vectors of them,
 * what a type is called in a message, and record layout.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

#define ARITHMETIC(KIND, SIZE, SIGNED, NAME)                                   \
    {                                                                          \
        .t = {                                                                 \
            .kind = (KIND),                                                    \
            .size_bytes = (SIZE),                                              \
            .align_bytes = (SIZE),                                             \
            .is_signed = (SIGNED),                                             \
            .name = (NAME)                                                     \
        }                                                                      \
    }

const struct type type_void = {
    .t = {.kind = MANIFEST_VOID, .align_bytes = 1, .name = "void"}};
const struct type type_bool = ARITHMETIC(MANIFEST_BOOL, 1, false, "_Bool");
const struct type type_char = {.t = {.kind = MANIFEST_INT,
                                     .size_bytes = 1,
                                     .align_bytes = 1,
                                     .is_signed = true,
                                     .is_char = true,
                                     .name = "char"}};
/* `char` of a program that was built with -funsigned-char. */
static const struct type type_unsigned_char = {.t = {.kind = MANIFEST_INT,
                                                     .size_bytes = 1,
                                                     .align_bytes = 1,
                                                     .is_char = true,
                                                     .name = "char"}};
const struct type type_int = ARITHMETIC(MANIFEST_INT, 4, true, "int");
const struct type type_uint =
    ARITHMETIC(MANIFEST_INT, 4, false, "unsigned int");
const struct type type_long = ARITHMETIC(MANIFEST_INT, 8, true, "long");
const struct type type_ulong =
    ARITHMETIC(MANIFEST_INT, 8, false, "unsigned long");
const struct type type_ptrdiff = ARITHMETIC(MANIFEST_INT, 8, true, "ptrdiff_t");
const struct type type_void_pointer = {.t = {.kind = MANIFEST_POINTER,
                                             .size_bytes = 8,
                                             .align_bytes = 8,
                                             .to = &type_void.t}};
static const struct type type_schar =
    ARITHMETIC(MANIFEST_INT, 1, true, "signed char");
static const struct type type_uchar =
    ARITHMETIC(MANIFEST_INT, 1, false, "unsigned char");
static const struct type type_short =
    ARITHMETIC(MANIFEST_INT, 2, true, "short");
static const struct type type_ushort =
    ARITHMETIC(MANIFEST_INT, 2, false, "unsigned short");
static const struct type type_llong =
    ARITHMETIC(MANIFEST_INT, 8, true, "long long");
static const struct type type_ullong =
    ARITHMETIC(MANIFEST_INT, 8, false, "unsigned long long");
static const struct type type_int128 =
    ARITHMETIC(MANIFEST_INT, 16, true, "__int128");
static const struct type type_uint128 =
    ARITHMETIC(MANIFEST_INT, 16, false, "unsigned __int128");
static const struct type type_float =
    ARITHMETIC(MANIFEST_FLOAT, 4, false, "float");
static const struct type type_double =
    ARITHMETIC(MANIFEST_FLOAT, 8, false, "double");
static const struct type type_ldouble =
    ARITHMETIC(MANIFEST_FLOAT, 16, false, "long double");

/* Vectors and _Float128: passed in vector registers, no value is made of them.
 * Those of 32 and 64 bytes may also be in memory (place.c). */
#define VECTOR(NAME, SIZE, TEXT)                                               \
    static const struct type NAME = {.t = {.kind = MANIFEST_VECTOR,            \
                                           .size_bytes = (SIZE),               \
                                           .align_bytes = (SIZE),              \
                                           .name = (TEXT)}}
VECTOR(type_m64, 8, "__m64");
VECTOR(type_m128, 16, "__m128");
VECTOR(type_m256, 32, "__m256");
VECTOR(type_m512, 64, "__m512");
VECTOR(type_float128, 16, "_Float128");

/* A complex number is laid out and passed as a record of two, but for
 * `long double _Complex`, which place.c knows by its size. */
#define COMPLEX(NAME, PART, SIZE)                                              \
    static const struct manifest_member NAME##_members[] = {                   \
        {.name = "re", .type = &(PART).t},                                     \
        {.name = "im", .type = &(PART).t, .offset_bytes = (SIZE)},             \
    };                                                                         \
    static const struct type NAME = {.t = {.kind = MANIFEST_RECORD,            \
                                           .size_bytes = 2 * (SIZE),           \
                                           .align_bytes = (SIZE),              \
                                           .name = "_Complex",                 \
                                           .members = NAME##_members,          \
                                           .member_count = 2},                 \
                                     .depth = 1}
COMPLEX(type_cfloat, type_float, 4);
COMPLEX(type_cdouble, type_double, 8);
static const struct type type_cldouble = {
    .t = {.kind = MANIFEST_FLOAT,
          .size_bytes = 32,
          .align_bytes = 16,
          .name = "long double _Complex"}};
/* Pointers to members, Itanium C++ ABI 2.3, as tools/dwarf writes them. */
#define MEMBER_POINTER(NAME, SIZE)                                             \
    static const struct type NAME##_bytes = {.t = {.kind = MANIFEST_ARRAY,     \
                                                   .size_bytes = (SIZE),       \
                                                   .align_bytes = 1,           \
                                                   .to = &type_uchar.t,        \
                                                   .count = (SIZE)},           \
                                             .depth = 1};                      \
    static const struct manifest_member NAME##_members[] = {                   \
        {.name = "handspan_to_member", .type = &NAME##_bytes.t}};              \
    static const struct type NAME = {.t = {.kind = MANIFEST_RECORD,            \
                                           .size_bytes = (SIZE),               \
                                           .align_bytes = 8,                   \
                                           .members = NAME##_members,          \
                                           .member_count = 1},                 \
                                     .depth = 2}
MEMBER_POINTER(type_to_member, 8);
MEMBER_POINTER(type_to_method, 16);
/* As the psABI's va_list: an array of one, so a parameter is a pointer. */
static const struct type type_va_record = {
    .t = {.kind = MANIFEST_OPAQUE, .align_bytes = 8, .name = "__va_list_tag"}};
static const struct type type_va_list = {.t = {.kind = MANIFEST_ARRAY,
                                               .size_bytes = 24,
                                               .align_bytes = 8,
                                               .to = &type_va_record.t,
                                               .count = 1},
                                         .depth = 1};
static const struct type type_file = {
    .t = {.kind = MANIFEST_OPAQUE, .align_bytes = 1, .name = "FILE"}};

static const struct {
    const char *name;
    const struct type *type;
} builtins[] = {
    {"size_t", &type_ulong},
    {"ssize_t", &type_long},
    {"ptrdiff_t", &type_ptrdiff},
    {"intptr_t", &type_long},
    {"uintptr_t", &type_ulong},
    {"intmax_t", &type_long},
    {"uintmax_t", &type_ulong},
    {"int8_t", &type_schar},
    {"int16_t", &type_short},
    {"int32_t", &type_int},
    {"int64_t", &type_long},
    {"uint8_t", &type_uchar},
    {"uint16_t", &type_ushort},
    {"uint32_t", &type_uint},
    {"uint64_t", &type_ulong},
    {"int_least8_t", &type_schar},
    {"int_least16_t", &type_short},
    {"int_least32_t", &type_int},
    {"int_least64_t", &type_long},
    {"uint_least8_t", &type_uchar},
    {"uint_least16_t", &type_ushort},
    {"uint_least32_t", &type_uint},
    {"uint_least64_t", &type_ulong},
    {"int_fast8_t", &type_schar},
    {"int_fast16_t", &type_long},
    {"int_fast32_t", &type_long},
    {"int_fast64_t", &type_long},
    {"uint_fast8_t", &type_uchar},
    {"uint_fast16_t", &type_ulong},
    {"uint_fast32_t", &type_ulong},
    {"uint_fast64_t", &type_ulong},
    {"wchar_t", &type_int},
    {"wint_t", &type_uint},
    {"char16_t", &type_ushort},
    {"char32_t", &type_uint},
    {"char8_t", &type_uchar},
    {"bool", &type_bool},
    {"off_t", &type_long},
    {"off64_t", &type_long},
    {"loff_t", &type_long},
    {"pid_t", &type_int},
    {"uid_t", &type_uint},
    {"gid_t", &type_uint},
    {"id_t", &type_uint},
    {"mode_t", &type_uint},
    {"dev_t", &type_ulong},
    {"ino_t", &type_ulong},
    {"ino64_t", &type_ulong},
    {"nlink_t", &type_ulong},
    {"blksize_t", &type_long},
    {"blkcnt_t", &type_long},
    {"time_t", &type_long},
    {"suseconds_t", &type_long},
    {"useconds_t", &type_uint},
    {"clock_t", &type_long},
    {"clockid_t", &type_int},
    {"key_t", &type_int},
    {"socklen_t", &type_uint},
    {"u_char", &type_uchar},
    {"u_short", &type_ushort},
    {"u_int", &type_uint},
    {"u_long", &type_ulong},
    {"uint", &type_uint},
    {"ushort", &type_ushort},
    {"ulong", &type_ulong},
    {"u_int8_t", &type_uchar},
    {"u_int16_t", &type_ushort},
    {"u_int32_t", &type_uint},
    {"u_int64_t", &type_ulong},
    {"pthread_t", &type_ulong},
    {"_Float128", &type_float128},
    {"__float128", &type_float128},
    {"_Float32", &type_float},
    {"_Float64", &type_double},
    {"_Float32x", &type_double},
    {"_Float64x", &type_ldouble},
    {"__m64", &type_m64},
    {"__m128", &type_m128},
    {"__m128d", &type_m128},
    {"__m128i", &type_m128},
    {"__m256", &type_m256},
    {"__m256d", &type_m256},
    {"__m256i", &type_m256},
    {"__m512", &type_m512},
    {"__m512d", &type_m512},
    {"__m512i", &type_m512},
    {"__int128_t", &type_int128},
    {"__uint128_t", &type_uint128},
    {"handspan_unsigned_char", &type_unsigned_char},
    {"FILE", &type_file},
    {"va_list", &type_va_list},
    {"__builtin_va_list", &type_va_list},
};
enum {
    BUILTINS = sizeof(builtins) / sizeof(builtins[0])
};

const struct manifest_type *type_find_builtin(const char *name, size_t len)
{
    const struct manifest_type *container = container_find(name, len);
    if (container)
        return container;
    if (len > 5 && memcmp(name, "std::", 5) == 0) {
        name += 5;
        len -= 5;
    }
    for (size_t i = 0; i < BUILTINS; i++)
        if (strlen(builtins[i].name) == len &&
            memcmp(builtins[i].name, name, len) == 0)
            return &builtins[i].type->t;
    return NULL;
}

const struct manifest_type *type_vector_of(uint64_t size_bytes)
{
    return size_bytes == 8    ? &type_m64.t
           : size_bytes == 16 ? &type_m128.t
           : size_bytes == 32 ? &type_m256.t
           : size_bytes == 64 ? &type_m512.t
                              : NULL;
}

const char *type_builtin_name(size_t n)
{
    return n < BUILTINS ? builtins[n].name : NULL;
}

const struct manifest_type *type_from_words(uint32_t words)
{
    /* `int` beside short or long and a `signed` that changes nothing say
     * nothing more. */
    uint32_t rest = words & ~(uint32_t)(WORD_SIGNED | WORD_UNSIGNED);
    if ((words & WORD_SIGNED) && (words & WORD_UNSIGNED))
        return NULL;
    bool no = words & WORD_UNSIGNED, sign = words & WORD_SIGNED;
    if (rest & (WORD_SHORT | WORD_LONG | WORD_LONG * 2))
        rest &= ~(uint32_t)WORD_INT;
    switch (rest) {
    case 0:
    case WORD_INT:
        return !words ? NULL : no ? &type_uint.t : &type_int.t;
    case WORD_CHAR:
        return no ? &type_uchar.t : sign ? &type_schar.t : &type_char.t;
    case WORD_SHORT:
        return no ? &type_ushort.t : &type_short.t;
    case WORD_LONG:
        return no ? &type_ulong.t : &type_long.t;
    case 2 * WORD_LONG:
        return no ? &type_ullong.t : &type_llong.t;
    case WORD_INT128:
        return no ? &type_uint128.t : &type_int128.t;
    }
    if (no || sign)
        return NULL;
    switch (rest) {
    case WORD_VOID:
        return &type_void.t;
    case WORD_BOOL:
        return &type_bool.t;
    case WORD_FLOAT:
        return &type_float.t;
    case WORD_DOUBLE:
        return &type_double.t;
    case WORD_LONG + WORD_DOUBLE:
        return &type_ldouble.t;
    case WORD_FLOAT + WORD_COMPLEX:
        return &type_cfloat.t;
    case WORD_COMPLEX:
    case WORD_DOUBLE + WORD_COMPLEX:
        return &type_cdouble.t;
    case WORD_LONG + WORD_DOUBLE + WORD_COMPLEX:
        return &type_cldouble.t;
    }
    return NULL;
}

const struct manifest_type *type_pointer_to(struct parser *p,
                                            const struct manifest_type *to)
{
    if (to == &type_void.t)
        return &type_void_pointer.t;
    struct type *type = PARSER_NEW(p, struct type);
    if (!type)
        return NULL;
    type->t.kind = MANIFEST_POINTER;
    type->t.size_bytes = type->t.align_bytes = 8;
    type->t.to = to;
    return &type->t;
}

const struct manifest_type *type_member_pointer(bool is_method)
{
    return is_method ? &type_to_method.t : &type_to_member.t;
}

bool type_is_complete(const struct manifest_type *t)
{
    while (t->kind == MANIFEST_ARRAY)
        t = t->to;
    return t->kind != MANIFEST_OPAQUE && t->kind != MANIFEST_VOID &&
           t->kind != MANIFEST_FUNCTION;
}

const char *type_describe(struct parser *p, const struct manifest_type *t)
{
    const struct type *type = type_of(t);
    const char *kind = t->kind == MANIFEST_INT ? "enum "
                       : t->is_union           ? "union "
                                               : "struct ";
    if (t->kind == MANIFEST_POINTER)
        return "a pointer";
    if (t->kind == MANIFEST_ARRAY)
        return "an array";
    if (t->kind == MANIFEST_FUNCTION)
        return "a function";
    if (!t->name)
        return t->kind == MANIFEST_INT         ? "an enum"
               : manifest_is_member_pointer(t) ? "a pointer to a member"
                                               : "a record";
    if (!type->is_tag)
        return t->name;
    size_t len = strlen(t->name), prefix = strlen(kind);
    char *text = parser_alloc(p, prefix + len + 1, 1);
    if (!text)
        return "";
    memcpy(text, kind, prefix);
    memcpy(text + prefix, t->name, len);
    return text;
}

const struct manifest_type *type_apply_vector(struct parser *p, struct mark at,
                                              const struct manifest_type *type,
                                              uint32_t vector_bytes)
{
    if (!vector_bytes)
        return type;
    const struct manifest_type *vector = type_vector_of(vector_bytes);
    bool is_element = type->kind == MANIFEST_INT ||
                      type->kind == MANIFEST_BOOL ||
                      type->kind == MANIFEST_FLOAT;
    if (!vector || !is_element) {
        parser_error(p, at,
                     "a vector_size that is not known here; write __m64, "
                     "__m128, __m256 or __m512");
        return NULL;
    }
    return vector;
}

/* ---- layout ---------------------------------------------------------- */

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

/*
 * psABI 3.1.2: a bit field must not cross a boundary of its declared type;
 * width 0 moves on to the next one. A packed one follows directly.
 */
static void place_bit_field(struct layout *layout, struct manifest_member *m)
{
    uint64_t unit = m->type->size_bytes * 8;
    if (m->bit_width == 0)
        layout->bit = round_up(layout->bit, unit);
    else if (!layout->is_packed && layout->bit % unit + m->bit_width > unit)
        layout->bit = round_up(layout->bit, unit);
    m->offset_bytes = layout->bit / 8;
    m->bit_offset = (uint32_t)(layout->bit % 8);
    layout->bit += m->bit_width;
}

void layout_add(struct layout *layout, struct manifest_member *member,
                uint32_t align_bytes, bool is_bit_field, bool is_named)
{
    uint64_t size = member->type->size_bytes;
    if (layout->is_union)
        layout->bit = 0;
    if (!is_bit_field || is_named) {
        if (align_bytes > layout->align_bytes)
            layout->align_bytes = align_bytes;
    }
    if (is_bit_field) {
        place_bit_field(layout, member);
    } else {
        member->offset_bytes =
            round_up(round_up(layout->bit, 8) / 8, align_bytes);
        if (size > (uint64_t)1 << 40 || member->offset_bytes > (uint64_t)1
                                                                   << 40) {
            layout->overflow = true;
            size = 0;
        }
        layout->bit = (member->offset_bytes + size) * 8;
    }
    if (round_up(layout->bit, 8) / 8 > layout->size_bytes)
        layout->size_bytes = round_up(layout->bit, 8) / 8;
}

uint64_t layout_finish(struct layout *layout)
{
    if (!layout->align_bytes)
        layout->align_bytes = 1;
    return round_up(layout->size_bytes, layout->align_bytes);
}
