/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declarations against objects; see bindings.h. The order of preference is the
 * preload's (preload/bind*.c): entry patch, else call slots; F where it is
 * proved, else Z. What only the running process knows (interposition by later
 * objects, text that cannot be written) is not seen here.
 */
#include "tools/cli/bindings.h"
#include "bind/names.h"
#include "bind/reason.h"
#include "bind/reserved.h"
#include "bind/twins.h"
#include "shim/plan/plan.h"
#include "tools/common/format.h"
#include "tools/common/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OFFERS_MAX = 2000000 /* a second or so of looking for similar names */
};

struct bindings {
    const struct objects *objects;
    const char *program;
    size_t match_max;
    uint32_t steps_left; /* of the proofs of a start, see shim/plan/plan.h */
    uint32_t sites_left; /* in a process, see there */
    size_t offers_left;  /* names to compare in search of the nearest */
    void *scratch;
    struct taken {
        const struct object *object;
        uint64_t vaddr;
        unsigned line; /* of the declaration that has it */
    } * taken;
    size_t taken_count, taken_cap;
};

struct bindings *bindings_new(const struct objects *objects,
                              const char *program, size_t match_max)
{
    struct bindings *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->objects = objects;
    b->program = program;
    b->match_max = match_max;
    b->steps_left = PLAN_ROUND_STEPS;
    b->sites_left = PLAN_HANDLERS_MAX;
    b->offers_left = OFFERS_MAX;
    b->scratch = malloc(plan_scratch_bytes());
    if (!b->scratch) {
        free(b);
        return NULL;
    }
    return b;
}

void bindings_free(struct bindings *b)
{
    if (b) {
        free(b->scratch);
        free(b->taken);
    }
    free(b);
}

void binding_free(struct binding *b)
{
    buf_free(&b->remark);
    functions_free(&b->functions);
}

/* ---- one function ------------------------------------------------------- */

/* Where an import leads: the first object that exports the name, as the
 * loader searches. */
static int resolve_slot(void *context, const struct plan_image *image,
                        uint64_t slot_vaddr, const struct plan_image **target,
                        uint64_t *target_vaddr)
{
    const struct bindings *b = context;
    struct plan_slot slot;
    struct plan_symbol symbol;
    if (plan_image_find_slot(image, slot_vaddr, &slot) < 0)
        return -ENOENT;
    if (slot.is_bound_here && slot.is_defined_here) {
        *target = image;
        *target_vaddr = slot.definition;
        return 0;
    }
    for (size_t i = 0; slot.name && i < b->objects->count; i++) {
        const struct plan_image *other = &b->objects->at[i].image;
        if (plan_image_find_symbol(other, slot.name, &symbol) < 0 ||
            !symbol.is_exported)
            continue;
        if (symbol.is_ifunc)
            return -ENOENT;
        *target = other;
        *target_vaddr = symbol.vaddr;
        return 0;
    }
    return -ENOENT;
}

struct slot_search {
    const char *name;
    bool found;
};
static int look_at_slot(void *context, const struct plan_slot *slot)
{
    struct slot_search *s = context;
    s->found =
        slot->name && !slot->is_bound_here && strcmp(slot->name, s->name) == 0;
    return s->found;
}

/* "a branch leads into its first bytes, from 0x2b5a5 (f+0x15)" */
static void verdict_text(const struct plan_image *image,
                         const struct plan_patch *patch, char *out, size_t cap)
{
    struct plan_symbol symbol;
    unsigned long place = patch->place;
    const char *text = plan_verdict_text(patch->verdict);
    if (place == 0)
        snprintf(out, cap, "%s", text);
    else if (plan_image_symbol_around(image, place, &symbol) == 0)
        snprintf(out, cap, "%s, from 0x%lx (%s+0x%lx)", text, place,
                 symbol.name, place - symbol.vaddr);
    else
        snprintf(out, cap, "%s, from 0x%lx", text, place);
}

static bool has_slots(const struct bindings *b, const char *name)
{
    struct slot_search s = {.name = name};
    for (size_t i = 0; i < b->objects->count && !s.found; i++)
        if (b->objects->at[i].kind != OBJECT_LOADER)
            plan_image_each_slot(&b->objects->at[i].image, look_at_slot, &s);
    return s.found;
}

void binding_remark(struct binding *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (out->remark.len_bytes > 600)
        return; /* enough said */
    if (out->remark.len_bytes)
        buf_text(&out->remark, "; ");
    buf_text(&out->remark, text);
}

/* The line of the declaration that has this function already, 0: none; then
 * it is ours from now on. As the preload: also where it cannot be bound. */
static unsigned take_function(struct bindings *b, const struct function *f,
                              unsigned line)
{
    for (size_t i = 0; i < b->taken_count; i++)
        if (b->taken[i].vaddr == f->vaddr && b->taken[i].object == f->object)
            return b->taken[i].line;
    if (b->taken_count == b->taken_cap) {
        size_t cap = b->taken_cap ? b->taken_cap * 2 : 64;
        void *grown = realloc(b->taken, cap * sizeof *b->taken);
        if (!grown)
            return 0;
        b->taken = grown;
        b->taken_cap = cap;
    }
    b->taken[b->taken_count++] = (struct taken){f->object, f->vaddr, line};
    return 0;
}

/* As modules_collector() of the preload. */
static const char *find_collector(const struct bindings *b)
{
    const char *text = NULL;
    for (size_t i = 0; !text && i < b->objects->count; i++)
        text = plan_image_collector(&b->objects->at[i].image);
    return text;
}

static void decide_function(struct bindings *b, struct function *f,
                            struct binding *out)
{
    static const struct plan_resolver none;
    struct plan_resolver resolver = none;
    struct plan_patch patch;
    const struct plan_image *image = &f->object->image;
    const char *prefix = out->decl->match ? f->name : "";
    const char *colon = out->decl->match ? ": " : "";
    char twins[512];
    resolver.context = b;
    resolver.resolve_slot = resolve_slot;
    if (out->function_count++ == 0) {
        out->object = f->object;
        out->vaddr = f->vaddr;
    }
    struct bind_object object = object_as_bound(f->object);
    if (bind_is_reserved(&object, f->vaddr)) {
        binding_remark(out, "%s%s%s", prefix, colon, bind_reserved_text);
        return;
    }
    unsigned other = take_function(b, f, out->decl->at_source.line);
    if (other) {
        out->twice_count++;
        if (!out->decl->match)
            binding_remark(out, "traced by the declaration in line %u", other);
        return;
    }
    if (b->sites_left == 0) {
        binding_remark(out, "a process has room for %s handlers",
                       format_count(PLAN_HANDLERS_MAX).text);
        return;
    }
    b->sites_left--;
    object_find_branches(b->objects, f->object, f->vaddr);
    int err = plan_entry_patch(&plan_decoder_zydis, image, f->vaddr, 0,
                               b->scratch, &patch);
    bool entry = err == 0 && patch.verdict == PLAN_OK;
    bool hopeless = err || bind_is_hopeless(patch.verdict);
    enum plan_stack stack = PLAN_STACK_UNKNOWN;
    if (entry || !hopeless) /* as the preload: also where no slot is found */
        stack = plan_prove_within(&plan_decoder_zydis, image, f->vaddr,
                                  &resolver, b->scratch, &b->steps_left, NULL);
    if (patch.verdict == PLAN_IFUNC_RESOLVER) {
        out->bound_count++;
        f->is_bound = true;
        out->ways |= BINDING_CHOSEN;
        binding_remark(out,
                       "%s%san ifunc: what its resolver chooses is traced "
                       "if the loader asks it at the start (all but lazy "
                       "binding alone)",
                       prefix, colon);
        return;
    }
    if (stack == PLAN_STACK_CALLER) {
        binding_remark(out, "%s%s%s", prefix, colon, plan_stack_text(stack));
        return;
    }
    const char *collector = stack == PLAN_STACK_LOCAL ||
                                    stack == PLAN_STACK_COPIED ||
                                    (!entry && hopeless)
                                ? NULL
                                : find_collector(b);
    if (collector) {
        binding_remark(out,
                       "%s%s%s, and it is not proved to have no stack "
                       "arguments",
                       prefix, colon, collector);
        return;
    }
    char verdict[512];
    verdict_text(image, &patch, verdict, sizeof verdict);
    if (!entry && (hopeless || !has_slots(b, f->name))) {
        binding_remark(out, "%s%s%s", prefix, colon,
                       err ? strerror(-err) : verdict);
        return;
    }
    out->bound_count++;
    f->is_bound = true;
    if (bind_twins_text(image, f->vaddr, f->name, twins, sizeof twins))
        binding_remark(out, "%s%s%s", prefix, colon, twins);
    out->ways |= entry ? BINDING_ENTRY : BINDING_SLOTS;
    if (!entry)
        binding_remark(
            out,
            "%s%s%s, so only calls from other objects through their PLT "
            "are seen",
            prefix, colon, verdict);
    if (stack == PLAN_STACK_LOCAL || stack == PLAN_STACK_COPIED)
        out->frame_count++;
    else
        out->zero_copy_count++;
}

/* ---- nothing found ------------------------------------------------------ */

static const char *scope_text(const struct manifest_object *scope)
{
    return scope->kind == MANIFEST_OBJECT_MAIN ? "the executable"
           : scope->pattern                    ? scope->pattern
                                               : "this object";
}

/* A needed library that is not there and that the scope means, or NULL. */
static const char *missing_object(const struct bindings *b,
                                  const struct manifest_object *scope)
{
    for (size_t i = 0; i < b->objects->missing_count; i++)
        if (scope->kind == MANIFEST_OBJECT_BASENAME &&
            manifest_match_glob(scope->pattern, b->objects->missing[i]))
            return b->objects->missing[i];
    return NULL;
}

struct nearest_search {
    struct text_nearest near;
    size_t *offers_left;
    const char *clone; /* "work.constprop.0" */
};

static int offer(void *context, const struct plan_symbol *symbol)
{
    struct nearest_search *s = context;
    size_t len = strlen(s->near.word);
    if (!symbol->vaddr)
        return 0;
    if (*s->offers_left == 0)
        return 1;
    --*s->offers_left;
    if (!s->clone && strncmp(symbol->name, s->near.word, len) == 0 &&
        bind_is_clone(symbol->name) && symbol->name[len] == '.')
        s->clone = symbol->name;
    if (strncmp(symbol->name, "_Z", 2) != 0)
        text_nearest_offer(&s->near, symbol->name);
    return 0;
}

/* What is like it, for who misspelt. */
static void tell_nearest(struct bindings *b, struct binding *out)
{
    struct nearest_search s = {.offers_left = &b->offers_left};
    const struct manifest_decl *decl = out->decl;
    if (decl->match || decl->has_at)
        return;
    text_nearest_init(&s.near, out->name);
    for (size_t i = 0; i < b->objects->count; i++)
        if (object_matches(&b->objects->at[i], decl->object))
            plan_image_each_function(&b->objects->at[i].image, offer, &s);
    if (s.clone)
        binding_remark(
            out,
            "the compiler left only a clone of it: symbol(\"%s\") names "
            "that one, for times alone",
            s.clone);
    else if (s.near.name[0])
        binding_remark(out, "nearest: %s%s%s", s.near.name[0],
                       s.near.name[1] ? ", " : "",
                       s.near.name[1] ? s.near.name[1] : "");
}

static bool is_other_build(const struct bindings *b,
                           const struct manifest_object *scope)
{
    struct manifest_object any = *scope;
    any.build_id = NULL;
    for (size_t i = 0; scope->build_id && i < b->objects->count; i++)
        if (object_matches(&b->objects->at[i], &any))
            return true;
    return false;
}

static void explain_none(struct bindings *b, struct binding *out,
                         size_t matches, size_t covered,
                         const struct object *one)
{
    char reason[1024];
    struct bind_facts facts = {
        .objects = (uint32_t)covered,
        .one = one ? one->name : NULL,
        .is_stripped = one && !one->image.symtab_count,
        .is_other_build = is_other_build(b, out->decl->object),
        .matches = (uint32_t)matches,
        .match_max = (uint32_t)b->match_max,
        .has_demangler = true,
    };
    b->sites_left -= b->sites_left > 0;
    out->status = BINDING_NONE;
    (void)bind_reason_none(out->decl, &facts, reason, sizeof reason);
    binding_remark(out, "%s", reason);
    if (covered && matches == 0)
        tell_nearest(b, out);
}

/* ---- a declaration ------------------------------------------------------ */

/* True: it has no values, though others of this name may have. */
static bool tell_other(const struct function *f, struct binding *out)
{
    const char *slash = strrchr(f->object->path, '/');
    const char *why = bind_reason_other(out->decl, &f->object->image,
                                        slash ? slash + 1 : f->object->path,
                                        f->name, f->vaddr);
    if (why)
        binding_remark(out, "%s at %s+0x%llx: %s; times and errors only",
                       f->name, f->object->name, (unsigned long long)f->vaddr,
                       why);
    return why != NULL;
}

static void conclude(struct bindings *b, struct functions *found,
                     struct binding *out)
{
    const struct manifest_decl *decl = out->decl;
    bool clones = false;
    for (size_t i = 0; i < found->count; i++) {
        decide_function(b, &found->at[i], out);
        clones |= bind_is_clone(found->at[i].name);
        out->other_count += tell_other(&found->at[i], out);
    }
    size_t own = out->function_count - out->twice_count;
    if (own == 0)
        out->status = BINDING_TWICE;
    else if (out->bound_count == 0)
        out->status = BINDING_NONE;
    else if (out->bound_count < own ||
             out->ways & (BINDING_SLOTS | BINDING_CHOSEN))
        out->status = BINDING_PART;
    else if (clones || decl->capture_disabled ||
             (out->other_count && out->other_count == found->count))
        out->status = BINDING_TIMES;
    else
        out->status = BINDING_OK;
    if (out->twice_count && decl->match)
        binding_remark(out, "%zu of them traced by declarations before this",
                       out->twice_count);
    if (out->bound_count && !bind_makes_spans(decl))
        binding_remark(out, "%s", bind_no_spans);
    if (out->bound_count && clones)
        binding_remark(out,
                       "the compiler changed its arguments; times and errors "
                       "only, no input");
    else if (out->bound_count && decl->capture_disabled)
        binding_remark(out,
                       "its prototype cannot be used; times and errors only");
    else if (out->bound_count && !decl->has_prototype)
        binding_remark(out, "no prototype, so no values");
}

void bindings_decide(struct bindings *b, const struct manifest_decl *decl,
                     struct binding *out)
{
    struct functions found = {0};
    size_t covered = 0;
    const struct object *one = NULL;
    *out = (struct binding){.decl = decl};
    buf_init(&out->remark, 4096);
    out->name = bind_written_name(decl);
    for (size_t i = 0; i < b->objects->count; i++)
        if (object_matches(&b->objects->at[i], decl->object)) {
            covered++;
            one = one ? one : &b->objects->at[i];
        }
    if (decl->disabled) {
        out->status = BINDING_ERROR;
    } else if (b->program && !manifest_decl_applies(decl, b->program)) {
        out->status = BINDING_ELSEWHERE;
        binding_remark(out, "is for other programs");
    } else if (covered == 0 && missing_object(b, decl->object)) {
        out->status = BINDING_NONE;
        binding_remark(out, "%s, which the program needs, was not found",
                       missing_object(b, decl->object));
    } else if (covered == 0 && is_other_build(b, decl->object)) {
        explain_none(b, out, 0, covered, NULL);
    } else if (covered == 0) {
        out->status = BINDING_LATER;
        binding_remark(
            out,
            "%s is not loaded at the start; if the program loads it later "
            "it is bound then, and 'handspan show' tells",
            scope_text(decl->object));
    } else if (functions_find(b->objects, decl, &found) < 0) {
        out->status = BINDING_NONE;
        binding_remark(out, "out of memory");
    } else if (found.count == 0 || found.name_count > b->match_max) {
        explain_none(b, out, found.name_count, covered, one);
    } else {
        conclude(b, &found, out);
    }
    out->functions = found;
}
