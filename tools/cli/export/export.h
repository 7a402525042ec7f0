/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of `handspan export` but for OTLP. */
#pragma once
#include "tools/cli/screen/view.h"
#include "tools/query/detail.h"
#include "tools/upload/outbox/sink.h"
#include <stdio.h>

/* A process or a call, as all these formats have it. */
struct export_span {
    uint64_t id, parent_id; /* 0: none */
    int64_t session, ref, parent_ref;
    bool is_process, is_orphan; /* is_orphan: what it hangs from is unknown */
    const char *name, *object;  /* object: path of the file, "" unknown */
    const struct query_process *process; /* NULL: not known */
    const struct query_thread *thread;   /* main one of a process; NULL */
    const struct query_site *site;       /* NULL: a process */
    int64_t pid, tid;                    /* -1 unknown */
    /* shown_end_ns: of what has no end, its process's, or the trace's (now, if
     * that still runs) */
    int64_t start_unix_ns, shown_end_ns;
    int64_t duration_ns, self_ns, cpu_ns; /* -1 unknown */
    const char *status, *ended_by, *links;
};
struct export
{
    struct query_db *db;
    const struct query_trace *trace;
    const struct query_detail *detail;
    FILE *out;
    int64_t start_ns, end_ns; /* of the trace with its processes */
};

/* An export of this trace to `out`; all three stay the caller's. */
struct export export_init(struct view *v, const struct query_trace *trace,
                          const struct query_detail *detail, FILE *out);
/* The processes of the trace, then its calls in order of start. Texts live
 * until `each` returns; non-zero stops (returned). */
int export_each(const struct export *x,
                int (*each)(void *context, const struct export_span *s),
                void *context) __attribute__((warn_unused_result));
/* Base name of a path; "" for NULL. */
const char *export_base(const char *path);

/* "csv": the names of its columns, then a line a span. `values`: with those of
 * them that hold values. 0 or -errno. */
int export_csv_head(FILE *out, bool values) __attribute__((warn_unused_result));
int export_csv_row(FILE *out, const struct upload_span *span, bool values)
    __attribute__((warn_unused_result));
/* 0 or -errno. "folded": stacks by self time. "chrome": trace events in
 * microseconds since the trace began (Perfetto, chrome://tracing).
 * "speedscope": its own file format. "perfetto": its protobuf. */
int export_folded(const struct export *x) __attribute__((warn_unused_result));
int export_perfetto(const struct export *x) __attribute__((warn_unused_result));
int export_chrome(const struct export *x) __attribute__((warn_unused_result));
int export_speedscope(const struct export *x)
    __attribute__((warn_unused_result));

/* Room for one more element of `size` bytes in the array that `array` points
 * to the pointer of. False: no memory, nothing has changed. */
bool export_grow(void *array, size_t count, size_t *cap, size_t size);
