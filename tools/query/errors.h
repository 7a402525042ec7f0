/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors, as groups over the whole store: what failed in the same way, how
 * often, and an example of it. Also the processes that failed, grouped by how
 * they ended; what was open in them stands for the reason.
 */
#pragma once
#include "tools/query/trace.h"

struct query_group {
    char id[17]; /* fingerprint, hex */
    bool is_process;
    char *handler;            /* or the program's name */
    char *kind, *type, *rule; /* NULL unknown */
    int64_t count, traces;    /* traces that are in the store */
    int64_t calls;            /* of the handler; processes of this name */
    int64_t first_unix_ns, last_unix_ns;
    int64_t session, ref; /* the newest example; of a process its idx; -1:
                             none is in the store any more */
    char *error;          /* of the example, JSON; NULL: not known, or gone */
    char *end_source;     /* of a process */
    int64_t open_spans;   /* of a process, when it ended */
};
struct query_groups {
    struct query_group *group; /* last seen first */
    size_t count;
};
/* Is it a group of calls that were overdue? */
bool query_group_is_overdue(const struct query_group *group);
/* `trace`: only this one, 0: by the filter. `group`: those of handlers whose id
 * begins with it, NULL: all. 0 or -errno. */
int query_groups_load(struct query_db *db, const struct query_filter *filter,
                      int64_t trace, const char *group,
                      struct query_groups *out)
    __attribute__((warn_unused_result));
void query_groups_free(struct query_groups *groups);

/* A failed call, as the example of its group. */
struct query_example {
    char trace[33]; /* hex; "" unknown */
    uint64_t span_id;
    int64_t start_unix_ns;
    int64_t count, calls; /* like it, and of its handler, in this trace */
    char *error, *input, *output, *attributes; /* JSON or NULL */
    char *path; /* "run > extract": the handlers around it and itself */
    char *status;
    int64_t duration_ns; /* -1: it goes on, or its end is not known */
};
/* 1 found, 0 not there (any more), -errno. */
int query_example_load(struct query_db *db, const struct query_group *group,
                       struct query_example *out)
    __attribute__((warn_unused_result));
void query_example_free(struct query_example *e);

/* What was open when a process ended, a thread each. */
struct query_open {
    char trace[33];
    int64_t end_unix_ns, pid, tid;
    uint64_t span_id; /* 0: nothing was open */
    const char *thread, *input;
    const char *command; /* of the process, JSON; NULL */
    char *path;
};
int query_open_spans(struct query_db *db, int64_t session, int64_t idx,
                     void (*each)(void *context, const struct query_open *o),
                     void *context) __attribute__((warn_unused_result));
