/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes soon behind an instruction, on the straight line: it decides what
 * a compiler meant by one that moves a stack pointer.
 */
#include "shim/plan/prove/prove_internal.h"

enum {
    LOOK_AHEAD_ALLOCA = 6,
    LOOK_AHEAD_REALIGN = 8
};

static bool writes_rsp(const struct plan_insn *insn, ZydisMnemonic mnemonic)
{
    return insn->in.mnemonic == mnemonic &&
           insn->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           insn->op[0].reg.value == ZYDIS_REGISTER_RSP;
}

/* Looking ahead ends where the straight line does. */
static bool leaves_line(const struct plan_insn *insn)
{
    uint64_t target;
    return plan_insn_ends(insn) || plan_insn_is_call(insn) ||
           plan_insn_target(insn, &target);
}

bool step_realigns_soon(const struct step *t)
{
    struct plan_insn insn;
    uint64_t pc = t->insn.next;
    for (int i = 0; i < LOOK_AHEAD_REALIGN; i++) {
        if (!plan_decode(&t->p->reader, pc, &insn) || leaves_line(&insn))
            return false;
        if (writes_rsp(&insn, ZYDIS_MNEMONIC_AND))
            return true;
        pc = insn.next;
    }
    return false;
}

bool step_becomes_rsp_soon(const struct step *t, int reg)
{
    struct plan_insn insn;
    uint64_t pc = t->insn.next;
    for (int i = 0; i < LOOK_AHEAD_ALLOCA; i++) {
        if (!plan_decode(&t->p->reader, pc, &insn) || leaves_line(&insn))
            return false;
        if (writes_rsp(&insn, ZYDIS_MNEMONIC_MOV) &&
            insn.op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            plan_gpr_of(&t->p->reader, insn.op[1].reg.value) == reg)
            return true;
        pc = insn.next;
    }
    return false;
}
