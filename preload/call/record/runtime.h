/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the preload share. One instance, in our .bss; written at
 * start (single-threaded, before the first stub can be reached) and read by
 * the hooks.
 */
#pragma once
#include "lane/format/owner.h"
#include "lane/writer/session.h"
#include "manifest/manifest.h"
#include "shim/shim.h"

#define HIDDEN __attribute__((visibility("hidden")))

enum site_flags {
    SITE_CAPTURE_IN = 1 << 0,  /* capture_enter() has something to do */
    SITE_CAPTURE_OUT = 1 << 1, /* capture_leave() has: outputs or rules */
    SITE_ROOT = 1 << 2,        /* outermost call starts a trace */
    SITE_INTERNAL = 1 << 3,    /* ours (dlopen, exit, fork ...): `hook` is
                                  called and no span is opened */
    SITE_FREG = 1 << 4,        /* captures need vector registers */
    SITE_OFF = 1 << 5,         /* switched off after a fault of ours */
    SITE_FLOW = 1 << 6,        /* flow_enter() has something to do */
    SITE_FLOW_LEAVE = 1 << 7,  /* ... and its `end` waits for the result */
    SITE_NO_SPAN = 1 << 8,     /* that is all it does */
    SITE_KEEP = 1 << 9,        /* outputs or rules need parameters that the call
                                  may overwrite: capture_keep() */
    SITE_CARRY = 1 << 10,      /* carry, adopt, forget, link: `carry` */
    SITE_MAY_PASS = 1 << 11,   /* internal, and need not be heard where the
                                  program's stack ends */
    SITE_STACKS = 1 << 12,     /* of every site once fibers were seen: the plain
                                  way does not look which stack a call is on */
    SITE_DIRECT = 1 << 13, /* of SITE_CAPTURE_IN: values of registers alone */
    SITE_VALUE = 1 << 14,  /* of SITE_CAPTURE_OUT: one value, no rule; it goes
                              into the record */
};

struct capture_plan; /* preload/call/capture/capture.h */
struct carry_plan;   /* preload/call/carry/carry.h */

/* A bound handler, as the path of a call needs it: one cache line, read-only
 * after it was published. Index = lane_site index = stub number. */
struct site {
    uint64_t target; /* what enter tells the trampoline to call: the relocated
                        copy of the entry, or the function behind the slot */
    uint32_t flags;  /* enum site_flags */
    uint32_t index;
    const struct capture_plan *capture;
    const struct manifest_decl *decl;
    /* SITE_INTERNAL: instead of a span. May be NULL. */
    void (*hook_enter)(struct shim_call *call);
    void (*hook_leave)(struct shim_call *call, const struct shim_regs *regs);
    const struct carry_plan *carry;
    uint64_t pad[1];
};
_Static_assert(sizeof(struct site) == 64, "one cache line");

enum {
    PROCESS_UNKNOWN = 0x7ffffffe, /* no place was left for it */
};

struct runtime {
    struct lane_map map;      /* session NULL: nothing is recorded */
    volatile uint32_t *alive; /* a page with MADV_WIPEONFORK: 1, and 0 in a
                                 forked child until it registered itself */
    uint32_t process; /* its number in the session (lane/format/owner.h), or
                         PROCESS_UNKNOWN */
    uint32_t pid;
    struct site sites[SHIM_SITE_MAX];
    const struct manifest *manifest;
    uint64_t self_low, self_high; /* our own text and data */
    /* libc's, of the calling thread; NULL: errno is that one (tests) */
    int *(*program_errno)(void);
};
extern HIDDEN struct runtime runtime;

/* Nobody said `off` of this process. One that did not register itself yet has
 * its parent's number, and is on. [session not NULL] */
static inline bool runtime_is_recording(void)
{
    const struct lane_session *session = runtime.map.session;
    if (__builtin_expect(session->gate == LANE_GATE_OPEN, 1))
        return true;
    if (session->gate != LANE_GATE_SOME)
        return false;
    uint32_t slot = LANE_PROCESS_SLOT(runtime.process);
    return *runtime.alive == 0 || runtime.process == PROCESS_UNKNOWN ||
           (session->process_off[slot / 64] >> slot % 64 & 1) == 0;
}
