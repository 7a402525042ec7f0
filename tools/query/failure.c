/* SPDX-License-Identifier: Apache-2.0 */
/* See failure.h. */
#include "tools/query/failure.h"
#include "query_sql.h"
#include "tools/common/text/buf.h"
#include "tools/query/tree.h"
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_BYTES = 4096
};

void query_failure_free(struct query_failure *f)
{
    free(f->reason);
    free(f->late);
    *f = (struct query_failure){0};
}

/* "NAME: what its error says"; NULL: no memory. */
static char *line_of(const char *name, const char *error, bool is_long)
{
    struct buf b;
    buf_init(&b, LINE_BYTES);
    buf_printf(&b, "%s: ", name ? name : "?");
    query_error_line(error, is_long, &b);
    char *line = strdup(buf_get(&b));
    buf_free(&b);
    return line;
}

/* "NAME: exit 1" of a process of whose failure nothing else is known; that of
 * the trace's own process stands in its outcome already. */
static int take_end(const struct query_trace *t, struct sqlite3_stmt *stmt,
                    struct query_failure *out)
{
    int64_t exit_code = query_int(stmt, 3, -1), signal = query_int(stmt, 4, -1);
    const char *name = signal > 0 ? sigabbrev_np((int)signal) : NULL;
    const char *process = query_text(stmt, 1);
    if (query_int(stmt, 5, -1) == t->process_idx)
        return 0;
    struct buf b;
    buf_init(&b, LINE_BYTES);
    buf_printf(&b, "%s: ", process ? process : "?");
    if (name)
        buf_printf(&b, "SIG%s", name);
    else if (exit_code > 0)
        buf_printf(&b, "exit %lld", (long long)exit_code);
    else
        buf_text(&b, "failed");
    out->reason = strdup(buf_get(&b));
    buf_free(&b);
    return out->reason ? 0 : -ENOMEM;
}

static int take_reason(struct query_db *db, const struct query_trace *t,
                       struct query_failure *out)
{
    bool has_failed = t->status && strcmp(t->status, "error") == 0;
    if (!has_failed && t->failed_count == 0)
        return 0;
    struct sqlite3_stmt *stmt = query_prepare(db, query_sql_trace_failure);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", t->trace);
    int step = query_step(db, stmt), err = 0;
    bool is_process = step > 0 && query_int(stmt, 0, 0);
    const char *error = step > 0 ? query_text(stmt, 2) : NULL;
    if (error) {
        out->reason = line_of(query_text(stmt, 1), error, is_process);
        err = out->reason ? 0 : -ENOMEM;
    } else if (is_process) {
        err = take_end(t, stmt, out);
    }
    query_finish(stmt);
    return step < 0 ? step : err;
}

static int take_overdue(struct query_db *db, const struct query_trace *t,
                        struct query_failure *out)
{
    struct sqlite3_stmt *stmt = query_prepare(db, query_sql_trace_late);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", t->trace);
    int step = query_step(db, stmt), err = 0;
    const char *detail = step > 0 ? query_text(stmt, 2) : NULL;
    out->overdue = step > 0 ? query_int(stmt, 0, 0) : 0;
    if (out->overdue && detail) {
        out->late = line_of(query_text(stmt, 1), detail, false);
        err = out->late ? 0 : -ENOMEM;
    }
    query_finish(stmt);
    return step < 0 ? step : err;
}

int query_failure_load(struct query_db *db, const struct query_trace *t,
                       struct query_failure *out)
{
    *out = (struct query_failure){0};
    int err = take_reason(db, t, out);
    if (!err)
        err = take_overdue(db, t, out);
    if (err)
        query_failure_free(out);
    return err;
}

static bool bytes_of(const char *hex, uint8_t id[16])
{
    for (int i = 0; i < 16; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &id[i]) != 1)
            return false;
    return true;
}

int query_overdue_first(struct query_db *db, const char *trace,
                        int64_t since_unix_ns, char hex[33], char **line)
{
    uint8_t id[16];
    *line = NULL;
    if (strlen(trace) != 32 || !bytes_of(trace, id))
        return -EINVAL;
    struct sqlite3_stmt *stmt = query_prepare(db, query_sql_overdue_first);
    if (!stmt)
        return -EIO;
    query_bind_blob(stmt, ":id", id, sizeof id);
    query_bind_int(stmt, ":since", since_unix_ns);
    int step = query_step(db, stmt);
    const uint8_t *found = step > 0 ? sqlite3_column_blob(stmt, 0) : NULL;
    if (step > 0 && (!found || sqlite3_column_bytes(stmt, 0) != 16))
        step = -EIO;
    for (int i = 0; step > 0 && i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", found[i]);
    if (step > 0)
        *line = line_of(query_text(stmt, 1), query_text(stmt, 2), false);
    query_finish(stmt);
    return step;
}
