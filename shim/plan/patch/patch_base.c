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

/* Reading goes round by round until nothing new arrives anywhere. */
enum {
    JOINS_MAX = 64,
    ROUNDS_MAX = 16,
};

struct walk {
    const struct patch_job *job;
    struct patch_region region;
    struct {
        uint64_t at;
        uint32_t mask;
    } joins[JOINS_MAX]; /* what arrives at targets of branches */
    uint32_t join_count;
    uint32_t loose; /* went with a jump to nobody knows where: read straight on,
                       whatever ends a path */
    bool is_back;   /* something new arrived above where it was read */
    bool is_flat;   /* too many branches: all of it is loose */
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

static void join(struct walk *walk, uint64_t target, uint64_t from,
                 uint32_t mask)
{
    uint32_t i = 0;
    while (i < walk->join_count && walk->joins[i].at != target)
        i++;
    if (i == JOINS_MAX) {
        walk->is_flat = true;
        return;
    }
    if (i == walk->join_count) {
        walk->joins[i].at = target;
        walk->joins[i].mask = 0;
        walk->join_count++;
    }
    walk->is_back |= target <= from && (mask & ~walk->joins[i].mask) != 0;
    walk->joins[i].mask |= mask;
}

static uint32_t joined(const struct walk *walk, uint64_t at)
{
    for (uint32_t i = 0; i < walk->join_count; i++)
        if (walk->joins[i].at == at)
            return walk->joins[i].mask;
    return 0;
}

static bool is_joined_behind(const struct walk *walk, uint64_t at)
{
    for (uint32_t i = 0; i < walk->join_count; i++)
        if (walk->joins[i].at >= at)
            return true;
    return false;
}

/* Not to what was just put there: push, mov to (%rsp). */
static bool is_plain_return(const struct walk *walk,
                            const struct plan_insn *insn)
{
    const uint8_t *before =
        plan_image_at(walk->job->reader.image, insn->at - 1, 1);
    return insn->in.meta.category == ZYDIS_CATEGORY_RET && before != NULL &&
           *before != 0x24 && (*before & 0xf8) != 0x50;
}

/* Hands on what holds the address to where this instruction branches. Returns
 * what still does in the next one. */
static uint32_t branch(struct walk *walk, const struct plan_insn *insn,
                       uint32_t mask)
{
    uint64_t target;
    bool is_direct = plan_insn_target(insn, &target), is_known = is_direct;
    if (mask == 0 || plan_insn_is_call(insn))
        return mask;
    if (!is_direct)
        is_known = is_plain_return(walk, insn);
    else if (target >= walk->region.low && target < walk->region.high)
        join(walk, target, insn->at, mask);
    else
        is_known = patch_is_function(walk->job->reader.image, target);
    if (insn->in.mnemonic != ZYDIS_MNEMONIC_JMP &&
        insn->in.meta.category != ZYDIS_CATEGORY_RET)
        return mask;
    walk->loose |= is_known ? 0 : mask;
    return 0;
}

/* Of one instruction; true: something is added to the address. */
static bool step(struct walk *walk, const struct plan_insn *insn,
                 uint64_t place, uint32_t *mask)
{
    const struct plan_reader *reader = &walk->job->reader;
    bool is_base = false;
    *mask |= joined(walk, insn->at);
    walk->loose |= walk->is_flat ? *mask : 0;
    if (!plan_insn_is_nop(insn))
        is_base = (added(reader, insn) & (*mask | walk->loose)) != 0;
    walk->loose = follow(reader, insn, walk->loose);
    *mask = branch(walk, insn, follow(reader, insn, *mask));
    if (insn->at < place && insn->next > place)
        *mask |= begin(reader, insn, &is_base);
    return is_base;
}

/* One pass over the code; true also of code that cannot be read. */
static bool adds_in_pass(struct walk *walk, uint64_t place)
{
    struct plan_insn insn;
    uint32_t mask = 0;
    bool is_base = false;
    walk->is_back = false;
    walk->loose = 0;
    for (uint64_t at = walk->region.low; at < walk->region.high && !is_base;
         at = insn.next) {
        if (at > place && mask == 0 && walk->loose == 0 &&
            !is_joined_behind(walk, at))
            break;
        if (!plan_decode(&walk->job->reader, at, &insn))
            return true;
        is_base = step(walk, &insn, place, &mask);
    }
    return is_base;
}

bool patch_is_base(const struct patch_job *job, uint64_t place)
{
    struct walk walk = {.job = job};
    if (!patch_region_of(job->reader.image, place - 1, &walk.region))
        return true;
    for (uint32_t i = 0; i < ROUNDS_MAX; i++) {
        if (adds_in_pass(&walk, place))
            return true;
        if (walk.is_flat)
            break;
        if (!walk.is_back)
            return false;
    }
    walk.is_flat = true;
    return adds_in_pass(&walk, place);
}
