/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides, each of one run or several: what their handlers took, and whether
 * the difference is more than chance. Times of a side are medians of its runs.
 */
#pragma once
#include "tools/cli/compare/permute.h"
#include "tools/cli/screen/view.h"

enum {
    COMPARE_A,
    COMPARE_B,
    COMPARE_SIDES
};

/* A handler in one run, or in the median run of a side. -1: not known. */
struct compare_figures {
    int64_t calls, errors, total_ns, self_ns, cpu_ns, wait_ns, max_ns;
    int64_t p50_ns, p95_ns;
    bool is_seen;     /* it was called */
    bool is_declared; /* a manifest named it, and it was bound */
};
enum compare_verdict {
    COMPARE_NOISE,   /* no more than what runs differ by, if tested */
    COMPARE_CHANGED, /* tested */
    COMPARE_LIKELY,  /* too few runs for a test; it stands out */
    COMPARE_NEW,     /* called in side B alone, and in each run of it */
    COMPARE_GONE,    /* called in side A alone, and in each run of it */
};
struct compare_row {
    char *name;
    struct compare_figures *run[COMPARE_SIDES]; /* of each run */
    struct compare_figures side[COMPARE_SIDES];
    int64_t change_ns; /* self, B less A */
    double ratio;      /* self, B over A; 0: not to be told */
    double p;          /* < 0: not tested */
    double part;       /* of all change, 0 to 1 */
    enum compare_verdict verdict;
    bool is_rest;          /* (no handler) or (loading) */
    bool is_calls_changed; /* the same in each run of a side, and not of both */
};
/* A kind of failure: how often, of a run. */
struct compare_error {
    char *text; /* "extract: return < 0 (ENOENT)" */
    char *id;   /* of its group */
    int64_t count[COMPARE_SIDES], runs[COMPARE_SIDES];
};
/* A program or library by its build id. NULL: not there, "" not known. */
struct compare_object {
    char *path;
    char *build_id[COMPARE_SIDES];
    bool is_mixed; /* several within a side */
};
struct compare_side {
    const char *text; /* as it was asked for */
    struct query_trace *trace;
    size_t count;
    int64_t matching; /* that there are; the latest `count` are taken */
    int64_t lacking;  /* of them, so many lack calls' detail */
    int64_t still_open;
    int64_t *wall_ns; /* of each run */
};
struct compare {
    struct compare_side side[COMPARE_SIDES];
    struct compare_row *row; /* changed first, by size; then noise */
    size_t row_count, row_cap;
    struct compare_row whole; /* duration of the trace, as self */
    struct compare_error *error;
    size_t error_count, error_cap;
    struct compare_object *object;
    size_t object_count, object_cap;
    struct permute_stated stated;
    double spread; /* of few runs: what a handler differs by, as a ratio - 1 */
    bool is_by_path, is_tested;
};

/* ---- sides.c ------------------------------------------------------------- */

/* What a side is: NULL (by `v`'s filter), a trace, or KEY=VALUE,... The latest
 * `most` runs. 0, or the exit status after a message. */
int compare_choose(struct view *v, const char *text, int64_t most,
                   struct compare_side *out);

/* ---- figures.c, failures.c ----------------------------------------------- */

/* Read the figures of all runs; `c->side` is chosen. 0 or -errno. */
int compare_load(struct view *v, struct compare *c)
    __attribute__((warn_unused_result));
/* What failed in run `at` of a side, and the objects of it. 0 or -errno. */
struct query_detail;
int compare_failures(struct view *v, struct compare *c, int side, size_t at)
    __attribute__((warn_unused_result));
int compare_objects(struct compare *c, int side, const struct query_detail *d)
    __attribute__((warn_unused_result));
void compare_free(struct compare *c);

/* ---- judge.c ------------------------------------------------------------- */

/* Medians, test, order. 0 or -errno. */
int compare_judge(struct compare *c) __attribute__((warn_unused_result));
/* Is it more than noise? */
bool compare_is_change(const struct compare_row *row);
/* The first row (or the whole) that took `percent` more time than in A and is
 * more than noise, or than can be told; NULL: none. */
const struct compare_row *compare_slower(const struct compare *c,
                                         double percent);

/* ---- diff_text.c, diff_json.c -------------------------------------------- */

/* With `all` also each row that is noise. 0 or -ENOMEM. */
int compare_print_text(const struct view *v, const struct compare *c, bool all)
    __attribute__((warn_unused_result));
int compare_print_json(const struct view *v, const struct compare *c)
    __attribute__((warn_unused_result));
/* "new", "gone", "change", "likely", "noise"; "unclear" where no test says that
 * it is noise. */
const char *compare_verdict_name(const struct compare *c,
                                 const struct compare_row *row);
/* Has the object another build id in B, or only one side it? False also where
 * nothing is known of a side. */
bool compare_is_other(const struct compare *c, const struct compare_object *o);
