/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making sites, a round at a time: first each function is planned and proved,
 * on text that nobody changed yet (a patched entry among the tail-jump targets
 * of another would spoil that one's proof), then all of them are applied. In
 * applying, everything that a call needs is in runtime.sites[] before the
 * first byte of text changes; the session's entry is published (state 1) after
 * the outcome is known.
 */
#include "preload/bind/bind_site.h"
#include "bind/names.h"
#include "bind/reason.h"
#include "bind/reserved.h"
#include "bind/twins.h"
#include "bind/way.h"
#include "preload/bind/bind_text.h"
#include "preload/bind/bind_patched.h"
#include "preload/bind/plans.h"
#include "preload/call/carry/carry.h"
#include "preload/objects/decoder.h"
#include "preload/call/flow.h"
#include "shim/live.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static struct bound bounds[SHIM_SITE_MAX];
static uint32_t bound_count;

/* 1 + highest index that is ours. */
static uint32_t bounds_end;
static bool is_any_gone; /* an object was unloaded: a site may be revived */

struct round bind_round;

uint32_t bind_count(void)
{
    return bound_count;
}

_Static_assert(PLAN_HANDLERS_MAX + 128 <= SHIM_SITE_MAX,
               "fork, exec and the end must be seen, whatever a manifest says");

static uint32_t own_count; /* sites of our own that were taken so far */

/* The last ones are left for sites of our own. */
static bool has_room(const struct work *work)
{
    struct lane_session *session = runtime.map.session;
    uint32_t next = __atomic_load_n(&session->site_next, __ATOMIC_RELAXED);
    own_count += !work->decl;
    if (!work->decl || next <= PLAN_HANDLERS_MAX + own_count)
        return true;
    __atomic_fetch_add(&session->lost_sites, 1, __ATOMIC_RELAXED);
    return false;
}

static int take_site(struct work *work)
{
    lane_assert(work->site == NULL || work->index != 0);
    uint32_t at = has_room(work) ? bind_record_take(work->decl) : 0;
    if (at == 0)
        return -ENOSPC;
    work->index = at;
    work->site = &runtime.sites[at];
    work->record = &runtime.map.sites[at];
    work->bound = &bounds[at];
    if (bounds_end <= work->index)
        bounds_end = work->index + 1;
    lane_assert(bounds_end <= SHIM_SITE_MAX);
    return 0;
}

/* ---- sites ------------------------------------------------------------ */

/* The site that stands on this function, or is about to. */
static uint32_t find_bound(const struct work *work)
{
    for (uint32_t i = 1; i < bounds_end; i++) {
        if (bounds[i].module == work->module && bounds[i].vaddr == work->vaddr)
            return i;
    }
    return 0;
}

static bool is_same_string(struct lane_string a, const char *text)
{
    return a.len_bytes == strlen(text) &&
           memcmp(runtime.map.strings + a.offset, text, a.len_bytes) == 0;
}

static void use_index(struct work *work, uint32_t index)
{
    lane_assert(index != 0 && index < SHIM_SITE_MAX);
    work->index = index;
    work->site = &runtime.sites[index];
    work->record = &runtime.map.sites[index];
    work->bound = &bounds[index];
}

/* A plugin that is loaded again and again has one site, not thousands. The
 * trampoline must be proved anew; if another one is needed now, or the object
 * is too far from where it was, it gets a site of its own. */
static bool plan_revival(struct work *work)
{
    char whole[PATH_MAX];
    const char *path =
        is_any_gone ? module_whole_path(work->module, whole, sizeof(whole))
                    : "";
    for (uint32_t i = 1; is_any_gone && decoder_is_open() && i < bounds_end;
         i++) {
        struct bound *bound = &bounds[i];
        if (bound->module || bound->decl != work->decl || !bound->island ||
            bound->vaddr != work->vaddr || !is_same_string(bound->object, path))
            continue;
        bind_work_choose_shim(work);
        use_index(work, i);
        if (work->shim != work->record->shim ||
            bind_work_plan_entry(work, bound->island) != 0)
            continue;
        bound->module = work->module;
        return true;
    }
    work->reason.len = 0;
    work->shim = 0; /* with its reason */
    return false;
}

static void start_work(struct work *work, const struct manifest_decl *decl,
                       struct module *module, const char *name, uint64_t vaddr)
{
    lane_assert(decl != NULL || module != NULL);
    memset(work, 0, sizeof(*work));
    work->decl = decl;
    work->module = module;
    work->name = name;
    work->vaddr = vaddr;
    work->reason =
        (struct text){work->reason_bytes, 0, sizeof(work->reason_bytes)};
}

static void keep_bound(struct work *work)
{
    lane_assert(work->index != 0 && work->bound != NULL);
    *work->bound = (struct bound){
        .decl = work->decl,
        .module = work->module,
        .vaddr = work->vaddr,
        .island = work->bound->island,
        .object = work->module->path_string,
    };
}

static void say_of_bound(struct work *work)
{
    char twins[256];
    if (!bind_makes_spans(work->decl))
        bind_work_say(work, bind_no_spans);
    if (plans_is_alone(work))
        return;
    module_index_labels(work->module);
    if (bind_twins_text(&work->module->image, work->vaddr, work->name, twins,
                        sizeof(twins)))
        bind_work_say(work, twins);
    else
        plans_note_alone(work);
}

static int plan_site(struct work *work)
{
    int err = take_site(work);
    if (err)
        return err;
    bind_work_describe(work);
    err = bind_work_plan(work);
    if (err) {
        bind_work_publish(work);
        return err;
    }
    work->refusal_len = work->reason.len;
    if (work->decl) {
        bind_work_plan_capture(work);
        say_of_bound(work);
    }
    keep_bound(work);
    if (work->decl && (work->decl->roles & (MANIFEST_BEGIN | MANIFEST_END))) {
        if (flow_reserve() != 0)
            bind_work_say(work, "no memory for begin and end");
        bind_work_name_begin(work);
    }
    return 0;
}

static int apply_site(struct work *work)
{
    lane_assert(work->index != 0 && work->site != NULL);
    int err = bind_work_apply(work);
    if (err)
        *work->bound = (struct bound){.decl = NULL};
    bind_work_publish(work);
    return err;
}

static void put_line(struct work *work, uint32_t other)
{
    const struct manifest_decl *decl = bounds[other].decl;
    if (!decl) {
        bind_work_say(work, bind_reserved_text);
        return;
    }
    char text[64];
    (void)bind_twice_text(decl->at_source.line, text, sizeof(text));
    bind_work_say(work, text);
}

/* ---- rounds ----------------------------------------------------------- */

int bind_round_begin(void)
{
    if (!bind_round.at) {
        void *at = mmap(NULL, SHIM_SITE_MAX * sizeof(*bind_round.at),
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return -errno;
        bind_round.at = at;
    }
    bind_round.count = 0;
    bind_round.steps_left = PLAN_ROUND_STEPS;
    return 0;
}

int bind_site_plan(const struct manifest_decl *decl, struct module *module,
                   const char *name, uint64_t vaddr, bool may_use_slots)
{
    lane_assert(decl != NULL && module != NULL);
    if (bind_round.count == SHIM_SITE_MAX)
        return -ENOSPC;
    struct work *work = &bind_round.at[bind_round.count];
    start_work(work, decl, module, name, vaddr);
    work->may_use_slots = may_use_slots;
    work->other = find_bound(work);
    if (work->other != 0) {
        /* one glob meets a function under each of its names */
        bind_round.count += bounds[work->other].decl != decl;
        return -EEXIST;
    }
    if (!plan_revival(work)) {
        int err = plan_site(work);
        if (err)
            return err;
    }
    bind_round.count++;
    return 0;
}

/* Why the other declaration of this round has not bound it. */
static const char *refusal_of(uint32_t index)
{
    for (uint32_t i = 0; i < bind_round.count; i++) {
        const struct work *work = &bind_round.at[i];
        if (work->other == 0 && work->index == index && work->reason.len > 0)
            return work->reason_bytes;
    }
    return "another declaration of it could not be bound";
}

/* After the others of its round: now it is known whether they succeeded. */
static void tell_other(struct work *work)
{
    bool is_traced = bounds[work->other].module == work->module;
    if (is_traced)
        put_line(work, work->other);
    else
        bind_work_say(work, refusal_of(work->other));
    bind_site_unbound(work->decl, work->name, work->vaddr, work->reason_bytes);
}

void bind_round_apply(void)
{
    for (uint32_t i = 0; i < bind_round.count; i++) {
        struct work *work = &bind_round.at[i];
        if (work->other == 0 && apply_site(work) == 0)
            bound_count++;
    }
    for (uint32_t i = 0; i < bind_round.count; i++) {
        if (bind_round.at[i].other != 0)
            tell_other(&bind_round.at[i]);
    }
    munmap(bind_round.at, SHIM_SITE_MAX * sizeof(*bind_round.at));
    bind_round.at = NULL;
    bind_round.count = 0;
}

static void put_unbound(const struct manifest_decl *decl, uint32_t module,
                        const char *name, uint64_t address, const char *reason)
{
    struct work work;
    start_work(&work, decl, NULL, name, address);
    if (take_site(&work) != 0)
        return;
    bind_work_describe(&work);
    work.record->module = module;
    bind_work_say(&work, reason);
    bind_work_publish(&work);
}

void bind_site_unbound(const struct manifest_decl *decl, const char *name,
                       uint64_t address, const char *reason)
{
    put_unbound(decl, 0, name, address, reason);
}

void bind_site_missing(const struct manifest_decl *decl,
                       const struct module *one, const char *name,
                       const char *reason)
{
    put_unbound(decl, one ? one->record : 0, name, 0, reason);
}

void bind_site_gone(struct module *module)
{
    lane_assert(module != NULL);
    if (module->record != 0) {
        struct lane_module *record = &runtime.map.modules[module->record - 1];
        record->unloaded_ticks = lane_now(&runtime.map);
        /* release; pairs with lane_reader_entry() */
        __atomic_store_n(&record->state, 2, __ATOMIC_RELEASE);
    }
    is_any_gone = true;
    for (uint32_t i = 1; i < bounds_end; i++) {
        if (bounds[i].module == module)
            bounds[i].module = NULL;
    }
    shim_callers_forget();
    shim_live_forget(module->low, module->high);
    bind_patched_forget(module->low, module->high);
}

int bind_site_late(const struct manifest_decl *decl, struct module *module,
                   const char *name, const char *own_name, uint64_t vaddr,
                   const struct bind_hold *hold)
{
    lane_assert(decl != NULL && module != NULL && hold != NULL);
    struct work work;
    start_work(&work, decl, module, name, vaddr);
    work.own_name = own_name;
    work.hold = hold;
    if (find_bound(&work) != 0)
        return -EEXIST;
    int err = bind_text_open(false);
    if (err) {
        bind_site_unbound(decl, name, vaddr, "live: text cannot be written");
        return err;
    }
    bind_round.steps_left = PLAN_ROUND_STEPS;
    err = plan_revival(&work) ? 0 : plan_site(&work);
    if (err == 0)
        err = apply_site(&work);
    shim_text_close();
    bound_count += err == 0;
    return err;
}

int bind_site_pointer(const struct manifest_decl *decl, const char *name,
                      const char *own_name, uint64_t address, uint64_t *stub)
{
    lane_assert(decl != NULL && address != 0 && stub != NULL);
    struct work work;
    start_work(&work, decl, NULL, name, address);
    work.own_name = own_name;
    int err = take_site(&work);
    if (err)
        return err;
    bind_work_describe(&work);
    bind_work_plan_capture(&work);
    work.shim = LANE_SHIM_ZERO_COPY;
    bind_work_arm(&work, address);
    bind_work_say(&work, "the pointer was replaced: rewrite(\"pointers\")");
    work.record->binding = LANE_BINDING_SLOTS;
    bind_work_publish(&work);
    bound_count++;
    *stub = shim_stub_zero_copy(work.index);
    return 0;
}

int bind_internal(const char *symbol, void (*enter)(struct shim_call *call),
                  void (*leave)(struct shim_call *call,
                                const struct shim_regs *regs))
{
    struct plan_symbol found;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (module->kind == MODULE_LIBC && module->is_usable &&
            plan_image_find_symbol(&module->image, symbol, &found) == 0)
            return bind_internal_at(module, symbol, found.vaddr, enter, leave);
    }
    return -ENOENT;
}

int bind_internal_at(struct module *module, const char *symbol, uint64_t vaddr,
                     void (*enter)(struct shim_call *call),
                     void (*leave)(struct shim_call *call,
                                   const struct shim_regs *regs))
{
    lane_assert(module != NULL && (enter != NULL || leave != NULL));
    struct work work;
    start_work(&work, NULL, module, symbol, vaddr);
    if (find_bound(&work) != 0)
        return -EEXIST;
    int err = plan_site(&work);
    if (err)
        return err;
    work.site->flags = SITE_INTERNAL;
    work.site->hook_enter = enter;
    work.site->hook_leave = leave;
    return apply_site(&work);
}
