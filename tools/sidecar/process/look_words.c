/* SPDX-License-Identifier: Apache-2.0 */
/* Where a thread is, in words; see look.h. */
#include "tools/sidecar/process/look.h"
#include <stdio.h>
#include "lane/format/assert.h"

static const char *state_text(const struct look *l)
{
    lane_assert(l != NULL);
    switch (l->state) {
    case 'R':
        return "running";
    case 'D':
        return "waiting, not to be interrupted";
    case 'T':
    case 't':
        return "stopped";
    case 0:
        return NULL;
    default:
        return "waiting";
    }
}

void look_place_text(const struct look *l, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    lane_assert(out != NULL && l->syscall >= LOOK_UNKNOWN);
    const char *state = state_text(l);
    const char *name = look_syscall_name(l->syscall);
    int n = snprintf(out, cap_bytes, "%s", state ? state : "");
    size_t at = n < 0 ? 0 : (size_t)n;
    if (l->syscall < 0 || at >= cap_bytes || (state && l->state == 'R'))
        return;
    if (name && look_takes_descriptor(l->syscall))
        snprintf(out + at, cap_bytes - at, " in %s(%d)", name,
                 (int)l->argument);
    else if (name)
        snprintf(out + at, cap_bytes - at, " in %s", name);
    else
        snprintf(out + at, cap_bytes - at, " in system call %d", l->syscall);
}
