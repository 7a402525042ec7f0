/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of a batch: see totals.h. */
#include "tools/sidecar/store/totals.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/ids.h"
#include "tools/common/text/buf.h"
#include "lane/format/assert.h"

enum {
    SLOTS = 2048,
    MOST = 1024,
    TEXT_MAX = 64 * 1024,
};

int totals_init(struct totals *totals)
{
    *totals = (struct totals){.slots = SLOTS};
    totals->slot = calloc(SLOTS, sizeof *totals->slot);
    return totals->slot ? 0 : -ENOMEM;
}

static void clear(struct totals *totals)
{
    for (uint32_t i = 0; i < totals->slots; i++) {
        free(totals->slot[i]);
        totals->slot[i] = NULL;
    }
    totals->count = 0;
}

void totals_free(struct totals *totals)
{
    if (totals->slot)
        clear(totals);
    free(totals->slot);
    *totals = (struct totals){0};
}

int totals_full(const struct totals *totals)
{
    return totals->count >= MOST;
}

struct total *totals_get(struct totals *totals, int64_t trace, uint32_t site)
{
    lane_assert(totals->count <= totals->slots && totals->slots != 0);
    uint64_t hash = lane_mix64((uint64_t)trace << 16 ^ site);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct total **slot = &totals->slot[(hash + i) % SLOTS];
        if (*slot && (*slot)->trace == trace && (*slot)->site == site)
            return *slot;
        if (*slot)
            continue;
        if (totals_full(totals))
            return NULL;
        *slot = calloc(1, sizeof **slot);
        if (!*slot)
            return NULL;
        (*slot)->trace = trace;
        (*slot)->site = site;
        totals->count++;
        return *slot;
    }
    return NULL;
}

/* {"BUCKET":COUNT,...} as histogram_text() wrote it; other text adds nothing.
 */
static void histogram_add(const char *text, uint64_t sum[])
{
    while (*text) {
        char *end;
        if (*text != '"') {
            text++;
            continue;
        }
        unsigned long bucket = strtoul(text + 1, &end, 10);
        if (end[0] != '"' || end[1] != ':')
            return;
        unsigned long long count = strtoull(end + 2, &end, 10);
        if (bucket < LANE_HISTOGRAM_BUCKETS)
            sum[bucket] += count;
        text = end;
    }
}

static void histogram_text(const uint64_t sum[], struct buf *text)
{
    char separator = '{';
    for (int i = 0; i < LANE_HISTOGRAM_BUCKETS; i++)
        if (sum[i]) {
            buf_printf(text, "%c\"%d\":%llu", separator, i,
                       (unsigned long long)sum[i]);
            separator = ',';
        }
    buf_text(text, separator == '{' ? "{}" : "}");
}

static int flush_one(const struct total *t, struct store *store,
                     int64_t session, struct buf *text)
{
    lane_assert(t->calls >= 0 && t->errors >= 0);
    uint64_t sum[LANE_HISTOGRAM_BUCKETS];
    for (int i = 0; i < LANE_HISTOGRAM_BUCKETS; i++)
        sum[i] = t->histogram[i];
    int rc = store_start(store, STORE_ROLLUP_GET, "iii", t->trace, session,
                         (int64_t)t->site);
    while (rc > 0) {
        size_t len;
        const char *before = store_blob(store, STORE_ROLLUP_GET, 0, &len);
        char *copy = before ? strndup(before, len) : NULL;
        if (copy)
            histogram_add(copy, sum);
        free(copy);
        rc = store_next(store, STORE_ROLLUP_GET);
    }
    if (rc < 0)
        return rc;
    buf_reset(text);
    histogram_text(sum, text);
    return store_run(store, STORE_ROLLUP_ADD, "iiiiiiiiiitiiiiiii", t->trace,
                     session, (int64_t)t->site, t->calls, t->errors,
                     t->total_ns, t->self_ns, t->max_ns, t->cpu_ns, t->dropped,
                     buf_get(text), t->slow, t->cpu_unknown, t->top_ns,
                     t->top_cpu_ns, t->dropped_top_ns, t->untimed, t->loose);
}

int totals_flush(struct totals *totals, struct store *store, int64_t session)
{
    lane_assert(totals->count <= totals->slots);
    struct buf text;
    buf_init(&text, TEXT_MAX);
    int rc = 0;
    for (uint32_t i = 0; i < totals->slots && rc >= 0 && totals->count; i++)
        if (totals->slot[i])
            rc = flush_one(totals->slot[i], store, session, &text);
    buf_free(&text);
    if (totals->count)
        clear(totals);
    return rc < 0 ? rc : 0;
}
