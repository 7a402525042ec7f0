/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where parameters and return values live: psABI (AMD64) 3.2.3. A record of
 * up to 16 bytes is cut in two eightbytes, each with a class; a larger one, or
 * one with an unaligned member, goes to memory. What holds a vector of 32 or
 * 64 bytes is in one register or in memory, by the options of the compiler:
 * not known. Recursion is bounded: records nest at most LIMIT_NESTING deep.
 */
#include "manifest/meaning/meaning.h"

enum klass {
    CLASS_NONE,
    CLASS_SSEUP, /* the upper half of a vector of 16 bytes */
    CLASS_SSE,
    CLASS_INTEGER,
    CLASS_X87, /* of a part: whatever holds a long double */
    CLASS_MEMORY,
};

struct registers {
    uint32_t integer, sse; /* used so far */
    uint32_t stack;        /* bytes used so far */
    bool is_lost;          /* behind a type that is not known */
    bool is_vector_lost;   /* ... which took a vector register or stack */
};

static void merge(enum klass *into, enum klass with)
{
    /* 3.2.3 (4), in its order: MEMORY, INTEGER, X87 (as MEMORY), SSE. */
    if (*into == with || with == CLASS_NONE)
        return;
    if (*into == CLASS_NONE || with == CLASS_MEMORY)
        *into = with;
    else if (*into == CLASS_MEMORY)
        return;
    else if (*into == CLASS_INTEGER || with == CLASS_INTEGER)
        *into = CLASS_INTEGER;
    else if (*into == CLASS_X87 || with == CLASS_X87)
        *into = CLASS_MEMORY;
    else
        *into = CLASS_SSE;
}

static void classify(const struct manifest_type *type, uint64_t offset,
                     enum klass classes[2]);

static void classify_members(const struct manifest_type *type, uint64_t offset,
                             enum klass classes[2])
{
    for (uint32_t i = 0; i < type->member_count; i++) {
        const struct manifest_member *m = &type->members[i];
        uint64_t at = offset + m->offset_bytes;
        if (!m->bit_width) {
            classify(m->type, at, classes);
            continue;
        }
        uint64_t first = at * 8 + m->bit_offset;
        uint64_t last = first + m->bit_width - 1;
        if (last >= 128)
            continue;
        merge(&classes[first / 64], CLASS_INTEGER);
        merge(&classes[last / 64], CLASS_INTEGER);
    }
}

static void classify(const struct manifest_type *type, uint64_t offset,
                     enum klass classes[2])
{
    uint64_t size = type->size_bytes;
    if (size == 0 && type->kind != MANIFEST_RECORD)
        return; /* a flexible array */
    if (offset + size > 16 || offset % type->align_bytes) {
        classes[0] = CLASS_MEMORY;
        return;
    }
    switch (type->kind) {
    case MANIFEST_RECORD:
        classify_members(type, offset, classes);
        break;
    case MANIFEST_ARRAY:
        for (uint64_t i = 0; i < type->count && type->to->size_bytes; i++)
            classify(type->to, offset + i * type->to->size_bytes, classes);
        break;
    case MANIFEST_FLOAT:
        if (size == 16) {
            merge(&classes[0], CLASS_X87);
            merge(&classes[1], CLASS_X87);
        } else {
            merge(&classes[offset / 8], CLASS_SSE);
        }
        break;
    case MANIFEST_VECTOR:
        merge(&classes[offset / 8], CLASS_SSE);
        if (size == 16)
            merge(&classes[1], CLASS_SSEUP);
        break;
    default:
        merge(&classes[offset / 8], CLASS_INTEGER);
        if (size == 16)
            merge(&classes[1], CLASS_INTEGER);
    }
}

/* Into {first, second}; 3.2.3 (5): any MEMORY makes it all MEMORY. */
static void classify_whole(const struct manifest_type *type,
                           enum klass classes[2])
{
    classes[0] = classes[1] = CLASS_NONE;
    if (type->size_bytes > 16) {
        classes[0] = CLASS_MEMORY;
        return;
    }
    classify(type, 0, classes);
    if (classes[1] == CLASS_MEMORY)
        classes[0] = CLASS_MEMORY;
    if ((classes[0] == CLASS_X87) != (classes[1] == CLASS_X87))
        classes[0] = CLASS_MEMORY;
    if (classes[1] == CLASS_SSEUP && classes[0] != CLASS_SSE)
        classes[1] = CLASS_SSE;
}

/* Does it hold a vector of 32 or 64 bytes, or what nobody can classify? */
static bool is_unsettled(const struct manifest_type *type)
{
    while (type->kind == MANIFEST_ARRAY)
        type = type->to;
    if (type->kind == MANIFEST_VECTOR)
        return type->size_bytes > 16;
    if (type->kind != MANIFEST_RECORD || type->size_bytes > 64)
        return false; /* larger ones are in memory, whatever they hold */
    for (uint32_t i = 0; i < type->member_count; i++)
        if (is_unsettled(type->members[i].type))
            return true;
    return type_of(type)->is_unplaced;
}

static struct manifest_place take(struct registers *used, enum klass klass)
{
    struct manifest_place place = {.kind = MANIFEST_NOWHERE};
    if (klass == CLASS_INTEGER) {
        place.kind = MANIFEST_IREG;
        place.index = used->integer++;
    } else if (klass == CLASS_SSE) {
        place.kind = MANIFEST_FREG;
        place.index = used->sse++;
    }
    return place;
}

static struct manifest_place take_stack(struct registers *used,
                                        const struct manifest_type *type)
{
    uint32_t align = type->align_bytes > 8 ? type->align_bytes : 8;
    uint64_t at = ((uint64_t)used->stack + align - 1) / align * align;
    uint64_t end = (at + type->size_bytes + 7) / 8 * 8;
    struct manifest_place place = {.kind = MANIFEST_STACK};
    if (end > INT32_MAX) {
        used->is_lost = true;
        place.kind = MANIFEST_UNKNOWN;
        return place;
    }
    place.index = (uint32_t)at;
    used->stack = (uint32_t)end;
    return place;
}

/* An __int128 for which one register is left: gcc has it on the stack, clang
 * before 18 half there; and on the stack they align it differently. False:
 * nobody knows where it is, nor what it leaves to others. */
static bool take_int128(struct registers *used)
{
    bool is_split = used->integer == 5;
    used->is_lost |= is_split;
    used->is_vector_lost |= used->stack % 16 != 0;
    return !is_split && used->stack % 16 == 0;
}

static struct manifest_place place_classes(const struct manifest_type *type,
                                           const enum klass classes[2],
                                           struct registers *used)
{
    uint32_t integer =
        (uint32_t)(classes[0] == CLASS_INTEGER) + (classes[1] == CLASS_INTEGER);
    uint32_t sse =
        (uint32_t)(classes[0] == CLASS_SSE) + (classes[1] == CLASS_SSE);
    bool on_stack = classes[0] == CLASS_MEMORY || classes[0] == CLASS_X87 ||
                    used->integer + integer > 6 || used->sse + sse > 8;
    if (used->is_vector_lost && (on_stack || sse)) {
        used->is_lost |= !on_stack && integer;
        return (struct manifest_place){.kind = MANIFEST_UNKNOWN};
    }
    if (on_stack && type->kind == MANIFEST_INT && type->size_bytes == 16 &&
        !take_int128(used))
        return (struct manifest_place){.kind = MANIFEST_UNKNOWN};
    if (on_stack)
        return take_stack(used, type);
    struct manifest_place place = take(used, classes[0]);
    struct manifest_place second = take(used, classes[1]);
    place.second_kind = second.kind;
    place.second_index = second.index;
    return place;
}

static struct manifest_place place_param(const struct manifest_type *type,
                                         struct registers *used)
{
    enum klass classes[2];
    if (used->is_lost || !type_is_complete(type)) {
        used->is_lost = true;
        return (struct manifest_place){.kind = MANIFEST_UNKNOWN};
    }
    if (is_unsettled(type)) {
        used->is_lost = type_of(type)->is_unplaced;
        used->is_vector_lost = true;
        return (struct manifest_place){.kind = MANIFEST_UNKNOWN};
    }
    classify_whole(type, classes);
    if (classes[0] == CLASS_NONE && classes[1] == CLASS_NONE)
        return (struct manifest_place){.kind = MANIFEST_NOWHERE};
    return place_classes(type, classes, used);
}

static struct manifest_place place_result(const struct manifest_type *type)
{
    enum klass classes[2];
    struct registers none = {0};
    if (type->kind == MANIFEST_VOID)
        return (struct manifest_place){.kind = MANIFEST_NOWHERE};
    if (!type_is_complete(type) || is_unsettled(type))
        return (struct manifest_place){.kind = MANIFEST_UNKNOWN};
    /* long double _Complex comes back in st0 and st1 */
    if (type->kind == MANIFEST_FLOAT && type->size_bytes == 32)
        return (struct manifest_place){.kind = MANIFEST_X87};
    classify_whole(type, classes);
    if (classes[0] == CLASS_MEMORY)
        return (struct manifest_place){.kind = MANIFEST_HIDDEN};
    if (classes[0] == CLASS_X87)
        return (struct manifest_place){.kind = MANIFEST_X87};
    struct manifest_place place = take(&none, classes[0]);
    struct manifest_place second = take(&none, classes[1]);
    place.second_kind = second.kind;
    place.second_index = second.index;
    return place;
}

void place_function(const struct manifest_type *result,
                    struct manifest_place *result_place,
                    struct manifest_param *params, uint32_t param_count)
{
    struct registers used = {0};
    *result_place = place_result(result);
    used.is_lost = result_place->kind == MANIFEST_UNKNOWN;
    used.integer = result_place->kind == MANIFEST_HIDDEN;
    for (uint32_t i = 0; i < param_count; i++)
        params[i].place = place_param(params[i].type, &used);
}
