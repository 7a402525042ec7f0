/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items: carry, adopt, forget and link of the manifest, at the calls of
 * the functions that have them. docs/context.md says what they mean.
 *
 * Within enter and leave: general registers only, no libc, no fault.
 */
#pragma once
#include "manifest/run/eval.h"
#include "preload/call/carry/carry_table.h"
#include "preload/call/record/span_internal.h"

enum {
    CARRY_ROLES =
        MANIFEST_CARRY | MANIFEST_ADOPT | MANIFEST_FORGET | MANIFEST_LINK,
    CARRY_EVALUATE = 0xff, /* carry_value.source: run the expression */
    CARRY_RAX = 6,
};
struct carry_value {
    const struct manifest_expr *expr;
    uint8_t source;      /* integer argument register 0 to 5, RAX, EVALUATE */
    uint8_t unused_bits; /* of the register, its upper ones */
    bool is_signed;
};
struct carry_step {
    struct carry_value key;
    struct carry_value data; /* expr NULL: the key alone */
    uint8_t role;            /* enum carry_role */
    bool is_many;
    uint8_t element_bytes; /* link: of the array's elements; 0: one key */
};
enum carry_role {
    CARRY_HAND,
    CARRY_ADOPT,
    CARRY_FORGET,
    CARRY_LINK,
};
/* What to do at a site; enter first, then leave. */
struct carry_plan {
    const struct carry_step *enter, *leave;
    const struct carry_step *adopt, *hand; /* is_plain: these; or NULL */
    uint32_t enter_count, leave_count;
    bool has_adopt; /* at leave */
    bool adopts;    /* a span that says which item it is */
    bool is_plain;  /* at enter, adopt and then hand what a register holds, each
                       once or not at all; no more */
    bool is_pop;    /* at leave, adopt what is returned; no more */
    bool takes_pairs;  /* it may be the function of a carry(fn, data) */
    uint8_t pair_args; /* in how many of its first arguments data may be */
    uint64_t function; /* its run-time address */
};

/* Make the plan of a site for `decl`, whose function stands at `function`.
 * `memory` as for capture_bind(). May set SITE_CARRY. 0 or
 * -ENOMEM. [when it is bound] */
HIDDEN int carry_bind(const struct manifest_decl *decl, uint64_t function,
                      struct manifest_arena *memory, uint32_t *flags,
                      const struct carry_plan **plan)
    __attribute__((warn_unused_result));

/* How long an item may be under way; before the first carry_bind(). */
extern HIDDEN uint64_t carry_age_ns;
/* What of it needs more than the runtime: unwind tables, the environment.
 * [constructor, before binding] */
HIDDEN void carry_start(void);

/* A call of a site that is no span. */
HIDDEN void carry_enter(struct shim_call *call, const struct site *site,
                        struct lane *lane);
/* Before a span is opened: whose work it is, if its site or a pop says so. */
HIDDEN void carry_adopt(const struct shim_call *call, const struct site *site,
                        struct lane *lane, struct span_origin *origin);
/* It is open: frames, what it carries, what it links. */
HIDDEN void carry_opened(struct shim_call *call, const struct site *site,
                         struct lane *lane, struct lane_open *open,
                         const struct span_origin *origin);
/* The call returned; its record, if it is a span, is not written yet. */
HIDDEN void carry_leave(const struct shim_call *call,
                        const struct shim_regs *regs);
/* And after the span is off the stack: what it popped. */
HIDDEN void carry_left(const struct shim_call *call,
                       const struct shim_regs *regs, uint64_t tick);

/* Where the function that called at `sp` (the slot of its return address,
 * intact, the caller's rbp 8 bytes below) has its own return address; 0: not
 * known. With CARRY_FRAME_DIRECT if only that function can have been called
 * from where it will return to. Set at start where unwind tables can be read.
 */
extern HIDDEN uint64_t (*carry_find_frame)(uint64_t sp);

/* ---- parts of these ----------------------------------------------------- */

/* Of a register, as a word of 64 bits. */
static inline uint64_t carry_word(const struct carry_value *value,
                                  uint64_t word)
{
    word <<= value->unused_bits;
    return value->is_signed ? (uint64_t)((int64_t)word >> value->unused_bits)
                            : word >> value->unused_bits;
}
static inline struct span_origin carry_origin(const struct carry_item *item,
                                              uint64_t now)
{
    return (struct span_origin){.parent = item->parent,
                                .context = item->context,
                                .is_apart = true,
                                .carried_ticks = item->ticks,
                                .adopted_ticks = now};
}
/* Of what was not found: counted. */
HIDDEN struct span_origin carry_orphan(enum carry_found found);
/* Note how long its item waited; false: there is no room in the entry. */
static inline bool carry_note_wait(struct lane_open *open, uint64_t carried,
                                   uint64_t adopted)
{
    uint64_t waited = adopted > carried ? adopted - carried : 0;
    if (open->capture != 0 || waited >> (64 - LANE_CAPTURE_QUEUE_SHIFT) != 0)
        return false;
    open->capture = waited << LANE_CAPTURE_QUEUE_SHIFT | LANE_CAPTURE_QUEUE;
    return true;
}
/* carry_tell.c: what a reader needs to know of an open span of that origin. */
HIDDEN void carry_tell_origin(struct lane *lane, struct lane_open *open,
                              uint32_t site, const struct span_origin *origin);
/* The function that called, and whose call returned now, popped it. */
HIDDEN void carry_push(const struct shim_call *call, struct lane *lane,
                       const struct span_origin *origin);

/* ---- carry_plain.c: where plan and place are plain --------------------- */

/* All of entering a site whose flags but captures are `flags`. False: nothing
 * was done. [own lane, gate open, rdtsc is the session's clock] */
HIDDEN bool carry_enter_plain(struct shim_call *call, const struct site *site,
                              struct lane *lane, uint32_t flags);
/* All of entering a span without such steps, where no place is plain: what its
 * caller popped. False: likewise. [own stack] */
HIDDEN bool carry_enter_popped(struct shim_call *call, const struct site *site);
/* All of leaving a call of a pop that is no span. False: likewise. */
HIDDEN bool carry_leave_plain(const struct shim_call *call,
                              const struct shim_regs *regs, uint64_t tick);
/* Place of a call that is no span, if that is plain. */
HIDDEN bool carry_find_place(struct lane *lane, uint64_t sp,
                             struct span_place *place);
