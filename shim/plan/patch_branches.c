/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does any branch lead into the bytes that a patch would displace? Of the
 * function, of the other parts that it jumps to (its .cold part, under
 * whatever name), or by a table: where it jumps through a register, each
 * table whose address it takes is read as well.
 *
 * Two passes. The first looks at the raw bytes: a distance that leads into
 * the entry, at whatever offset, or a byte pair that may be a jump through a
 * register, makes them suspect. It sees more than there is and decodes
 * nothing, which keeps a plan in microseconds. Only what is suspect is
 * decoded.
 */
#include "shim/plan/patch_internal.h"
#include "shim/plan/image_internal.h"
#include "shim/plan/unwind.h"

enum {
    TABLE_ENTRIES_MAX = 4096
};

struct scan {
    struct patch_job *job;
    int tables;
    bool has_indirect, is_own;
};

/* ---- raw bytes -------------------------------------------------------------
 */

static bool leads_to_entry(const struct patch_job *job, uint64_t target)
{
    return target >= job->vaddr && target < job->displaced_end;
}

/* jcc, loop, jrcxz or jmp with an 8-bit distance behind it. */
static bool is_short_branch(uint8_t opcode)
{
    return (opcode >= 0x70 && opcode <= 0x7f) || opcode == 0xeb ||
           (opcode >= 0xe0 && opcode <= 0xe3);
}

/* ff /4: jmp through a register or memory, but not through (%rip). */
static bool is_indirect_jump(uint8_t opcode, uint8_t modrm)
{
    return opcode == 0xff && (modrm & 0x38) == 0x20 && (modrm & 0xc7) != 0x05;
}

static bool is_suspect(const struct patch_job *job, const uint8_t *code,
                       uint64_t at, uint64_t len, bool is_own)
{
    /* modulo 2^32, which sees more, not less; one compare for each byte of a
     * function: this is the loop that a plan spends its time in */
    uint32_t base = (uint32_t)(at + 4 - job->vaddr);
    uint32_t size = (uint32_t)(job->displaced_end - job->vaddr);
    for (uint64_t i = 0; i + 4 <= len; i++) {
        uint32_t distance;
        memcpy(&distance, code + i, sizeof distance);
        if (distance + base + (uint32_t)i < size)
            return true;
    }
    for (uint64_t i = 0; i + 2 <= len; i++) {
        if (is_short_branch(code[i]) &&
            leads_to_entry(job,
                           at + i + 2 + (uint64_t)(int64_t)(int8_t)code[i + 1]))
            return true;
        if (is_own && is_indirect_jump(code[i], code[i + 1]))
            return true;
    }
    return false;
}

/* ---- decoded ----------------------------------------------------------------
 */

static bool inside_displaced(const struct patch_job *job, uint64_t target)
{
    return target > job->patch_vaddr && target < job->displaced_end;
}

static enum plan_verdict
check_target(struct scan *s, const struct plan_insn *insn, uint64_t target)
{
    struct patch_job *job = s->job;
    if (inside_displaced(job, target))
        return PLAN_BRANCH_INTO;
    if (plan_insn_is_call(insn))
        return PLAN_OK;
    if (target == job->patch_vaddr && target != job->vaddr)
        return PLAN_LOOP_TO_ENTRY;
    if (target == job->vaddr)
        return s->is_own ? PLAN_LOOP_TO_ENTRY : PLAN_OK; /* a tail call */
    return PLAN_OK;
}

static void note_table(struct scan *s, uint64_t address)
{
    uint64_t *tables = s->job->scratch->tables;
    for (int i = 0; i < s->tables; i++)
        if (tables[i] == address)
            return;
    if (s->tables < PATCH_TABLES_MAX)
        tables[s->tables++] = address;
}

/* Remember what may be the address of a jump table, and jumps through one. */
static void note_indirect(struct scan *s, const struct plan_insn *insn)
{
    const ZydisDecodedOperand *op = insn->op;
    for (int i = 0; i < insn->in.operand_count_visible; i++) {
        if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        if (op[i].mem.base == ZYDIS_REGISTER_RIP)
            note_table(s, insn->next + (uint64_t)op[i].mem.disp.value);
        else if (op[i].mem.base == ZYDIS_REGISTER_NONE &&
                 op[i].mem.segment == ZYDIS_REGISTER_DS)
            note_table(s, (uint64_t)op[i].mem.disp.value);
    }
    if (insn->in.mnemonic == ZYDIS_MNEMONIC_JMP &&
        op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        !(op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
          op[0].mem.base == ZYDIS_REGISTER_RIP))
        s->has_indirect = true;
}

static enum plan_verdict scan_code(struct scan *s, uint64_t at, uint64_t end)
{
    struct plan_insn insn;
    uint64_t target;
    while (at < end) {
        if (!plan_decode(&s->job->reader, at, &insn))
            return s->is_own ? PLAN_UNDECODABLE : PLAN_OK;
        if (plan_insn_target(&insn, &target)) {
            enum plan_verdict verdict = check_target(s, &insn, target);
            if (verdict != PLAN_OK)
                return verdict;
        } else {
            note_indirect(s, &insn);
        }
        at = insn.next;
    }
    return PLAN_OK;
}

/* Entries are addresses (8 bytes) or distances from the table (4 bytes); a
 * table ends where an entry is no code. */
static bool table_leads_into(const struct patch_job *job, uint64_t table,
                             bool is_wide)
{
    const struct plan_image *image = job->reader.image;
    for (uint64_t i = 0; i < TABLE_ENTRIES_MAX; i++) {
        uint64_t target;
        int32_t distance;
        if (is_wide) {
            if (!image_read(image, table + i * 8, &target, 8))
                return false;
            target -= image->is_mapped ? image->base : 0;
        } else {
            if (!image_read(image, table + i * 4, &distance, 4))
                return false;
            target = table + (uint64_t)(int64_t)distance;
        }
        if (!image_is_executable(image, target))
            return false;
        if (inside_displaced(job, target))
            return true;
    }
    return false;
}

static int relative_into(void *context, const struct plan_slot *slot)
{
    const struct patch_job *job = context;
    return slot->is_defined_here && inside_displaced(job, slot->definition);
}

static enum plan_verdict check_tables(struct scan *s)
{
    struct patch_job *job = s->job;
    if (!s->has_indirect)
        return PLAN_OK;
    if (s->tables == PATCH_TABLES_MAX)
        return PLAN_BRANCH_INTO; /* more than was kept: cannot be excluded */
    for (int i = 0; i < s->tables; i++)
        if (table_leads_into(job, job->scratch->tables[i], false) ||
            table_leads_into(job, job->scratch->tables[i], true))
            return PLAN_BRANCH_INTO;
    if (plan_image_each_slot(job->reader.image, relative_into, job) != 0)
        return PLAN_BRANCH_INTO;
    return PLAN_OK;
}

/* ---- the function and its parts
 * ------------------------------------------------ */

static enum plan_verdict check_part(struct patch_job *job, uint64_t target)
{
    const struct plan_image *image = job->reader.image;
    struct scan s = {.job = job};
    struct plan_fde part;
    if (plan_fde_find(image, target, &part) < 0 || part.low == job->part)
        return PLAN_OK;
    job->part = part.low;
    uint64_t len = part.high - part.low;
    const uint8_t *code = plan_image_at(image, part.low, len);
    if (code == NULL || !is_suspect(job, code, part.low, len, false))
        return PLAN_OK;
    return scan_code(&s, part.low, part.high);
}

/* Where the distance at code[i] leads, if a branch may stand before it. */
static bool maybe_target(const struct patch_job *job, const uint8_t *code,
                         uint64_t i, uint64_t len, bool is_near,
                         uint64_t *target)
{
    int32_t distance = (int8_t)code[i];
    if (!is_near) {
        *target = job->vaddr + i + 1 + (uint64_t)(int64_t)distance;
        return is_short_branch(code[i - 1]);
    }
    if (len - i < sizeof distance)
        return false;
    memcpy(&distance, code + i, sizeof distance);
    *target = job->vaddr + i + 4 + (uint64_t)(int64_t)distance;
    return code[i - 1] == 0xe9 ||
           (i > 1 && code[i - 2] == 0x0f && (code[i - 1] & 0xf0) == 0x80);
}

/* Whatever may be a branch to elsewhere leads to a part. */
static enum plan_verdict check_parts(struct patch_job *job, const uint8_t *code,
                                     uint64_t len)
{
    enum plan_verdict verdict = PLAN_OK;
    uint64_t target;
    for (uint64_t i = 1; i < len && verdict == PLAN_OK; i++)
        for (int near = 0; near < 2 && verdict == PLAN_OK; near++)
            if (maybe_target(job, code, i, len, near, &target) &&
                (target < job->vaddr || target >= job->end) &&
                image_is_executable(job->reader.image, target))
                verdict = check_part(job, target);
    return verdict;
}

enum plan_verdict patch_check_branches(struct patch_job *job)
{
    struct scan s = {.job = job, .is_own = true};
    uint64_t len = job->end - job->vaddr;
    const uint8_t *code = plan_image_at(job->reader.image, job->vaddr, len);
    if (code == NULL)
        return PLAN_UNDECODABLE;
    if (is_suspect(job, code, job->vaddr, len, true)) {
        enum plan_verdict verdict = scan_code(&s, job->vaddr, job->end);
        if (verdict == PLAN_OK)
            verdict = check_tables(&s);
        if (verdict != PLAN_OK)
            return verdict;
    }
    return check_parts(job, code, len);
}
