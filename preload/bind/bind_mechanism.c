/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How calls of one function are seen, and by which trampoline. Mechanisms:
 * entry patch, else call slots. Trampolines: F where the planner proves that
 * the function has no stack arguments, Z everywhere else and where the proof
 * would take too long.
 */
#include "preload/bind/bind_patched.h"
#include "preload/bind/plans.h"
#include "preload/objects/branches.h"
#include "bind/reason.h"
#include "bind/way.h"
#include "preload/objects/decoder.h"
#include "manifest/run/eval.h"
#include "preload/call/flow.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <string.h>

enum {
    INT3 = 0xcc
};

/* Neither trampoline may carry it. */
#define SHIM_REFUSED ((enum lane_shim)0)

/* ---- trampoline ------------------------------------------------------- */

static const struct module *container_of_image(const struct plan_image *image)
{
    return (const struct module *)((const char *)image -
                                   offsetof(struct module, image));
}

/* Where the loader made a slot lead: the word itself. Not yet relocated, or
 * not yet resolved: it leads nowhere that could be proved. */
static int resolve_slot(void *context, const struct plan_image *image,
                        uint64_t slot_vaddr, const struct plan_image **target,
                        uint64_t *target_vaddr)
{
    uint64_t value;
    (void)context;
    const void *at = plan_image_at(image, slot_vaddr, sizeof(value));
    if (!at)
        return -ENOENT;
    memcpy(&value, at, sizeof(value));
    const struct module *from = container_of_image(image);
    struct module *module = modules_find(value);
    if (!module || !module->is_usable || module->kind == MODULE_OWN) {
        plans_note_slot(from, slot_vaddr, NULL, 0);
        return -ENOENT;
    }
    plans_note_slot(from, slot_vaddr, module, value - module->base);
    *target = &module->image;
    *target_vaddr = value - module->base;
    return 0;
}

static const char *find_collector(void *context)
{
    (void)context;
    return modules_collector();
}

static enum lane_shim choose_shim(struct work *work)
{
    struct bind_choice choice;
    /* libc's own _exit, execve, fork, sigaction: compiled C of at most three
     * arguments; every process would pay for their proofs */
    if (!work->decl)
        return LANE_SHIM_FRAME;
    if (config.force_shim)
        return config.force_shim;
    enum lane_shim known = plans_find_shim(work);
    if (known == LANE_SHIM_FRAME ||
        (known == LANE_SHIM_ZERO_COPY && !modules_collector()))
        return known;
    plans_prove(work);
    struct bind_means means = {.decoder = decoder_get(),
                               .resolver = {NULL, resolve_slot},
                               .steps_left = &bind_round.steps_left,
                               .collector = find_collector};
    means.scratch = means.decoder ? decoder_scratch() : NULL;
    bind_choose_carrier(&means, &work->module->image, work->vaddr, &choice);
    work->copy_words = choice.copy_words;
    enum lane_shim shim =
        choice.carrier == BIND_FRAME ? LANE_SHIM_FRAME : LANE_SHIM_ZERO_COPY;
    if (choice.carrier != BIND_REFUSED) {
        if (work->has_patch && !choice.is_cut)
            plans_note(work, shim);
        return shim;
    }
    work->reason.len = 0; /* whatever its entry is like */
    bind_work_say(work, choice.why[0]);
    text_put(&work->reason, choice.why[1]);
    return SHIM_REFUSED;
}

void bind_work_choose_shim(struct work *work)
{
    lane_assert(work->index != 0 || work->decl != NULL);
    if (work->shim == 0)
        work->shim = choose_shim(work);
}

static uint64_t stub_of(const struct work *work)
{
    if (work->copy_words > 0)
        return shim_stub_copy(work->index, work->copy_words);
    return work->shim == LANE_SHIM_FRAME ? shim_stub_frame(work->index)
                                         : shim_stub_zero_copy(work->index);
}

/* ---- mechanisms ------------------------------------------------------- */

/* An `end` whose rules or outputs speak of the result waits for it. */
static bool needs_result(const struct manifest_decl *decl)
{
    for (uint32_t i = 0; i < decl->fails_count; i++) {
        if (manifest_expr_needs_return(decl->fails[i].condition))
            return true;
    }
    for (uint32_t i = 0; i < decl->item_count; i++) {
        const struct manifest_item *item = &decl->items[i];
        if (item->direction == MANIFEST_OUTPUT && !item->implied)
            return true;
    }
    return false;
}

static uint32_t role_flags(const struct manifest_decl *decl)
{
    uint32_t flags = 0;
    if (decl->roles & MANIFEST_ROOT)
        flags |= SITE_ROOT;
    if (decl->roles & FLOW_ROLES)
        flags |= SITE_FLOW;
    if (!(decl->roles & (MANIFEST_SPAN | MANIFEST_ROOT)))
        flags |= SITE_NO_SPAN;
    if ((decl->roles & MANIFEST_END) && needs_result(decl))
        flags |= SITE_FLOW_LEAVE;
    return flags;
}

/* The site is complete: hooks may meet it from now on. */
void bind_work_arm(struct work *work, uint64_t target)
{
    lane_assert(work->site != NULL && target != 0);
    lane_assert(work->index != 0 && work->index < SHIM_SITE_MAX);
    struct site *site = work->site;
    work->record->shim = (uint8_t)work->shim;
    site->target = target;
    site->index = work->index;
    site->decl = work->decl;
    if (work->decl)
        site->flags |= role_flags(work->decl);
    /* release; pairs with whoever comes through the slot or the entry, which is
     * written after this */
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void put_error(struct work *work, const char *what, int err)
{
    bind_work_say(work, what);
    text_put(&work->reason, " (errno ");
    text_put_number(&work->reason, (uint64_t)-err);
    text_put(&work->reason, ")");
}

static bool has_decoder(struct work *work)
{
    if (decoder_get() && decoder_scratch())
        return true;
    bind_work_say(work, "no decoder");
    return false;
}

/* The plan for an island near [low, high) (`*island` 0) or for this one. */
static int plan_near(struct work *work, uint64_t low, uint64_t high,
                     uint64_t *island)
{
    struct module *module = work->module;
    int err = 0;
    if (*island == 0)
        err = shim_island_take(low, high, SHIM_ISLAND_BYTES, island);
    if (err) {
        put_error(work, "no memory near the function", err);
        return err;
    }
    return plan_entry_patch(decoder_get(), &module->image, work->vaddr,
                            *island + SHIM_ISLAND_COPY, decoder_scratch(),
                            &work->patch);
}

/* Near the text is enough, but for what the displaced bytes refer to: in a
 * program of many gigabytes that may be elsewhere. */
static int plan_reaching(struct work *work, uint64_t *island)
{
    const struct module *module = work->module;
    const struct plan_patch *patch = &work->patch;
    uint64_t low = module->text_low, high = module->text_high;
    bool is_given = *island != 0;
    int err = plan_near(work, low, high, island);
    if (err != -ERANGE || is_given)
        return err;
    *island = 0;
    return plan_near(work, patch->reach_low < low ? patch->reach_low : low,
                     patch->reach_high > high ? patch->reach_high : high,
                     island);
}

/*
 * What is in the file was planned; what stands there may be somebody's, who
 * will put the file's bytes back one day. Then that is why it is not patched,
 * whatever else the bytes looked like. Hooks of our own are put before whatever
 * is there.
 */
static void compare_with_file(struct work *work)
{
    struct plan_patch *patch = &work->patch;
    uint64_t displaced =
        patch->verdict == PLAN_OK ? patch->displaced_bytes : PLAN_PATCH_BYTES;
    uint64_t len = patch->patch_at + displaced - patch->entry;
    if (!work->decl || !work->may_use_slots || work->is_known ||
        bind_is_hopeless(patch->verdict) ||
        !module_is_changed(work->module, work->vaddr, len))
        return;
    const void *now = plan_image_at(&work->module->image, work->vaddr, len);
    patch->place = 0;
    patch->verdict =
        now && memchr(now, INT3, len) ? PLAN_BREAKPOINT : PLAN_CHANGED;
}

/* As it was planned in another process. */
static bool take_known(struct work *work, uint64_t *island)
{
    const struct module *module = work->module;
    uint64_t at = *island;
    if (!plans_is_known(work) ||
        (at == 0 && shim_island_take(module->text_low, module->text_high,
                                     SHIM_ISLAND_BYTES, &at) != 0))
        return false;
    *island = at; /* also for a plan that is made anew */
    return plans_find(work, at);
}

static int plan_anew(struct work *work, uint64_t *island)
{
    if (!has_decoder(work))
        return -ENOTSUP;
    module_index_labels(work->module);
    module_find_branches(work->module, work->vaddr);
    int err = plan_reaching(work, island);
    if (err && work->reason.len == 0)
        put_error(work, "its entry cannot be patched", err);
    return err;
}

int bind_work_plan_entry(struct work *work, uint64_t island)
{
    lane_assert(work->module != NULL);
    struct plan_patch *patch = &work->patch;
    patch->verdict = PLAN_OK;
    work->is_known = take_known(work, &island);
    int err = work->is_known ? 0 : plan_anew(work, &island);
    if (err)
        return err;
    compare_with_file(work);
    /* a stub of ours that jumps may stand before any of those */
    bool is_jump =
        patch->verdict == PLAN_EXCLUDED && patch->copy_len > 0 && !work->decl;
    if (patch->verdict != PLAN_OK && !is_jump) {
        char why[128];
        (void)bind_verdict_text(patch, why, sizeof(why));
        bind_work_say(work, why);
        return -ENOTSUP;
    }
    work->bound->island = island;
    work->has_patch = true;
    return 0;
}

int bind_work_plan(struct work *work)
{
    int err = bind_work_plan_entry(work, 0);
    if (!bind_is_reachable(err == 0, work->patch.verdict, work->may_use_slots))
        return err;
    bind_work_choose_shim(work);
    if (!work->decl && work->has_patch && !work->is_known)
        plans_note(work, 0);
    return work->shim == SHIM_REFUSED ? -ENOTSUP : 0;
}

static int apply_entry(struct work *work)
{
    lane_assert(work->has_patch);
    uint64_t island = work->bound->island;
    bind_work_arm(work, island + SHIM_ISLAND_COPY);
    int err = work->hold
                  ? bind_late_apply(work, island, stub_of(work))
                  : shim_patch_apply(&work->patch, island, stub_of(work));
    if (err == 0)
        bind_patched_add(work);
    else if (!work->hold)
        put_error(work, "its entry cannot be patched", err);
    return err;
}

/* The version of a function whose name has several in its object. */
struct versions {
    const struct plan_image *image;
    uint64_t vaddr;
    const char *own;
    bool has_others;
};

static int see_version(void *context, const struct plan_symbol *symbol)
{
    struct versions *versions = context;
    if (symbol->vaddr == versions->vaddr)
        versions->own = plan_image_version(versions->image, symbol->index);
    else
        versions->has_others = true;
    return 0;
}

static int rewrite_slots(struct work *work)
{
    struct versions versions = {&work->module->image, work->vaddr, NULL, false};
    (void)plan_image_each_version(versions.image, work->name, see_version,
                                  &versions);
    const char *version = !versions.has_others ? NULL
                          : versions.own       ? versions.own
                                               : "";
    int total = 0;
    uint64_t function = work->module->base + work->vaddr;
    bind_work_arm(work, function);
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_loaded || !module->is_usable ||
            module->kind == MODULE_OWN || module->kind == MODULE_LOADER)
            continue;
        int n = shim_slots_rewrite(&module->image, work->name, version,
                                   function, stub_of(work));
        if (n > 0)
            total += n;
    }
    if (total == 0) { /* whatever was said of it as bound */
        work->reason.len = work->refusal_len;
        bind_work_say(work, bind_no_slots_text);
        return -ENOTSUP;
    }
    bind_work_say(work, bind_slots_text);
    work->record->binding = LANE_BINDING_SLOTS;
    return 0;
}

int bind_work_apply(struct work *work)
{
    lane_assert(work->site != NULL);
    int err = -ENOTSUP;
    if (work->has_patch)
        err = apply_entry(work);
    if (err == 0)
        work->record->binding = LANE_BINDING_ENTRY;
    if (err && work->may_use_slots)
        err = rewrite_slots(work);
    return err;
}
