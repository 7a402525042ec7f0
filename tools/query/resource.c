/* SPDX-License-Identifier: Apache-2.0 */
/* OTEL_RESOURCE_ATTRIBUTES of a session; declared in trace.h. */
#include "tools/query/trace.h"
#include "query_sql.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value of `key` in "key=value,key2=value2", percent-encoding undone. */
static bool value_of(const char *text, const char *key, char *out, size_t cap)
{
    size_t len = strlen(key), n = 0;
    while (*text) {
        const char *end = text + strcspn(text, ",");
        text += strspn(text, " ");
        if (strncmp(text, key, len) == 0 && text[len] == '=') {
            for (text += len + 1; text < end && n + 1 < cap; text++) {
                char hex[3] = {0}, *rest = NULL;
                if (*text == '%' && end - text > 2)
                    memcpy(hex, text + 1, 2);
                long c = hex[0] ? strtol(hex, &rest, 16) : 0;
                bool is_escape = hex[0] && rest == hex + 2 && c > 0;
                out[n++] = is_escape ? (char)c : *text;
                text += is_escape ? 2 : 0;
            }
            out[n] = 0;
            return true;
        }
        text = *end ? end + 1 : end;
    }
    return false;
}

bool query_resource_value(struct query_db *db, int64_t session, const char *key,
                          char *out, size_t cap)
{
    struct sqlite3_stmt *stmt = query_prepare(db, query_sql_session_resource);
    bool found = false;
    if (!stmt)
        return false;
    query_bind_int(stmt, ":session", session);
    if (query_step(db, stmt) > 0) {
        const char *text = query_text(stmt, 0);
        found = text && value_of(text, key, out, cap);
    }
    query_finish(stmt);
    return found;
}
