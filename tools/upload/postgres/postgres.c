/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink for PostgreSQL itself: rows by COPY into a table of the session's
 * own, from there into ours but for what is there already; one request is one
 * transaction. So the same rows again are no harm, as with PostgREST, whose
 * columns these are. The schema is sql/postgres/; handspan_schema says that the
 * tables are ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/upload/postgres/connection.h"
#include "tools/upload/postgres/copy.h"
#include "tools/upload/postgrest/columns.h"

enum {
    BODY_MAX = 24 << 20,
    SQL_MAX = 16384,
};
struct postgres {
    struct upload_url url; /* a copy: its key may change */
    struct connection *connection;
    bool is_checked;             /* the tables are ours */
    int version;                 /* of handspan_schema there */
    bool has_room[UPLOAD_KINDS]; /* this session's table is made */
    char spans_key[CONNECTION_TEXT];
    struct buf body, sql;
};

static int postgres_open(const struct upload_url *url, void **out, char *why,
                         size_t why_bytes)
{
    struct postgres *p = calloc(1, sizeof *p);
    snprintf(why, why_bytes, "%s", strerror(ENOMEM));
    if (!p)
        return -ENOMEM;
    p->url = *url;
    int rc = connection_open(&p->url, &p->connection, why, why_bytes);
    if (rc != 0) {
        explicit_bzero(p, sizeof *p);
        free(p);
        return rc;
    }
    buf_init(&p->body, BODY_MAX);
    buf_init(&p->sql, SQL_MAX);
    *out = p;
    return 0;
}

static void postgres_close(void *sink)
{
    struct postgres *p = sink;
    connection_close(p->connection);
    buf_free(&p->body);
    buf_free(&p->sql);
    explicit_bzero(p, sizeof *p);
    free(p);
}

/* ---- are those tables ours? ---------------------------------------------- */

static bool not_ours(struct postgres *p, struct sink_answer *out,
                     const char *what)
{
    out->verdict = SINK_HOLD;
    snprintf(out->message, sizeof out->message,
             "%s: make the tables with 'handspan schema postgres%s%s | psql "
             "...', or name another ?prefix= (docs/upload.md)",
             what, p->url.prefix[0] ? " --prefix " : "", p->url.prefix);
    return false;
}

/* What a session had is gone with it. */
static bool is_up(struct postgres *p, struct sink_answer *out)
{
    if (connection_is_up(p->connection, out))
        return true;
    p->is_checked = false;
    if (out->verdict == SINK_HOLD && upload_url_key(&p->url)) {
        out->verdict = SINK_RETRY; /* with the new password */
        out->retry_after_ms = 0;
    }
    return false;
}

static bool is_ours(struct postgres *p, struct sink_answer *out)
{
    char row[2][CONNECTION_TEXT], sql[128];
    if (!is_up(p, out))
        return false;
    if (p->is_checked)
        return true;
    memset(p->has_room, 0, sizeof p->has_room);
    snprintf(sql, sizeof sql,
             "SELECT version, spans_key FROM %shandspan_schema LIMIT 1",
             p->url.prefix);
    if (!connection_run(p->connection, sql, row, out)) {
        if (out->verdict == SINK_POISON)
            out->verdict = SINK_HOLD;
        return strcmp(out->code, "42P01") == 0
                   ? not_ours(p, out, "there is no table 'handspan_schema'")
                   : false;
    }
    snprintf(p->spans_key, sizeof p->spans_key, "%s", row[1]);
    if (!row[1][0] || row[1][strspn(row[1], "abcdefghijklmnopqrstuvwxyz_,")])
        return not_ours(p, out, "'handspan_schema' has no row");
    p->version = (int)strtol(row[0], NULL, 10);
    if (p->version < COLUMNS_SCHEMA)
        return not_ours(p, out, "the tables are older than this handspan");
    p->is_checked = true;
    return true;
}

/* ---- rows ---------------------------------------------------------------- */

static const char *key_of(const struct postgres *p, enum upload_kind kind)
{
    return kind == UPLOAD_SPANS ? p->spans_key : upload_columns[kind].key;
}

/* INSERT ... SELECT of `from`, whose columns are ours. */
static void put_insert(struct postgres *p, enum upload_kind kind, bool values,
                       const char *from)
{
    buf_printf(&p->sql, "INSERT INTO %s%s (", p->url.prefix,
               upload_kind_name[kind]);
    columns_names(kind, values, p->version, &p->sql);
    buf_text(&p->sql, ") SELECT ");
    columns_names(kind, values, p->version, &p->sql);
    buf_printf(&p->sql, " FROM %s ON CONFLICT (%s) DO NOTHING", from,
               key_of(p, kind));
}

/* The session's table for a kind, emptied by each COMMIT. */
static bool has_room(struct postgres *p, enum upload_kind kind,
                     struct sink_answer *out)
{
    if (p->has_room[kind])
        return true;
    buf_reset(&p->sql);
    buf_printf(&p->sql, "CREATE TEMPORARY TABLE handspan_in_%s (",
               upload_kind_name[kind]);
    copy_types(kind, p->url.values, p->version, &p->sql);
    buf_text(&p->sql, ") ON COMMIT DELETE ROWS");
    p->has_room[kind] =
        connection_run(p->connection, buf_get(&p->sql), NULL, out);
    return p->has_room[kind];
}

static bool copy_in(struct postgres *p, enum upload_kind kind,
                    struct sink_answer *out)
{
    char from[64];
    snprintf(from, sizeof from, "pg_temp.handspan_in_%s",
             upload_kind_name[kind]);
    buf_reset(&p->sql);
    buf_printf(&p->sql, "BEGIN; COPY %s FROM STDIN", from);
    if (!connection_copy(p->connection, buf_get(&p->sql), buf_get(&p->body),
                         p->body.len_bytes, out))
        return false;
    buf_reset(&p->sql);
    put_insert(p, kind, p->url.values, from);
    buf_text(&p->sql, "; COMMIT");
    return connection_run(p->connection, buf_get(&p->sql), NULL, out);
}

static void judge(struct postgres *p, bool is_done, enum upload_kind kind,
                  struct sink_answer *out)
{
    if (is_done) {
        out->verdict = SINK_OK;
        out->code[0] = out->message[0] = 0;
        return;
    }
    p->is_checked = false; /* the connection is another the next time */
    size_t len = strlen(out->message);
    if (out->verdict == SINK_HOLD && strncmp(out->code, "42", 2) == 0 &&
        !strstr(out->message, "docs/"))
        snprintf(out->message + len, sizeof out->message - len,
                 " (table '%s%s': is it handspan's, of this version? see "
                 "docs/upload.md)",
                 p->url.prefix, upload_kind_name[kind]);
}

static void answer_clear(struct sink_answer *out)
{
    *out = (struct sink_answer){.verdict = SINK_HOLD, .retry_after_ms = -1};
}

static void postgres_send(void *sink, const struct upload_row *rows,
                          uint32_t count, struct sink_answer *out)
{
    struct postgres *p = sink;
    enum upload_kind kind = rows[0].kind;
    answer_clear(out);
    if (!is_ours(p, out))
        return;
    buf_reset(&p->body);
    for (uint32_t i = 0; i < count; i++)
        copy_row(&rows[i], p->url.values, p->version, &p->body);
    if (p->body.failed) {
        out->verdict = SINK_HALVE;
        snprintf(out->code, sizeof out->code, "too large");
        snprintf(out->message, sizeof out->message,
                 "more than %d MiB in one request", BODY_MAX >> 20);
        return;
    }
    out->sent_bytes = (int64_t)p->body.len_bytes;
    judge(p, has_room(p, kind, out) && copy_in(p, kind, out), kind, out);
}

/* Refused rows are kept as JSON, for people; and sent again so. */
static char *postgres_body(void *sink, const struct upload_row *row)
{
    struct postgres *p = sink;
    struct buf one;
    buf_init(&one, BODY_MAX);
    columns_json(row, p->url.values, p->version, &one);
    char *copy = one.failed ? NULL : strdup(buf_get(&one));
    buf_free(&one);
    return copy;
}

static void postgres_resend(void *sink, enum upload_kind kind, const char *body,
                            struct sink_answer *out)
{
    struct postgres *p = sink;
    struct buf from;
    answer_clear(out);
    bool has_values =
        strstr(body, ",\"input\":") || strstr(body, ",\"command\":");
    if (kind >= UPLOAD_KINDS || (has_values && !p->url.values)) {
        out->verdict = SINK_POISON;
        snprintf(out->code, sizeof out->code, "values");
        snprintf(out->message, sizeof out->message,
                 "the row was kept with values, which this sink does not send");
        return;
    }
    if (!is_ours(p, out))
        return;
    buf_init(&from, SQL_MAX);
    buf_text(&from, "json_to_record($1::json) AS one (");
    copy_types(kind, has_values, p->version, &from);
    buf_char(&from, ')');
    buf_reset(&p->sql);
    put_insert(p, kind, has_values, buf_get(&from));
    buf_free(&from);
    judge(p, connection_run_with(p->connection, buf_get(&p->sql), body, out),
          kind, out);
}

static const char *const schemes[] = {"postgresql", "postgres", NULL};
const struct sink_ops sink_postgres = {
    .schemes = schemes,
    .options = upload_url_database,
    .batch_rows = 1000,
    .batch_rows_max = 8000,
    .kinds = (1u << UPLOAD_KINDS) - 1,
    .open = postgres_open,
    .send = postgres_send,
    .body = postgres_body,
    .resend = postgres_resend,
    .close = postgres_close,
};
