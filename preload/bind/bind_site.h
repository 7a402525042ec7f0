/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function, one site: the mechanism that sees its calls, the trampoline
 * that carries them, and what the session says of it.
 */
#pragma once
#include "preload/bind/bind.h"

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
struct bind_hold;
/*
 * While the program runs, [bind_lock held]: a site on this function, its span
 * called `own_name` (NULL: as the declaration says). 0; -EEXIST: it is traced
 * already; else not bound, and the session says why.
 */
HIDDEN int bind_site_late(const struct manifest_decl *decl,
                          struct module *module, const char *name,
                          const char *own_name, uint64_t vaddr,
                          const struct bind_hold *hold)
    __attribute__((warn_unused_result));
/* A site that is reached by its stub alone: what the program is given instead
 * of the function at `address`. 0 or -ENOSPC. */
HIDDEN int bind_site_pointer(const struct manifest_decl *decl, const char *name,
                             const char *own_name, uint64_t address,
                             uint64_t *stub)
    __attribute__((warn_unused_result));
/* A site that only says why there is none. `address`: of a function that was
 * found (in its object, or where there is none in memory); 0: there is none. */
HIDDEN void bind_site_unbound(const struct manifest_decl *decl,
                              const char *name, uint64_t address,
                              const char *reason);
/* The same where no function was found in the objects of its scope; `one`: that
 * object, if it is one, else NULL. */
HIDDEN void bind_site_missing(const struct manifest_decl *decl,
                              const struct module *one, const char *name,
                              const char *reason);
/* The object of these sites is gone. */
HIDDEN void bind_site_gone(struct module *module);
