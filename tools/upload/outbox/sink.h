/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sink is: something that takes rows of the store and says what became
 * of them. outbox.h reads the rows, engine.h decides when, how many and how
 * often; a sink only turns rows into a request and an answer into a verdict.
 * It runs in the uploader's own process, one process a sink, one thread: it may
 * block, within its timeouts. Nothing here knows SQLite.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An unknown number. */
#define UPLOAD_NULL INT64_MIN

enum upload_kind {
    UPLOAD_SPANS,
    UPLOAD_TRACES,
    UPLOAD_PROCESSES,
    UPLOAD_SITES,
    UPLOAD_ROLLUPS,
    UPLOAD_LOSSES,
    UPLOAD_ERRORS,
    UPLOAD_THROWS,
    UPLOAD_KINDS,
};
/* "spans", "traces", "processes", "sites", "rollups", "losses",
 * "error_groups", "throws": the table at the other end. */
extern const char *const upload_kind_name[UPLOAD_KINDS];

/*
 * Rows. Texts are UTF-8 or NULL, owned by the batch; span ids are 0 where there
 * is none; numbers UPLOAD_NULL where unknown. `version` grows with each time a
 * row that may still change is sent; the largest counts. Fields marked VALUE
 * are sent only by a sink with values=on: they hold what the program handled,
 * or paths.
 */
struct upload_span {
    uint8_t trace_id[16];
    uint64_t span_id, parent_span_id, session; /* session: its key */
    uint64_t process_span_id;
    int64_t site, pid, tid, depth;
    int64_t start_unix_ns, duration_ns, self_ns, cpu_ns, queue_ns;
    const char *name, *symbol, *service, *host, *program, *thread_name;
    const char *object;            /* base name */
    const char *status, *ended_by; /* as in the store; never "open" */
    const char *links;             /* JSON [{trace_id, span_id}] */
    const char *resource;          /* OTEL_RESOURCE_ATTRIBUTES, as it stands */
    const char *error_kind, *error_type, *error_fingerprint;
    int64_t error_errno;
    const char *orphan; /* why its parent is not known */
    const char *error_rule, *error_cause, *error_stack_ended;
    const char *error_frames; /* JSON, innermost first, without values */
    int64_t error_cause_errno;
    const char *input, *output, *attributes, *capture, *error; /* VALUE: JSON */
    int64_t overdue_unix_ns, overdue_limit_ns;
    const char *overdue_frames; /* as error_frames; NULL: not overdue */
    const char *file; /* VALUE but for its base name: where it is defined */
    int64_t line, is_root;    /* file, line, is_root: not in PostgreSQL */
    int64_t session_row, ref; /* in the store; for cursor and poison */
};
struct upload_trace {
    uint8_t trace_id[16];
    uint64_t session, root_span_id, remote_parent_span_id;
    int64_t version, start_unix_ns, duration_ns, pid;
    const char *name, *service, *host, *status;
};
/* A process; also the root span of its trace (span_id), and parent of spans. */
struct upload_process {
    uint8_t trace_id[16];
    uint64_t span_id, parent_span_id, session;
    int64_t version, pid, start_unix_ns, duration_ns, cpu_ns, peak_bytes;
    int64_t peak_is_lower_bound, exit_code, signal;
    const char *name, *service, *host, *status, *ended_by, *end_source;
    const char *resource;          /* OTEL_RESOURCE_ATTRIBUTES, as it stands */
    const char *program, *command; /* VALUE: path; JSON array */
    const char *lost, *target;     /* after exec; target VALUE: path */
    int64_t is_root;
    int64_t loading_ns; /* UPLOAD_NULL: not known */
};
struct upload_site {
    uint64_t session;
    int64_t version, site, declaration, is_root;
    const char *name, *symbol, *binding, *shim, *build_id, *service, *host;
    const char *object;              /* base name */
    const char *reason;              /* NULL if it names a path */
    const char *declared, *manifest; /* as written; base name of the file */
    const char *unseen;              /* NULL if it names a path */
    int64_t slow_ns;
};
struct upload_rollup {
    uint8_t trace_id[16];
    uint64_t session;
    int64_t version, site, calls, errors, total_ns, self_ns, max_ns, cpu_ns;
    int64_t dropped_calls, slow_calls;
    const char *name;
    const char *histogram; /* JSON {bucket: count}, lane/format/histogram.h */
};
struct upload_loss {
    uint64_t session;
    int64_t version, site, count;
    const char *loss, *name; /* what kind; of the site */
};
struct upload_error {
    uint64_t session;
    int64_t version, count, first_unix_ns, last_unix_ns;
    uint8_t trace_id[16]; /* of the latest */
    uint64_t last_span_id;
    const char *fingerprint, *kind, *type, *rule, *name;
};
/* Exceptions thrown below a handler, caught or not. */
struct upload_thrown {
    uint64_t session;
    int64_t version, site, count;
    const char *type, *name; /* of the site */
};

struct upload_row {
    enum upload_kind kind;
    union {
        struct upload_span span;
        struct upload_trace trace;
        struct upload_process process;
        struct upload_site site;
        struct upload_rollup rollup;
        struct upload_loss loss;
        struct upload_error error;
        struct upload_thrown thrown;
    };
};

/* What became of rows. Whoever answers takes all of them or none. */
enum sink_verdict {
    SINK_OK,     /* acknowledged: they are there */
    SINK_RETRY,  /* not now: wait, the same again; they may be there */
    SINK_HALVE,  /* too much at once: half of them, then the rest */
    SINK_POISON, /* (at least) one of them is refused for what is in it: find
                    it by halves; a single one is set aside */
    SINK_HOLD,   /* nothing gets in: wait long, report, never drop */
};
struct sink_answer {
    enum sink_verdict verdict;
    bool is_ambiguous;      /* retry: it may have been committed; halve: one row
                               alone may be taken another time */
    bool is_permanent;      /* poison: the protocol says that it is the same
                               each time, so nothing waits for these rows */
    int64_t retry_after_ms; /* as the server asked; -1: it did not say */
    int64_t rejected;       /* partial success: taken, but so many are gone */
    int64_t sent_bytes;
    char code[32];     /* "400 22P05"; "" when ok */
    char message[512]; /* for people; no credentials, no values */
};

/* A sink's URL, taken apart, and an option that it may have (url.h). */
struct upload_url;
struct upload_option;

struct sink_ops {
    /* Schemes that it answers to, NULL at the end: "postgrest+http", ... */
    const char *const *schemes;
    /* Its own options beside those of url.h, to one without name; or NULL. */
    const struct upload_option *options;
    /* Rows of one request at first; the engine adapts. */
    uint32_t batch_rows, batch_rows_max;
    /* Kinds that it takes, a bit each; others are passed over. */
    uint32_t kinds;
    /* Not yet connected. 0, or -errno with a sentence in `why`. */
    int (*open)(const struct upload_url *url, void **out, char *why,
                size_t why_bytes);
    /* Send rows[0..count), all of one kind. The pointers hold for the call. */
    void (*send)(void *sink, const struct upload_row *rows, uint32_t count,
                 struct sink_answer *answer);
    /* One row as it is sent, for the list of refused ones; and such a text
     * again. malloc'ed, NULL: no memory. resend NULL: cannot. */
    char *(*body)(void *sink, const struct upload_row *row);
    void (*resend)(void *sink, enum upload_kind kind, const char *body,
                   struct sink_answer *answer);
    void (*close)(void *sink);
};

/* By scheme; NULL: none. sinks.c has the list. */
const struct sink_ops *sink_find(const char *scheme);
