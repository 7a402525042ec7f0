/* SPDX-License-Identifier: Apache-2.0 */
/* Figures over the whole store; see status.h. */
#include "tools/query/whole/status.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>

int query_totals(struct query_db *db, struct query_totals *out)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_status_totals);
    int step = stmt ? query_step(db, stmt) : -EIO;
    if (step > 0)
        *out = (struct query_totals){.sessions = query_int(stmt, 0, 0),
                                     .live_sessions = query_int(stmt, 1, 0),
                                     .traces = query_int(stmt, 2, 0),
                                     .open_traces = query_int(stmt, 3, 0),
                                     .calls = query_int(stmt, 4, 0),
                                     .dropped_calls = query_int(stmt, 5, 0),
                                     .first_unix_ns = query_int(stmt, 6, -1)};
    query_finish(stmt);
    return step > 0 ? 0 : step < 0 ? step : -EIO;
}

int query_losses(struct query_db *db,
                 void (*each)(void *context, const char *kind, int64_t count),
                 void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_status_losses);
    int step = stmt ? 1 : -EIO;
    while (step > 0 && (step = query_step(db, stmt)) > 0) {
        const char *kind = query_text(stmt, 0);
        each(context, kind ? kind : "?", query_int(stmt, 1, 0));
    }
    query_finish(stmt);
    return step;
}
