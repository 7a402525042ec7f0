/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that read the store have in common: options, opening,
 * choosing a trace, words for how a trace ended. */
#pragma once
#include "tools/cli/screen/where.h"
#include "tools/common/options.h"
#include "tools/common/text/term.h"
#include "tools/query/trace.h"

struct view {
    const char *store, *dir, *where, *program, *colour;
    bool json;
    int64_t since, until, pid, limit;
    struct term term;
    struct query_db *db;
    struct query_filter filter;
    char *where_copy;
    struct where_condition conditions[WHERE_MAX]; /* on traces */
    int condition_count;
};
#define VIEW_INIT                                                              \
    {                                                                          \
        .pid = -1                                                              \
    }
/* Options of every view; `v` is a struct view. */
#define VIEW_OPTIONS(v)                                                         \
    {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &(v).json},        \
        {"store", 0, OPTION_TEXT, "FILE", "another store", &(v).store},         \
        {"since",   0, OPTION_TIME, "TIME", "traces since: 2h, 2026-03-03 ...", \
         &(v).since},                                                           \
        {"until", 0, OPTION_TIME, "TIME", "traces before", &(v).until},         \
        {"program",                                                             \
         0,                                                                     \
         OPTION_TEXT,                                                           \
         "GLOB",                                                                \
         "traces with one of these programs",                                   \
         &(v).program},                                                         \
        {"pid", 0, OPTION_NUMBER, "PID", "traces with this process", &(v).pid}, \
        {"color",    0, OPTION_TEXT, "WHEN", "always, auto (terminal), never",  \
         &(v).colour},                                                          \
    {                                                                           \
        "where", 0, OPTION_TEXT, "KEY=VALUE,...",                               \
            "status, service, host, name (globs), duration, started",           \
            &(v).where                                                          \
    }

/* Open the store and build the filter. With `where_for_spans` the condition
 * is left to the caller. 0, or the exit status after a message. */
int view_open(struct view *v, bool where_for_spans);
/* What is printed from here until view_close() goes through a pager: on a
 * terminal, and not with --json. */
void view_page(const struct view *v);
void view_close(struct view *v);
/* The trace that `text` (NULL: the latest) means. 0, or the exit status:
 * nothing matched 1; a bad or ambiguous name 2, candidates listed. */
int view_choose(struct view *v, const char *text, struct query_trace *out);

struct view_outcome {
    char text[128];
    enum term_style style;
    int others_at; /* where ", 1 of 4 processes exit 1" begins, or its end */
};
/* "ok", "ok, 1 of 4 processes exit 1", "FAILED exit 3", "CRASHED SIGSEGV",
 * "KILLED SIGKILL", "running" */
struct view_outcome view_outcome(const struct query_trace *t);
/* First 8 hex digits, as on the screens. */
const char *view_short_id(const struct query_trace *t, char out[9]);
