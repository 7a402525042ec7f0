/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the difference of two sets of runs more than what runs differ by? A
 * permutation test: the runs are dealt anew to the two sides, in every way or
 * in PERMUTE_MOST ways drawn with a fixed seed, and it is counted how often
 * chance makes a difference as large as the one that is there. Nothing is
 * supposed of the distribution of times. Many rows are looked at, and one of
 * them is always the largest: p is of all of them together (step-down of the
 * largest statistic, Westfall and Young), so that it is also right for the row
 * that stands first.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    PERMUTE_MOST = 10000,
    PERMUTE_RUNS = 100, /* of both sides together, at most */
};
struct permute_stated {
    size_t count;   /* in how many ways they were dealt */
    bool is_all;    /* that is every way */
    double least_p; /* p cannot be less with so few runs; 1: no test */
};
/* What can be said of so many runs a side. */
struct permute_stated permute_plan(size_t a, size_t b);
/*
 * `values`: shape (rows, a + b), the runs of the first side first; logarithms,
 * so that a difference is a ratio. `floor`: what two runs may differ by without
 * meaning anything, in the same measure. p (rows): of each row, two-sided. At
 * least two runs a side. 0 or -ENOMEM, -EINVAL.
 */
int permute_test(const double *values, size_t rows, size_t a, size_t b,
                 double floor, double *p) __attribute__((warn_unused_result));
