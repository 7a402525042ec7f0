/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table `outbox`, writing side: what became final, in the order of commits.
 * Kept in the memory of a batch as runs of references and written in its
 * transaction; lost with the batch. Calls end in postorder, so what ended in a
 * lane is one run, plus one for each span that was open at the batch's edge.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tools/sidecar/store/store.h"

enum {
    OUTBOX_RUNS = 64
};
struct outbox_run {
    uint64_t lo, hi;
};
struct outbox {
    struct outbox_run run[OUTBOX_RUNS];
    uint32_t runs;
    bool is_changed;       /* since the last entry for the session itself */
    int64_t session_at_ns; /* when that is due; 0: not set yet */
    int64_t traces_at_ns;
};

/* A span was stored as final. 0 or -errno. */
int outbox_span(struct outbox *outbox, struct store *store, int64_t session,
                uint64_t ref) __attribute__((warn_unused_result));
/* Is it time for an entry, though nothing moves? */
bool outbox_is_due(const struct outbox *outbox, int64_t now_ns);
/* Before the commit of a batch. `moved`: there is more in it than what was
 * due; `ended`: it is the session's last. */
int outbox_save(struct outbox *outbox, struct store *store, int64_t session,
                int64_t now_ns, bool moved, bool ended)
    __attribute__((warn_unused_result));
