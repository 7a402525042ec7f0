/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that code computes before it jumps to them: no instruction and no
 * word has one whole, so the look at the object does not see where it leads.
 *
 * Compilers compute those of the function itself alone; assembly goes where it
 * likes, but not far from where it stands. So whoever jumps through a register
 * within REACH of the function is looked at: the addresses that the code before
 * the jump takes, what constants added to one of them lead to, and what the
 * distances in a table lead to from one of them. The bytes that are displaced
 * are so few that nothing leads there by chance, but for small numbers; those
 * must be seen to be added.
 */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"

#include <emmintrin.h>

enum {
    REACH = 1 << 13,
    BEFORE = 256, /* bytes before a jump, and at the start of its function */
    BASES_MAX = 24,
    STEP = 16,
    WIDE = 64,
    TABLE_ENTRIES_MAX = 1 << 16,
    ENTRIES_MAX = 256, /* of another function's table */
    TRUSTED = 8,       /* entries before one that must be in order */
    SMALL = 128,       /* a number that may stand for anything */
};

/* ---- tables ---------------------------------------------------------------
 */

struct base {
    uint64_t place, vaddr; /* the operand, what it says */
};

struct before {
    struct patch_job *job;
    uint64_t low, jump;           /* from the start of its function */
    uint64_t code_low, code_span; /* of the object */
    struct base base[BASES_MAX];
    unsigned count;
};

struct table {
    uint64_t at, base; /* its distances are from there */
    unsigned bytes;    /* of each: 1 and 2 unsigned, 4, 8 */
};

static uint64_t target_of(const struct table *table, const char *entry)
{
    uint64_t distance = 0;
    memcpy(&distance, entry, table->bytes);
    if (table->bytes == 4)
        distance = (uint64_t)(int64_t)(int32_t)distance;
    return table->base + distance;
}

/* Where the distance at `at` leads to; false: there is none. */
static bool table_target(const struct plan_image *image,
                         const struct table *table, uint64_t at,
                         uint64_t *target)
{
    const char *entry = plan_image_at(image, at, table->bytes);
    if (entry)
        *target = target_of(table, entry);
    return entry != NULL;
}

enum plan_verdict patch_check_table(struct patch_job *job, uint64_t table,
                                    unsigned bytes)
{
    const struct plan_image *image = job->reader.image;
    const struct table t = {table, table, bytes};
    uint64_t target, entry_at = 0, at = table;
    bool has_label = false;
    for (unsigned i = 0; i < TABLE_ENTRIES_MAX; i++, at += bytes) {
        if (!table_target(image, &t, at, &target) ||
            !image_is_executable(image, target))
            break;
        if (patch_is_displaced(job, target)) {
            job->place = at;
            return PLAN_LABEL_INTO;
        }
        if (target == job->vaddr || target == job->patch_vaddr)
            entry_at = at;
        has_label |= target > job->vaddr && target < job->end;
    }
    if (!has_label || entry_at == 0)
        return PLAN_OK;
    job->place = entry_at;
    return PLAN_LOOP_TO_ENTRY;
}

/* Does an instruction begin at `target`, in code that begins at `from`? */
static bool is_instruction(const struct patch_job *job, uint64_t from,
                           uint64_t target)
{
    struct plan_insn insn;
    while (from < target && plan_decode(&job->reader, from, &insn))
        from = insn.next;
    return from == target;
}

static bool is_second_entry(const struct patch_job *job, uint64_t target)
{
    return patch_is_displaced(job, target) &&
           is_instruction(job, job->patch_vaddr, target);
}

/* Is `at` behind the end of the table? Then another one's distances were read
 * as this one's, and some lead amid an instruction. */
static bool is_behind_table(const struct patch_job *job,
                            const struct table *table, uint64_t at)
{
    struct patch_region region;
    uint64_t target;
    for (unsigned i = 0; i < TRUSTED && at > table->at; i++) {
        at -= table->bytes;
        if (!table_target(job->reader.image, table, at, &target) ||
            !patch_region_of(job->reader.image, target, &region) ||
            !is_instruction(job, region.low, target))
            return true;
    }
    return false;
}

/* Does one of its distances lead into what is displaced? Those of one or two
 * bytes always lead somewhere; longer ones end the table where they do not. */
static bool leads_inside(const struct before *before, const struct table *table)
{
    const struct patch_job *job = before->job;
    const struct plan_image *image = job->reader.image;
    uint64_t near = job->displaced_end - table->base;
    uint64_t len = image_bytes_from(image, table->at);
    const char *bytes = plan_image_at(image, table->at, len);
    bool is_short = table->bytes < 4;
    if (!bytes || (is_short && near >= 2 * SMALL))
        return false;
    for (uint64_t i = 0;
         i + table->bytes <= len && i < (uint64_t)ENTRIES_MAX * table->bytes;
         i += table->bytes) {
        uint64_t target = target_of(table, bytes + i);
        if (is_second_entry(job, target))
            return is_short || !is_behind_table(job, table, table->at + i);
        if (!is_short && target - before->code_low >= before->code_span)
            return false;
    }
    return false;
}

/* ---- what the code before a jump takes ------------------------------------
 */

static void add_base(struct before *before, uint64_t place, uint64_t vaddr)
{
    if (before->count < BASES_MAX)
        before->base[before->count++] = (struct base){place, vaddr};
}

/* lea label(%rip); call to what follows, which pops its own address. */
static void collect_at(struct before *before, const uint8_t *p, uint64_t vaddr)
{
    enum image_field_kind kind = image_field_kind(p);
    int32_t distance;
    memcpy(&distance, p + 1, sizeof distance);
    uint64_t target = vaddr + 5 + (uint64_t)(int64_t)distance;
    if (kind == IMAGE_FIELD_LEA || (kind == IMAGE_FIELD_CALL && distance == 0))
        add_base(before, vaddr + 1, target);
}

/* Where nothing is relocated: any word that may be the address of data, or is
 * that of the function. */
static void collect_constant(struct before *before, const uint8_t *p,
                             uint64_t vaddr)
{
    const struct plan_image *image = before->job->reader.image;
    uint32_t constant;
    memcpy(&constant, p, sizeof constant);
    if (constant == before->job->vaddr ||
        (plan_image_at(image, constant, sizeof constant) &&
         !image_is_executable(image, constant)))
        add_base(before, vaddr, constant);
}

/* Up to BEFORE bytes of code from `low`, as they were before anybody patched
 * them; bytes[-1] and STEP behind the end are there. */
static uint64_t read_code(const struct plan_image *image, uint64_t low,
                          uint64_t high, uint8_t *bytes)
{
    uint64_t len = high - low < BEFORE ? high - low : BEFORE;
    memset(bytes + len, 0, STEP);
    if (!image_read(image, low, bytes, len))
        return 0;
    if (image->restore)
        image->restore(image, low, bytes, len);
    return len;
}

static void collect(struct before *before, uint64_t low, uint64_t high)
{
    uint8_t bytes[1 + BEFORE + STEP] = {0}, *code = bytes + 1;
    const struct plan_image *image = before->job->reader.image;
    uint64_t len = read_code(image, low, high, code);
    for (uint64_t i = 0; i + 5 <= len; i += STEP)
        for (uint32_t m = image_field_mask(code + i); m != 0; m &= m - 1) {
            uint64_t at = i + (uint64_t)__builtin_ctz(m);
            if (at + 5 <= len)
                collect_at(before, code + at, low + at);
        }
    for (uint64_t i = 0; image_is_fixed(image) && i + 4 <= len; i++)
        collect_constant(before, code + i, low + i);
}

/* ---- constants that are added ----------------------------------------------
 */

static bool leads_by(const struct patch_job *job, uint64_t base, int64_t number)
{
    return is_second_entry(job, base + (uint64_t)number) ||
           is_second_entry(job, base - (uint64_t)number);
}

/* No number that is added is the distance from an instruction to what it reads:
 * of data, taken from the address of data, such distances lead into the code
 * near by. */
static bool is_number(const struct patch_job *job, uint64_t place)
{
    struct patch_region region;
    struct plan_insn insn;
    if (!patch_region_of(job->reader.image, place, &region))
        return true;
    for (uint64_t at = region.low; at <= place; at = insn.next) {
        if (!plan_decode(&job->reader, at, &insn) || plan_insn_is_trap(&insn))
            return true;
        const ZydisDecodedInstructionRaw *raw = &insn.in.raw;
        if (insn.next > place)
            return raw->modrm.mod != 0 || raw->modrm.rm != 5 ||
                   raw->disp.size != 32 || at + raw->disp.offset != place;
    }
    return true;
}

/* add, sub or lea with a number of 8 bits, which is at p + 2. */
static bool adds_small(const uint8_t *p)
{
    return (p[0] == 0x83 && (p[1] & 0xd0) == 0xc0) ||
           (p[0] == 0x8d && (p[1] & 0xc0) == 0x40);
}

/* Is there a number between the base and the jump that leads from one into
 * what is displaced? */
static bool has_number(const struct before *before, const struct base *base)
{
    const struct patch_job *job = before->job;
    uint8_t code[BEFORE + STEP];
    uint64_t low = base->place + 4;
    bool is_near = base->vaddr - job->displaced_end + SMALL < 2 * SMALL;
    if (low > before->jump)
        return false;
    uint64_t len = read_code(job->reader.image, low, before->jump, code);
    for (uint64_t i = 0; i < len; i++) {
        int32_t number;
        memcpy(&number, code + i, sizeof number);
        if ((leads_by(job, base->vaddr, number) && is_number(job, low + i)) ||
            (is_near && i >= 2 && adds_small(code + i - 2) &&
             leads_by(job, base->vaddr, (int8_t)code[i])))
            return true;
    }
    return false;
}

/* ---- who jumps --------------------------------------------------------------
 */

static enum plan_verdict refuse(struct patch_job *job, uint64_t place)
{
    job->place = place;
    return PLAN_BRANCH_MAYBE;
}

/* Does the code take it? Nothing says what instructions there are between
 * functions, so raw bytes count there. */
static enum patch_reference taken(const struct patch_job *job,
                                  const struct base *base)
{
    uint64_t vaddr = base->vaddr;
    enum patch_reference what = patch_reference_at(job, base->place, &vaddr);
    return what == REFERENCE_ADDRESS && vaddr != base->vaddr ? REFERENCE_NONE
                                                             : what;
}

/* Is something added to it? */
static bool is_base(const struct patch_job *job, const struct base *base)
{
    enum patch_reference what = taken(job, base);
    return what == REFERENCE_CALL || /* to the next instruction */
           (what != REFERENCE_NONE && patch_is_base(job, base->place));
}

/* movzx, movsx of one byte or two. */
static bool loads_short(const struct before *before, unsigned bytes)
{
    uint8_t code[BEFORE + STEP];
    uint64_t low = before->jump - before->low < BEFORE ? before->low
                                                       : before->jump - BEFORE;
    uint64_t len =
        read_code(before->job->reader.image, low, before->jump, code);
    for (uint64_t i = 0; i + 2 < len; i++)
        if (code[i] == 0x0f &&
            (code[i + 1] & 0xf7) == (bytes == 1 ? 0xb6 : 0xb7))
            return true;
    return false;
}

/* As compilers make them: what is in it is added to where it is. From another
 * table its distances lead somewhere into the code, too. */
static bool is_own_base(const struct before *before, const struct base *table)
{
    const struct plan_image *image = before->job->reader.image;
    const struct table t = {table->vaddr, table->vaddr, 4};
    uint64_t target;
    return table_target(image, &t, t.at, &target) &&
           image_is_executable(image, target);
}

static bool may_lead_inside(const struct before *before,
                            const struct base *table, const struct base *base)
{
    static const unsigned bytes[] = {4, 8, 2, 1};
    const struct patch_job *job = before->job;
    struct table t = {table->vaddr, base->vaddr, 0};
    for (unsigned k = 0; k < sizeof bytes / sizeof *bytes; k++) {
        t.bytes = bytes[k];
        if (leads_inside(before, &t) &&
            (t.bytes >= 4 || loads_short(before, t.bytes)) &&
            is_base(job, table) && (base->place == 0 || is_base(job, base)))
            return true;
    }
    return false;
}

static enum plan_verdict check_tables(struct before *before,
                                      const struct base *table)
{
    static const struct base zero = {0, 0};
    bool is_own = is_own_base(before, table);
    if (image_is_fixed(before->job->reader.image) &&
        may_lead_inside(before, table, &zero))
        return refuse(before->job, table->place);
    for (unsigned i = 0; i < before->count; i++) {
        const struct base *base = &before->base[i];
        if ((!is_own || base == table) && may_lead_inside(before, table, base))
            return refuse(before->job, table->place);
    }
    return PLAN_OK;
}

static enum plan_verdict check_bases(struct before *before)
{
    enum plan_verdict verdict = PLAN_OK;
    for (unsigned i = 0; i < before->count && verdict == PLAN_OK; i++) {
        const struct base *base = &before->base[i];
        verdict = has_number(before, base) && is_base(before->job, base)
                      ? refuse(before->job, base->place)
                      : check_tables(before, base);
    }
    return verdict;
}

static enum plan_verdict check_jump(struct before *before, uint64_t jump)
{
    struct patch_region region;
    if (!patch_region_of(before->job->reader.image, jump, &region))
        return PLAN_OK;
    before->low = region.low;
    before->jump = jump;
    before->count = 0;
    uint64_t near = jump - region.low > BEFORE ? jump - BEFORE : region.low;
    collect(before, near, jump);
    collect(before, region.low, near);
    return check_bases(before);
}

/* jmp *%reg; push %reg, ret; mov to (%rsp), ret: a bit for each of the 16. */
static uint32_t jumps_of_16(const uint8_t *p)
{
    __m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
    __m128i most = _mm_set1_epi8((char)0xf8);
    __m128i jump = _mm_and_si128(
        _mm_cmpeq_epi8(here, _mm_set1_epi8((char)0xff)),
        _mm_cmpeq_epi8(_mm_and_si128(next, most), _mm_set1_epi8((char)0xe0)));
    __m128i stored = _mm_or_si128(
        _mm_cmpeq_epi8(_mm_and_si128(here, most), _mm_set1_epi8(0x50)),
        _mm_cmpeq_epi8(here, _mm_set1_epi8(0x24)));
    __m128i ret = _mm_cmpeq_epi8(next, _mm_set1_epi8((char)0xc3));
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(jump, _mm_and_si128(stored, ret)));
}

/* Of 64; the last bytes of a segment are read from a copy. */
static uint64_t jumps_of_64(const uint8_t *code, uint64_t len)
{
    uint8_t edge[WIDE + STEP] = {0};
    if (len < sizeof edge) {
        memcpy(edge, code, len);
        code = edge;
    }
    return jumps_of_16(code) | (uint64_t)jumps_of_16(code + 16) << 16 |
           (uint64_t)jumps_of_16(code + 32) << 32 |
           (uint64_t)jumps_of_16(code + 48) << 48;
}

static uint64_t lowest_near(const struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    uint64_t low = job->vaddr < REACH ? 0 : job->vaddr - REACH;
    while (low < job->vaddr && !image_is_executable(image, low))
        low += STEP;
    return low < job->vaddr ? low : job->vaddr;
}

enum plan_verdict patch_check_computed(struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    struct before before = {.job = job};
    uint64_t low = lowest_near(job), len = image_bytes_from(image, low), high;
    enum plan_verdict verdict = PLAN_OK;
    if (len > job->end + REACH - low)
        len = job->end + REACH - low;
    const uint8_t *code = plan_image_at(image, low, len);
    if (!code || !image_code_range(image, &before.code_low, &high))
        return PLAN_UNDECODABLE;
    before.code_span = high - before.code_low;
    for (uint64_t i = 0; i < len && verdict == PLAN_OK; i += WIDE)
        for (uint64_t m = jumps_of_64(code + i, len - i);
             m != 0 && verdict == PLAN_OK; m &= m - 1)
            verdict =
                check_jump(&before, low + i + (uint64_t)__builtin_ctzll(m));
    return verdict;
}
