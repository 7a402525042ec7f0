/* SPDX-License-Identifier: Apache-2.0 */
/* The bars of a trace in order; see bars_order.h. */
#include "tools/serve/bars_order.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- lanes --------------------------------------------------------------- */

struct order {
    uint32_t lane;
    int64_t process_start, pid, first_ns;
};

static int by_process(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->process_start != y->process_start)
        return x->process_start < y->process_start ? -1 : 1;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    if (x->first_ns != y->first_ns)
        return x->first_ns < y->first_ns ? -1 : 1;
    return x->lane < y->lane ? -1 : x->lane > y->lane;
}

/* Put the lanes in order, and tell the bars their new numbers. */
static int sort_lanes(struct bars *b)
{
    size_t n = b->lane_count;
    struct order *order = calloc(n + 1, sizeof *order);
    struct bar_lane *sorted = calloc(n + 1, sizeof *sorted);
    uint32_t *now = calloc(n + 1, sizeof *now);
    if (order && sorted && now) {
        for (size_t i = 0; i < n; i++) {
            const struct query_process *p = query_process_find(
                &b->detail, b->lane[i].session, b->lane[i].process_idx);
            order[i] = (struct order){.lane = (uint32_t)i,
                                      .process_start = p ? p->start_unix_ns : 0,
                                      .pid = p ? p->pid : -1,
                                      .first_ns = b->lane[i].first_ns};
        }
        qsort(order, n, sizeof *order, by_process);
        for (size_t i = 0; i < n; i++) {
            sorted[i] = b->lane[order[i].lane];
            now[order[i].lane] = (uint32_t)i;
        }
        for (size_t i = 0; i < b->count; i++)
            b->bar[i].lane = now[b->bar[i].lane];
        free(b->lane);
        b->lane = sorted;
        sorted = NULL;
    }
    int err = order && now ? 0 : -ENOMEM;
    free(order);
    free(sorted);
    free(now);
    return err;
}

/* ---- bars ---------------------------------------------------------------- */

/* Bars by their key; the order of those with the same one stays. `first` has a
 * place more than there are keys: where each begins, and the end. */
static int sort_by(struct bars *b, size_t *first, size_t keys,
                   size_t (*key_of)(const struct bars *b,
                                    const struct bar *bar))
{
    struct bar *sorted = reallocarray(NULL, b->count + 1, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < b->count; i++)
        first[key_of(b, &b->bar[i]) + 1]++;
    for (size_t i = 1; i <= keys; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < b->count; i++)
        sorted[first[key_of(b, &b->bar[i])]++] = b->bar[i];
    memmove(first + 1, first, keys * sizeof *first);
    first[0] = 0;
    free(b->bar);
    b->bar = sorted;
    return 0;
}

/* Of a lane; of those that begin at once the longest first. */
static int by_start(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    return x->parent_ref == y->ref ? 1 : x->ref == y->parent_ref ? -1 : 0;
}

static void sort_run(struct bar *bar, size_t count)
{
    bool is_sorted = true;
    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = by_start(&bar[i - 1], &bar[i]) <= 0;
    if (!is_sorted)
        qsort(bar, count, sizeof *bar, by_start);
}

/* Calls of a thread lie in the order in which they began, but for some. */
static void sort_lane(struct bar *bar, size_t count)
{
    bool is_sorted = true;
    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = bar[i - 1].start_ns <= bar[i].start_ns;
    if (!is_sorted) {
        sort_run(bar, count);
        return;
    }
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && bar[end].start_ns == bar[i].start_ns;)
            end++;
        sort_run(bar + i, end - i);
    }
}

static size_t key_lane(const struct bars *b, const struct bar *bar)
{
    (void)b;
    return bar->lane;
}

static int sort_bars_by_lane(struct bars *b)
{
    size_t *first = calloc(b->lane_count + 2, sizeof *first);
    int err = first ? sort_by(b, first, b->lane_count, key_lane) : -ENOMEM;
    for (size_t i = 0; i < b->lane_count && !err; i++)
        sort_lane(b->bar + first[i], first[i + 1] - first[i]);
    free(first);
    return err;
}

/* ---- rows ---------------------------------------------------------------- */

struct stack {
    int64_t ends[BARS_ROWS];
    uint32_t depth;
};

static void place_rows(struct bars *b)
{
    struct stack s = {.depth = 0};
    for (size_t i = 0; i < b->count; i++) {
        struct bar *bar = &b->bar[i];
        struct bar_lane *lane = &b->lane[bar->lane];
        if (i == 0 || bar->lane != bar[-1].lane)
            s.depth = 0;
        while (s.depth > 0 && s.ends[s.depth - 1] <= bar->start_ns)
            s.depth--;
        if (s.depth == BARS_ROWS)
            s.depth--;
        bar->row = (uint16_t)s.depth;
        s.ends[s.depth++] = bar->end_ns;
        lane->rows = s.depth > lane->rows ? s.depth : lane->rows;
    }
}

static size_t key_row(const struct bars *b, const struct bar *bar)
{
    return b->lane[bar->lane].first + bar->row;
}

/* By lane and row; the order of start stays. */
static int group(struct bars *b)
{
    size_t groups = 0;
    for (size_t i = 0; i < b->lane_count; i++) {
        b->lane[i].first = groups;
        groups += b->lane[i].rows;
    }
    b->group_count = groups;
    b->group = calloc(groups + 2, sizeof *b->group);
    return b->group ? sort_by(b, b->group, groups, key_row) : -ENOMEM;
}

int bars_order(struct bars *b)
{
    int err = sort_lanes(b);
    err = err ? err : sort_bars_by_lane(b);
    if (err)
        return err;
    place_rows(b);
    return group(b);
}
