/* SPDX-License-Identifier: Apache-2.0 */
/* See way.h. */
#include "bind/way.h"
#include "bind/names.h"
#include "bind/out.h"
#include "bind/reason.h"

const char bind_times_only[] = ": times and errors only";
const char bind_slots_text[] =
    "seen are calls from other objects that are loaded at the start";
const char bind_no_slots_text[] = "no object calls it through its PLT";
const char bind_twice[] = "traced by the declaration in line ";

bool bind_is_reachable(bool has_patch, enum plan_verdict verdict,
                       bool may_use_slots)
{
    return has_patch || (may_use_slots && !bind_is_hopeless(verdict));
}

static bool is_frame(enum plan_stack stack)
{
    return stack == PLAN_STACK_LOCAL || stack == PLAN_STACK_COPIED;
}

void bind_choose_carrier(const struct bind_means *means,
                         const struct plan_image *image, uint64_t vaddr,
                         struct bind_choice *out)
{
    struct plan_reason reason = {NULL, 0, 0};
    enum plan_stack stack = PLAN_STACK_UNKNOWN;
    *out = (struct bind_choice){.carrier = BIND_ZERO_COPY};
    if (means->decoder && means->scratch)
        stack =
            plan_prove_within(means->decoder, image, vaddr, &means->resolver,
                              means->scratch, means->steps_left, &reason);
    out->is_cut = stack == PLAN_STACK_UNKNOWN &&
                  (!reason.text || reason.text == plan_proof_too_long);
    if (is_frame(stack)) {
        out->carrier = BIND_FRAME;
        if (stack == PLAN_STACK_COPIED)
            out->copy_words = (reason.args_bytes + 7) / 8;
        return;
    }
    out->why[0] = stack == PLAN_STACK_CALLER ? plan_stack_text(stack)
                                             : means->collector(means->context);
    out->why[1] = stack == PLAN_STACK_CALLER
                      ? ""
                      : ", and it is not proved to have no stack arguments";
    if (out->why[0])
        out->carrier = BIND_REFUSED;
}

/* ---- texts -------------------------------------------------------------- */

static void put_number(struct out *out, uint64_t n, unsigned base)
{
    char digits[32], *at = digits + sizeof(digits);
    *--at = '\0';
    do {
        *--at = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    out_put(out, at);
}

size_t bind_verdict_text(const struct plan_patch *patch, char *bytes,
                         size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes};
    *bytes = '\0';
    out_put(&out, plan_verdict_text(patch->verdict));
    if (patch->place) {
        out_put(&out, ", from 0x");
        put_number(&out, patch->place, 16);
    }
    return out.len;
}

/* Of a clone maybe not even the result is where it was. */
const char *bind_other_text(const struct manifest_decl *decl,
                            const struct plan_image *image,
                            const char *object_basename, const char *symbol,
                            uint64_t vaddr)
{
    if (bind_is_clone(symbol))
        return "the compiler changed its arguments";
    return bind_reason_other(decl, image, object_basename, symbol, vaddr);
}

size_t bind_values_text(const struct manifest_decl *decl,
                        const struct plan_image *image,
                        const char *object_basename, const char *symbol,
                        uint64_t vaddr, char *bytes, size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes};
    const char *why =
        bind_other_text(decl, image, object_basename, symbol, vaddr);
    *bytes = '\0';
    if (!why && decl->capture_disabled)
        why = "its prototype cannot be used";
    if (!why)
        return 0;
    out_put(&out, why);
    out_put(&out, bind_times_only);
    return out.len;
}

size_t bind_twice_text(uint32_t line, char *bytes, size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes};
    *bytes = '\0';
    out_put(&out, bind_twice);
    put_number(&out, line, 10);
    return out.len;
}
