/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declarations against objects; see bindings.h. Decided as in the preload, by
 * bind/. What only the running process knows (interposition by later objects,
 * text that cannot be written) is not seen here.
 */
#include "tools/cli/check/bindings.h"
#include "bind/names.h"
#include "bind/reason.h"
#include "bind/reserved.h"
#include "bind/twins.h"
#include "bind/way.h"
#include "tools/cli/check/imports.h"
#include "tools/cli/check/remark.h"
#include "tools/cli/program/cxx_called.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
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

void binding_remark(struct binding *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    remark_add(&out->remark, "", text);
}

/* One more part of what is said of a function. */
static void say(struct function *f, const char *text)
{
    if (f->said.len_bytes)
        buf_text(&f->said, "; ");
    buf_text(&f->said, text);
}

/* The line of the declaration that has this function already, 0: none; then
 * it is ours from now on. */
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

static const char *find_collector(void *context)
{
    const struct bindings *b = context;
    const char *text = NULL;
    for (size_t i = 0; !text && i < b->objects->count; i++)
        text = plan_image_collector(&b->objects->at[i].image);
    return text;
}

static void say_of_bound(struct function *f, const struct binding *out)
{
    char text[512];
    const struct plan_image *image = &f->object->image;
    if (bind_values_text(out->decl, image, bind_basename(f->object->path),
                         f->name, f->vaddr, text, sizeof text))
        say(f, text);
    f->has_times_only = text[0] != 0;
    if (!bind_makes_spans(out->decl))
        say(f, bind_no_spans);
    if (bind_twins_text(image, f->vaddr, f->name, text, sizeof text))
        say(f, text);
}

/* Is it bound already, never to be, or is there no room? Says so. */
static bool is_taken(struct bindings *b, struct function *f,
                     struct binding *out)
{
    char text[128];
    struct bind_object object = object_as_bound(f->object);
    if (bind_is_reserved(&object, f->vaddr)) {
        say(f, bind_reserved_text);
        return true;
    }
    unsigned line = take_function(b, f, out->decl->at_source.line);
    if (line) {
        out->twice_count++;
        (void)bind_twice_text(line, text, sizeof text);
        say(f, text);
        return true;
    }
    if (b->sites_left == 0) {
        snprintf(text, sizeof text, "a process has room for %s handlers",
                 format_count(PLAN_HANDLERS_MAX).text);
        say(f, text);
        return true;
    }
    b->sites_left--;
    return false;
}

/* By which trampoline; that none may carry it is said. */
static enum bind_carrier choose_carrier(struct bindings *b, struct function *f)
{
    struct bind_choice choice;
    struct bind_means means = {
        .decoder = &plan_decoder_zydis,
        .scratch = b->scratch,
        .resolver = {(void *)(uintptr_t)b->objects, imports_resolve},
        .steps_left = &b->steps_left,
        .collector = find_collector,
        .context = b};
    bind_choose_carrier(&means, &f->object->image, f->vaddr, &choice);
    if (choice.carrier == BIND_REFUSED) {
        buf_reset(&f->said);
        buf_printf(&f->said, "%s%s", choice.why[0], choice.why[1]);
    }
    return choice.carrier;
}

static void take_chosen(struct function *f, struct binding *out)
{
    f->is_bound = true;
    out->ways |= BINDING_CHOSEN;
    say(f, "an ifunc: what its resolver chooses is traced if the loader asks "
           "it at the start (all but lazy binding alone)");
}

static void decide_free(struct bindings *b, struct function *f,
                        struct binding *out)
{
    struct plan_patch patch;
    char text[128];
    object_find_branches(b->objects, f->object, f->vaddr);
    if (plan_entry_patch(&plan_decoder_zydis, &f->object->image, f->vaddr, 0,
                         b->scratch, &patch) != 0) {
        say(f, "its entry cannot be patched");
        return;
    }
    if (patch.verdict == PLAN_IFUNC_RESOLVER) {
        take_chosen(f, out);
        return;
    }
    bool has_patch = patch.verdict == PLAN_OK;
    if (!has_patch) {
        (void)bind_verdict_text(&patch, text, sizeof text);
        say(f, text);
    }
    if (!bind_is_reachable(has_patch, patch.verdict,
                           !imports_are_later(b->objects)))
        return;
    enum bind_carrier carrier = choose_carrier(b, f);
    if (carrier == BIND_REFUSED)
        return;
    f->is_bound = has_patch || imports_have(b->objects, f->name);
    if (!f->is_bound) {
        say(f, bind_no_slots_text);
        return;
    }
    say_of_bound(f, out);
    if (!has_patch)
        say(f, bind_slots_text);
    out->ways |= has_patch ? BINDING_ENTRY : BINDING_SLOTS;
    out->frame_count += carrier == BIND_FRAME;
    out->zero_copy_count += carrier == BIND_ZERO_COPY;
}

/* As the preload: what cannot be bound has no owner, and who names it next is
 * told the same reason. */
static void decide_function(struct bindings *b, struct function *f,
                            struct binding *out)
{
    size_t taken = b->taken_count;
    if (is_taken(b, f, out))
        return;
    decide_free(b, f, out);
    if (!f->is_bound)
        b->taken_count = taken;
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

enum {
    CXX_TOLD = 3
};
struct nearest_search {
    struct text_nearest near;
    size_t *offers_left;
    const char *clone; /* "work.constprop.0" */
    char *cxx[CXX_TOLD];
    size_t cxx_count;
};

static void offer_cxx(struct nearest_search *s, const char *symbol)
{
    char *text = s->cxx_count < CXX_TOLD && !bind_cold_half_of(symbol)
                     ? cxx_called(symbol, s->near.word)
                     : NULL;
    for (size_t i = 0; text && i < s->cxx_count; i++)
        if (strcmp(s->cxx[i], text) == 0) {
            free(text);
            return;
        }
    if (text)
        s->cxx[s->cxx_count++] = text;
}

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
    else
        offer_cxx(s, symbol->name);
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
    else if (s.cxx_count)
        binding_remark(
            out, "in C++: %s%s%s%s%s%s", s.cxx[0], s.cxx_count > 1 ? ", " : "",
            s.cxx_count > 1 ? s.cxx[1] : "", s.cxx_count > 2 ? ", " : "",
            s.cxx_count > 2 ? s.cxx[2] : "",
            decl->has_prototype ? "; write the one that is meant "
                                  "instead of its prototype"
                                : "");
    else if (s.near.name[0])
        binding_remark(out, "nearest: %s%s%s", s.near.name[0],
                       s.near.name[1] ? ", " : "",
                       s.near.name[1] ? s.near.name[1] : "");
    for (size_t i = 0; i < s.cxx_count; i++)
        free(s.cxx[i]);
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

/* Why nothing is bound, or not all that match. */
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
    (void)bind_reason_none(out->decl, &facts, reason, sizeof reason);
    binding_remark(out, "%s", reason);
    if (covered && matches == 0)
        tell_nearest(b, out);
}

/* ---- a declaration ------------------------------------------------------ */

/* In the order in which a trace tells them. */
static int compare_functions(const void *one, const void *other)
{
    const struct function *const *a = one, *const *b = other;
    int order = strcmp((*a)->object->path, (*b)->object->path);
    return order ? order
                 : ((*a)->vaddr > (*b)->vaddr) - ((*a)->vaddr < (*b)->vaddr);
}

static void tell_functions(const struct functions *found, struct binding *out)
{
    const struct function **order = calloc(found->count, sizeof *order);
    if (!order)
        return;
    for (size_t i = 0; i < found->count; i++)
        order[i] = &found->at[i];
    qsort(order, found->count, sizeof *order, compare_functions);
    for (size_t i = 0; i < found->count; i++) {
        char prefix[1024] = "";
        if (remark_is_many(out->name, order[i]->name))
            snprintf(prefix, sizeof prefix, "%s: ", order[i]->name);
        if (order[i]->said.len_bytes)
            remark_add(&out->remark, prefix, buf_get(&order[i]->said));
    }
    /* what is told of the whole is told of what is bound, if anything is */
    for (size_t i = found->count; i-- > 0;)
        if (!out->object || order[i]->is_bound || !out->bound_count) {
            out->object = order[i]->object;
            out->vaddr = order[i]->vaddr;
        }
    free(order);
}

static enum binding_status status_of(const struct binding *out, size_t times)
{
    size_t own = out->function_count - out->twice_count;
    if (own == 0)
        return BINDING_TWICE;
    if (out->bound_count == 0)
        return BINDING_NONE;
    if (out->bound_count < own || out->ways & (BINDING_SLOTS | BINDING_CHOSEN))
        return BINDING_PART;
    return times == out->bound_count ? BINDING_TIMES : BINDING_OK;
}

static void conclude(struct bindings *b, struct functions *found,
                     struct binding *out)
{
    size_t times = 0;
    while (found->count && found->at[found->count - 1].rank >= b->match_max)
        buf_free(&found->at[--found->count].said);
    for (size_t i = 0; i < found->count; i++) {
        decide_function(b, &found->at[i], out);
        out->bound_count += found->at[i].is_bound;
        times += found->at[i].has_times_only;
    }
    bool is_cut = found->name_count > b->match_max;
    out->function_count = is_cut ? found->name_count : found->count;
    out->status = status_of(out, times);
    tell_functions(found, out);
    if (out->bound_count && times == 0 && !out->decl->has_prototype)
        out->hint = "no prototype, so no values";
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
        out->status = BINDING_NONE;
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
    } else {
        out->status = BINDING_NONE;
        if (found.count == 0 || found.name_count > b->match_max)
            explain_none(b, out, found.name_count, covered, one);
        if (found.count > 0)
            conclude(b, &found, out);
    }
    out->functions = found;
}
