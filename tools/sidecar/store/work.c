/* SPDX-License-Identifier: Apache-2.0 */
/* See work.h. */
#include "tools/sidecar/store/work.h"
#include "tools/sidecar/store/store.h"
#include "lane/format/assert.h"

int work_flush(struct work *w, struct store *store)
{
    lane_assert(w->count <= WORK_ITEMS);
    int rc = 0;
    for (uint32_t i = 0; i < w->count && rc >= 0; i++)
        rc = store_run(store, STORE_TRACE_WORK, "iii", w->item[i].trace,
                       w->item[i].end_unix_ns, w->item[i].failed_unix_ns);
    w->count = 0;
    return rc < 0 ? rc : 0;
}

int work_add(struct work *w, struct store *store, int64_t trace,
             int64_t end_unix_ns, int is_failed)
{
    lane_assert(w->count <= WORK_ITEMS);
    struct work_item *at = NULL;
    for (uint32_t i = w->count; !at && i > 0; i--)
        if (w->item[i - 1].trace == trace)
            at = &w->item[i - 1];
    if (!at && w->count == WORK_ITEMS) {
        int rc = work_flush(w, store);
        if (rc != 0)
            return rc;
    }
    if (!at) {
        at = &w->item[w->count++];
        *at = (struct work_item){.trace = trace};
    }
    if (end_unix_ns > at->end_unix_ns)
        at->end_unix_ns = end_unix_ns;
    if (is_failed && end_unix_ns > at->failed_unix_ns)
        at->failed_unix_ns = end_unix_ns;
    return 0;
}
