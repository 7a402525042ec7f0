/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page may ask, and the answers: of `serve` by HTTP, of `report` when
 * the file is written. An answer is text on a stream: lines of JSON as the
 * command of that name prints them with --json (docs/json.md), or one object
 * (docs/page.md).
 */
#pragma once
#include "tools/cli/screen/view.h"
#include <stdbool.h>
#include <stdio.h>

struct ask {
    const char *store; /* path of the file */
    const char *what;  /* "show": the first word of the path */
    const char *trace; /* whole id, hex; NULL: none was given */
    const char *span;  /* its id, 16 hex digits; NULL */
    /* A parameter, NULL: not given. Lives as long as the question. */
    const char *(*parameter)(void *context, const char *name);
    void *context;
    /* of the answer */
    struct view view; /* open while it is made */
    char why[256];    /* what went wrong, for people */
};

/* Answer to `out`. An HTTP status: 200, 400 (a bad parameter), 404 (no such
 * question, trace or call), 503 (the store cannot be read); not 200: `why`
 * tells, and what was written counts for nothing. From any thread. */
int ask_answer(struct ask *ask, FILE *out) __attribute__((warn_unused_result));
/* Is it a word of 32 hex digits (`count`)? In small letters. */
bool ask_is_id(const char *text, size_t count);

/* ---- for the files of this folder only ----------------------------------- */

/* A parameter as number between `low` and `high`; not given: `otherwise`.
 * False: it is none, `why` is set. */
bool ask_number(struct ask *ask, const char *name, int64_t low, int64_t high,
                int64_t otherwise, int64_t *out);
/* `why`, and the status given back. */
int ask_refuse(struct ask *ask, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of an -errno of a query: 404, or 503; 0 is 200. */
int ask_status(struct ask *ask, int err);

/* The answers of bars_answers.c, time_answers.c; as ask_answer(). */
int ask_lanes(struct ask *ask, FILE *out);
int ask_bars(struct ask *ask, FILE *out);
int ask_find(struct ask *ask, FILE *out);
int ask_span(struct ask *ask, FILE *out);
int ask_critical(struct ask *ask, FILE *out);
int ask_handlers(struct ask *ask, FILE *out);
int ask_open(struct ask *ask, FILE *out);
