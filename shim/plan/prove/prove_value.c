/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the proof: places relative to the CFA, how they add up and what
 * is left of two of them where paths meet. See prove_internal.h.
 */
#include "shim/plan/prove/prove_internal.h"

#include <string.h>

struct value value_other(void)
{
    return (struct value){.kind = VALUE_OTHER};
}

struct value value_const(uint64_t constant)
{
    return (struct value){.kind = VALUE_CONST, .constant = constant};
}

struct value value_stack(unsigned symbol, int32_t low, int32_t high,
                         unsigned wide)
{
    return (struct value){.kind = VALUE_STACK,
                          .wide = (uint8_t)wide,
                          .symbol = (uint16_t)symbol,
                          .low = low,
                          .high = high};
}

bool value_is_exact(const struct value *v, int32_t offset)
{
    return v->kind == VALUE_STACK && v->symbol == 0 && v->wide == 0 &&
           v->low == offset && v->high == offset;
}

bool value_is_place(const struct value *v)
{
    return v->kind == VALUE_STACK && v->wide == 0 && v->low == v->high;
}

int64_t value_bound(const struct prover *p, const struct value *v)
{
    return (int64_t)v->high + (v->symbol != 0 ? p->bound[v->symbol] : 0);
}

static int32_t clamp(int64_t offset)
{
    if (offset > PROVE_FAR)
        return PROVE_FAR;
    return offset < -PROVE_FAR ? -PROVE_FAR : (int32_t)offset;
}

/* The symbol that was made at this place for this reason; its bound only
 * grows. */
unsigned value_symbol(struct prover *p, uint64_t pc, unsigned tag,
                      int64_t bound)
{
    uint64_t origin = pc << 8 | tag;
    for (int i = 1; i < p->symbol_count; i++) {
        if (p->origin[i] != origin)
            continue;
        if (clamp(bound) > p->bound[i]) {
            /* What was let pass with the lower bound is looked at again. */
            p->bound[i] = clamp(bound);
            p->restart = true;
        }
        return (unsigned)i;
    }
    if (p->symbol_count == PROVE_SYMBOLS) {
        prove_fail(p, PLAN_STACK_UNKNOWN, "too many stack bases", pc);
        return 1;
    }
    p->origin[p->symbol_count] = origin;
    p->bound[p->symbol_count] = clamp(bound);
    return (unsigned)p->symbol_count++;
}

static struct value shift(struct value v, uint64_t constant)
{
    int64_t by = (int64_t)constant, low, high;
    if (by > PROVE_FAR || by < -PROVE_FAR) {
        v.wide |= WIDE;
        return v;
    }
    low = v.low + by;
    high = v.high + by;
    if (low < -PROVE_FAR || high > PROVE_FAR)
        v.wide |= WIDE;
    v.low = clamp(low);
    v.high = clamp(high);
    return v;
}

struct value value_add(struct value a, struct value b)
{
    if (a.kind == VALUE_CONST && b.kind == VALUE_CONST)
        return value_const(a.constant + b.constant);
    if (b.kind == VALUE_STACK && a.kind != VALUE_STACK) {
        struct value swap = a;
        a = b;
        b = swap;
    }
    if (a.kind == VALUE_STACK && b.kind == VALUE_CONST)
        return shift(a, b.constant);
    if (a.kind == VALUE_STACK && b.kind == VALUE_STACK) {
        if (b.symbol == 0)
            a = b;
        if (RULE(ADD_TWO))
            a.wide |= WIDE;
        return a;
    }
    if (a.kind == VALUE_STACK) {
        if (RULE(ADD_UNKNOWN))
            a.wide |= WIDE;
        return a;
    }
    if (a.kind == VALUE_CONST && b.kind == VALUE_TABLE_ENTRY) {
        struct value swap = a;
        a = b;
        b = swap;
    }
    if (a.kind == VALUE_TABLE_ENTRY && b.kind == VALUE_CONST &&
        a.constant == b.constant) {
        a.kind = VALUE_TABLE_TARGET;
        return a;
    }
    return value_other();
}

/* Two bases of different kinds: one that is at most as high as either. */
static struct value join_bases(struct prover *p, struct value a, struct value b,
                               uint64_t pc, unsigned tag)
{
    int64_t high_a = value_bound(p, &a), high_b = value_bound(p, &b);
    unsigned wide = a.wide | b.wide;
    if (RULE(JOIN_SYMBOLS) && (a.symbol == 0 || b.symbol == 0))
        wide |= WIDE | WIDE_FROM_CFA;
    return value_stack(
        value_symbol(p, pc, tag, high_a > high_b ? high_a : high_b), 0, 0,
        wide);
}

struct value value_join(struct prover *p, struct value a, struct value b,
                        uint64_t pc, unsigned tag, bool widen)
{
    if (memcmp(&a, &b, sizeof a) == 0)
        return a;
    if (a.kind != VALUE_STACK && b.kind != VALUE_STACK) {
        if (a.kind == VALUE_CALLER)
            return a;
        return b.kind == VALUE_CALLER ? b : value_other();
    }
    if (a.kind != VALUE_STACK)
        return b;
    if (b.kind != VALUE_STACK)
        return a;
    if (a.symbol != b.symbol)
        return join_bases(p, a, b, pc, tag);
    struct value v =
        value_stack(a.symbol, a.low < b.low ? a.low : b.low,
                    a.high > b.high ? a.high : b.high, a.wide | b.wide);
    if (widen && (v.low != a.low || v.high != a.high)) {
        v.low = a.low;
        v.high = a.high;
        if (RULE(JOIN_WIDENS))
            v.wide |= WIDE;
    }
    return v;
}
