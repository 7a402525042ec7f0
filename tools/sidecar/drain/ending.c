/* SPDX-License-Identifier: Apache-2.0 */
/* See ending.h. The process's frames are written at its end by the thread that
 * ends it: preload/call/error/error_process.c. */
#define _GNU_SOURCE
#include "tools/sidecar/drain/ending.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/ids.h"
#include "tools/sidecar/decode/decode_internal.h"
#include "tools/sidecar/drain/stacks.h"
#include "lane/format/assert.h"

static void name_end(const char *kind, int64_t code, char *out,
                     size_t cap_bytes)
{
    const char *name =
        kind[0] == 's' ? sigabbrev_np((int)code) : NULL; /* signal */
    if (name)
        snprintf(out, cap_bytes, "SIG%s", name);
    else
        snprintf(out, cap_bytes, "%s %lld", kind, (long long)code);
}

int ending_make(struct session *s, uint32_t number, const char *kind,
                int64_t code, struct ending *out)
{
    lane_assert(kind != NULL && out != NULL);
    uint64_t ref = LANE_REF(LANE_PROCESS_LANE, number + 1);
    struct drain_span span = {.ref = ref};
    struct pending *pending = pending_find(&s->pending, ref);
    struct decode_context context = {.withheld =
                                         s->withheld[0] ? s->withheld : NULL};
    char type[64];
    *out = (struct ending){NULL, NULL};
    if (!pending)
        return 0;
    int rc = stacks_gather(s, &span, pending, &context);
    if (rc >= 0) {
        uint32_t site = context.site;
        name_end(kind, code, type, sizeof type);
        decode_ending(kind, type,
                      site < LANE_SITE_MAX && site ? s->site[site].name : NULL,
                      &context, &out->error, &out->group);
    }
    decode_context_free(&context);
    pending_drop(&s->pending, pending);
    return rc < 0 ? rc : 0;
}

void ending_free(struct ending *ending)
{
    free(ending->error);
    free(ending->group);
    *ending = (struct ending){NULL, NULL};
}
