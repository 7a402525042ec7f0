/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment variables that handspan reads, so that one that is nearly
 * called so can be told. No libc: the preload asks before libc is set up.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

static const char *const lane_variables[] = {
    "BUDGET_MB",       "CAPTURE",         "CARRY_MAX_S",
    "CONFIG",          "DEBUGINFOD_URLS", "DIR",
    "DISABLED",        "ENDED",           "EXEC",
    "KEEP_AGE",        "KEEP_SIZE",       "LOG",
    "LOG_FORMAT",      "MANIFEST",        "MATCH_MAX",
    "METRICS_FILE",    "METRICS_LISTEN",  "OVERDUE",
    "PAGER",           "PRELOAD",         "SIDECAR",
    "SPOOL_FREE",      "SPOOL_SIZE",      "STORE",
    "TEST_CPU",        "TEST_DECODER",    "TEST_ERRORS",
    "TEST_SHIM",       "THIN_AGE",        "THREAD_CONTEXT",
    "TRACE",           "UPLOAD",          "UPLOAD_KEY",
    "UPLOAD_KEY_FILE", "WAIT_MS"};
enum {
    LANE_VARIABLES = sizeof lane_variables / sizeof *lane_variables,
    LANE_VARIABLE_MAX = 24, /* bytes of the longest, and some */
    LANE_VARIABLE_NEAR = 2, /* letters: what is so near is meant */
};

/* Letters to add, take away or change until `a` is `b`; of two that stand the
 * wrong way round it counts one. LANE_VARIABLE_MAX: too long. */
static inline size_t lane_letters_between(const char *a, size_t len,
                                          const char *b)
{
    size_t row[3][LANE_VARIABLE_MAX + 1];
    size_t other = 0;
    while (b[other])
        other++;
    if (len > LANE_VARIABLE_MAX || other > LANE_VARIABLE_MAX)
        return LANE_VARIABLE_MAX;
    for (size_t j = 0; j <= other; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= len; i++) {
        size_t *now = row[i % 3], *up = row[(i - 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= other; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && row[(i - 2) % 3][j - 2] + 1 < best)
                best = row[(i - 2) % 3][j - 2] + 1;
            now[j] = best;
        }
    }
    return row[len % 3][other];
}

/* What `entry` ("HANDSPAN_NAME=VALUE") must have been meant for, without
 * HANDSPAN_; NULL: it is one, or none that we know of. */
static inline const char *lane_variable_meant(const char *entry)
{
    static const char prefix[] = "HANDSPAN_";
    const char *best = NULL;
    size_t len = 0, nearest = LANE_VARIABLE_NEAR + 1;
    for (size_t i = 0; i < sizeof prefix - 1; i++, entry++)
        if (*entry != prefix[i])
            return NULL;
    while (entry[len] && entry[len] != '=')
        len++;
    for (size_t i = 0; i < LANE_VARIABLES; i++) {
        size_t letters = lane_letters_between(entry, len, lane_variables[i]);
        if (letters == 0)
            return NULL;
        /* of a short name half would be another */
        if (letters < nearest && letters * 2 < len) {
            nearest = letters;
            best = lane_variables[i];
        }
    }
    return best;
}
