/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a declaration does besides a span of its own: event (a point), begin
 * and end (a span that two functions share), callback (a function pointer
 * that becomes a site). Called out of the hooks: any thread, signal handlers,
 * general registers only, errno kept.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Without span or root such a site opens no span. */
enum {
    FLOW_ROLES =
        MANIFEST_EVENT | MANIFEST_BEGIN | MANIFEST_END | MANIFEST_CALLBACK
};

/* The call comes in, `recording`: the gate is open. May take the tail call's
 * flag away: then flow_leave() follows. */
HIDDEN void flow_enter(struct shim_call *call, const struct site *site,
                       bool recording);
/* While recording, the call's own span is open: what a root begins, and its
 * events, which stand in its trace. */
HIDDEN void flow_opened(struct shim_call *call, const struct site *site);
HIDDEN void flow_leave(struct shim_call *call, const struct shim_regs *regs,
                       bool has_returned, bool recording);

/* Memory for begun spans, once. 0 or -ENOMEM: begin and end then count as
 * unmatched. [constructor, loader's lock] */
HIDDEN int flow_reserve(void) __attribute__((warn_unused_result));
/* Spans that `begin` opens at site `index` have the name of site `named`. */
HIDDEN void flow_name_begin(uint32_t index, uint32_t named);

/*
 * A pointer that was handed over at `site`. Set by the preload; the runtime
 * alone (in tests) has none. `call` may be changed: rewrite("pointers").
 */
struct flow_pointer {
    const struct site *site;
    const struct manifest_flow *flow;
    struct shim_call *call;
    uint64_t address; /* of the function */
};
extern HIDDEN void (*flow_callback)(struct flow_pointer *pointer);
