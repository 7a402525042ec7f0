/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying values out of a call. On the path of a call: no malloc, no libc, no
 * fault. Built once per site when it is bound.
 */
#pragma once
#include "preload/call/record/runtime.h"
#include "lane/writer/writer.h"

/* Build the plan of a site from its declaration into `memory` (bump; NULL and
 * *need_bytes if it does not fit) and its items into the session's item table
 * (item_first and item_count of lane_site). Sets SITE_CAPTURE_* in `flags`. */
HIDDEN int capture_bind(struct lane_map *map, const struct manifest_decl *decl,
                        struct manifest_arena *memory,
                        struct lane_site *lane_site, uint32_t *flags,
                        const struct capture_plan **plan)
    __attribute__((warn_unused_result));

struct capture_call;
/* What an expression of this call may ask for. `lane` NULL: its stack is not
 * known; `regs` NULL: it has not returned. `c` must stay where it is. */
HIDDEN void capture_call_start(struct capture_call *c, const struct lane *lane,
                               const struct shim_call *call,
                               const struct shim_regs *regs);

/* Write the input frame of a span that was just opened (reference `span`).
 * Position of the frame; 0: nothing captured; UINT64_MAX: no room, the values
 * are lost. */
HIDDEN uint64_t capture_enter(const struct site *site, struct lane *lane,
                              uint64_t span, const struct shim_call *call);

enum {
    ERROR_EVENT_BYTES = 256
};
/* What the last event of a thread said (error_event.c), for the failures that
 * no result tells. */
struct error_event {
    uint64_t ticks; /* 0: none */
    uint32_t len_bytes;
    uint8_t text[ERROR_EVENT_BYTES];
};
struct capture_verdict {
    bool is_error;   /* a fails rule fired and no benign one */
    bool has_output; /* an output frame stands in the log */
    bool has_error;  /* an error frame does */
    bool is_lost;    /* no room for values */
    bool has_value;  /* no output frame, but this for the record: */
    uint64_t value;
};
/* Judge the rules, write output and error frame of a span that returned.
 * Parameters come from call->args, the return value from `regs`. An exception
 * does not come here: error_throw.c writes its error frame. `in_record`: a
 * value may go there. */
HIDDEN struct capture_verdict
capture_leave(const struct site *site, struct lane *lane, uint64_t span,
              const struct shim_call *call, const struct shim_regs *regs,
              int saved_errno, int entry_errno, bool in_record);

/* A longjmp takes the call of `span` away: judge the rules that need no result,
 * write the error frame; `why`: what the last event said, or NULL. */
HIDDEN struct capture_verdict capture_left(const struct site *site,
                                           struct lane *lane, uint64_t span,
                                           const struct shim_call *call,
                                           const struct error_event *why);
/* Some rule asks whether a call was left so. [constructor, or under the
 * loader's lock] */
extern HIDDEN bool capture_asks_longjmp;

/* The end of `span` that another function began: judge the rules of this call,
 * write its values as what came out of that span. `regs` NULL: at its enter. */
HIDDEN struct capture_verdict capture_end(const struct site *site,
                                          struct lane *lane, uint64_t span,
                                          const struct shim_call *call,
                                          const struct shim_regs *regs,
                                          int saved_errno);
