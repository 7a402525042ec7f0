/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See connection.h. Everything is asked without blocking and waited for here,
 * so that a server that is silent, or a sidecar that ends, ends it. The
 * password comes from where keys come from and is given to libpq apart from the
 * URL; libpq's own ways (~/.pgpass, certificates, peer) go on working.
 */
#define _GNU_SOURCE
#include "tools/upload/postgres/connection.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tools/common/text/buf.h"
#include "tools/upload/http/http.h"
#include "tools/upload/postgres/libpq.h"
#include "tools/upload/postgrest/answers.h"

enum {
    SLICE_MS = 200,
    CHUNK_BYTES = 64 << 10,
};
struct connection {
    const struct upload_url *url;
    PGconn *db; /* NULL: not connected */
    char *where;
    int64_t until_ms; /* of what is being done */
};
static const struct libpq *lib;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ignore_notice(void *context, const char *text)
{
    (void)context, (void)text;
}

/* ---- opening ------------------------------------------------------------- */

/* The options of the URL that are libpq's. */
static void put_options(struct buf *b, const struct upload_url *url)
{
    const char *separator = "?";
    for (const char *at = url->options; *at;) {
        size_t len = strcspn(at, "&"), name = strcspn(at, "=&");
        for (const struct upload_option *o = upload_url_database; o->name; o++)
            if (strlen(o->name) == name && strncmp(o->name, at, name) == 0) {
                buf_text(b, separator);
                buf_add(b, at, len);
                separator = "&";
            }
        at += len + (at[len] == '&');
    }
}

int connection_open(const struct upload_url *url, struct connection **out,
                    char *why, size_t why_bytes)
{
    struct buf where;
    lib = libpq_load();
    if (!lib) {
        snprintf(why, why_bytes,
                 "no libpq.so.5 (of Debian's package libpq5): %s", libpq_why());
        return -ELIBACC;
    }
    struct connection *c = calloc(1, sizeof *c);
    buf_init(&where, UPLOAD_URL_MAX * 2);
    buf_text(&where, url->base);
    put_options(&where, url);
    if (c)
        c->where = strdup(buf_get(&where));
    buf_free(&where);
    if (!c || !c->where) {
        free(c);
        snprintf(why, why_bytes, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    c->url = url;
    *out = c;
    return 0;
}

static void drop(struct connection *c)
{
    if (c->db)
        lib->PQfinish(c->db);
    c->db = NULL;
}

void connection_close(struct connection *c)
{
    if (!c)
        return;
    drop(c);
    free(c->where);
    free(c);
}

/* ---- what goes wrong ----------------------------------------------------- */

/* One line; libpq's are several. */
static void say(struct sink_answer *out, const char *code, const char *text)
{
    snprintf(out->code, sizeof out->code, "%.24s", code);
    snprintf(out->message, sizeof out->message, "%s", text);
    size_t len = strcspn(out->message, "\n");
    for (char *at = out->message + len; *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    for (len = strlen(out->message); len && out->message[len - 1] == ' ';)
        out->message[--len] = 0;
}

static bool lost(struct connection *c, struct sink_answer *out, bool is_sent,
                 const char *what)
{
    out->verdict = SINK_RETRY;
    out->is_ambiguous = is_sent;
    say(out, "network", what ? what : lib->PQerrorMessage(c->db));
    drop(c);
    return false;
}

static bool refused(struct connection *c, const PGresult *result,
                    struct sink_answer *out)
{
    const char *code = lib->PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* its detail and context quote rows: they stay where they are */
    const char *text = lib->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!code)
        return lost(c, out, true, NULL);
    answers_by_code(code, out);
    say(out, code, text ? text : "");
    drop(c);
    return false;
}

/* A server that answers and says no is waited for longer than one that is not
 * there. Texts of servers may be in any language: then it is only retried. */
static bool is_a_no(struct connection *c, const char *text)
{
    static const char *const passing[] = {"starting up", "shutting down",
                                          "recovery", "too many",
                                          "remaining connection slots"};
    if (lib->PQconnectionNeedsPassword(c->db))
        return true;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strstr(text, passing[i]))
            return false;
    return strstr(text, "FATAL:") || strstr(text, "certificate") ||
           strstr(text, "SSL") || strstr(text, "invalid");
}

/* ---- waiting ------------------------------------------------------------- */

/* Until the socket is ready; false: too long, or the end came. */
static bool wait_for(struct connection *c, short events)
{
    for (;;) {
        struct pollfd at = {.fd = lib->PQsocket(c->db), .events = events};
        int64_t left = c->until_ms - now_ms();
        if (left <= 0 || at.fd < 0 || http_is_stopped())
            return false;
        if (poll(&at, 1, (int)(left < SLICE_MS ? left : SLICE_MS)) > 0)
            return true;
    }
}

static void take_time(struct connection *c, int64_t ms)
{
    c->until_ms = now_ms() + ms;
}

static bool flush_all(struct connection *c)
{
    int rc;
    while ((rc = lib->PQflush(c->db)) > 0)
        if (!wait_for(c, POLLIN | POLLOUT) || !lib->PQconsumeInput(c->db))
            return false;
    return rc == 0;
}

/* The next result, NULL: none (that was all, or *is_lost). */
static PGresult *next(struct connection *c, bool *is_lost)
{
    *is_lost = !flush_all(c);
    while (!*is_lost && lib->PQisBusy(c->db))
        *is_lost = !wait_for(c, POLLIN) || !lib->PQconsumeInput(c->db);
    return *is_lost ? NULL : lib->PQgetResult(c->db);
}

/* ---- connecting ---------------------------------------------------------- */

static bool connect_poll(struct connection *c)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED ||
            !wait_for(c, state == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return false;
        state = lib->PQconnectPoll(c->db);
    }
    return true;
}

bool connection_is_up(struct connection *c, struct sink_answer *out)
{
    const char *const names[] = {"dbname", "password",
                                 "fallback_application_name", "client_encoding",
                                 NULL};
    const char *const values[] = {c->where, c->url->key[0] ? c->url->key : NULL,
                                  "handspan", "UTF8", NULL};
    if (c->db)
        return true;
    c->db = lib->PQconnectStartParams(names, values, 1);
    take_time(c, c->url->connect_timeout_ms);
    if (c->db && lib->PQstatus(c->db) != CONNECTION_BAD && connect_poll(c) &&
        lib->PQsetnonblocking(c->db, 1) == 0) {
        lib->PQsetNoticeProcessor(c->db, ignore_notice, NULL);
        return true;
    }
    const char *text = c->db ? lib->PQerrorMessage(c->db) : "out of memory";
    bool is_no = c->db && is_a_no(c, text);
    (void)lost(c, out, false, text[0] ? text : "no answer in time");
    out->verdict = is_no ? SINK_HOLD : SINK_RETRY;
    return false;
}

/* ---- asking -------------------------------------------------------------- */

static void take_row(const PGresult *r, char row[2][CONNECTION_TEXT])
{
    row[0][0] = row[1][0] = 0;
    if (lib->PQresultStatus(r) == PGRES_TUPLES_OK && lib->PQntuples(r) > 0)
        for (int i = 0; i < 2; i++)
            snprintf(row[i], CONNECTION_TEXT, "%s", lib->PQgetvalue(r, 0, i));
}

/* All results of what was sent. */
static bool finish(struct connection *c, char row[2][CONNECTION_TEXT],
                   struct sink_answer *out)
{
    bool is_lost;
    PGresult *r;
    while ((r = next(c, &is_lost))) {
        ExecStatusType status = lib->PQresultStatus(r);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            (void)refused(c, r, out);
            lib->PQclear(r);
            return false;
        }
        if (row)
            take_row(r, row);
        lib->PQclear(r);
    }
    return is_lost ? lost(c, out, true, "no answer in time") : true;
}

bool connection_run(struct connection *c, const char *sql,
                    char row[2][CONNECTION_TEXT], struct sink_answer *out)
{
    take_time(c, c->url->timeout_ms);
    return lib->PQsendQuery(c->db, sql) ? finish(c, row, out)
                                        : lost(c, out, false, NULL);
}

bool connection_run_with(struct connection *c, const char *sql,
                         const char *parameter, struct sink_answer *out)
{
    take_time(c, c->url->timeout_ms);
    return lib->PQsendQueryParams(c->db, sql, 1, NULL, &parameter, NULL, NULL,
                                  0)
               ? finish(c, NULL, out)
               : lost(c, out, false, NULL);
}

/* The server waits for rows: 1; 0 it does not (the answer says why). */
static bool copy_begin(struct connection *c, struct sink_answer *out)
{
    bool is_lost;
    PGresult *r;
    while ((r = next(c, &is_lost))) {
        ExecStatusType status = lib->PQresultStatus(r);
        bool is_there = status == PGRES_COPY_IN;
        bool is_fine = is_there || status == PGRES_COMMAND_OK;
        if (!is_fine)
            (void)refused(c, r, out);
        lib->PQclear(r);
        if (!is_fine || is_there)
            return is_there;
    }
    return lost(c, out, true, is_lost ? "no answer in time" : NULL);
}

bool connection_copy(struct connection *c, const char *sql, const char *bytes,
                     size_t len_bytes, struct sink_answer *out)
{
    take_time(c, c->url->timeout_ms);
    if (!lib->PQsendQuery(c->db, sql))
        return lost(c, out, false, NULL);
    if (!copy_begin(c, out))
        return false;
    for (size_t at = 0; at < len_bytes;) {
        size_t n = len_bytes - at;
        n = n < CHUNK_BYTES ? n : CHUNK_BYTES;
        if (lib->PQputCopyData(c->db, bytes + at, (int)n) != 1 || !flush_all(c))
            break; /* the server's reason is among the results */
        at += n;
    }
    if (lib->PQputCopyEnd(c->db, NULL) != 1)
        return lost(c, out, true, NULL);
    return finish(c, NULL, out);
}
