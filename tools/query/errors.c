/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of errors; see errors.h. */
#include "tools/query/errors.h"
#include "lane/format/ids.h"
#include "query_sql.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/hash.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bind_filter(sqlite3_stmt *stmt, const struct query_filter *f,
                        int64_t trace, const char *group)
{
    bool is_filtered = trace || f->since_unix_ns || f->until_unix_ns ||
                       f->program || f->status || f->service || f->host ||
                       f->name || f->is_wanted || f->pid >= 0;
    query_bind_int(stmt, ":filtered", is_filtered);
    query_bind_int(stmt, ":since", f->since_unix_ns);
    query_bind_int(stmt, ":until",
                   f->until_unix_ns ? f->until_unix_ns : INT64_MAX);
    query_bind_text(stmt, ":program", f->program);
    query_bind_text(stmt, ":name", f->name);
    query_bind_text(stmt, ":status", f->status);
    query_bind_text(stmt, ":service", f->service);
    query_bind_text(stmt, ":host", f->host);
    query_bind_int(stmt, ":pid", f->pid);
    query_bind_int(stmt, ":trace", trace);
    query_bind_text(stmt, ":group", group);
}

bool query_group_is_overdue(const struct query_group *group)
{
    return group->kind && strcmp(group->kind, "overdue") == 0;
}

/* Columns as in error_groups.sql. */
static void read_group(sqlite3_stmt *stmt, struct query_group *g)
{
    const char *id = query_text(stmt, 0);
    snprintf(g->id, sizeof g->id, "%s", id ? id : "");
    g->handler = query_text_copy(stmt, 1);
    g->kind = query_text_copy(stmt, 2);
    g->type = query_text_copy(stmt, 3);
    g->rule = query_text_copy(stmt, 4);
    g->count = query_int(stmt, 5, 0);
    g->traces = query_int(stmt, 6, 0);
    g->first_unix_ns = query_int(stmt, 7, -1);
    g->last_unix_ns = query_int(stmt, 8, -1);
    g->calls = query_int(stmt, 9, -1);
    g->session = query_int(stmt, 10, -1);
    g->ref = query_int(stmt, 11, -1);
    g->error = query_text_copy(stmt, 12);
}

static void process_type(sqlite3_stmt *stmt, char *type, size_t cap_bytes)
{
    int64_t code = query_int(stmt, 2, -1), signal = query_int(stmt, 3, -1);
    const char *ended_by = query_text(stmt, 1);
    const char *name = signal > 0 ? sigabbrev_np((int)signal) : NULL;
    if (name)
        snprintf(type, cap_bytes, "SIG%s", name);
    else if (signal > 0)
        snprintf(type, cap_bytes, "signal %lld", (long long)signal);
    else if (code >= 0)
        snprintf(type, cap_bytes, "exit %lld", (long long)code);
    else
        snprintf(type, cap_bytes, "%s", ended_by ? ended_by : "unknown");
}

/* Columns as in error_ends.sql. */
static void read_end(sqlite3_stmt *stmt, struct query_group *g)
{
    char type[64];
    process_type(stmt, type, sizeof type);
    g->is_process = true;
    g->handler = query_text_copy(stmt, 0);
    g->kind = query_text_copy(stmt, 1);
    g->type = strdup(type);
    g->count = query_int(stmt, 4, 0);
    g->traces = query_int(stmt, 5, 0);
    g->first_unix_ns = query_int(stmt, 6, -1);
    g->last_unix_ns = query_int(stmt, 7, -1);
    g->calls = query_int(stmt, 8, -1);
    g->session = query_int(stmt, 9, -1);
    g->ref = query_int(stmt, 10, -1);
    g->end_source = query_text_copy(stmt, 11);
    g->open_spans = query_int(stmt, 12, 0);
    g->error = query_text_copy(stmt, 13);
    const char *group = query_text(stmt, 14);
    uint64_t hash = hash_text(HASH_BEGIN, "process");
    hash = group ? hash_text(hash, group) : hash;
    hash = hash_text(hash_text(hash, g->handler ? g->handler : ""), type);
    snprintf(g->id, sizeof g->id, "%016llx", (unsigned long long)hash);
}

static int load(struct query_db *db, const char *sql,
                const struct query_filter *filter, int64_t trace,
                const char *group,
                void (*read)(sqlite3_stmt *stmt, struct query_group *g),
                struct query_groups *out)
{
    int used = query_filter_use(db, filter);
    sqlite3_stmt *stmt = used ? NULL : query_prepare(db, sql);
    if (!stmt)
        return -EIO;
    bind_filter(stmt, filter, trace, group);
    int step;
    while ((step = query_step(db, stmt)) > 0) {
        struct query_group *grown =
            reallocarray(out->group, out->count + 1, sizeof *out->group);
        if (!grown) {
            step = -ENOMEM;
            break;
        }
        out->group = grown;
        out->group[out->count] = (struct query_group){0};
        read(stmt, &out->group[out->count++]);
    }
    query_finish(stmt);
    return step;
}

static int compare(const void *a, const void *b)
{
    const struct query_group *x = a, *y = b;
    if (x->last_unix_ns != y->last_unix_ns)
        return x->last_unix_ns < y->last_unix_ns ? 1 : -1;
    return strcmp(x->id, y->id);
}

int query_groups_load(struct query_db *db, const struct query_filter *filter,
                      int64_t trace, const char *group,
                      struct query_groups *out)
{
    *out = (struct query_groups){0};
    int err =
        load(db, query_sql_error_groups, filter, trace, group, read_group, out);
    if (!err)
        err = load(db, query_sql_error_overdue, filter, trace, group,
                   read_group, out);
    if (!err)
        err =
            load(db, query_sql_error_ends, filter, trace, group, read_end, out);
    if (err)
        query_groups_free(out);
    else if (out->count)
        qsort(out->group, out->count, sizeof *out->group, compare);
    return err;
}

void query_groups_free(struct query_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct query_group *g = &groups->group[i];
        char *texts[] = {g->handler, g->kind,  g->type,
                         g->rule,    g->error, g->end_source};
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            free(texts[j]);
    }
    free(groups->group);
    *groups = (struct query_groups){0};
}

/* ---- an example ---------------------------------------------------------- */

static char *path_of(struct query_db *db, int64_t session, int64_t ref)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_error_path);
    struct buf path;
    buf_init(&path, 4096);
    if (!stmt)
        return NULL;
    query_bind_int(stmt, ":session", session);
    query_bind_int(stmt, ":ref", ref);
    while (query_step(db, stmt) > 0) {
        const char *name = query_text(stmt, 0);
        buf_printf(&path, "%s%s", path.len_bytes ? " > " : "",
                   name ? name : "?");
    }
    query_finish(stmt);
    char *text = strdup(buf_get(&path));
    buf_free(&path);
    return text;
}

static void trace_hex(sqlite3_stmt *stmt, int column, char hex[33])
{
    hex[0] = 0;
    const uint8_t *id = sqlite3_column_blob(stmt, column);
    if (id && sqlite3_column_bytes(stmt, column) == 16)
        for (int i = 0; i < 16; i++)
            snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

static uint64_t span_id(sqlite3_stmt *stmt, int key_column, int64_t ref)
{
    uint64_t key = query_blob64(stmt, key_column);
    return key && ref ? lane_span_id(key, (uint64_t)ref) : 0;
}

int query_example_load(struct query_db *db, const struct query_group *group,
                       struct query_example *out)
{
    int64_t session = group->session, ref = group->ref;
    bool is_overdue = query_group_is_overdue(group);
    if (group->is_process || session < 0)
        return 0;
    sqlite3_stmt *stmt = query_prepare(db, query_sql_error_span);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":session", session);
    query_bind_int(stmt, ":ref", ref);
    int step = query_step(db, stmt);
    if (step > 0) {
        *out = (struct query_example){
            .span_id = span_id(stmt, 2, ref),
            .start_unix_ns = query_int(stmt, 5, -1),
            .error = query_text_copy(stmt, is_overdue ? 12 : 6),
            .input = query_text_copy(stmt, 7),
            .output = query_text_copy(stmt, 8),
            .attributes = query_text_copy(stmt, 9),
            .count = query_int(stmt, is_overdue ? 15 : 10, 0),
            .calls = query_int(stmt, 11, -1),
            .status = query_text_copy(stmt, 13),
            .duration_ns = query_int(stmt, 14, -1),
        };
        trace_hex(stmt, 1, out->trace);
    }
    query_finish(stmt);
    if (step > 0)
        out->path = path_of(db, session, ref);
    return step;
}

void query_example_free(struct query_example *e)
{
    free(e->error);
    free(e->input);
    free(e->output);
    free(e->attributes);
    free(e->path);
    free(e->status);
    *e = (struct query_example){0};
}

int query_open_spans(struct query_db *db, int64_t session, int64_t idx,
                     void (*each)(void *context, const struct query_open *o),
                     void *context)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_error_open);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":session", session);
    query_bind_int(stmt, ":idx", idx);
    int step;
    while ((step = query_step(db, stmt)) > 0) {
        int64_t ref = query_int(stmt, 4, 0);
        struct query_open o = {
            .end_unix_ns = query_int(stmt, 2, -1),
            .pid = query_int(stmt, 3, -1),
            .tid = query_int(stmt, 7, -1),
            .span_id = span_id(stmt, 1, ref),
            .input = query_text(stmt, 6),
            .thread = query_text(stmt, 8),
            .command = query_text(stmt, 9),
        };
        trace_hex(stmt, 0, o.trace);
        o.path = ref ? path_of(db, session, ref) : NULL;
        each(context, &o);
        free(o.path);
    }
    query_finish(stmt);
    return step;
}
