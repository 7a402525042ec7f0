/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that a function has no stack arguments. Not written yet: it
 * proves nothing, so every function is carried by Z.
 */
#include "shim/plan/plan.h"

size_t plan_scratch_bytes(void)
{
    return 4u << 20;
}

enum plan_stack plan_prove_stack(const struct plan_decoder *decoder,
                                 const struct plan_image *image, uint64_t vaddr,
                                 const struct plan_resolver *resolver,
                                 void *scratch, struct plan_reason *reason)
{
    (void)decoder, (void)image, (void)vaddr, (void)resolver, (void)scratch;
    if (reason != NULL)
        *reason = (struct plan_reason){.text = "not looked at"};
    return PLAN_STACK_UNKNOWN;
}

const char *plan_stack_text(enum plan_stack stack)
{
    static const char *const text[] = {
        [PLAN_STACK_LOCAL] = "has no stack arguments (proved)",
        [PLAN_STACK_ARGUMENTS] = "has stack arguments",
        [PLAN_STACK_TAIL] = "jumps on to a function that is not proved",
        [PLAN_STACK_INDEXED] = "indexes an address in its caller's reach",
        [PLAN_STACK_UNKNOWN] = "cannot be proved",
    };
    if ((unsigned)stack > PLAN_STACK_UNKNOWN)
        return "unknown";
    return text[stack];
}
