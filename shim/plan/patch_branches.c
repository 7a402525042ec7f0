/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does any branch lead into the bytes that a patch would displace? The whole
 * function is decoded, and the other parts that it jumps to (its .cold part,
 * under whatever name). Where it jumps through a register, each table whose
 * address it takes is read as well.
 */
#include "shim/plan/patch_internal.h"
#include "shim/plan/image_internal.h"
#include "shim/plan/unwind.h"

enum {
    TABLE_ENTRIES_MAX = 4096
};

struct scan {
    struct patch_job *job;
    int tables, outside;
    bool has_indirect, is_own;
};

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
    bool leaves = target < job->vaddr || target >= job->end;
    if (s->is_own && leaves && s->outside < PATCH_OUTSIDE_MAX)
        job->scratch->outside[s->outside++] = target;
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

enum plan_verdict patch_check_branches(struct patch_job *job)
{
    struct scan s = {.job = job, .is_own = true};
    struct plan_fde part;
    uint64_t seen = 0;
    enum plan_verdict verdict = scan_code(&s, job->vaddr, job->end);
    if (verdict == PLAN_OK)
        verdict = check_tables(&s);
    s.is_own = false;
    for (int i = 0; i < s.outside && verdict == PLAN_OK; i++) {
        uint64_t target = job->scratch->outside[i];
        if (plan_fde_find(job->reader.image, target, &part) < 0 ||
            part.low == seen)
            continue;
        seen = part.low;
        verdict = scan_code(&s, part.low, part.high);
    }
    return verdict;
}
