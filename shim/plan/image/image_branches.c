/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who leads into the first bytes of a function: one pass over an object.
 *
 * A bitmap has a bit for each byte of the code: set for the 22 bytes behind
 * the start of each function, not for the starts themselves. The pass looks at
 * each place that a 32-bit distance may follow, 16 bytes at a time, and keeps
 * those whose target has its bit set: some hundredths of the functions begin
 * with a loop, the rest is chance. Distances of 8 bits are left to the plan of
 * a function: they can only stand within 128 bytes of it.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"
#include "shim/plan/image/unwind.h"

enum {
    WINDOW = 22,            /* an endbr64 and what five bytes may displace */
    FUNCTION_MAX = 1 << 16, /* with labels beside its entry */
    TABLES_MAX = 8,
    SLACK_BYTES = 16,   /* behind the bitmap, for reads of whole words */
    NOWHERE = 64,       /* so far behind it no bit is set */
    ROOM_MIN = 1 << 12, /* targets that are kept */
};
/* Larger code is not looked at: 128 MiB of bitmap. */
#define CODE_MAX (UINT64_C(1) << 30)

struct search {
    struct plan_image *image;
    struct plan_branches *found;
    uint64_t *at;
    uint8_t *bits;
    uint64_t span, room;
    bool is_wide;
    struct {
        uint64_t place, offset;
        bool is_start;
    } last; /* word */
};

/* ---- the bitmap ---------------------------------------------------------- */

static void mark_start(const struct search *s, uint64_t vaddr)
{
    uint64_t at = vaddr - s->found->low;
    uint32_t word;
    if (at >= s->span)
        return;
    s->bits[at / 8] &= (uint8_t) ~(1u << (at % 8));
    memcpy(&word, s->bits + ++at / 8, sizeof word);
    word |= ((1u << WINDOW) - 1) << (at % 8);
    memcpy(s->bits + at / 8, &word, sizeof word);
}

static uint32_t bits_from(const struct search *s, uint64_t offset)
{
    uint16_t word;
    memcpy(&word, s->bits + offset / 8, sizeof word);
    return (uint32_t)word >> (offset % 8);
}

/* A start that another one follows at once does not look like one. */
static bool is_start(const struct search *s, uint64_t offset)
{
    return (bits_from(s, offset) & 3) == 2;
}

static bool next_symbol(const struct plan_image *image, bool dynamic,
                        uint64_t *index, uint64_t *vaddr)
{
    Elf64_Sym raw;
    while (image_symbol_get(image, dynamic, (*index)++, &raw)) {
        *vaddr = raw.st_value;
        if (ELF64_ST_TYPE(raw.st_info) == STT_FUNC && raw.st_shndx != SHN_UNDEF)
            return true;
    }
    return false;
}

static void clear_start(const struct search *s, uint64_t vaddr)
{
    uint64_t at = vaddr - s->found->low;
    if (at < s->span)
        s->bits[at / 8] &= (uint8_t) ~(1u << (at % 8));
}

static void clear_starts(const struct search *s)
{
    const struct plan_image *image = s->image;
    struct plan_fde_cursor cursor = {0};
    uint64_t at;
    while (plan_fde_next(image, &cursor, &at))
        clear_start(s, at);
    for (int dynamic = 0; dynamic < 2; dynamic++)
        for (uint64_t i = 0; next_symbol(image, dynamic, &i, &at);)
            clear_start(s, at);
}

/* In order, as the table of the unwinder is, no start lies within what a later
 * one marks; else all are taken out again at the end. */
static void mark_starts(const struct search *s)
{
    const struct plan_image *image = s->image;
    struct plan_fde_cursor cursor = {0};
    bool is_sorted = true;
    uint64_t at, last = 0;
    for (; plan_fde_next(image, &cursor, &at); last = at) {
        is_sorted &= at >= last;
        mark_start(s, at);
    }
    for (int dynamic = 0; dynamic < 2; dynamic++)
        for (uint64_t i = 0; next_symbol(image, dynamic, &i, &at);) {
            uint64_t offset = at - s->found->low;
            if (offset >= s->span || is_start(s, offset))
                continue;
            is_sorted = false;
            mark_start(s, at);
        }
    if (!is_sorted)
        clear_starts(s);
}

/* ---- the pass ------------------------------------------------------------ */

static void keep(struct search *s, uint64_t offset, uint64_t place)
{
    if (s->found->count == s->room) {
        s->found->is_cut = true;
        return;
    }
    s->at[s->found->count++] = offset << 32 | place;
}

static void keep_code(struct search *s, uint64_t offset, uint64_t vaddr)
{
    keep(s, offset, vaddr - s->found->low);
}

/* Behind 2 GiB of data the place itself is not told. */
static void keep_word(struct search *s, uint64_t offset, uint64_t vaddr)
{
    uint64_t place = vaddr - s->found->place_low;
    if (place >= PLAN_BRANCH_WORD)
        place = PLAN_BRANCH_WORD - 1;
    keep(s, offset, place | PLAN_BRANCH_WORD);
}

/* Where each leads to; outside of the code: behind the bitmap's end, where no
 * bit is set. The bits are far from each other, so they are on their way before
 * the first is looked at. */
static void find_targets(const struct search *s,
                         const struct image_fields *fields, const uint8_t *code,
                         uint64_t vaddr, uint32_t *target)
{
    uint32_t behind = (uint32_t)(vaddr - s->found->low) + 5;
    for (uint32_t i = 0; i < fields->count; i++) {
        uint32_t distance;
        memcpy(&distance, code + fields->at[i] + 1, sizeof distance);
        uint32_t to = behind + (uint32_t)fields->at[i] + distance;
        target[i] = to < s->span ? to : (uint32_t)s->span + NOWHERE;
        __builtin_prefetch(s->bits + target[i] / 8);
    }
}

/* An immediate may follow a displacement: 1, 2 or 4 bytes. */
static void look_at_fields(struct search *s, const struct image_fields *fields,
                           const uint8_t *code, uint64_t vaddr)
{
    uint32_t target[IMAGE_FIELDS_MAX];
    find_targets(s, fields, code, vaddr, target);
    for (uint32_t i = 0; i < fields->count; i++) {
        const uint8_t *p = code + fields->at[i];
        uint32_t bits = bits_from(s, target[i]);
        uint32_t ends = (*p & 0xc7) == 0x05 ? 1 | 2 | 4 | 16 : 1;
        if ((bits & ends) &&
            ((bits & 1) || image_field_kind(p) == IMAGE_FIELD_ADDRESS))
            keep_code(s, target[i], vaddr + fields->at[i] + 1);
    }
}

/* Where nothing is relocated an address may be a constant anywhere. */
static void look_at_constants(struct search *s,
                              const struct image_fields *fields,
                              const uint8_t *code, uint64_t vaddr)
{
    uint32_t target[IMAGE_FIELDS_MAX], low = (uint32_t)s->found->low;
    for (uint32_t i = 0; i < fields->count; i++) {
        memcpy(&target[i], code + fields->at[i], sizeof *target);
        target[i] -= low;
        target[i] =
            target[i] < s->span ? target[i] : (uint32_t)s->span + NOWHERE;
        __builtin_prefetch(s->bits + target[i] / 8);
    }
    for (uint32_t i = 0; i < fields->count; i++)
        if (bits_from(s, target[i]) & 1)
            keep_code(s, target[i], vaddr + fields->at[i]);
}

static void look_at_code(struct search *s, const uint8_t *bytes, uint64_t vaddr,
                         uint64_t len)
{
    struct image_code code = {bytes, len, s->span, s->is_wide};
    struct image_fields fields;
    for (uint64_t from = 0; image_code_next(&code, &from, &fields);)
        look_at_fields(s, &fields, bytes, vaddr);
    uint64_t from = image_is_fixed(s->image) ? 0 : len;
    while (image_code_next_constant(&code, s->found->low, &from, &fields))
        look_at_constants(s, &fields, bytes, vaddr);
}

/* Does the label stand in the function that begins at `start`? */
static bool is_label_of(const struct search *s, uint64_t label, uint64_t start)
{
    if (label < start || label - start > FUNCTION_MAX)
        return false;
    while (label > start && !is_start(s, label))
        label--;
    return label == start;
}

/*
 * The address of a function's start is in a thousand words and says nothing,
 * except beside the address of a label: a table for computed gotos whose first
 * label is the entry.
 */
static void look_at_word(void *context, uint64_t place, uint64_t target)
{
    struct search *s = context;
    uint64_t offset = target - s->found->low;
    if (offset >= s->span)
        return;
    bool start = is_start(s, offset);
    if (bits_from(s, offset) & 1)
        keep_word(s, offset, place);
    if (s->last.place + 8 == place && start != s->last.is_start &&
        is_label_of(s, start ? s->last.offset : offset,
                    start ? offset : s->last.offset))
        keep_word(s, start ? offset : s->last.offset,
                  start ? place : s->last.place);
    s->last.place = place;
    s->last.offset = offset;
    s->last.is_start = start;
}

/* ---- in order ------------------------------------------------------------ */

static void sift(uint64_t *at, uint64_t root, uint64_t count)
{
    uint64_t child, value = at[root];
    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && at[child + 1] > at[child])
            child++;
        if (at[child] <= value)
            break;
        at[root] = at[child];
        root = child;
    }
    at[root] = value;
}

static void sort(uint64_t *at, uint64_t count)
{
    for (uint64_t i = count / 2; i-- > 0;)
        sift(at, i, count);
    for (uint64_t i = count; i-- > 1;) {
        uint64_t last = at[i];
        at[i] = at[0];
        at[0] = last;
        sift(at, 0, i);
    }
}

/* ---- all of it ----------------------------------------------------------- */

static uint64_t code_span(const struct plan_image *image, uint64_t *low)
{
    uint64_t high;
    if (!image_code_range(image, low, &high) || high - *low > CODE_MAX)
        return 0;
    return high - *low;
}

static uint64_t room_for(uint64_t span)
{
    return ROOM_MIN + span / 64;
}

size_t plan_image_branches_bytes(const struct plan_image *image)
{
    uint64_t low, span = code_span(image, &low);
    return span ? room_for(span) * sizeof(uint64_t) + span / 8 + SLACK_BYTES
                : 0;
}

static uint64_t lowest_segment(const struct plan_image *image)
{
    uint64_t low = UINT64_MAX;
    for (uint32_t i = 0; i < image->segment_count; i++)
        if (image->segments[i].vaddr < low)
            low = image->segments[i].vaddr;
    return low;
}

/* ---- what of a segment is code -------------------------------------------
 */

struct stretch {
    const uint8_t *at;
    uint64_t len;
};

/* What the loader and unwinders read is no code: a fifth of a large library,
 * and full of what looks like branches. */
static uint32_t find_tables(const struct plan_image *image,
                            struct stretch table[TABLES_MAX])
{
    const uint64_t at[][2] = {{image->rela, image->rela_len},
                              {image->jmprel, image->jmprel_len},
                              {image->relr, image->relr_len},
                              {image->eh_frame, image->eh_frame_len},
                              {image->eh_frame_hdr, image->eh_frame_hdr_len}};
    uint32_t count = 0;
    table[count++] = (struct stretch){image->dynsym,
                                      image->dynsym_count * sizeof(Elf64_Sym)};
    table[count++] =
        (struct stretch){(const void *)image->dynstr, image->dynstr_len};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        table[count++] = (struct stretch){
            plan_image_at(image, at[i][0], at[i][1]), at[i][1]};
    return count;
}

/* A table may be said to lie where functions are. */
static bool has_no_function(const struct search *s, uint64_t vaddr,
                            uint64_t len)
{
    uint64_t word, end_vaddr = vaddr + len, low = s->found->low;
    if (end_vaddr <= low || vaddr >= low + s->span)
        return true; /* none is looked for there */
    uint64_t from = vaddr > low ? vaddr - low : 0;
    uint64_t to = end_vaddr - low < s->span ? end_vaddr - low : s->span;
    uint64_t at = from / 8, end = (to + 7) / 8;
    for (; at + sizeof word <= end; at += sizeof word) {
        memcpy(&word, s->bits + at, sizeof word);
        if (word)
            return false;
    }
    while (at < end)
        if (s->bits[at++])
            return false;
    return true;
}

/* The tables that begin in a segment are left out of it. */
static void look_at_segment(struct search *s, const uint8_t *code,
                            uint64_t vaddr, uint64_t len)
{
    struct stretch table[TABLES_MAX];
    uint32_t count = find_tables(s->image, table);
    uint64_t from = 0;
    while (from < len) {
        const struct stretch *next = NULL;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t at = (uint64_t)(table[i].at - code);
            if (table[i].at && at >= from && at < len &&
                table[i].len <= len - at && (!next || table[i].at < next->at) &&
                has_no_function(s, vaddr + at, table[i].len))
                next = &table[i];
        }
        uint64_t end = next ? (uint64_t)(next->at - code) : len;
        if (end > from)
            look_at_code(s, code + from, vaddr + from, end - from);
        from = next ? end + next->len : len;
        if (next && next->len == 0)
            from++;
    }
}

size_t plan_image_find_branches(struct plan_image *image, void *memory)
{
    struct plan_branches found = {.place_low = lowest_segment(image),
                                  .at = memory,
                                  .is_known = true,
                                  .with_symtab = image->symtab != NULL};
    struct search s = {.image = image, .found = &found, .at = memory};
    s.span = code_span(image, &found.low);
    s.room = room_for(s.span);
    s.bits = (uint8_t *)(s.at + s.room);
    s.is_wide = image_code_is_wide();
    mark_starts(&s);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *segment = &image->segments[i];
        uint64_t len = image_bytes_from(image, segment->vaddr);
        const uint8_t *code = plan_image_at(image, segment->vaddr, len);
        if (!(segment->flags & PF_X))
            continue;
        if (code)
            look_at_segment(&s, code, segment->vaddr, len);
        else
            found.is_cut = true; /* may be executed, not read */
    }
    plan_image_each_word(image, look_at_word, &s);
    sort(s.at, found.count);
    image->branches = found;
    return found.count * sizeof *s.at;
}

bool plan_image_has_branches(const struct plan_image *image, uint64_t vaddr)
{
    struct plan_fde fde;
    struct plan_symbol symbol;
    if (!image->branches.is_known)
        return false;
    return image->branches.with_symtab || image->symtab == NULL ||
           (plan_fde_find(image, vaddr, &fde) == 0 && fde.low == vaddr) ||
           (plan_image_symbol_at(image, vaddr, &symbol) == 0 &&
            symbol.is_exported);
}
