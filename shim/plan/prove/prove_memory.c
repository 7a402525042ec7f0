/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instruction does to memory, and with addresses in the caller's
 * reach: the accesses that the proof is about.
 */
#include "shim/plan/prove/prove_internal.h"

static bool is_push_like(ZydisMnemonic m)
{
    switch (m) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_POPFQ:
        return true;
    default:
        return false;
    }
}

static struct value register_value(struct step *t, ZydisRegister reg)
{
    int gpr = plan_gpr_of(&t->p->reader, reg);
    return gpr >= 0 ? t->s->reg[gpr] : value_const(0);
}

/* base + index * scale + displacement. *table gets the constant part of
 * constant + unknown index, 0 if it is something else. */
static struct value effective_address(struct step *t,
                                      const ZydisDecodedOperand *op,
                                      uint64_t *table)
{
    struct value base, index;
    struct value disp = value_const((uint64_t)op->mem.disp.value);
    *table = 0;
    if (op->mem.base == ZYDIS_REGISTER_RIP)
        return value_const(disp.constant + t->insn.next);
    base = register_value(t, op->mem.base);
    index = register_value(t, op->mem.index);
    if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
        index = value_other();
    if (index.kind == VALUE_CONST)
        index.constant *= op->mem.scale ? op->mem.scale : 1;
    else if (index.kind == VALUE_STACK && op->mem.scale > 1 &&
             RULE(SCALED_POINTER))
        index.wide |= WIDE;
    /* Without an index it is a member of a struct, not a table. */
    if (op->mem.index == ZYDIS_REGISTER_NONE)
        return value_add(value_add(base, index), disp);
    if (base.kind == VALUE_CONST && index.kind == VALUE_OTHER)
        *table = base.constant + disp.constant;
    else if (index.kind == VALUE_CONST && base.kind == VALUE_OTHER)
        *table = index.constant + disp.constant;
    return value_add(value_add(base, index), disp);
}

/* Stack arguments that can be copied: known ones, within reach. */
static bool note_arguments(struct prover *p, const struct value *a,
                           int64_t size)
{
    int64_t end = a->high + size;
    if ((a->low < 0 && RULE(COPY_STRADDLED)) ||
        (end > PROVE_ARGS && RULE(COPY_FAR)))
        return false;
    if (end > p->args_bytes && RULE(COPY_ALL))
        p->args_bytes = (uint32_t)end;
    return true;
}

void prove_access(struct prover *p, const struct value *a, int64_t size,
                  uint64_t pc)
{
    if (a->kind != VALUE_STACK)
        return;
    if (a->wide && (a->symbol == 0 || (a->wide & WIDE_FROM_CFA))) {
        if (RULE(ACCESS_INDEXED))
            prove_doubt(p, PLAN_STACK_INDEXED,
                        "accesses its frame at an unknown index", pc);
        return;
    }
    if (!RULE(ACCESS_SIZE))
        size = 1;
    if (a->symbol == 0 && a->high + size > 0 && RULE(ACCESS_ABOVE) &&
        !note_arguments(p, a, size))
        prove_fail(p, PLAN_STACK_ARGUMENTS, "reads or writes stack arguments",
                   pc);
    else if (a->symbol != 0 && !a->wide && value_bound(p, a) + size > 0 &&
             RULE(ACCESS_ABOVE_BASE))
        prove_fail(p, PLAN_STACK_UNKNOWN, "reaches above an aligned base", pc);
}

static bool is_bit_test(const struct step *t)
{
    switch (t->insn.in.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
        return t->insn.op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
    default:
        return false;
    }
}

/* Bytes that the operand covers; the address grows wide where the count is
 * not known. */
static int64_t access_size(struct step *t, const ZydisDecodedOperand *op,
                           struct value *address)
{
    const uint64_t repeats =
        ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
    const struct value *count = &t->s->reg[GPR_RCX];
    int64_t size = op->size / 8;
    if (size == 0 || t->insn.in.meta.category == ZYDIS_CATEGORY_XSAVE ||
        t->insn.in.meta.category == ZYDIS_CATEGORY_XSAVEOPT) {
        size = size ? size : 1; /* of xsave: what every CPU saves */
        if (address->kind == VALUE_STACK && RULE(ACCESS_UNSIZED))
            address->wide |= WIDE;
    }
    if (t->is_string && (t->insn.in.attributes & repeats) && RULE(REPEATED)) {
        if (count->kind == VALUE_CONST && count->constant < PROVE_FAR / 64)
            size *= (int64_t)count->constant;
        else if (address->kind == VALUE_STACK)
            address->wide |= WIDE;
    }
    if (is_bit_test(t) && address->kind == VALUE_STACK && RULE(BIT_OFFSET))
        address->wide |= WIDE;
    return size;
}

/* Prefetches and the like touch nothing that matters. */
static bool is_hint(const struct step *t)
{
    return t->insn.in.meta.category == ZYDIS_CATEGORY_PREFETCH ||
           t->insn.in.mnemonic == ZYDIS_MNEMONIC_CLFLUSH ||
           t->insn.in.mnemonic == ZYDIS_MNEMONIC_CLFLUSHOPT ||
           t->insn.in.mnemonic == ZYDIS_MNEMONIC_CLWB;
}

/* `lock or $0, (%rsp)`: a barrier, whatever word it is about. */
static bool is_barrier(const struct step *t)
{
    return t->insn.in.mnemonic == ZYDIS_MNEMONIC_OR &&
           (t->insn.in.attributes & ZYDIS_ATTRIB_HAS_LOCK) &&
           t->insn.op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           t->insn.op[1].imm.value.u == 0;
}

/* Who called it (__builtin_return_address), or a frame that it copies. What
 * pushes it makes a frame for unwinders on an aligned stack. */
static bool reads_return_address(const struct step *t,
                                 const ZydisDecodedOperand *op,
                                 const struct value *address, int64_t size)
{
    return size <= 8 && address->kind == VALUE_STACK && address->symbol == 0 &&
           !address->wide && address->low == -8 && address->high == -8 &&
           (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
           t->insn.in.mnemonic != ZYDIS_MNEMONIC_PUSH && !is_barrier(t) &&
           RULE(RETURN_READ);
}

void step_memory(struct step *t)
{
    for (int i = 0; i < t->insn.in.operand_count; i++) {
        const ZydisDecodedOperand *op = &t->insn.op[i];
        uint64_t table;
        if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        bool hidden = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
        if (hidden && is_push_like(t->insn.in.mnemonic))
            continue; /* modelled where rsp is moved */
        struct value address = effective_address(t, op, &table);
        if (!hidden) {
            t->memory = i;
            t->address = address;
            t->table = table;
        }
        if (op->mem.type == ZYDIS_MEMOP_TYPE_AGEN || is_hint(t) ||
            op->mem.segment == ZYDIS_REGISTER_FS ||
            op->mem.segment == ZYDIS_REGISTER_GS)
            continue;
        int64_t size = access_size(t, op, &address);
        if (reads_return_address(t, op, &address, size))
            prove_fail(t->p, PLAN_STACK_CALLER, "reads its return address",
                       t->insn.at);
        prove_access(t->p, &address, size, t->insn.at);
    }
}

/* ---- uses of addresses
 * -------------------------------------------------------- */

/*
 * Above the CFA: only the argument pointer that gcc pushes once when it
 * realigns the stack (and the unwind row then checks that very word).
 */
static bool is_argument_pointer_push(struct step *t)
{
    struct prover *p = t->p;
    if (t->insn.in.mnemonic != ZYDIS_MNEMONIC_PUSH ||
        t->s->reg[GPR_RSP].symbol == 0)
        return false;
    if (RULE(DRAP_ONCE) && p->drap_pc != 0 && p->drap_pc != t->insn.at)
        return false;
    p->drap_pc = t->insn.at;
    return true;
}

static void check_use(struct step *t, const struct value *v)
{
    bool stores = t->memory == 0;
    if (v->high >= 0) {
        if (!is_argument_pointer_push(t) && RULE(USE_ABOVE))
            prove_fail(t->p, PLAN_STACK_ARGUMENTS,
                       "uses the address of a stack argument", t->insn.at);
    } else if (v->high >= -8 && stores &&
               t->insn.in.mnemonic == ZYDIS_MNEMONIC_MOV) {
        if (RULE(RETURN_SLOT))
            prove_fail(t->p, PLAN_STACK_UNKNOWN,
                       "a pointer to its return address escapes", t->insn.at);
    } else if (v->wide && stores && RULE(STORE_INDEXED)) {
        prove_doubt(t->p, PLAN_STACK_INDEXED,
                    "stores an address at an unknown index", t->insn.at);
    }
}

/* The caller's rbp may be saved (pushed, or stored into the own frame); a
 * trampoline with a frame changes what any other use would see. */
static void check_caller_rbp(struct step *t)
{
    const ZydisDecodedOperand *op = t->insn.op;
    ZydisMnemonic m = t->insn.in.mnemonic;
    bool is_save = (m == ZYDIS_MNEMONIC_PUSH && t->dst == GPR_RBP) ||
                   (m == ZYDIS_MNEMONIC_MOV && t->memory == 0 &&
                    t->address.kind == VALUE_STACK && t->src == GPR_RBP &&
                    plan_gpr_of(&t->p->reader, op[0].mem.base) != GPR_RBP);
    bool is_zeroing = (m == ZYDIS_MNEMONIC_XOR || m == ZYDIS_MNEMONIC_SUB) &&
                      t->memory < 0 && t->dst == GPR_RBP &&
                      op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                      op[1].reg.value == op[0].reg.value;
    bool uses = false;
    for (int i = 0; i < t->insn.in.operand_count; i++) {
        const struct plan_reader *r = &t->p->reader;
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            uses |= plan_gpr_of(r, op[i].mem.base) == GPR_RBP ||
                    plan_gpr_of(r, op[i].mem.index) == GPR_RBP;
        else if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                 (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ))
            uses |= plan_gpr_of(r, op[i].reg.value) == GPR_RBP;
    }
    if (is_save) /* what is read after that is no use of the caller's */
        t->s->reg[GPR_RBP] = value_other();
    else if (uses && !is_zeroing && RULE(CALLER_RBP))
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "uses its caller's rbp",
                   t->insn.at);
}

void step_uses(struct step *t)
{
    for (int i = 0; i < t->insn.in.operand_count_visible; i++) {
        const ZydisDecodedOperand *op = &t->insn.op[i];
        if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
            continue;
        int reg = plan_gpr_of(&t->p->reader, op->reg.value);
        if (reg < 0 || t->s->reg[reg].kind != VALUE_STACK ||
            t->s->reg[reg].symbol != 0)
            continue;
        if (reg != GPR_RSP || t->memory == 0)
            check_use(t, &t->s->reg[reg]);
    }
    if (t->s->reg[GPR_RBP].kind == VALUE_CALLER)
        check_caller_rbp(t);
}
