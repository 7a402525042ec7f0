/* SPDX-License-Identifier: Apache-2.0 */
/* See permute.h. */
#include "tools/cli/compare/permute.h"
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- ways to deal -------------------------------------------------------- */

struct permute_stated permute_plan(size_t a, size_t b)
{
    struct permute_stated s = {.least_p = 1};
    double ways = 1;
    if (a < 2 || b < 2 || a + b > PERMUTE_RUNS)
        return s;
    for (size_t i = 1; i <= a; i++)
        ways = ways * (double)(b + i) / (double)i;
    ways = floor(ways + 0.5);
    s.is_all = ways <= PERMUTE_MOST;
    s.count = s.is_all ? (size_t)ways : PERMUTE_MOST;
    /* of two sides alike in number the same deal with sides changed counts */
    s.least_p = (s.is_all && a == b ? 2.0 : 1.0) / (double)s.count;
    return s;
}

/* The next choice of `k` of `n` in order. False: that was the last. */
static bool next_choice(size_t *chosen, size_t k, size_t n)
{
    size_t i = k;
    while (i > 0 && chosen[i - 1] == n - k + i - 1)
        i--;
    if (i == 0)
        return false;
    chosen[i - 1]++;
    for (size_t j = i; j < k; j++)
        chosen[j] = chosen[j - 1] + 1;
    return true;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void draw_choice(size_t *chosen, size_t k, size_t n, uint64_t *state)
{
    size_t all[PERMUTE_RUNS];
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    for (size_t i = 0; i < k; i++) {
        size_t at = i + (size_t)(next_random(state) % (n - i));
        size_t one = all[at];
        all[at] = all[i];
        chosen[i] = all[i] = one;
    }
}

/* ---- the test ------------------------------------------------------------ */

struct test {
    double *value;  /* (rows, runs): in units of the row's spread */
    double *whole;  /* (rows): sum of all runs */
    double *seen;   /* (rows): the statistic as it is */
    size_t *order;  /* rows, largest statistic first */
    size_t *beyond; /* (rows): deals with one as large */
    size_t rows, a, b;
};

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* What runs of one side differ by, whichever side each is on: of all pairs the
 * nearest quarter are of one side, also where the sides differ (Rousseeuw and
 * Croux's Q). */
static double spread_of(const double *value, size_t n, double *room)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            room[count++] = fabs(value[i] - value[j]);
    qsort(room, count, sizeof *room, by_number);
    return 2.22 * room[count / 4];
}

static double within(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* `room`: for the pairs of runs. */
static void prepare_row(struct test *t, size_t row, const double *from,
                        double floor, double *room)
{
    size_t n = t->a + t->b;
    double *to = t->value + row * n;
    memcpy(room, from, n * sizeof *room);
    qsort(room, n, sizeof *room, by_number);
    size_t cut = (t->a < t->b ? t->a : t->b) / 2;
    double low = room[cut], high = room[n - 1 - cut];
    for (size_t i = 0; i < n; i++)
        to[i] = within(from[i], low, high) - low;
    double spread = sqrt(pow(spread_of(to, n, room), 2) + floor * floor);
    t->whole[row] = 0;
    for (size_t i = 0; i < n; i++) {
        to[i] /= spread;
        t->whole[row] += to[i];
    }
}

/* The difference of the sides' means if the first is of these runs. */
static double statistic_of(const struct test *t, size_t row,
                           const size_t *chosen)
{
    const double *value = t->value + row * (t->a + t->b);
    double sum = 0;
    for (size_t i = 0; i < t->a; i++)
        sum += value[chosen[i]];
    return fabs(sum / (double)t->a - (t->whole[row] - sum) / (double)t->b);
}

/* Of the rows from the smallest statistic on, the largest so far. */
static void count_deal(struct test *t, const size_t *chosen)
{
    double most = 0;
    for (size_t i = t->rows; i-- > 0;) {
        size_t row = t->order[i];
        double one = statistic_of(t, row, chosen);
        most = one > most ? one : most;
        /* the deal that is there is among them: not to be missed by rounding */
        t->beyond[row] += most >= t->seen[row] * (1 - 1e-9);
    }
}

static void order_rows(struct test *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        size_t at = i;
        while (at > 0 && t->seen[t->order[at - 1]] < t->seen[i]) {
            t->order[at] = t->order[at - 1];
            at--;
        }
        t->order[at] = i;
    }
}

static int prepare(struct test *t, const double *values, double floor)
{
    size_t n = t->a + t->b, chosen[PERMUTE_RUNS];
    double *room = calloc(n * n, sizeof *room);
    if (!room)
        return -ENOMEM;
    for (size_t i = 0; i < t->a; i++)
        chosen[i] = i;
    for (size_t row = 0; row < t->rows; row++) {
        prepare_row(t, row, values + row * n, floor, room);
        t->seen[row] = statistic_of(t, row, chosen);
    }
    free(room);
    order_rows(t);
    return 0;
}

static void deal_all(struct test *t, const struct permute_stated *plan)
{
    size_t chosen[PERMUTE_RUNS];
    uint64_t state = 1;
    for (size_t i = 0; i < t->a; i++)
        chosen[i] = i;
    for (size_t i = 0; i < plan->count; i++) {
        if (i > 0 && plan->is_all && !next_choice(chosen, t->a, t->a + t->b))
            break;
        if (i > 0 && !plan->is_all)
            draw_choice(chosen, t->a, t->a + t->b, &state);
        count_deal(t, chosen);
    }
}

int permute_test(const double *values, size_t rows, size_t a, size_t b,
                 double floor, double *p)
{
    struct permute_stated plan = permute_plan(a, b);
    if (plan.count == 0)
        return -EINVAL;
    struct test t = {.value = calloc(rows * (a + b) + 1, sizeof *t.value),
                     .whole = calloc(rows + 1, sizeof *t.whole),
                     .seen = calloc(rows + 1, sizeof *t.seen),
                     .order = calloc(rows + 1, sizeof *t.order),
                     .beyond = calloc(rows + 1, sizeof *t.beyond),
                     .rows = rows,
                     .a = a,
                     .b = b};
    bool good = t.value && t.whole && t.seen && t.order && t.beyond &&
                prepare(&t, values, floor) == 0;
    if (good)
        deal_all(&t, &plan);
    double most = 0; /* a smaller statistic is never more sure than a larger */
    for (size_t i = 0; good && i < rows; i++) {
        double one = (double)t.beyond[t.order[i]] / (double)plan.count;
        most = one > most ? one : most;
        p[t.order[i]] = most;
    }
    free(t.value);
    free(t.whole);
    free(t.seen);
    free(t.order);
    free(t.beyond);
    return good ? 0 : -ENOMEM;
}
