/* SPDX-License-Identifier: Apache-2.0 */
/* Times only: linked where capture.c is not there. */
#include "preload/capture.h"

int capture_bind(struct lane_map *map, const struct manifest_decl *decl,
                 struct manifest_arena *memory, struct lane_site *lane_site,
                 uint32_t *flags, const struct capture_plan **plan)
{
    (void)map;
    (void)decl;
    (void)memory;
    (void)lane_site;
    (void)flags;
    *plan = NULL;
    return 0;
}
uint64_t capture_enter(const struct site *site, struct lane *lane,
                       uint64_t span, const struct shim_call *call)
{
    (void)site;
    (void)lane;
    (void)span;
    (void)call;
    return 0;
}
struct capture_verdict capture_leave(const struct site *site, struct lane *lane,
                                     uint64_t span,
                                     const struct shim_call *call,
                                     const struct shim_regs *regs,
                                     int saved_errno, int entry_errno)
{
    (void)site;
    (void)lane;
    (void)span;
    (void)call;
    (void)regs;
    (void)saved_errno;
    (void)entry_errno;
    return (struct capture_verdict){false, false, false, false};
}
