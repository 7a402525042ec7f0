/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work on one site, shared by bind_site.c (which sites), bind_record.c
 * (what the session says of them) and bind_mechanism.c (how calls are seen and
 * carried).
 */
#pragma once
#include "preload/objects/modules.h"
#include "shim/plan/plan.h"

/* What binding knows about a site beyond what a call needs. */
struct bound {
    const struct manifest_decl *decl; /* NULL: internal */
    struct module *module;            /* NULL: unloaded, or never bound */
    uint64_t vaddr;
    uint64_t island;           /* 0: no entry patch */
    struct lane_string object; /* its path, also after it is gone */
};

/* The work on one site, from its plan to its end. */
struct work {
    const struct manifest_decl *decl;
    struct module *module;
    const char *name;
    uint64_t vaddr;
    uint32_t index;
    uint32_t other; /* index of the site that has this function already */
    struct site *site;
    struct lane_site *record;
    struct bound *bound;
    struct plan_patch patch;
    enum lane_shim shim; /* 0: not decided yet */
    uint32_t copy_words; /* F copies so many of its stack arguments */
    bool has_patch, may_use_slots;
    bool is_known;                /* the patch was: plans.h */
    const struct bind_hold *hold; /* while the program runs; else NULL */
    const char *own_name;         /* of the span; NULL: the declaration's */
    struct text reason;
    size_t refusal_len; /* of it: why its entry is not patched */
    char reason_bytes[256];
};

/* One for each site of a round, between its two halves; address space for the
 * most there can be. */
struct round {
    struct work *at;
    uint32_t count;
    uint32_t steps_left; /* of proofs, see shim/plan/plan.h */
};
extern HIDDEN struct round bind_round;

/* bind_record.c: a fresh number of a site, with its counters if it `counts`;
 * 0: there is none left, which is counted. */
HIDDEN uint32_t bind_record_take(bool counts);
/* Fill its entry in: names, place, declaration; nobody reads it yet. */
HIDDEN void bind_work_describe(struct work *work);
/* Spans that begin here are called as the pair is: by this site, or if that
 * has a name and spans of its own, by one that only lends its name. */
HIDDEN void bind_work_name_begin(struct work *work);
/* Tell the session what became of it. */
HIDDEN void bind_work_publish(struct work *work);
/* The site is complete: hooks may meet it. `target`: what a call goes to. */
HIDDEN void bind_work_arm(struct work *work, uint64_t target);
/* bind_late.c: change the entry while threads run. 0, or -errno and the
 * reason. */
HIDDEN int bind_late_apply(struct work *work, uint64_t island, uint64_t stub)
    __attribute__((warn_unused_result));
/* One more part of the reason. */
HIDDEN void bind_work_say(struct work *work, const char *text);
/* bind_capture.c: what the site captures; what it cannot is a reason. */
HIDDEN void bind_work_plan_capture(struct work *work);
/* Decide on the trampoline, once. */
HIDDEN void bind_work_choose_shim(struct work *work);
/*
 * An island (`island`, or a new one if it is 0) and the plan for where it
 * stands. An island that is not used after all is left: 112 bytes, for a
 * function that was refused. 0, or -errno and the reason.
 */
HIDDEN int bind_work_plan_entry(struct work *work, uint64_t island);
/* Entry and trampoline. 0: something can be tried; else the reason. */
HIDDEN int bind_work_plan(struct work *work);
/* Arm the site, change text or slots. 0, or -errno and the reason. */
HIDDEN int bind_work_apply(struct work *work);
