/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function, one site: the mechanism that sees its calls, the trampoline
 * that carries them, and what the session says of it.
 */
#pragma once
#include "preload/bind.h"

/*
 * A round: begin, plan a site for each function, apply them all. Between begin
 * and apply no text may change, and the names handed in must stay.
 * -ENOMEM: nothing can be bound now.
 */
HIDDEN int bind_round_begin(void) __attribute__((warn_unused_result));
HIDDEN void bind_round_apply(void);
/* Slots may be used for what was loaded at the start: later objects are not
 * relocated yet, their slots would be overwritten.
 * 0; -EEXIST: the function is traced already; -ENOTSUP and others: not bound,
 * the session says why; -ENOSPC: no site left. */
HIDDEN int bind_site_plan(const struct manifest_decl *decl,
                          struct module *module, const char *name,
                          uint64_t vaddr, bool may_use_slots)
    __attribute__((warn_unused_result));
/* A site that only says why there is none. */
HIDDEN void bind_site_unbound(const struct manifest_decl *decl,
                              const char *name, const char *reason);
/* The object of these sites is gone. */
HIDDEN void bind_site_gone(struct module *module);
