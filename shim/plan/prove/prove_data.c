/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data flow of the proof: what an instruction leaves in registers and spilled
 * words. Instructions with a rule of their own are those that compilers use
 * on stack pointers; all others turn a pointer into "a pointer somewhere".
 */
#include "shim/plan/prove/prove_internal.h"

#include <string.h>

/* ---- registers
 * ------------------------------------------------------------------ */

static struct value alloca_base(struct step *t, const struct value *from)
{
    return value_stack(
        value_symbol(t->p, t->insn.at, SYMBOL_ALLOCA, value_bound(t->p, from)),
        0, 0, 0);
}

static void set_rsp(struct step *t, struct value v)
{
    struct prover *p = t->p;
    if (v.kind != VALUE_STACK) {
        if (RULE(RSP_UNKNOWN))
            prove_fail(p, PLAN_STACK_UNKNOWN, "rsp comes from elsewhere",
                       t->insn.at);
        return;
    }
    if (v.wide) {
        const struct plan_row *row = row_at(p, t->insn.next);
        if (v.symbol == 0 && row->kind == PLAN_ROW_REGISTER &&
            row->reg == GPR_RSP && RULE(RSP_UNKNOWN)) {
            prove_fail(p, PLAN_STACK_UNKNOWN, "rsp moves by an unknown amount",
                       t->insn.at);
            return;
        }
        v = alloca_base(t, &v);
    }
    if (v.symbol == 0 && v.high > -8 && RULE(RSP_UNKNOWN))
        prove_fail(p, PLAN_STACK_UNKNOWN, "rsp rises above its return address",
                   t->insn.at);
    t->s->reg[GPR_RSP] = v;
}

void step_set_register(struct step *t, int reg, struct value v, bool is_lea)
{
    if (reg == GPR_RSP) {
        set_rsp(t, v);
        return;
    }
    if (is_lea && v.kind == VALUE_STACK && v.symbol == 0 && v.high >= 0 &&
        !(value_is_exact(&v, 0) && step_realigns_soon(t)) && RULE(LEA_ABOVE))
        prove_fail(t->p, PLAN_STACK_ARGUMENTS,
                   "takes the address of a stack argument", t->insn.at);
    t->s->reg[reg] = v;
}

/* What is left in a register of which only a part was written. */
static void set_part(struct step *t, int reg)
{
    struct value *v = &t->s->reg[reg];
    if (t->insn.op[0].size < 32 && v->kind == VALUE_STACK &&
        RULE(PARTIAL_WRITE))
        v->wide |= WIDE;
    else if (reg == GPR_RSP)
        set_rsp(t, value_other());
    else
        *v = value_other();
}

/* Operand 1 as a value: immediate, 64-bit register or spilled word. */
static struct value source_value(struct step *t)
{
    const ZydisDecodedOperand *op = &t->insn.op[1];
    if (t->insn.in.operand_count_visible < 2)
        return value_other();
    if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return value_const(op->imm.value.u);
    if (t->src >= 0)
        return t->s->reg[t->src];
    if (t->memory == 1 && op->size == 64 && RULE(SPILL_OPERAND))
        return state_load(t->s, &t->address);
    return value_other();
}

/* ---- the stack's own instructions
 * -------------------------------------------------- */

static void move_rsp(struct step *t, int by)
{
    struct value *rsp = &t->s->reg[GPR_RSP];
    rsp->low += by;
    rsp->high += by;
    if (rsp->symbol == 0 && rsp->high > -8 && RULE(RSP_UNKNOWN))
        prove_fail(t->p, PLAN_STACK_UNKNOWN,
                   "rsp rises above its return address", t->insn.at);
}

static void data_push(struct step *t)
{
    struct value v = value_other();
    if (t->insn.in.mnemonic == ZYDIS_MNEMONIC_PUSH && t->dst >= 0)
        v = t->s->reg[t->dst];
    else if (t->memory == 0)
        v = state_load(t->s, &t->address);
    if (t->memory == 0 && v.kind == VALUE_STACK && v.symbol == 0 &&
        v.high >= 0 && RULE(SPILL_ABOVE))
        prove_fail(t->p, PLAN_STACK_ARGUMENTS,
                   "stores the address of a stack argument", t->insn.at);
    if (t->insn.in.operand_width != 64 && t->insn.in.stack_width != 64) {
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "an unusual push", t->insn.at);
        return;
    }
    move_rsp(t, t->insn.in.operand_width == 16 ? -2 : -8);
    state_store(t->p, t->s, &t->s->reg[GPR_RSP], v, t->insn.at);
}

static void data_pop(struct step *t)
{
    struct value v = state_load(t->s, &t->s->reg[GPR_RSP]);
    prove_access(t->p, &t->s->reg[GPR_RSP], 8, t->insn.at);
    if (t->memory == 0 &&
        (v.kind == VALUE_STACK ||
         plan_gpr_of(&t->p->reader, t->insn.op[0].mem.base) == GPR_RSP)) {
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "an unusual pop", t->insn.at);
        return;
    }
    move_rsp(t, t->insn.in.operand_width == 16 ? 2 : 8);
    if (t->insn.in.mnemonic == ZYDIS_MNEMONIC_POP && t->dst >= 0)
        step_set_register(t, t->dst, t->dst64 ? v : value_other(), false);
}

static void data_leave(struct step *t)
{
    struct value *rbp = &t->s->reg[GPR_RBP];
    if (rbp->kind != VALUE_STACK || rbp->wide) {
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "rsp comes from elsewhere",
                   t->insn.at);
        return;
    }
    t->s->reg[GPR_RSP] = *rbp;
    *rbp = state_load(t->s, &t->s->reg[GPR_RSP]);
    move_rsp(t, 8);
}

/* ---- moves
 * -----------------------------------------------------------------------------
 */

static struct value loaded_value(struct step *t)
{
    struct value v = value_other();
    unsigned size = t->insn.op[1].size;
    if (t->table != 0 && size == 32) {
        v.kind = VALUE_TABLE_ENTRY;
        v.constant = t->table;
    } else if (t->table != 0 && t->dst64) {
        v.kind = VALUE_TABLE_WIDE;
        v.constant = t->table;
    } else if (t->dst64 && size == 64) {
        v = state_load(t->s, &t->address);
    }
    return v;
}

static void data_move(struct step *t)
{
    const ZydisDecodedOperand *op = t->insn.op;
    if (t->memory == 0) {
        if (op[0].size == 64)
            state_store(t->p, t->s, &t->address, source_value(t), t->insn.at);
        return;
    }
    if (t->dst < 0)
        return;
    if (op[0].size < 32) {
        set_part(t, t->dst);
        return;
    }
    struct value v = value_other();
    int from = op[1].type == ZYDIS_OPERAND_TYPE_REGISTER
                   ? plan_gpr_of(&t->p->reader, op[1].reg.value)
                   : -1;
    if (t->memory == 1)
        v = loaded_value(t);
    else if (op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        v = value_const(t->dst64 ? op[1].imm.value.u
                                 : op[1].imm.value.u & 0xffffffff);
    else if (t->dst64 && t->insn.in.mnemonic == ZYDIS_MNEMONIC_MOV)
        v = source_value(t);
    else if (from >= 0 && t->insn.in.mnemonic == ZYDIS_MNEMONIC_MOVSXD &&
             t->s->reg[from].kind == VALUE_TABLE_ENTRY)
        v = t->s->reg[from];
    step_set_register(t, t->dst, v, false);
}

/* ---- arithmetic
 * ---------------------------------------------------------------------------
 */

static struct value subtract(struct step *t, struct value source)
{
    struct value *to = &t->s->reg[t->dst];
    const struct value *rsp = &t->s->reg[GPR_RSP];
    if (to->kind == VALUE_STACK && source.kind == VALUE_STACK)
        return value_other(); /* a distance */
    if (source.kind == VALUE_CONST)
        return value_add(*to, value_const(-source.constant));
    if (to->kind == VALUE_STACK &&
        (t->dst == GPR_RSP || (memcmp(to, rsp, sizeof *to) == 0 &&
                               step_becomes_rsp_soon(t, t->dst))))
        return alloca_base(t, to);
    return value_add(*to, source);
}

static void data_arithmetic(struct step *t)
{
    struct value source = source_value(t), v;
    if (t->memory == 0) {
        state_store(t->p, t->s, &t->address, value_other(), t->insn.at);
        return;
    }
    if (t->dst < 0)
        return;
    if (!t->dst64) {
        set_part(t, t->dst);
        return;
    }
    switch (t->insn.in.mnemonic) {
    case ZYDIS_MNEMONIC_INC:
        v = value_add(t->s->reg[t->dst], value_const(1));
        break;
    case ZYDIS_MNEMONIC_DEC:
        v = value_add(t->s->reg[t->dst], value_const(UINT64_MAX));
        break;
    case ZYDIS_MNEMONIC_SUB:
        v = subtract(t, source);
        break;
    default:
        v = value_add(t->s->reg[t->dst], source);
        break;
    }
    step_set_register(t, t->dst, v, true);
}

/* and $-2^n: rsp is realigned, another pointer falls by less than 2^n. */
static bool data_align(struct step *t)
{
    const ZydisDecodedOperand *op = &t->insn.op[1];
    if (!t->dst64 || op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return false;
    int64_t mask = op->imm.value.s;
    struct value *v = &t->s->reg[t->dst];
    if (mask >= 0 || v->kind != VALUE_STACK)
        return false;
    if (t->dst == GPR_RSP) {
        *v = alloca_base(t, v);
        return true;
    }
    if (mask < -4096 || (-mask & (-mask - 1)) != 0)
        return false;
    v->low -= (int32_t)(-mask - 1);
    return true;
}

/* ---- all others
 * ------------------------------------------------------------------------------
 */

static bool is_vector(const struct step *t, ZydisRegister reg)
{
    int class_of = t->p->reader.decoder->register_class((int)reg);
    return class_of == ZYDIS_REGCLASS_XMM || class_of == ZYDIS_REGCLASS_YMM ||
           class_of == ZYDIS_REGCLASS_ZMM || class_of == ZYDIS_REGCLASS_MMX ||
           class_of == ZYDIS_REGCLASS_MASK;
}

/* A stack pointer among what the instruction reads: *mix. */
static bool reads_pointer(struct step *t, struct value *mix, bool *reads_vector)
{
    bool any = false;
    *reads_vector = false;
    for (int i = 0; i < t->insn.in.operand_count; i++) {
        const ZydisDecodedOperand *op = &t->insn.op[i];
        struct value v = value_other();
        if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
            continue;
        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            int reg = plan_gpr_of(&t->p->reader, op->reg.value);
            if (reg >= 0 && plan_is_gpr64(&t->p->reader, op->reg.value))
                v = t->s->reg[reg];
            *reads_vector |= is_vector(t, op->reg.value);
        } else if (i == t->memory && op->size == 64 && RULE(SPILL_OPERAND)) {
            v = state_load(t->s, &t->address);
        }
        if (v.kind != VALUE_STACK || (any && mix->symbol == 0))
            continue;
        *mix = v;
        any = true;
    }
    return any;
}

static void write_register(struct step *t, const ZydisDecodedOperand *op,
                           struct value mix, bool any)
{
    int reg = plan_gpr_of(&t->p->reader, op->reg.value);
    if (reg < 0) {
        if (any && is_vector(t, op->reg.value) && mix.symbol == 0 &&
            !t->p->vector_has_pointer && RULE(VECTOR))
            t->p->vector_has_pointer = t->p->restart = true;
        return;
    }
    struct value *v = &t->s->reg[reg];
    if (reg == GPR_RSP) {
        if (RULE(RSP_UNKNOWN))
            prove_fail(t->p, PLAN_STACK_UNKNOWN, "unusual arithmetic on rsp",
                       t->insn.at);
    } else if (t->is_string && v->kind == VALUE_STACK) {
        v->wide |= WIDE;
    } else if (plan_is_gpr64(&t->p->reader, op->reg.value)) {
        *v = mix;
    } else if (op->size < 32 && v->kind == VALUE_STACK) {
        if (RULE(PARTIAL_WRITE))
            v->wide |= WIDE;
    } else {
        *v = value_other();
    }
}

static void data_other(struct step *t)
{
    struct value mix = value_other();
    bool reads_vector;
    bool any = reads_pointer(t, &mix, &reads_vector);
    if (!any && reads_vector && t->p->vector_has_pointer) {
        mix = value_stack(0, -16, -16, 0); /* it may be that pointer */
        any = true;
    }
    if (any && RULE(MIXED))
        mix.wide |= WIDE;
    if (!RULE(MIXED))
        mix = value_other();
    if (t->memory == 0 &&
        (t->insn.op[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        value_is_place(&t->address) && t->insn.op[0].size == 64)
        state_store(t->p, t->s, &t->address, mix, t->insn.at);
    for (int i = 0; i < t->insn.in.operand_count; i++)
        if (t->insn.op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (t->insn.op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            write_register(t, &t->insn.op[i], mix, any);
}

static bool data_exchange(struct step *t)
{
    if (t->memory >= 0 || t->dst < 0 || t->src < 0 || !t->dst64)
        return false;
    if (t->dst == GPR_RSP || t->src == GPR_RSP) {
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "exchanges rsp", t->insn.at);
        return true;
    }
    struct value swap = t->s->reg[t->dst];
    t->s->reg[t->dst] = t->s->reg[t->src];
    t->s->reg[t->src] = swap;
    return true;
}

static bool data_zero(struct step *t)
{
    const ZydisDecodedOperand *op = t->insn.op;
    if (t->dst < 0 || op[0].size < 32 ||
        op[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        op[1].reg.value != op[0].reg.value || t->dst == GPR_RSP)
        return false;
    t->s->reg[t->dst] = value_const(0);
    return true;
}

static void data_cmov(struct step *t)
{
    if (!t->dst64 || t->dst == GPR_RSP) {
        data_other(t);
        return;
    }
    struct value *to = &t->s->reg[t->dst];
    if (RULE(CMOV_JOINS))
        *to = value_join(t->p, *to, source_value(t), t->insn.at, SYMBOL_CMOV,
                         false);
}

/* cmp with rsp: what an equal outcome says is used at the branch behind. */
static void data_compare(struct step *t)
{
    if (t->dst == GPR_RSP || t->src == GPR_RSP) {
        t->p->compared_next = t->insn.next;
        t->p->compared_reg = t->dst == GPR_RSP ? t->src : t->dst;
    }
}

static void data_lea(struct step *t)
{
    if (t->dst64)
        step_set_register(t, t->dst, t->address, true);
    else
        set_part(t, t->dst);
}

void step_data(struct step *t)
{
    struct value *rax = &t->s->reg[GPR_RAX];
    if (t->insn.in.meta.category == ZYDIS_CATEGORY_CMOV) {
        data_cmov(t);
        return;
    }
    switch (t->insn.in.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
        data_push(t);
        return;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPFQ:
        data_pop(t);
        return;
    case ZYDIS_MNEMONIC_SYSCALL:
        if (RULE(SYSCALL_KILLS))
            *rax = value_other();
        t->s->reg[GPR_RCX] = t->s->reg[GPR_R11] = value_other();
        return;
    case ZYDIS_MNEMONIC_CMP:
        data_compare(t);
        return;
    case ZYDIS_MNEMONIC_LEAVE:
        data_leave(t);
        return;
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVSXD:
        data_move(t);
        return;
    case ZYDIS_MNEMONIC_CDQE:
        if (rax->kind != VALUE_TABLE_ENTRY)
            *rax = value_other();
        return;
    case ZYDIS_MNEMONIC_LEA:
        data_lea(t);
        return;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
        data_arithmetic(t);
        return;
    case ZYDIS_MNEMONIC_AND:
        if (!data_align(t))
            data_other(t);
        return;
    case ZYDIS_MNEMONIC_XOR:
        if (!data_zero(t))
            data_other(t);
        return;
    case ZYDIS_MNEMONIC_XCHG:
        if (!data_exchange(t))
            data_other(t);
        return;
    default:
        data_other(t);
    }
}
