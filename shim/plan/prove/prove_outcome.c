/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proof has come to so far: the first doubt stands, a failure ends it;
 * and which functions are to be proved with this one.
 */
#include "shim/plan/prove/prove_internal.h"

void prove_doubt(struct prover *p, enum plan_stack verdict, const char *text,
                 uint64_t pc)
{
    if (p->verdict != PLAN_STACK_LOCAL)
        return;
    p->verdict = verdict;
    p->text = text;
    p->text_vaddr = pc;
}

void prove_fail(struct prover *p, enum plan_stack verdict, const char *text,
                uint64_t pc)
{
    if (p->is_decided)
        return;
    p->verdict = PLAN_STACK_LOCAL;
    prove_doubt(p, verdict, text, pc);
    p->is_decided = true;
}

void prove_add_target(struct prover *p, const struct plan_image *image,
                      uint64_t vaddr, uint64_t pc)
{
    for (int i = 0; i < p->target_count; i++)
        if (p->targets[i].image == image && p->targets[i].vaddr == vaddr)
            return;
    if (p->target_count == PROVE_TARGETS) {
        prove_doubt(p, PLAN_STACK_TAIL, "tail-jumps to too many functions", pc);
        return;
    }
    p->targets[p->target_count++] =
        (struct prove_target){.image = image, .vaddr = vaddr};
}
