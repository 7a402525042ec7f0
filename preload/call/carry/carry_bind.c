/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A declaration's carry, adopt, forget and link to steps that a call has only
 * to take. Runs when a site is bound, never on the path of a call.
 */
#include "preload/call/carry/carry.h"

#include <errno.h>
#include <string.h>

#include "preload/call/record/cpu.h"
#include "lane/format/assert.h"

enum {
    PAIR_ARGS = 4,
};

static void *take(struct manifest_arena *memory, size_t count, size_t size)
{
    size_t at = (memory->used_bytes + 15) & ~(size_t)15;
    size_t bytes = count * size; /* counts are the manifest's, small */
    if (at > memory->cap_bytes || bytes > memory->cap_bytes - at)
        return NULL;
    lane_assert(at >= memory->used_bytes && at + bytes <= memory->cap_bytes);
    memory->used_bytes = at + bytes;
    memset(memory->base + at, 0, bytes);
    return memory->base + at;
}

static struct carry_value value_of(const struct manifest_expr *expr)
{
    struct carry_value value = {.expr = expr, .source = CARRY_EVALUATE};
    uint32_t reg, size;
    bool is_signed;
    if (expr && manifest_expr_is_register(expr, &reg, &size, &is_signed)) {
        value.source = (uint8_t)reg;
        value.unused_bits = (uint8_t)(size && size < 8 ? 64 - 8 * size : 0);
        value.is_signed = is_signed;
    }
    return value;
}

static bool role_of(uint32_t role, uint8_t *out)
{
    switch (role) {
    case MANIFEST_CARRY:
        *out = CARRY_HAND;
        return true;
    case MANIFEST_ADOPT:
        *out = CARRY_ADOPT;
        return true;
    case MANIFEST_FORGET:
        *out = CARRY_FORGET;
        return true;
    case MANIFEST_LINK:
        *out = CARRY_LINK;
        return true;
    default:
        return false;
    }
}

/* A pop is done when it returned; so is a key that the call gives. */
static bool is_at_leave(const struct manifest_flow *flow, bool is_span)
{
    lane_assert(flow->key != NULL);
    if (manifest_expr_needs_return(flow->key) ||
        (flow->many_count && manifest_expr_needs_return(flow->many_count)))
        return true;
    return flow->role == MANIFEST_ADOPT && !is_span;
}

static bool is_span(const struct manifest_decl *decl)
{
    return (decl->roles & (MANIFEST_SPAN | MANIFEST_ROOT)) != 0;
}

static uint32_t fill(const struct manifest_decl *decl, bool at_leave,
                     struct carry_step *steps)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < decl->flow_count; i++) {
        const struct manifest_flow *flow = &decl->flows[i];
        struct carry_step step = {.is_many = flow->is_many,
                                  .element_bytes = flow->element_bytes};
        if (!flow->key || !role_of(flow->role, &step.role) ||
            is_at_leave(flow, is_span(decl)) != at_leave)
            continue;
        step.key = value_of(flow->key);
        step.data = value_of(flow->many_count);
        steps[n++] = step;
    }
    return n;
}

/* Does any declaration say carry(fn, data)? */
static bool has_pairs(void)
{
    static int known; /* 0 not looked, 1 no, 2 yes */
    const struct manifest *manifest = runtime.manifest;
    if (known)
        return known == 2;
    known = 1;
    for (uint32_t i = 0; manifest && i < manifest->decl_count; i++)
        for (uint32_t j = 0; j < manifest->decls[i].flow_count; j++)
            if (manifest->decls[i].flows[j].role == MANIFEST_CARRY &&
                manifest->decls[i].flows[j].many_count)
                known = 2;
    return known == 2;
}

/* Where the data of a carry(fn, data) may be: beyond its parameters a function
 * finds what others left in the registers. */
static uint8_t count_args(const struct manifest_decl *decl)
{
    if (!decl->has_prototype || decl->capture_disabled ||
        decl->param_count > PAIR_ARGS)
        return PAIR_ARGS;
    return (uint8_t)decl->param_count;
}

static bool find_plain(struct carry_plan *plan)
{
    lane_assert(plan->adopt == NULL && plan->hand == NULL);
    bool is_plain = plan->leave_count == 0 && !plan->takes_pairs;
    for (uint32_t i = 0; i < plan->enter_count; i++) {
        const struct carry_step *step = &plan->enter[i];
        const struct carry_step **at =
            step->role == CARRY_ADOPT ? &plan->adopt : &plan->hand;
        is_plain = is_plain && step->key.source != CARRY_EVALUATE &&
                   !step->data.expr && *at == NULL &&
                   (step->role == CARRY_HAND || step->role == CARRY_ADOPT);
        *at = step;
    }
    return is_plain;
}

static bool is_pop(const struct carry_plan *plan)
{
    return plan->enter_count == 0 && plan->leave_count == 1 &&
           !plan->takes_pairs && plan->leave[0].role == CARRY_ADOPT &&
           plan->leave[0].key.source == CARRY_RAX && !plan->leave[0].data.expr;
}

static bool carries_late(const struct carry_plan *plan)
{
    for (uint32_t i = 0; i < plan->leave_count; i++)
        if (plan->leave[i].role == CARRY_HAND)
            return true;
    return false;
}

uint64_t carry_age_ns = UINT64_C(600) * 1000000000;

int carry_bind(const struct manifest_decl *decl, uint64_t function,
               struct manifest_arena *memory, uint32_t *flags,
               const struct carry_plan **plan)
{
    bool takes_pairs = is_span(decl) && has_pairs();
    if (decl->flow_count == 0 && !takes_pairs)
        return 0;
    size_t mark = memory->used_bytes;
    struct carry_plan *made = take(memory, 1, sizeof(*made));
    struct carry_step *steps = take(memory, decl->flow_count, sizeof(*steps));
    if (!made || !steps) {
        memory->used_bytes = mark;
        return -ENOMEM;
    }
    *made = (struct carry_plan){
        .enter = steps, .function = function, .takes_pairs = takes_pairs};
    made->enter_count = fill(decl, false, steps);
    made->leave = steps + made->enter_count;
    made->leave_count = fill(decl, true, steps + made->enter_count);
    lane_assert(made->enter_count + made->leave_count <= decl->flow_count);
    made->pair_args = count_args(decl);
    for (uint32_t i = 0; i < made->enter_count; i++)
        made->adopts |= made->enter[i].role == CARRY_ADOPT;
    for (uint32_t i = 0; i < made->leave_count; i++)
        made->has_adopt |= made->leave[i].role == CARRY_ADOPT;
    if (made->enter_count + made->leave_count == 0 && !takes_pairs)
        return 0;
    made->is_plain = find_plain(made);
    made->is_pop = is_pop(made);
    carry_table_has_late |= carries_late(made);
    int err = carry_table_start(cpu_ticks_of_ns(carry_age_ns));
    if (err)
        return err;
    *flags |= SITE_CARRY;
    *plan = made;
    return 0;
}
