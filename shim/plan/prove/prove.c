/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that a function has no stack arguments, from its machine code and
 * unwind rows; the idea is told in prove_internal.h. A function is proved
 * when its own body is, and the body of every function that it, or one of
 * those, tail-jumps to: they run in its frame and would find its arguments.
 *
 * Runs in the preload's constructor and in tools. No allocation: everything
 * lives in the scratch memory. Bounded: PROVE_STEPS instructions in all.
 */
#include "shim/plan/plan.h"
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/prove/prove_internal.h"

#include <errno.h>

enum {
    RESTARTS_MAX = 6
};

#ifdef PLAN_MUTABLE
int plan_rule_off = -1;
#endif

const char plan_proof_too_long[] = "proof too long";

size_t plan_scratch_bytes(void)
{
    return sizeof(struct prover) > sizeof(struct patch_scratch)
               ? sizeof(struct prover)
               : sizeof(struct patch_scratch);
}

/* ---- one function
 * ----------------------------------------------------------------- */

static void step_prepare(struct step *t)
{
    const struct plan_reader *reader = &t->p->reader;
    const ZydisDecodedOperand *op = t->insn.op;
    t->memory = t->dst = t->src = -1;
    t->table = 0;
    t->address = value_other();
    t->dst64 = false;
    t->is_string = t->insn.in.meta.category == ZYDIS_CATEGORY_STRINGOP;
    if (t->insn.in.operand_count > 0 &&
        op[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        t->dst = plan_gpr_of(reader, op[0].reg.value);
        t->dst64 = t->dst >= 0 && plan_is_gpr64(reader, op[0].reg.value);
    }
    if (t->insn.in.operand_count_visible > 1 &&
        op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        plan_is_gpr64(reader, op[1].reg.value))
        t->src = plan_gpr_of(reader, op[1].reg.value);
}

/* One instruction; where this path goes on, or 0. */
static uint64_t step_once(struct step *t, uint64_t pc)
{
    struct prover *p = t->p;
    uint64_t next;
    if (!plan_decode(&p->reader, pc, &t->insn)) {
        if (RULE(UNDECODABLE))
            prove_fail(p, PLAN_STACK_UNKNOWN, "it cannot be decoded", pc);
        return 0;
    }
    if (plan_insn_is_nop(&t->insn) ||
        t->insn.in.mnemonic == ZYDIS_MNEMONIC_ENDBR64)
        return t->insn.next;
    step_prepare(t);
    step_memory(t);
    step_uses(t);
    if (p->is_decided)
        return 0;
    if (step_flow(t, &next))
        return next;
    step_data(t);
    return t->insn.next;
}

/* Walk from pc until the path ends or meets a block that is known. */
static void walk(struct prover *p, uint64_t pc, struct state *s)
{
    struct step t = {.p = p, .s = s};
    uint64_t part_end = 0;
    p->compared_next = 0;
    for (bool first = true; pc != 0 && !p->is_decided; first = false) {
        if (++p->steps > p->steps_max) {
            prove_fail(p, PLAN_STACK_UNKNOWN, plan_proof_too_long, pc);
            return;
        }
        if (!first && state_is_stored(p, pc)) {
            state_arrive(p, pc, s);
            return;
        }
        if (pc >= part_end) { /* it runs on into what comes behind it */
            const struct fde_rows *rows = rows_of(p, pc);
            if (rows != NULL && !first && rows->fde.low == pc) {
                flow_jump(p, pc, s, pc);
                return;
            }
            part_end = rows != NULL ? rows->fde.high : 0;
        }
        if (!row_agrees(p, pc, s)) {
            prove_fail(p, PLAN_STACK_UNKNOWN,
                       row_at(p, pc)->kind == PLAN_ROW_NONE
                           ? "no unwind row"
                           : "unwind rows contradict the code",
                       pc);
            return;
        }
        pc = step_once(&t, pc);
    }
}

static void start(struct prover *p)
{
    struct state s = {0};
    p->drap_pc = p->compared_next = 0;
    p->restart = false;
    state_reset(p);
    s.reg[GPR_RSP] = value_stack(0, -8, -8, 0);
    s.reg[GPR_RBP].kind = VALUE_CALLER;
    state_arrive(p, p->low, &s);
}

static void prove_body(struct prover *p, uint64_t vaddr)
{
    struct state s;
    uint64_t pc;
    const struct fde_rows *rows = rows_of(p, vaddr);
    if (rows == NULL || rows->fde.low != vaddr) {
        prove_fail(p, PLAN_STACK_UNKNOWN, "no unwind table", vaddr);
        return;
    }
    p->low = vaddr;
    p->high = rows->fde.high;
    p->symbol_count = 1;
    p->vector_has_pointer = false;
    for (int i = 0; i < RESTARTS_MAX; i++) {
        start(p);
        while (!p->is_decided && !p->restart && state_take(p, &pc, &s))
            walk(p, pc, &s);
        if (!p->restart)
            return;
    }
    prove_fail(p, PLAN_STACK_UNKNOWN, "no end in sight", vaddr);
}

/* ---- and what it tail-jumps to
 * ------------------------------------------------------ */

static int prove_target(struct prover *p, const struct plan_decoder *decoder,
                        const struct prove_target *target)
{
    int rc = plan_reader_open(&p->reader, decoder, target->image);
    if (rc < 0)
        return rc;
    p->fde_count = p->row_count = 0;
    if (target->image->is_go)
        prove_fail(p, PLAN_STACK_UNKNOWN, "Go moves its stacks", target->vaddr);
    else
        prove_body(p, target->vaddr);
    return 0;
}

static enum plan_stack prove(const struct plan_decoder *decoder,
                             const struct prove_target *first,
                             const struct plan_resolver *resolver,
                             uint32_t steps_max, struct prover *p)
{
    p->resolver = resolver;
    p->verdict = PLAN_STACK_LOCAL;
    p->text = NULL;
    p->text_vaddr = 0;
    p->is_decided = false;
    p->args_bytes = 0;
    p->steps = 0;
    p->steps_max = steps_max;
    p->targets[0] = *first;
    p->target_count = 1;
    for (int i = 0; i < p->target_count && p->verdict == PLAN_STACK_LOCAL;
         i++) {
        if (prove_target(p, decoder, &p->targets[i]) < 0)
            prove_fail(p, PLAN_STACK_UNKNOWN, "no decoder", first->vaddr);
        if (i > 0 && p->verdict != PLAN_STACK_LOCAL &&
            p->verdict != PLAN_STACK_CALLER && p->text != plan_proof_too_long)
            p->verdict = PLAN_STACK_TAIL;
    }
    if (p->verdict == PLAN_STACK_LOCAL && p->args_bytes > 0)
        p->verdict = PLAN_STACK_COPIED;
    return p->verdict;
}

static void explain(const struct prover *p, struct plan_reason *reason)
{
    if (reason != NULL)
        *reason = (struct plan_reason){.text = p->text,
                                       .vaddr = p->text_vaddr,
                                       .args_bytes = p->args_bytes};
}

enum plan_stack plan_prove_stack(const struct plan_decoder *decoder,
                                 const struct plan_image *image, uint64_t vaddr,
                                 const struct plan_resolver *resolver,
                                 void *scratch, struct plan_reason *reason)
{
    struct prover *p = scratch;
    const struct prove_target first = {.image = image, .vaddr = vaddr};
    enum plan_stack stack = prove(decoder, &first, resolver, PROVE_STEPS, p);
    explain(p, reason);
    return stack;
}

enum plan_stack plan_prove_within(const struct plan_decoder *decoder,
                                  const struct plan_image *image,
                                  uint64_t vaddr,
                                  const struct plan_resolver *resolver,
                                  void *scratch, uint32_t *steps_left,
                                  struct plan_reason *reason)
{
    struct prover *p = scratch;
    const struct prove_target first = {.image = image, .vaddr = vaddr};
    uint32_t most =
        *steps_left < PLAN_PROOF_STEPS ? *steps_left : PLAN_PROOF_STEPS;
    enum plan_stack stack = prove(decoder, &first, resolver, most, p);
    *steps_left -= p->steps < most ? p->steps : most;
    explain(p, reason);
    return stack;
}

const char *plan_stack_text(enum plan_stack stack)
{
    static const char *const text[] = {
        [PLAN_STACK_LOCAL] = "has no stack arguments (proved)",
        [PLAN_STACK_COPIED] = "has stack arguments that can be copied (proved)",
        [PLAN_STACK_ARGUMENTS] = "has stack arguments",
        [PLAN_STACK_TAIL] = "jumps on to a function that is not proved",
        [PLAN_STACK_INDEXED] = "indexes its frame at an unknown place",
        [PLAN_STACK_UNKNOWN] = "cannot be proved",
        [PLAN_STACK_CALLER] =
            "it asks who called it, and would be told of handspan",
    };
    if ((unsigned)stack > PLAN_STACK_COPIED)
        return "unknown";
    return text[stack];
}
