/* SPDX-License-Identifier: Apache-2.0 */
/* Change or noise; see compare.h. */
#include "tools/cli/compare/compare.h"
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A difference is a change below this p, and from this ratio on; or one below
 * the second p, and from the second ratio on. */
static const double surely = 0.01, least_change = 0.05;
static const double nearly = 0.02, large_change = 0.10;
/* Without a test: so many spreads from the others, and so much at least. */
static const double far_spreads = 3.5, far_least = 0.08, spread_least = 0.02;
/* Of few handlers the changed one may be the spread: no more than this. */
static const double spread_most = 0.10;
/* A handler with less than this part of the whole tells nothing of it. */
static const double telling_part = 0.005;
/* What is less than this part of the whole weighs nothing. */
static const double least_part = 0.0005;
/* What a run may differ by without meaning anything (a logarithm). */
static const double run_floor = 0.01;

/* ---- medians ------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Sorts it. */
static double median(double *of, size_t count)
{
    if (count == 0)
        return 0;
    qsort(of, count, sizeof *of, by_number);
    return count % 2 ? of[count / 2] : (of[count / 2 - 1] + of[count / 2]) / 2;
}

/* Of one figure of all runs of a side; -1 where it is not known of one. */
static int64_t middle(const struct compare_figures *run, size_t count,
                      size_t offset, double *room)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = (const char *)&run[i] + offset;
        int64_t one = *(const int64_t *)(const void *)at;
        if (one < 0)
            return -1;
        room[i] = (double)one;
    }
    return (int64_t)(median(room, count) + 0.5);
}

static void set_side(struct compare_row *r, int side, size_t count,
                     double *room)
{
    static const size_t offsets[] = {offsetof(struct compare_figures, calls),
                                     offsetof(struct compare_figures, errors),
                                     offsetof(struct compare_figures, total_ns),
                                     offsetof(struct compare_figures, self_ns),
                                     offsetof(struct compare_figures, cpu_ns),
                                     offsetof(struct compare_figures, wait_ns),
                                     offsetof(struct compare_figures, max_ns),
                                     offsetof(struct compare_figures, p50_ns),
                                     offsetof(struct compare_figures, p95_ns)};
    struct compare_figures *to = &r->side[side];
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        *(int64_t *)(void *)((char *)to + offsets[i]) =
            middle(r->run[side], count, offsets[i], room);
    for (size_t i = 0; i < count; i++) {
        to->is_seen |= r->run[side][i].is_seen;
        to->is_declared |= r->run[side][i].is_declared;
    }
}

static bool is_in_all(const struct compare_row *r, int side, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!r->run[side][i].is_seen)
            return false;
    return true;
}

static bool is_calls_changed(const struct compare *c,
                             const struct compare_row *r)
{
    for (int side = 0; side < COMPARE_SIDES; side++)
        for (size_t i = 1; i < c->side[side].count; i++)
            if (r->run[side][i].calls != r->run[side][0].calls)
                return false;
    return !r->is_rest && r->run[COMPARE_A][0].calls >= 0 &&
           r->run[COMPARE_A][0].calls != r->run[COMPARE_B][0].calls;
}

static void set_row(const struct compare *c, struct compare_row *r,
                    double *room)
{
    for (int side = 0; side < COMPARE_SIDES; side++)
        set_side(r, side, c->side[side].count, room);
    const struct compare_figures *a = &r->side[COMPARE_A],
                                 *b = &r->side[COMPARE_B];
    r->p = -1;
    r->change_ns = b->self_ns - a->self_ns;
    r->ratio = a->self_ns > 0 && b->self_ns > 0
                   ? (double)b->self_ns / (double)a->self_ns
                   : 0;
    r->is_calls_changed = is_calls_changed(c, r);
}

/* ---- test ---------------------------------------------------------------- */

/* What weighs nothing: a part of the median run's self times. */
static double small_of(const struct compare *c, double *room)
{
    size_t n = 0;
    for (int side = 0; side < COMPARE_SIDES; side++)
        for (size_t i = 0; i < c->side[side].count; i++) {
            double sum = 0;
            for (size_t r = 0; r < c->row_count; r++)
                sum += (double)c->row[r].run[side][i].self_ns;
            room[n++] = sum;
        }
    return median(room, n) * least_part + 1;
}

static void put_logs(const struct compare *c, const struct compare_row *r,
                     double small, double *out)
{
    for (int side = 0; side < COMPARE_SIDES; side++)
        for (size_t i = 0; i < c->side[side].count; i++)
            *out++ = log((double)r->run[side][i].self_ns + small);
}

static int test_all(struct compare *c, double small)
{
    size_t a = c->side[COMPARE_A].count, b = c->side[COMPARE_B].count;
    double *logs = calloc((c->row_count + 1) * (a + b), sizeof *logs);
    double *p = calloc(c->row_count + 1, sizeof *p);
    int err = logs && p ? 0 : -ENOMEM;
    for (size_t i = 0; i < c->row_count && !err; i++)
        put_logs(c, &c->row[i], small, logs + i * (a + b));
    if (!err)
        err = permute_test(logs, c->row_count, a, b, run_floor, p);
    for (size_t i = 0; i < c->row_count && !err; i++)
        c->row[i].p = p[i];
    if (!err) {
        put_logs(c, &c->whole, small, logs);
        err = permute_test(logs, 1, a, b, run_floor, &c->whole.p);
    }
    free(logs);
    free(p);
    return err;
}

/* ---- without a test ------------------------------------------------------ */

static double log_ratio(const struct compare_row *r, double small)
{
    return log((double)r->side[COMPARE_B].self_ns + small) -
           log((double)r->side[COMPARE_A].self_ns + small);
}

/* How far runs of a side lie from each other, of the median handler. */
static double spread_within(const struct compare *c, double small, double *room)
{
    size_t a = c->side[COMPARE_A].count, b = c->side[COMPARE_B].count;
    double logs[PERMUTE_RUNS * 2];
    if (a + b < 3 || a + b > PERMUTE_RUNS)
        return 0;
    for (size_t i = 0; i < c->row_count; i++) {
        double squares = 0, *at = logs;
        put_logs(c, &c->row[i], small, logs);
        for (int side = 0; side < COMPARE_SIDES; side++) {
            size_t n = c->side[side].count;
            double mean = 0;
            for (size_t k = 0; k < n; k++)
                mean += at[k] / (double)n;
            for (size_t k = 0; k < n; k++)
                squares += (at[k] - mean) * (at[k] - mean);
            at += n;
        }
        room[i] = sqrt(squares / (double)(a + b - 2));
    }
    return median(room, c->row_count) * sqrt(1.0 / (double)a + 1.0 / (double)b);
}

/* Most handlers have not changed: what they differ by is noise. */
static double spread_between(const struct compare *c, double small,
                             double *room, double *middle_out)
{
    size_t n = 0;
    *middle_out = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct compare_row *r = &c->row[i];
        double most = fmax((double)r->side[COMPARE_A].self_ns,
                           (double)r->side[COMPARE_B].self_ns);
        if (r->ratio > 0 && !r->is_rest &&
            most >= small / least_part * telling_part)
            room[n++] = log_ratio(r, small);
    }
    if (n < 4)
        return 0;
    double mid = *middle_out = median(room, n);
    for (size_t i = 0; i < n; i++)
        room[i] = fabs(room[i] - mid);
    return 1.4826 * median(room, n);
}

static void judge_few(struct compare *c, double small, double *room)
{
    double middle_ratio;
    double between = spread_between(c, small, room, &middle_ratio);
    double within = spread_within(c, small, room);
    between = between < spread_most ? between : spread_most;
    double spread = between > within ? between : within;
    spread = spread > spread_least ? spread : spread_least;
    c->spread = exp(spread) - 1;
    for (size_t i = 0; i < c->row_count; i++) {
        struct compare_row *r = &c->row[i];
        double own = log_ratio(r, small), far = fabs(own - middle_ratio);
        bool is_far = far >= far_spreads * spread && far >= log1p(far_least) &&
                      fabs(own) >= log1p(far_least);
        r->verdict = is_far ? COMPARE_LIKELY : COMPARE_NOISE;
    }
    double whole = fabs(log_ratio(&c->whole, small));
    c->whole.verdict =
        whole >= far_spreads * spread && whole >= log1p(far_least)
            ? COMPARE_LIKELY
            : COMPARE_NOISE;
}

/* ---- all ----------------------------------------------------------------- */

static bool is_tested_change(const struct compare_row *r, double small)
{
    double size = fabs(log_ratio(r, small));
    return (r->p < surely && size >= log1p(least_change)) ||
           (r->p < nearly && size >= log1p(large_change));
}

static void judge_row(const struct compare *c, struct compare_row *r,
                      double small)
{
    if (c->is_tested)
        r->verdict =
            is_tested_change(r, small) ? COMPARE_CHANGED : COMPARE_NOISE;
    if (r->is_rest)
        return;
    bool in_a = r->side[COMPARE_A].is_seen, in_b = r->side[COMPARE_B].is_seen;
    if (!in_a && is_in_all(r, COMPARE_B, c->side[COMPARE_B].count))
        r->verdict = COMPARE_NEW;
    if (!in_b && is_in_all(r, COMPARE_A, c->side[COMPARE_A].count))
        r->verdict = COMPARE_GONE;
}

bool compare_is_change(const struct compare_row *row)
{
    return row->verdict != COMPARE_NOISE;
}

static int by_size(const void *a, const void *b)
{
    const struct compare_row *x = a, *y = b;
    int64_t of_x = llabs(x->change_ns), of_y = llabs(y->change_ns);
    if (compare_is_change(x) != compare_is_change(y))
        return compare_is_change(y) - compare_is_change(x);
    if (of_x != of_y)
        return of_x < of_y ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void set_parts(struct compare *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->row_count; i++)
        sum += fabs((double)c->row[i].change_ns);
    for (size_t i = 0; i < c->row_count; i++)
        c->row[i].part = sum > 0 ? fabs((double)c->row[i].change_ns) / sum : 0;
}

/* A handler that no run called: nothing to compare. */
static void drop_uncalled(struct compare *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        struct compare_row *r = &c->row[i];
        if (r->side[COMPARE_A].is_seen || r->side[COMPARE_B].is_seen) {
            c->row[kept++] = *r;
            continue;
        }
        free(r->name);
        free(r->run[COMPARE_A]);
        free(r->run[COMPARE_B]);
    }
    c->row_count = kept;
}

static int set_whole(struct compare *c, double *room)
{
    for (int side = 0; side < COMPARE_SIDES; side++) {
        size_t n = c->side[side].count;
        c->whole.run[side] = calloc(n, sizeof *c->whole.run[side]);
        if (!c->whole.run[side])
            return -ENOMEM;
        for (size_t i = 0; i < n; i++)
            c->whole.run[side][i] = (struct compare_figures){
                .self_ns = c->side[side].wall_ns[i], .is_seen = true};
    }
    c->whole.is_rest = true;
    set_row(c, &c->whole, room);
    return 0;
}

int compare_judge(struct compare *c)
{
    size_t a = c->side[COMPARE_A].count, b = c->side[COMPARE_B].count;
    size_t most = a + b > c->row_count ? a + b : c->row_count;
    double *room = calloc(most + 1, sizeof *room);
    if (!room)
        return -ENOMEM;
    for (size_t i = 0; i < c->row_count; i++)
        set_row(c, &c->row[i], room);
    drop_uncalled(c);
    int err = set_whole(c, room);
    double small = small_of(c, room);
    c->stated = permute_plan(a, b);
    c->is_tested = c->stated.least_p < surely;
    if (!err && c->is_tested)
        err = test_all(c, small);
    if (!err && !c->is_tested)
        judge_few(c, small, room);
    for (size_t i = 0; i < c->row_count && !err; i++)
        judge_row(c, &c->row[i], small);
    if (c->is_tested)
        judge_row(c, &c->whole, small);
    free(room);
    set_parts(c);
    if (c->row_count > 0)
        qsort(c->row, c->row_count, sizeof *c->row, by_size);
    return err;
}

/* ---- --fail-over --------------------------------------------------------- */

static bool is_slower(const struct compare *c, const struct compare_row *r,
                      double percent)
{
    if (c->is_tested && !compare_is_change(r))
        return false;
    double a = (double)r->side[COMPARE_A].self_ns;
    double b = (double)r->side[COMPARE_B].self_ns;
    double whole = (double)c->whole.side[COMPARE_A].self_ns;
    return b > a * (1 + percent / 100) && b - a >= whole / 100;
}

const struct compare_row *compare_slower(const struct compare *c,
                                         double percent)
{
    if (is_slower(c, &c->whole, percent))
        return &c->whole;
    for (size_t i = 0; i < c->row_count; i++)
        if (is_slower(c, &c->row[i], percent))
            return &c->row[i];
    return NULL;
}
