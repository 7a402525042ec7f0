/* SPDX-License-Identifier: Apache-2.0 */
/* Finding traces; see trace.h. */
#include "tools/query/trace.h"
#include "query_sql.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void query_trace_free(struct query_trace *t)
{
    char *texts[] = {t->name,    t->status,   t->host,           t->service,
                     t->state,   t->note,     t->process,        t->program,
                     t->command, t->ended_by, t->process_status, t->end_source};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    *t = (struct query_trace){0};
}

static void hex_of(const uint8_t *id, char hex[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

/* What the command was that `run` waited for says how the trace ended, but for
 * one that outlived it and failed. */
static void take_command(struct query_trace *t)
{
    int status = (int)t->command_status;
    if (status == 0 && t->status && strcmp(t->status, "error") == 0)
        return;
    t->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    t->signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    free(t->ended_by);
    t->ended_by = strdup(WIFSIGNALED(status) ? "signal" : "exit");
}

/* Columns as in traces.sql. */
static void read_row(sqlite3_stmt *stmt, struct query_trace *t)
{
    *t = (struct query_trace){.trace = query_int(stmt, 0, 0)};
    if (sqlite3_column_bytes(stmt, 1) == 16)
        memcpy(t->id, sqlite3_column_blob(stmt, 1), 16);
    hex_of(t->id, t->hex);
    t->session = query_int(stmt, 2, 0);
    t->name = query_text_copy(stmt, 3);
    t->start_unix_ns = query_int(stmt, 4, 0);
    t->duration_ns = query_int(stmt, 5, -1);
    t->status = query_text_copy(stmt, 6);
    t->root_ref = query_int(stmt, 7, 0);
    t->remote_parent = query_blob64(stmt, 8);
    t->session_key = query_blob64(stmt, 9);
    t->host = query_text_copy(stmt, 10);
    t->service = query_text_copy(stmt, 11);
    t->state = query_text_copy(stmt, 12);
    t->note = query_text_copy(stmt, 13);
    t->process_idx = query_int(stmt, 14, -1);
    t->pid = query_int(stmt, 15, -1);
    t->process = query_text_copy(stmt, 16);
    t->program = query_text_copy(stmt, 17);
    t->command = query_text_copy(stmt, 18);
    t->cpu_ns = query_int(stmt, 19, -1);
    t->peak_bytes = query_int(stmt, 20, -1);
    t->peak_is_lower_bound = query_int(stmt, 21, 0) != 0;
    t->process_status = query_text_copy(stmt, 22);
    t->ended_by = query_text_copy(stmt, 23);
    t->exit_code = query_int(stmt, 24, -1);
    t->signal = query_int(stmt, 25, -1);
    t->end_source = query_text_copy(stmt, 26);
    t->calls = query_int(stmt, 27, 0);
    t->errors = query_int(stmt, 28, 0);
    t->dropped_calls = query_int(stmt, 29, 0);
    t->command_status = query_int(stmt, 30, -1);
    t->process_count = query_int(stmt, 31, 0);
    t->failed_count = query_int(stmt, 32, 0);
    t->failed_exit_code = query_int(stmt, 33, -1);
    t->failed_signal = query_int(stmt, 34, -1);
    t->loading_ns = query_int(stmt, 35, -1);
    if (t->command_status >= 0)
        take_command(t);
    if (t->root_ref > 0) /* the process serves others as well */
        t->cpu_ns = t->peak_bytes = t->loading_ns = -1;
}

struct id_range {
    uint8_t low[16], high[16];
};
static const struct id_range any_id = {.high = {255, 255, 255, 255, 255, 255,
                                                255, 255, 255, 255, 255, 255,
                                                255, 255, 255, 255}};

/* All matching rows, read in one go. */
static int load(struct query_db *db, const struct query_filter *f,
                const struct id_range *range, int64_t limit, int64_t offset,
                struct query_choice *out)
{
    int used = query_filter_use(db, f);
    sqlite3_stmt *stmt = used ? NULL : query_prepare(db, query_sql_traces);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":since", f->since_unix_ns);
    query_bind_int(stmt, ":until",
                   f->until_unix_ns ? f->until_unix_ns : INT64_MAX);
    query_bind_blob(stmt, ":id_low", range->low, 16);
    query_bind_blob(stmt, ":id_high", range->high, 16);
    query_bind_text(stmt, ":program", f->program);
    query_bind_text(stmt, ":name", f->name);
    query_bind_text(stmt, ":status", f->status);
    query_bind_int(stmt, ":first", f->is_first);
    query_bind_int(stmt, ":short", f->is_short);
    query_bind_text(stmt, ":service", f->service);
    query_bind_text(stmt, ":host", f->host);
    query_bind_int(stmt, ":pid", f->pid);
    query_bind_int(stmt, ":limit", limit);
    query_bind_int(stmt, ":offset", offset);
    size_t cap = 0;
    *out = (struct query_choice){0};
    int step;
    while ((step = query_step(db, stmt)) > 0) {
        if (out->count == cap) {
            cap = cap ? cap * 2 : 16;
            void *grown = realloc(out->found, cap * sizeof *out->found);
            if (!grown) {
                step = -ENOMEM;
                break;
            }
            out->found = grown;
        }
        read_row(stmt, &out->found[out->count++]);
    }
    query_finish(stmt);
    if (step < 0)
        query_choice_free(out);
    return step;
}

void query_choice_free(struct query_choice *c)
{
    for (size_t i = 0; i < c->count; i++)
        query_trace_free(&c->found[i]);
    free(c->found);
    *c = (struct query_choice){0};
}

int query_traces(struct query_db *db, const struct query_filter *filter,
                 int (*each)(void *context, struct query_trace *t),
                 void *context)
{
    struct query_choice all;
    int err =
        load(db, filter, &any_id, filter->limit ? filter->limit : -1, 0, &all);
    if (err)
        return err;
    for (size_t i = 0; i < all.count && !err; i++) {
        struct query_trace t = all.found[i];
        all.found[i] = (struct query_trace){0};
        err = each(context, &t);
    }
    query_choice_free(&all);
    return err;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 00-<32 hex>-<16 hex>-<2 hex>: where the trace id stands, else NULL. */
static const char *in_traceparent(const char *text)
{
    if (strlen(text) < 55 || text[2] != '-' || text[35] != '-' ||
        text[52] != '-')
        return NULL;
    return text + 3;
}

static int parse_prefix(const char *text, struct id_range *range, char *why,
                        size_t why_bytes)
{
    const char *id = in_traceparent(text);
    size_t len = id ? 32 : strlen(text);
    id = id ? id : text;
    *range = any_id;
    size_t i;
    for (i = 0; i < len && i < 32; i++) {
        int n = nibble(id[i]);
        if (n < 0)
            break;
        int shift = i % 2 ? 0 : 4;
        uint8_t keep = i % 2 ? 0xf0 : 0;
        uint8_t fill = i % 2 ? 0 : 0x0f;
        uint8_t *low = &range->low[i / 2], *high = &range->high[i / 2];
        *low = (uint8_t)((*low & keep) | n << shift);
        *high = (uint8_t)((*high & keep) | n << shift | fill);
    }
    if (i == len && len >= 4 && len <= 32)
        return 0;
    snprintf(why, why_bytes,
             "'%s' names no trace: give 4 or more hex digits of its id, "
             "latest, latest~N or a traceparent",
             text);
    return -EINVAL;
}

static int parse_latest(const char *text, int64_t *offset)
{
    *offset = 0;
    if (!text || strcmp(text, "latest") == 0)
        return 0;
    if (strncmp(text, "latest~", 7) != 0 || !text[7])
        return -EINVAL;
    char *end;
    *offset = strtoll(text + 7, &end, 10);
    return *end || *offset < 0 ? -EINVAL : 0;
}

int query_choose(struct query_db *db, const char *text,
                 const struct query_filter *filter, struct query_choice *out,
                 char *why, size_t why_bytes)
{
    struct id_range range = any_id;
    int64_t offset, limit = 1;
    int err = 0;
    if (parse_latest(text, &offset) < 0) {
        offset = 0;
        limit = QUERY_CANDIDATES + 1;
        err = parse_prefix(text, &range, why, why_bytes);
    }
    if (!err)
        err = load(db, filter, &range, limit, offset, out);
    if (err == -EIO || err == -EBUSY)
        snprintf(why, why_bytes, "cannot read the store: %s", query_error(db));
    if (err)
        return err;
    if (out->count > 0)
        return 0;
    if (limit > 1)
        snprintf(why, why_bytes, "no trace '%s' in the store", text);
    else if (offset)
        snprintf(why, why_bytes,
                 "the store has fewer than %lld matching traces",
                 (long long)offset + 1);
    else
        snprintf(why, why_bytes, "no trace in the store matches");
    return -ENOENT;
}

int query_process_trace(struct query_db *db, int64_t pid, int64_t since_unix_ns,
                        char hex[33], bool *is_complete)
{
    sqlite3_stmt *stmt = query_prepare(db, query_sql_process_trace);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":pid", pid);
    query_bind_int(stmt, ":since", since_unix_ns);
    int step = query_step(db, stmt);
    if (step > 0) {
        const uint8_t *id = sqlite3_column_blob(stmt, 1);
        if (id && sqlite3_column_bytes(stmt, 1) == 16)
            hex_of(id, hex);
        else
            step = -EIO;
        *is_complete = query_int(stmt, 2, 0) != 0;
    }
    query_finish(stmt);
    return step;
}

int query_requests(struct query_db *db, int64_t session,
                   struct query_requests *out)
{
    *out = (struct query_requests){0};
    sqlite3_stmt *stmt = query_prepare(db, query_sql_session_requests);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":session", session);
    int step = query_step(db, stmt);
    if (step > 0) {
        out->traces = query_int(stmt, 0, 0);
        out->calls = query_int(stmt, 1, 0);
        out->failed = query_int(stmt, 2, 0);
    }
    query_finish(stmt);
    return step < 0 ? step : 0;
}

/* ---- resource ------------------------------------------------------------ */

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
