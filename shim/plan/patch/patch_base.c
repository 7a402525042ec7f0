/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function takes the address of its own entry: to pass it on, to compare it,
 * or as that of a label (`goto *(&&a + table[i])` where `a` is the first), to
 * which a distance is added.
 */
#include "shim/plan/patch/patch_internal.h"

enum {
    KEPT_BY_CALLEE = 1 << GPR_RBX | 1 << GPR_RBP | 1 << GPR_R12 | 1 << GPR_R13 |
                     1 << GPR_R14 | 1 << GPR_R15,
};

static uint32_t bit_of(const struct plan_reader *reader, ZydisRegister reg)
{
    int gpr = plan_gpr_of(reader, reg);
    return gpr < 0 ? 0 : UINT32_C(1) << gpr;
}

/* Registers that are added to something, or something to them. */
static uint32_t added(const struct plan_reader *reader,
                      const struct plan_insn *insn)
{
    uint32_t mask = 0;
    bool adds = insn->in.mnemonic == ZYDIS_MNEMONIC_ADD ||
                insn->in.mnemonic == ZYDIS_MNEMONIC_SUB;
    for (int i = 0; i < insn->in.operand_count_visible; i++) {
        const ZydisDecodedOperand *op = &insn->op[i];
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
            mask |=
                bit_of(reader, op->mem.base) | bit_of(reader, op->mem.index);
        else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && adds)
            mask |= bit_of(reader, op->reg.value);
    }
    return mask;
}

/* Those that hold the address behind this instruction. */
static uint32_t follow(const struct plan_reader *reader,
                       const struct plan_insn *insn, uint32_t mask)
{
    const ZydisDecodedOperand *to = &insn->op[0], *from = &insn->op[1];
    if (plan_insn_is_call(insn))
        return mask & KEPT_BY_CALLEE;
    if (insn->in.operand_count_visible == 0 ||
        to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
        !(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
        return mask;
    bool is_copy = insn->in.mnemonic == ZYDIS_MNEMONIC_MOV &&
                   from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                   (bit_of(reader, from->reg.value) & mask);
    uint32_t bit = bit_of(reader, to->reg.value);
    if (is_copy)
        return mask | bit;
    return to->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? mask : mask & ~bit;
}

/* What takes the address: the registers that hold it then. *is_base: it adds
 * it to something at once. */
static uint32_t begin(const struct plan_reader *reader,
                      const struct plan_insn *insn, bool *is_base)
{
    *is_base = added(reader, insn) != 0;
    return insn->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER
               ? bit_of(reader, insn->op[0].reg.value)
               : 0;
}

bool patch_is_base(const struct patch_job *job, uint64_t place)
{
    struct patch_region region;
    struct plan_insn insn;
    uint32_t mask = 0;
    bool is_base = false;
    if (!patch_region_of(job->reader.image, place - 1, &region))
        return true;
    for (uint64_t at = region.low; at < region.high && !is_base;
         at = insn.next) {
        if (!plan_decode(&job->reader, at, &insn))
            return true;
        if (insn.next <= place)
            continue;
        if (insn.at < place) {
            mask = begin(&job->reader, &insn, &is_base);
            continue;
        }
        is_base = (added(&job->reader, &insn) & mask) != 0;
        mask = follow(&job->reader, &insn, mask);
        if (mask == 0)
            break;
    }
    return is_base;
}
