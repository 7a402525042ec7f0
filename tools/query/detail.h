/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands around the spans of one trace: its sessions, processes,
 * handlers, threads, exact totals and losses; and the spans themselves, page
 * by page.
 */
#pragma once
#include "tools/query/trace.h"

struct query_session {
    int64_t session;
    uint64_t key;
    uint64_t remote_parent; /* span id that its roots hang from, 0 none */
    int64_t root_ref;       /* of a [[root]] span, 0 none */
    char *host, *service, *state, *note, *file;
    char *resource; /* OTEL_RESOURCE_ATTRIBUTES */
};
struct query_process {
    int64_t session, idx, trace, pid;
    int64_t parent_idx, parent_ref; /* -1, 0: none */
    int64_t start_unix_ns, duration_ns, cpu_ns, peak_bytes, exit_code, signal;
    /* of an end that is only known to lie between, since the start; -1: exact,
     * or nothing is known */
    int64_t end_least_ns, end_most_ns;
    int64_t loading_ns, loading_cpu_ns; /* exec to first handler; -1 unknown */
    bool peak_is_lower_bound;
    char *name, *program, *command, *status, *ended_by, *end_source;
    char *lost, *target; /* why the trace ends with what it exec'ed; or NULL */
    char *label;         /* name for a tree */
    char *failed_label;  /* with its command and end; NULL: it has not failed */
};
struct query_site {
    int64_t session, site, address, declaration;
    int64_t slow_ns; /* -1: no limit */
    int64_t open;    /* calls of it that are open now */
    bool is_root;
    char *name, *symbol, *object, *binding, *shim, *reason, *build_id;
    char *declared, *manifest, *unseen; /* unseen NULL: not known */
    char *file;                         /* where it is defined, or NULL */
    int64_t line;                       /* -1: not known */
};
struct query_thread {
    int64_t session, lane, generation, process_idx, tid;
    char *name;
};
struct query_rollup {
    int64_t session, site, calls, errors, total_ns, self_ns, max_ns, cpu_ns,
        dropped_calls, slow_calls;
    int64_t cpu_unknown;    /* outermost calls without; -1: cpu_ns is of nested
                               calls as well */
    int64_t top_cpu_ns;     /* of calls with no handler around them */
    int64_t dropped_top_ns; /* time of such calls that have no span */
    int64_t untimed_calls, loose_calls;
    char *histogram;
};
struct query_loss {
    char *kind;
    int64_t count;
};
/* Of what the first calls captured: the value that has most of its bytes. */
enum {
    QUERY_TEXT_CALLS = 10000 /* of so many, at most */
};
struct query_text_share {
    char *name, *key; /* of the handler, of its input or output */
    int64_t bytes, all_bytes, calls;
};
/* A span that was open for longer than overdue("...") allows. */
struct query_overdue {
    int64_t session, ref, at_unix_ns, limit_ns;
    int64_t start_unix_ns, duration_ns; /* -1: no end is known */
    char *detail;                       /* JSON as of an error */
    char *name, *status;
};
/* Exceptions of one type that were thrown below a handler (NULL: none). */
struct query_throw {
    char *name, *type;
    int64_t count;
};
/* Recording was off. until -1: it is, or was until its end. */
struct query_pause {
    int64_t session, from_unix_ns, until_unix_ns, pid; /* -1: of all */
};
/* Arrays sorted by their keys in the order above. */
struct query_detail {
    struct query_session *sessions;
    struct query_process *processes;
    struct query_site *sites;
    struct query_thread *threads;
    struct query_rollup *rollups;
    struct query_loss *losses;
    struct query_overdue *overdues;
    struct query_throw *throws; /* most first */
    struct query_pause *pauses;
    struct query_text_share *texts; /* one, where records or values found no
                                       room and it has 100,000 bytes or more */
    size_t session_count, process_count, site_count, thread_count, rollup_count,
        loss_count, overdue_count, throw_count, pause_count, text_count;
};
int query_detail_load(struct query_db *db, int64_t trace,
                      struct query_detail *out)
    __attribute__((warn_unused_result));
void query_detail_free(struct query_detail *d);

struct buf;
/* The words of a command (a JSON array), from the given one on, for people:
 * some 200 bytes of them. Appends to `b`. */
void query_command_line(const char *json, int from, struct buf *b);
/* NULL if it is not there. */
const struct query_session *query_session_find(const struct query_detail *d,
                                               int64_t session);
const struct query_process *query_process_find(const struct query_detail *d,
                                               int64_t session, int64_t idx);
const struct query_site *query_site_find(const struct query_detail *d,
                                         int64_t session, int64_t site);
/* The thread whose lane a reference names. */
const struct query_thread *query_thread_find(const struct query_detail *d,
                                             int64_t session, int64_t ref,
                                             int64_t generation);

/* NULL: it was not overdue. */
const struct query_overdue *query_overdue_find(const struct query_detail *d,
                                               int64_t session, int64_t ref);
/* What was thrown in all sessions; `overdues` and the like stay empty. */
int query_throws_load(struct query_db *db, struct query_detail *out)
    __attribute__((warn_unused_result));

/* W3C span id of a reference (0 for reference 0). */
uint64_t query_span_id(const struct query_detail *d, int64_t session,
                       int64_t ref);
/* W3C span id of what a span hangs from, 0 for none: the remote parent of its
 * session where the span is a root of it. */
uint64_t query_parent_span_id(const struct query_detail *d, int64_t session,
                              int64_t ref, int64_t parent_ref);
/* Reference of the own span of a process, and back (-1: not a process). */
int64_t query_process_ref(int64_t idx);
int64_t query_ref_process(int64_t ref);
/* The span or process that a process hangs from in its session, 0: none. */
int64_t query_process_parent(const struct query_process *p);

struct query_span {
    int64_t start_unix_ns, session, ref, parent_ref, site, process_idx,
        generation;
    int64_t duration_ns, self_ns, cpu_ns, queue_ns; /* -1 unknown */
    int64_t depth;                                  /* with values; else 0 */
    const char *status, *ended_by, *error;
    const char *orphan; /* why its parent is not known; NULL: it is */
    const char *input, *output, *attributes, *capture, *links; /* JSON */
    int64_t error_text; /* of query_spans_by_thread(): its error is the text of
                           this number; 0: `error` is it */
};
/*
 * The stored spans of a trace in order of start. Read in pages, one short
 * transaction each; a span that arrives meanwhile may be missed. Texts live
 * until `each` returns; `each` returns non-zero to stop (returned).
 */
int query_spans(struct query_db *db, int64_t trace, bool with_values,
                int (*each)(void *context, const struct query_span *s),
                void *context) __attribute__((warn_unused_result));
/*
 * The same without values, and with start, duration, CPU and queue time,
 * status, error and `orphan` alone. In no order over all; those of one thread
 * (session and lane of the reference) follow each other where the session is of
 * this trace alone, in the order in which they began. `each` may not wait.
 */
int query_spans_by_thread(struct query_db *db, int64_t trace,
                          int (*each)(void *context,
                                      const struct query_span *s),
                          void *context) __attribute__((warn_unused_result));
/* The same by a statement like trace_span_scan.sql (behind its columns may
 * stand process, generation and links), where the sessions are of this trace
 * alone; else not `is_own`, and nothing is read. */
int query_scan_own(struct query_db *db, int64_t trace, const char *sql,
                   bool *is_own,
                   int (*each)(void *context, const struct query_span *s),
                   void *context) __attribute__((warn_unused_result));
/* A text of that number, NULL: there is none. Caller frees. */
char *query_long_text(struct query_db *db, int64_t text);
