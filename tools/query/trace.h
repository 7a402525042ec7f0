/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: finding them by a filter or by what a person typed. */
#pragma once
#include "tools/query/db.h"
#include <stdbool.h>

struct query_trace {
    int64_t trace; /* the store's own number */
    uint8_t id[16];
    char hex[33];
    int64_t session;
    uint64_t session_key;
    int64_t root_ref;                   /* 0 unknown */
    uint64_t remote_parent;             /* span id, 0 none */
    int64_t start_unix_ns, duration_ns; /* duration -1 while it runs */
    int64_t calls, errors, dropped_calls;
    char *name, *status, *host, *service, *state, *note;
    /* of the command that `run` waited for; -1: not told. As of waitpid(). */
    int64_t command_status;
    /* its processes, each counted once however often it exec'ed */
    int64_t process_count, failed_count;
    /* of those that failed, if they ended alike; -1 */
    int64_t failed_exit_code, failed_signal;
    /* the process of its root, and how the one ended that its outcome is of;
     * pid -1: unknown */
    int64_t process_idx, pid, cpu_ns, peak_bytes, exit_code, signal;
    bool peak_is_lower_bound;
    int64_t loading_ns; /* of that process: exec to first handler; -1 unknown */
    char *process, *program, *command, *process_status, *ended_by, *end_source;
};
/* What is in it, not `t` itself; it is empty then. */
void query_trace_free(struct query_trace *t);

/* What a filter can ask of a trace in C. */
struct query_facts {
    const char *name, *process, *status, *service, *host; /* NULL: none */
    int64_t start_unix_ns, duration_ns;                   /* -1: it runs */
};
struct query_filter {
    int64_t since_unix_ns, until_unix_ns; /* 0: unlimited */
    /* globs (query_glob()), NULL any; a program: any in the trace */
    const char *program, *name;
    const char *status, *service, *host;
    int64_t pid;   /* -1 any */
    bool is_first; /* `program` is of the trace or its first process alone */
    bool is_short; /* only those with calls that have no span */
    int64_t limit; /* 0 any */
    /* beside all these, within the statement; NULL: any */
    bool (*is_wanted)(const void *context, const struct query_facts *facts);
    const void *context;
};
/* For the files of this folder: `wanted(...)` of the statements that take a
 * filter asks this one. 0 or -EIO. */
int query_filter_use(struct query_db *db, const struct query_filter *filter)
    __attribute__((warn_unused_result));
/* Newest first; `each` owns its trace and returns 0 to go on. 0 or -errno.
 * The rows are read before `each` is called: no transaction is open then. */
int query_traces(struct query_db *db, const struct query_filter *filter,
                 int (*each)(void *context, struct query_trace *t),
                 void *context) __attribute__((warn_unused_result));

enum {
    QUERY_CANDIDATES = 8
};
struct query_choice {
    struct query_trace *found; /* one entry when unambiguous */
    size_t count;              /* up to QUERY_CANDIDATES + 1 */
};
/*
 * What a person typed: NULL or "latest", "latest~N", a hex prefix of at least
 * 4 digits, or a whole traceparent; the filter narrows it down. All matches
 * are returned when a prefix is ambiguous. 0; -EINVAL (text in `why`),
 * -ENOENT (no match; text in `why`), -EIO.
 */
int query_choose(struct query_db *db, const char *text,
                 const struct query_filter *filter, struct query_choice *out,
                 char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
void query_choice_free(struct query_choice *c);

/* Traces that [[root]] handlers of a session began, how many of them failed,
 * and calls of all of its traces. */
struct query_requests {
    int64_t traces, failed, calls;
};
/* 0 or -errno, then all 0. */
int query_requests(struct query_db *db, int64_t session,
                   struct query_requests *out);

/* The value that a session's OTEL_RESOURCE_ATTRIBUTES give `key`, cut to `cap`
 * bytes. False: none. */
bool query_resource_value(struct query_db *db, int64_t session, const char *key,
                          char *out, size_t cap);

/* What the process `pid`, started at `since` or later, left. 1 if its trace is
 * in the store (then id, and whether nothing more is to come), 0 not yet. */
int query_process_trace(struct query_db *db, int64_t pid, int64_t since_unix_ns,
                        char hex[33], bool *is_complete)
    __attribute__((warn_unused_result));
