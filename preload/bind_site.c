/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a site. Order: everything that a call needs is in runtime.sites[]
 * before the first byte of text changes; the session's entry is published
 * (state 1) after the outcome is known.
 *
 * Mechanisms: entry patch, else call slots. Trampolines: F where the planner
 * proves that the function has no stack arguments, Z everywhere else.
 */
#include "preload/bind_site.h"
#include "preload/capture.h"
#include "preload/decoder.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* What binding knows about a site beyond what a call needs. */
struct bound {
    const struct manifest_decl *decl; /* NULL: internal */
    struct module *module;            /* NULL: unloaded, or never bound */
    uint64_t vaddr;
    uint64_t island;           /* 0: no entry patch */
    struct lane_string object; /* its path, also after it is gone */
};
static struct bound bounds[SHIM_SITE_MAX];
static struct manifest_arena arena; /* capture plans */
static uint32_t bound_count;

/* The work on one site. */
struct work {
    const struct manifest_decl *decl;
    struct module *module;
    const char *name;
    uint64_t vaddr;
    uint32_t index;
    struct site *site;
    struct lane_site *record;
    struct bound *bound;
    char reason_bytes[256];
    struct text reason;
};

uint32_t bind_count(void)
{
    return bound_count;
}

static void put_string(const char *string, struct lane_string *out)
{
    if (string && lane_string_put(&runtime.map, string,
                                  (uint32_t)strlen(string), out) != 0)
        *out = (struct lane_string){0, 0};
}

/* ---- session entry ---------------------------------------------------- */

/* `match("x*")` gives each function its own name, unless a span("...") gave
 * one to all. */
static const char *span_name(const struct manifest_decl *decl,
                             const char *symbol)
{
    if (!decl->name ||
        (decl->match &&
         (strcmp(decl->name, decl->match) == 0 ||
          (decl->ident && strcmp(decl->name, decl->ident) == 0))))
        return symbol;
    return decl->name;
}

static int take_site(struct work *work)
{
    struct lane_session *session = runtime.map.session;
    int64_t at;
    do /* index 0 is never used */
        at = lane_table_take(&runtime.map, LANE_TABLE_SITES,
                             &session->site_next, 1);
    while (at == 0);
    if (at < 0 || at >= SHIM_SITE_MAX) {
        __atomic_fetch_add(&session->lost_sites, 1, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    work->index = (uint32_t)at;
    work->site = &runtime.sites[at];
    work->record = &runtime.map.sites[at];
    work->bound = &bounds[at];
    return 0;
}

static void describe_site(struct work *work)
{
    struct lane_site *record = work->record;
    const struct manifest_decl *decl = work->decl;
    put_string(work->name, &record->symbol);
    record->address = work->vaddr;
    if (work->module) {
        record->object = work->module->path_string;
        record->module = work->module->record;
    }
    if (!decl) {
        record->name = record->symbol;
        record->flags = LANE_SITE_INTERNAL;
        return;
    }
    put_string(span_name(decl, work->name), &record->name);
    record->declaration = decl->at_source.line;
    record->cap_bytes = decl->settings.cap_bytes;
    uint64_t slow_us = decl->slow_ns / 1000;
    record->slow_us = slow_us > UINT32_MAX ? UINT32_MAX : (uint32_t)slow_us;
    if (decl->roles & MANIFEST_ROOT)
        record->flags |= LANE_SITE_ROOT;
}

static void publish_site(struct work *work)
{
    if (work->reason.len > 0)
        put_string(work->reason.bytes, &work->record->reason);
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&work->record->state, 1, __ATOMIC_RELEASE);
}

/* ---- captures --------------------------------------------------------- */

static bool grow_arena(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    arena = (struct manifest_arena){at, 0, bytes};
    return true;
}

static void plan_capture(struct work *work)
{
    static const size_t sizes[] = {64 << 10, 1 << 20, 16 << 20};
    struct site *site = work->site;
    for (size_t i = 0;; i++) {
        int err = arena.base
                      ? capture_bind(&runtime.map, work->decl, &arena,
                                     work->record, &site->flags, &site->capture)
                      : -ENOMEM;
        if (err == 0)
            return;
        if (i == sizeof(sizes) / sizeof(*sizes) || err != -ENOMEM ||
            !grow_arena(sizes[i]))
            break;
    }
    site->capture = NULL;
    text_put(&work->reason, "times only: no memory for its captures");
}

/* ---- trampoline ------------------------------------------------------- */

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
    struct module *module = modules_find(value);
    if (!module || !module->is_usable || module->kind == MODULE_OWN)
        return -ENOENT;
    *target = &module->image;
    *target_vaddr = value - module->base;
    return 0;
}

static enum lane_shim choose_shim(const struct work *work)
{
    static const struct plan_resolver resolver = {NULL, resolve_slot};
    /* libc's own _exit, execve, fork, sigaction: compiled C of at most three
     * arguments; every process would pay for their proofs */
    if (!work->decl)
        return LANE_SHIM_FRAME;
    if (config.force_shim)
        return config.force_shim;
    if (!decoder_get() || !decoder_scratch())
        return LANE_SHIM_ZERO_COPY;
    enum plan_stack stack =
        plan_prove_stack(decoder_get(), &work->module->image, work->vaddr,
                         &resolver, decoder_scratch(), NULL);
    return stack == PLAN_STACK_LOCAL ? LANE_SHIM_FRAME : LANE_SHIM_ZERO_COPY;
}

static uint64_t stub_of(const struct work *work)
{
    return work->record->shim == LANE_SHIM_FRAME
               ? shim_stub_frame(work->index)
               : shim_stub_zero_copy(work->index);
}

/* ---- mechanisms ------------------------------------------------------- */

/* The site is complete: hooks may meet it from now on. */
static void arm_site(struct work *work, uint64_t target)
{
    struct site *site = work->site;
    site->target = target;
    site->index = work->index;
    site->decl = work->decl;
    if (work->decl && (work->decl->roles & MANIFEST_ROOT))
        site->flags |= SITE_ROOT;
    if (runtime.site_count <= work->index)
        __atomic_store_n(&runtime.site_count, work->index + 1,
                         __ATOMIC_RELEASE);
}

static void put_error(struct work *work, const char *what, int err)
{
    text_put(&work->reason, what);
    text_put(&work->reason, " (errno ");
    text_put_number(&work->reason, (uint64_t)-err);
    text_put(&work->reason, ")");
}

/*
 * Island, plan for where it stands, text. An island that is not used after all
 * is left: 112 bytes, for a function that was refused.
 */
static int patch_entry(struct work *work, enum plan_verdict *verdict)
{
    struct plan_patch patch;
    struct module *module = work->module;
    uint64_t island = work->bound->island;
    int err = 0;
    if (island == 0)
        err = shim_island_take(module->low, module->high, SHIM_ISLAND_BYTES,
                               &island);
    if (err) {
        put_error(work, "no memory near the object", err);
        return err;
    }
    err =
        plan_entry_patch(decoder_get(), &module->image, work->vaddr,
                         island + SHIM_ISLAND_COPY, decoder_scratch(), &patch);
    if (err == 0 && patch.verdict != PLAN_OK) {
        *verdict = patch.verdict;
        text_put(&work->reason, plan_verdict_text(patch.verdict));
        return -ENOTSUP;
    }
    if (err == 0) {
        work->record->shim = (uint8_t)choose_shim(work);
        arm_site(work, island + SHIM_ISLAND_COPY);
        err = shim_patch_apply(&patch, island, stub_of(work));
    }
    if (err) {
        put_error(work, "its entry cannot be patched", err);
        return err;
    }
    work->bound->island = island;
    work->record->binding = LANE_BINDING_ENTRY;
    return 0;
}

static int rewrite_slots(struct work *work)
{
    int total = 0;
    uint64_t function = work->module->base + work->vaddr;
    work->record->shim = (uint8_t)choose_shim(work);
    arm_site(work, function);
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_loaded || !module->is_usable ||
            module->kind == MODULE_OWN || module->kind == MODULE_LOADER)
            continue;
        int n = shim_slots_rewrite(&module->image, work->name, function,
                                   stub_of(work));
        if (n > 0)
            total += n;
    }
    if (total == 0) {
        text_put(&work->reason, "; no object calls it through its PLT");
        return -ENOTSUP;
    }
    text_put(&work->reason, "; seen are calls from other objects that were "
                            "loaded at the start");
    work->record->binding = LANE_BINDING_SLOTS;
    return 0;
}

/* Calls of these are not to be intercepted by any mechanism. */
static bool is_hopeless(enum plan_verdict verdict)
{
    return verdict == PLAN_NO_FUNCTION || verdict == PLAN_IFUNC_RESOLVER ||
           verdict == PLAN_ASSEMBLY || verdict == PLAN_GO ||
           verdict == PLAN_EXCLUDED || verdict == PLAN_PART;
}

static int bind_mechanism(struct work *work, bool may_use_slots)
{
    enum plan_verdict verdict = PLAN_OK;
    int err = -ENOTSUP;
    if (!decoder_get() || !decoder_scratch())
        text_put(&work->reason, "no decoder");
    else
        err = patch_entry(work, &verdict);
    if (err == 0 || is_hopeless(verdict) || !may_use_slots)
        return err;
    return rewrite_slots(work);
}

/* ---- sites ------------------------------------------------------------ */

/* The site that stands on this function; also one whose object came back. */
static uint32_t find_bound(const struct work *work)
{
    for (uint32_t i = 1; i < SHIM_SITE_MAX && i < runtime.site_count; i++) {
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

/* A plugin that is loaded again and again has one site, not thousands. The
 * trampoline must be proved anew; if another one is needed now, or the object
 * is too far from where it was, it gets a site of its own. */
static bool revive(struct work *work)
{
    enum plan_verdict verdict;
    for (uint32_t i = 1; decoder_get() && i < runtime.site_count; i++) {
        struct bound *bound = &bounds[i];
        if (bound->module || bound->decl != work->decl || !bound->island ||
            bound->vaddr != work->vaddr ||
            !is_same_string(bound->object, work->module->path))
            continue;
        work->index = i;
        work->site = &runtime.sites[i];
        work->record = &runtime.map.sites[i];
        work->bound = bound;
        if (choose_shim(work) != work->record->shim ||
            patch_entry(work, &verdict) != 0)
            continue;
        bound->module = work->module;
        return true;
    }
    work->reason.len = 0;
    return false;
}

static int make_site(struct work *work, bool may_use_slots)
{
    int err = take_site(work);
    if (err)
        return err;
    describe_site(work);
    if (work->decl)
        plan_capture(work);
    err = bind_mechanism(work, may_use_slots);
    if (err == 0) {
        *work->bound =
            (struct bound){work->decl, work->module, work->vaddr,
                           work->bound->island, work->module->path_string};
        bound_count += work->decl != NULL;
    }
    publish_site(work);
    return err;
}

int bind_site(const struct manifest_decl *decl, struct module *module,
              const char *name, uint64_t vaddr, bool may_use_slots)
{
    struct work work = {
        .decl = decl, .module = module, .name = name, .vaddr = vaddr};
    work.reason =
        (struct text){work.reason_bytes, 0, sizeof(work.reason_bytes)};
    uint32_t other = find_bound(&work);
    if (other != 0) {
        /* one glob meets a function under each of its names */
        if (bounds[other].decl == decl)
            return -EEXIST;
        text_put(&work.reason, "traced by ");
        text_put(&work.reason, bounds[other].decl ? "the declaration in line "
                                                  : "handspan itself");
        if (bounds[other].decl)
            text_put_number(&work.reason, bounds[other].decl->at_source.line);
        bind_site_unbound(decl, name, work.reason_bytes);
        return -EEXIST;
    }
    if (revive(&work))
        return 0;
    return make_site(&work, may_use_slots);
}

void bind_site_unbound(const struct manifest_decl *decl, const char *name,
                       const char *reason)
{
    struct work work = {.decl = decl, .name = name};
    work.reason =
        (struct text){work.reason_bytes, 0, sizeof(work.reason_bytes)};
    if (take_site(&work) != 0)
        return;
    describe_site(&work);
    text_put(&work.reason, reason);
    publish_site(&work);
}

void bind_site_gone(struct module *module)
{
    if (module->record != 0) {
        struct lane_module *record = &runtime.map.modules[module->record - 1];
        record->unloaded_ticks = lane_now(&runtime.map);
        __atomic_store_n(&record->state, 2, __ATOMIC_RELEASE);
    }
    for (uint32_t i = 1; i < SHIM_SITE_MAX && i < runtime.site_count; i++) {
        if (bounds[i].module == module)
            bounds[i].module = NULL;
    }
}

int bind_internal(const char *symbol, void (*enter)(struct shim_call *call),
                  void (*leave)(struct shim_call *call,
                                const struct shim_regs *regs))
{
    struct plan_symbol found;
    struct module *libc = NULL;
    for (uint32_t i = 0; i < modules.count && !libc; i++) {
        struct module *module = &modules.at[i];
        if (module->kind == MODULE_LIBC && module->is_usable &&
            plan_image_find_symbol(&module->image, symbol, &found) == 0)
            libc = module;
    }
    if (!libc)
        return -ENOENT;
    struct work work = {.module = libc, .name = symbol, .vaddr = found.vaddr};
    work.reason =
        (struct text){work.reason_bytes, 0, sizeof(work.reason_bytes)};
    if (find_bound(&work) != 0)
        return -EEXIST;
    int err = take_site(&work);
    if (err)
        return err;
    work.site->flags = SITE_INTERNAL;
    work.site->hook_enter = enter;
    work.site->hook_leave = leave;
    describe_site(&work);
    err = bind_mechanism(&work, false);
    if (err == 0)
        *work.bound = (struct bound){NULL, libc, found.vaddr,
                                     work.bound->island, libc->path_string};
    publish_site(&work);
    return err;
}
