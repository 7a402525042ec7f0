/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures of one call: inputs when it is entered, then rules, outputs and
 * the error when it has returned. Called from the hooks: general registers
 * only, no libc, no fault, errno kept.
 */
#include "preload/call/capture/capture_keep.h"
#include "lane/format/error_frames.h"
#include "preload/call/capture/capture_words.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/record/span_internal.h"
#include "lane/format/assert.h"

static size_t read_memory(void *context, void *dst, uint64_t addr, size_t n)
{
    const struct capture_call *call = context;
    return read_bytes(&call->reader, dst, addr, n);
}

/* `lane` NULL: its stack is not known. */
static void set_call(struct capture_call *c, const struct lane *lane,
                     const struct shim_call *call)
{
    struct manifest_env *env = &c->env;
    reader_start(&c->reader, runtime.pid, lane ? span_thread.stack_low : 0,
                 lane ? span_thread.stack_high : 0);
    env->context = c;
    env->read = read_memory;
    env->ireg = &call->args.rdi; /* rdi rsi rdx rcx r8 r9 in a row */
    env->stack_args = call->sp + 8;
    env->freg = NULL;
    env->ret_freg = NULL;
    env->ret_x87 = NULL;
    env->is_leave = env->is_left = false;
    env->rax = env->rdx = 0;
    env->saved_errno = 0;
    env->exit_status = 0;
}
_Static_assert(offsetof(struct shim_regs, r9) -
                       offsetof(struct shim_regs, rdi) ==
                   40,
               "six argument registers in the order of the psABI");

void capture_call_start(struct capture_call *c, const struct lane *lane,
                        const struct shim_call *call,
                        const struct shim_regs *regs)
{
    lane_assert(call->site < SHIM_SITE_MAX);
    set_call(c, lane, call);
    if (!regs)
        return;
    c->env.is_leave = true;
    c->env.stack_args = 0; /* the callee may have changed them */
    c->env.rax = regs->rax;
    c->env.rdx = regs->rdx;
}

/* Values that are longer, or are to be looked for. */
static uint64_t __attribute__((noinline))
enter_evaluating(const struct site *site, struct lane *lane, uint64_t span,
                 const struct shim_call *call)
{
    const struct capture_list *list = &site->capture->in;
    struct capture_call c;
    uint8_t freg[8][16];
    set_call(&c, lane, call);
    if (list->needs_freg) {
        shim_read_xmm(freg);
        c.env.freg = (const uint8_t(*)[16])freg;
    }
    return capture_write(list, &c, false, LANE_FRAME_INPUT, lane, span,
                         site->index);
}

uint64_t capture_enter(const struct site *site, struct lane *lane,
                       uint64_t span, const struct shim_call *call)
{
    lane_assert(site->capture != NULL && site->index < SHIM_SITE_MAX);
    const struct capture_list *list = &site->capture->in;
    if (list->count == 0)
        return 0;
    if (list->is_direct) {
        uint64_t at =
            capture_write_direct(list, call, 0, lane, LANE_FRAME_INPUT, span);
        if (at != 0)
            return at;
    }
    return enter_evaluating(site, lane, span, call);
}

/* The first `fails` that holds, unless a `benign` does. NULL: no error. */
static const struct capture_rule *judge(const struct capture_plan *plan,
                                        const struct manifest_env *env)
{
    lane_assert(plan->fails_count == 0 || plan->fails != NULL);
    lane_assert(plan->benign_count == 0 || plan->benign != NULL);
    const struct capture_rule *fired = NULL;
    for (uint32_t i = 0; i < plan->fails_count && !fired; i++)
        if (manifest_eval_condition(plan->fails[i].condition, env))
            fired = &plan->fails[i];
    for (uint32_t i = 0; i < plan->benign_count && fired; i++)
        if (manifest_eval_condition(plan->benign[i].condition, env))
            fired = NULL;
    return fired;
}

static bool put_error(const struct site *site, struct lane *lane, uint64_t span,
                      const struct capture_rule *rule,
                      const struct manifest_env *env, int entry_errno,
                      const struct error_event *why)
{
    lane_assert(rule != NULL && site->capture != NULL);
    lane_assert(why == NULL || why->len_bytes <= UINT16_MAX);
    const struct capture_plan *plan = site->capture;
    struct capture_frame frame;
    struct manifest_value code;
    uint32_t payload =
        (uint32_t)sizeof(struct lane_frame_error) + (why ? why->len_bytes : 0);
    if (!capture_frame_open(lane, payload, &frame))
        return false;
    struct lane_frame_error *error =
        (struct lane_frame_error *)(void *)frame.payload;
    error->kind = LANE_ERROR_RULE;
    error->has_code = 0;
    error->rule = rule->item;
    /* errno is shown only if the call changed it, or the rule names it */
    error->saved_errno = env->saved_errno != entry_errno ? env->saved_errno : 0;
    error->code = 0;
    error->return_kind = env->is_left ? 0 : plan->return_kind & 3u;
    error->pad_bits = 0;
    error->return_value =
        error->return_kind
            ? capture_extend(env->rax, plan->return_size_bytes,
                             plan->return_kind == LANE_RETURN_SIGNED)
            : 0;
    error->type_bytes = 0;
    error->message_bytes = why ? (uint16_t)why->len_bytes : 0;
    error->origin = 0;
    if (why)
        read_copy(frame.payload + sizeof(*error), why->text, why->len_bytes);
    if (rule->code && !rule->is_secret &&
        manifest_eval(rule->code, env, &code) == 0) {
        error->has_code = 1;
        error->code = (int64_t)code.bits;
    }
    capture_frame_commit(&frame, payload, LANE_FRAME_ERROR, 0, span,
                         site->index);
    return true;
}

static uint64_t put_outputs(const struct site *site, struct lane *lane,
                            uint64_t span, const struct shim_call *call,
                            const struct capture_call *c, bool failed)
{
    lane_assert(site->capture != NULL);
    const struct capture_list *list = &site->capture->out;
    if (list->count == 0)
        return 0;
    uint64_t at = list->is_direct && !failed
                      ? capture_write_direct(list, call, c->env.rax, lane,
                                             LANE_FRAME_OUTPUT, span)
                      : 0;
    if (at != 0)
        return at;
    return capture_write(list, c, failed, LANE_FRAME_OUTPUT, lane, span,
                         site->index);
}

/* Parameters as they were at entry; without, they are unreadable. */
static void take_kept(struct capture_call *c, const struct capture_kept *kept)
{
    if (!kept)
        return;
    c->env.stack_args = (uint64_t)kept->stack;
    c->env.freg = kept->freg;
}

/* What goes into the record itself. */
static struct capture_verdict value_of(const struct capture_plan *plan,
                                       const struct shim_call *call,
                                       const struct shim_regs *regs)
{
    lane_assert(plan->out.is_value);
    return (struct capture_verdict){
        .has_value = true, .value = capture_value_of(plan, call, regs)};
}

/* Values to be looked for, or rules. */
static struct capture_verdict __attribute__((noinline))
leave_evaluating(const struct site *site, struct lane *lane, uint64_t span,
                 const struct shim_call *call, const struct shim_regs *regs,
                 int saved_errno, int entry_errno, bool in_record)
{
    lane_assert(site->capture != NULL);
    const struct capture_plan *plan = site->capture;
    struct capture_verdict verdict = {0};
    struct capture_call c;
    uint8_t freg[8][16], x87[16];

    capture_call_start(&c, lane, call, regs);
    c.env.saved_errno = saved_errno;
    if (site->flags & SITE_KEEP)
        take_kept(&c, capture_kept_of(call, span));
    if (plan->out.needs_freg || plan->rules_need_freg) {
        /* xmm0 and xmm1 hold the result; the arguments are gone */
        shim_read_xmm(freg);
        c.env.ret_freg = (const uint8_t(*)[16])freg;
    }
    if (plan->out.needs_x87 && shim_read_x87(x87))
        c.env.ret_x87 = x87;
    const struct capture_rule *rule = judge(plan, &c.env);
    verdict.is_error = rule != NULL;
    if (in_record && rule == NULL && plan->out.is_value)
        return value_of(plan, call, regs);
    uint64_t at = put_outputs(site, lane, span, call, &c, rule != NULL);
    verdict.has_output = at != 0 && at != UINT64_MAX;
    verdict.is_lost = at == UINT64_MAX;
    if (rule) {
        verdict.has_error =
            put_error(site, lane, span, rule, &c.env, entry_errno, NULL);
        verdict.is_lost |= !verdict.has_error;
    }
    return verdict;
}

struct capture_verdict
capture_leave(const struct site *site, struct lane *lane, uint64_t span,
              const struct shim_call *call, const struct shim_regs *regs,
              int saved_errno, int entry_errno, bool in_record)
{
    lane_assert(site->capture != NULL);
    const struct capture_plan *plan = site->capture;
    if (plan->fails_count == 0 && plan->out.is_value && in_record)
        return value_of(plan, call, regs);
    if (plan->fails_count == 0 && plan->out.is_direct) {
        uint64_t at = capture_write_direct(&plan->out, call, regs->rax, lane,
                                           LANE_FRAME_OUTPUT, span);
        if (at != 0)
            return (struct capture_verdict){.has_output = at != UINT64_MAX,
                                            .is_lost = at == UINT64_MAX};
    }
    return leave_evaluating(site, lane, span, call, regs, saved_errno,
                            entry_errno, in_record);
}

struct capture_verdict capture_left(const struct site *site, struct lane *lane,
                                    uint64_t span, const struct shim_call *call,
                                    const struct error_event *why)
{
    lane_assert(site->capture != NULL);
    struct capture_verdict verdict = {0};
    struct capture_call c;
    capture_call_start(&c, lane, call, NULL);
    c.env.is_left = true;
    c.env.stack_args = 0; /* the callee may have changed them */
    if (site->flags & SITE_KEEP)
        take_kept(&c, capture_kept_of(call, span));
    const struct capture_rule *rule = judge(site->capture, &c.env);
    verdict.is_error = rule != NULL;
    if (rule) {
        verdict.has_error = put_error(site, lane, span, rule, &c.env, 0, why);
        verdict.is_lost = !verdict.has_error;
    }
    return verdict;
}

struct capture_verdict capture_end(const struct site *site, struct lane *lane,
                                   uint64_t span, const struct shim_call *call,
                                   const struct shim_regs *regs,
                                   int saved_errno)
{
    lane_assert(site->capture != NULL);
    const struct capture_plan *plan = site->capture;
    struct capture_verdict verdict = {0};
    struct capture_call c;
    capture_call_start(&c, lane, call, regs);
    c.env.saved_errno = saved_errno;
    const struct capture_rule *rule = judge(plan, &c.env);
    if (plan->in.count)
        verdict.is_lost =
            capture_write(&plan->in, &c, rule != NULL, LANE_FRAME_LATER, lane,
                          span, site->index) == UINT64_MAX;
    if (regs) {
        uint64_t at = put_outputs(site, lane, span, call, &c, rule != NULL);
        verdict.has_output = at != 0 && at != UINT64_MAX;
        verdict.is_lost |= at == UINT64_MAX;
    }
    verdict.is_error = rule != NULL;
    if (rule)
        verdict.has_error =
            put_error(site, lane, span, rule, &c.env, saved_errno, NULL);
    return verdict;
}

void span_enter_captures(struct shim_call *call, const struct site *site,
                         struct lane *lane, struct lane_open *open)
{
    lane_assert(site == &runtime.sites[call->site]);
    lane_assert((site->flags & SITE_CAPTURES) == 0 || site->capture != NULL);
    uint64_t at = 0;
    if (site->flags & SITE_DIRECT)
        at = capture_write_direct(&site->capture->in, call, 0, lane,
                                  LANE_FRAME_INPUT, call->span);
    if (UNLIKELY(at == 0) && (site->flags & SITE_CAPTURE_IN))
        at = enter_evaluating(site, lane, call->span, call);
    if (UNLIKELY(at == UINT64_MAX)) {
        open->site_kind |= SPAN_KIND(LANE_STATUS_CAPTURE_LOST);
        __atomic_fetch_add(&runtime.map.counters[call->site].lost_captures, 1,
                           __ATOMIC_RELAXED);
    } else {
        open->capture = at;
    }
    if (UNLIKELY(site->flags & SITE_KEEP))
        capture_keep(site->capture, lane, open, call);
    if (site->flags & SITE_VALUE) { /* no rule asks for errno */
        call->flags |= SPAN_OUT | SPAN_VALUE;
    } else if (site->flags & SITE_CAPTURE_OUT) {
        call->flags |= SPAN_OUT;
        call->extra |= (uint64_t)span_errno() << 32;
    }
}
