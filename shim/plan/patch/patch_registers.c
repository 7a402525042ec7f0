/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code with a calling convention of its own (assembly, GHC, OCaml) reads or
 * writes a callee-saved register that it did not save, or reads r11 before it
 * wrote it; compiled C never does. Every path from the entry is followed, with
 * the set of registers that were saved so far; and what it jumps to before it
 * saved any.
 */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"
#include "shim/plan/image/unwind.h"

#include <errno.h>

enum {
    TAILS_MAX = 8,
    SEEN = 0x80,
    SCRATCH_R11 = 0x40, /* nobody's: no argument, and calls do not keep it */
    CALLEE_SAVED = 0x3f,
    ALL_SAVED = CALLEE_SAVED | SCRATCH_R11,
};

static int register_bit(int gpr)
{
    switch (gpr) {
    case GPR_RBX:
        return 1;
    case GPR_RBP:
        return 2;
    case GPR_R12:
        return 4;
    case GPR_R13:
        return 8;
    case GPR_R14:
        return 16;
    case GPR_R15:
        return 32;
    case GPR_R11:
        return SCRATCH_R11;
    default:
        return 0;
    }
}

/* push reg, or a store of it into the own frame: that is saving, not use. */
static bool is_save(const struct plan_reader *reader,
                    const struct plan_insn *insn)
{
    const ZydisDecodedOperand *op = insn->op;
    if (insn->in.mnemonic == ZYDIS_MNEMONIC_PUSH)
        return op[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
    if (insn->in.mnemonic != ZYDIS_MNEMONIC_MOV ||
        op[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
        op[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        op[0].mem.index != ZYDIS_REGISTER_NONE)
        return false;
    int base = plan_gpr_of(reader, op[0].mem.base);
    return base == GPR_RSP || base == GPR_RBP;
}

/* xor r,r and sub r,r: a constant, whatever r was. */
static bool is_zeroing(const struct plan_insn *insn)
{
    const ZydisDecodedOperand *op = insn->op;
    return (insn->in.mnemonic == ZYDIS_MNEMONIC_XOR ||
            insn->in.mnemonic == ZYDIS_MNEMONIC_SUB) &&
           op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           op[0].reg.value == op[1].reg.value;
}

static int read_bits(const struct plan_reader *reader,
                     const struct plan_insn *insn)
{
    int bits = 0;
    for (int i = 0; i < insn->in.operand_count; i++) {
        const ZydisDecodedOperand *op = &insn->op[i];
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            bits |= register_bit(plan_gpr_of(reader, op->mem.base));
            bits |= register_bit(plan_gpr_of(reader, op->mem.index));
        } else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                   (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)) {
            bits |= register_bit(plan_gpr_of(reader, op->reg.value));
        }
    }
    return bits;
}

static int written_bits(const struct plan_reader *reader,
                        const struct plan_insn *insn)
{
    int bits = 0;
    for (int i = 0; i < insn->in.operand_count; i++) {
        const ZydisDecodedOperand *op = &insn->op[i];
        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            bits |= register_bit(plan_gpr_of(reader, op->reg.value));
    }
    return bits;
}

struct flow {
    struct patch_job *job;
    uint64_t low, high; /* of the function that is looked at */
    int pending;
    /* what it jumps to before it saved anything */
    struct {
        uint64_t pc;
        int saved;
    } tails[TAILS_MAX];
    int tail_count;
};

/* Who only moves arguments and jumps on has the convention of where it goes. */
static void note_tail(struct flow *f, uint64_t target, int saved)
{
    if ((saved & CALLEE_SAVED) != 0 || f->tail_count == TAILS_MAX)
        return;
    for (int i = 0; i < f->tail_count; i++)
        if (f->tails[i].pc == target)
            return;
    f->tails[f->tail_count].pc = target;
    f->tails[f->tail_count++].saved = saved;
}

/* Go on at pc with these registers saved, unless it was seen with no more. */
static bool flow_push(struct flow *f, uint64_t pc, int saved)
{
    struct patch_scratch *scratch = f->job->scratch;
    uint64_t offset = pc - f->low;
    if (pc < f->low || pc >= f->high || offset >= FLOW_BYTES_MAX ||
        f->pending == FLOW_PENDING_MAX)
        return false;
    int old = scratch->seen[offset];
    if ((old & SEEN) && (old & saved) == (old & ALL_SAVED))
        return false;
    if (old & SEEN)
        saved &= old;
    scratch->seen[offset] = (uint8_t)(saved | SEEN);
    scratch->pending[f->pending].pc = pc;
    scratch->pending[f->pending++].saved = (uint8_t)saved;
    return true;
}

/* One instruction: false if it uses a register that is the caller's. */
static bool flow_step(struct flow *f, uint64_t pc, int saved)
{
    const struct plan_reader *reader = &f->job->reader;
    struct plan_insn insn;
    uint64_t target;
    if (!plan_decode(reader, pc, &insn))
        return true;
    int reads = read_bits(reader, &insn);
    int written = written_bits(reader, &insn);
    if (is_zeroing(&insn)) {
        reads = 0;
    } else if (is_save(reader, &insn)) {
        int kept = register_bit(plan_gpr_of(
            reader, insn.op[insn.in.mnemonic == ZYDIS_MNEMONIC_PUSH ? 0 : 1]
                        .reg.value));
        reads &= ~kept;
        saved |= kept;
    }
    if (!plan_insn_is_nop(&insn) && (reads & ~saved) != 0)
        return false;
    if ((written & CALLEE_SAVED & ~saved) != 0 && !f->job->is_excluded)
        return false; /* setcontext is excluded for what it is, not for this */
    saved |= written;
    if (!plan_insn_is_call(&insn) && plan_insn_target(&insn, &target)) {
        flow_push(f, target, saved);
        if (target < f->low || target >= f->high)
            note_tail(f, target, saved);
    }
    /* Behind a call the path may be dead: the callee may not return. */
    if (!plan_insn_ends(&insn) && !plan_insn_is_call(&insn))
        flow_push(f, insn.next, saved);
    return true;
}

/* The unwind table knows this address as the start of a function, with its
 * caller's frame right above: anything else is no ordinary entry. */
static enum plan_verdict check_entry(struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    struct plan_fde fde;
    struct plan_row first;
    if (plan_fde_find(image, job->vaddr, &fde) < 0) /* compiled without? */
        return plan_image_has_unwind(image) && !job->is_known ? PLAN_NO_UNWIND
                                                              : PLAN_OK;
    int count = plan_fde_rows(image, &fde, &first, 1);
    if (fde.low != job->vaddr || (count < 1 && count != -E2BIG))
        return PLAN_ASSEMBLY;
    return first.kind == PLAN_ROW_REGISTER && first.reg == GPR_RSP &&
                   first.offset == 8
               ? PLAN_OK
               : PLAN_ASSEMBLY;
}

/* All that is reached from `low`, up to `high`. */
static bool flow_from(struct flow *f, uint64_t low, uint64_t high, int saved)
{
    struct patch_scratch *scratch = f->job->scratch;
    uint64_t len = high - low;
    f->low = low;
    f->high = high;
    memset(scratch->seen, 0, len < FLOW_BYTES_MAX ? len : FLOW_BYTES_MAX);
    flow_push(f, low, saved);
    while (f->pending > 0) {
        f->pending--;
        if (!flow_step(f, scratch->pending[f->pending].pc,
                       scratch->pending[f->pending].saved))
            return false;
    }
    return true;
}

enum plan_verdict patch_check_registers(struct patch_job *job)
{
    struct flow f = {.job = job};
    enum plan_verdict verdict = check_entry(job);
    if (verdict != PLAN_OK)
        return verdict;
    if (!flow_from(&f, job->vaddr, job->end, 0))
        return PLAN_ASSEMBLY;
    for (int i = 0; i < f.tail_count && !job->is_excluded; i++) {
        struct patch_region region;
        uint64_t pc = f.tails[i].pc;
        if (patch_region_of(job->reader.image, pc, &region) &&
            !flow_from(&f, pc, region.high, f.tails[i].saved))
            return PLAN_ASSEMBLY;
    }
    return PLAN_OK;
}
