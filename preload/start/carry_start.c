/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carrying needs of the start: the age limit out of the environment, and
 * unwind tables, to tell where the frame of a function that pops ends.
 *
 * The tables are read at the first pop of each place in the program, on the
 * path of that call; after that a cache knows it.
 */
#include "preload/bind/bind.h"
#include "preload/call/carry/carry.h"
#include "preload/call/carry/carry_table.h"
#include "preload/own/own.h"
#include "shim/plan/image/unwind.h"
#include "lane/format/assert.h"

enum {
    ROWS = 256,
    PLACES = 1024,
    FRAME_MAX = 1 << 20,
    RSP = 4, /* encoding order */
    RBP = 5,
    NOT_KNOWN = 255,
};

/* CFA = register + offset behind the call that returns to `place`. */
struct frame_rule {
    uint64_t place; /* 0: free, or being written */
    int32_t offset;
    uint32_t reg;
    uint64_t function;  /* where the function with this call begins */
    uint64_t low, high; /* its object's text, for who looks at its callers */
};
static struct frame_rule rules[PLACES];

static long find_rule(long place, long out)
{
    lane_assert(place != 0 && out != 0);
    struct plan_row rows[ROWS];
    struct frame_rule *rule = (struct frame_rule *)out;
    struct plan_fde fde;
    struct module *module = modules_find((uint64_t)place - 1);
    rule->reg = NOT_KNOWN;
    if (!module || !module->is_usable)
        return 0;
    uint64_t pc = (uint64_t)place - 1 - module->base;
    if (plan_fde_find(&module->image, pc, &fde) != 0)
        return 0;
    int n = plan_fde_rows(&module->image, &fde, rows, ROWS);
    lane_assert(n <= ROWS);
    for (int i = 0; i < n; i++) {
        if (pc < rows[i].low || pc >= rows[i].high ||
            rows[i].kind != PLAN_ROW_REGISTER)
            continue;
        rule->reg = rows[i].reg;
        rule->offset = rows[i].offset;
    }
    rule->function = module->base + fde.low;
    rule->low = module->low;
    rule->high = module->high;
    return 0;
}

static struct frame_rule get_rule(uint64_t place)
{
    lane_assert(place != 0);
    struct frame_rule *kept = &rules[(place ^ place >> 10) % PLACES];
    struct frame_rule rule;
    /* acquire; pairs with the release below */
    rule.place = __atomic_load_n(&kept->place, __ATOMIC_ACQUIRE);
    rule.offset = __atomic_load_n(&kept->offset, __ATOMIC_RELAXED);
    rule.function = __atomic_load_n(&kept->function, __ATOMIC_RELAXED);
    rule.low = __atomic_load_n(&kept->low, __ATOMIC_RELAXED);
    rule.high = __atomic_load_n(&kept->high, __ATOMIC_RELAXED);
    rule.reg = __atomic_load_n(&kept->reg, __ATOMIC_ACQUIRE);
    if (rule.place == place &&
        __atomic_load_n(&kept->place, __ATOMIC_ACQUIRE) == place)
        return rule;
    uint32_t busy = span_busy++;
    shim_call_slow(find_rule, (long)place, (long)&rule);
    span_busy = busy;
    /* release; pairs with the acquires above */
    __atomic_store_n(&kept->place, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->offset, rule.offset, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->function, rule.function, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->low, rule.low, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->high, rule.high, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->reg, rule.reg, __ATOMIC_RELEASE);
    __atomic_store_n(&kept->place, place, __ATOMIC_RELEASE);
    return rule;
}

/* Was the function called by `call rel32`, as itself and nothing else? Then who
 * stands at its return address was tail-called by it. */
static bool is_direct(const struct frame_rule *rule, uint64_t back)
{
    int32_t distance;
    if (back < rule->low + 5 || back >= rule->high ||
        *(const uint8_t *)(back - 5) != 0xe8)
        return false;
    __builtin_memcpy(&distance, (const void *)(back - 4), sizeof distance);
    return back + (uint64_t)(int64_t)distance == rule->function;
}

static uint64_t find_frame(uint64_t sp)
{
    const uint64_t *slot = (const uint64_t *)sp;
    struct frame_rule rule = get_rule(slot[0]);
    uint64_t from = rule.reg == RSP ? sp + 8 : slot[-1];
    uint64_t frame = from + (uint64_t)(int64_t)rule.offset - 8;
    if ((rule.reg != RSP && rule.reg != RBP) || frame <= sp ||
        frame - sp > FRAME_MAX)
        return 0;
    bool direct = is_direct(&rule, *(const uint64_t *)frame);
    return frame | (direct ? CARRY_FRAME_DIRECT : 0);
}

void carry_start(void)
{
    uint64_t seconds = config_number("HANDSPAN_CARRY_MAX_S", 0, 1, 1u << 30);
    if (seconds != 0)
        carry_age_ns = seconds * UINT64_C(1000000000);
    carry_find_frame = find_frame;
    const char *alone = own_find("__libc_single_threaded");
    carry_table_alone = alone ? alone : carry_table_alone;
}
