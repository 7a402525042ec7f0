/* SPDX-License-Identifier: Apache-2.0 */
/* A filter's own function in SQL; see trace.h. */
#include "tools/query/trace.h"
#include <errno.h>
#include <sqlite3.h>

static const char *text(sqlite3_value *value)
{
    return (const char *)sqlite3_value_text(value);
}

/* wanted(name, process, status, service, host, start_unix_ns, duration_ns) */
static void wanted(sqlite3_context *context, int count, sqlite3_value **of)
{
    const struct query_filter *f = sqlite3_user_data(context);
    (void)count;
    if (!f->is_wanted) {
        sqlite3_result_int(context, 1);
        return;
    }
    bool has_ended = sqlite3_value_type(of[6]) != SQLITE_NULL;
    struct query_facts facts = {
        .name = text(of[0]),
        .process = text(of[1]),
        .status = text(of[2]),
        .service = text(of[3]),
        .host = text(of[4]),
        .start_unix_ns = sqlite3_value_int64(of[5]),
        .duration_ns = has_ended ? sqlite3_value_int64(of[6]) : -1};
    sqlite3_result_int(context, f->is_wanted(f->context, &facts));
}

int query_filter_use(struct query_db *db, const struct query_filter *filter)
{
    int code =
        sqlite3_create_function_v2(query_handle(db), "wanted", 7, SQLITE_UTF8,
                                   (void *)filter, wanted, NULL, NULL, NULL);
    return code ? -EIO : 0;
}
