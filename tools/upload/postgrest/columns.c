/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of the tables at the other end: see columns.h. */
#define _GNU_SOURCE
#include "tools/upload/postgrest/columns.h"
#include <stddef.h>
#include <string.h>

#define OF(kind, name, type)                                                   \
    {                                                                          \
#name, COLUMN_##type, offsetof(struct upload_##kind, name), false, 0   \
    }
#define SINCE(version, kind, name, type)                                       \
    {                                                                          \
#name, COLUMN_##type, offsetof(struct upload_##kind, name), false,     \
            version                                                            \
    }
#define VALUE(kind, name, type)                                                \
    {                                                                          \
#name, COLUMN_##type, offsetof(struct upload_##kind, name), true, 0    \
    }
#define END                                                                    \
    {                                                                          \
        NULL, COLUMN_TEXT, 0, false, 0                                         \
    }

static const struct column spans[] = {
    OF(span, trace_id, TRACE_ID),
    OF(span, span_id, ID),
    OF(span, parent_span_id, ID),
    OF(span, process_span_id, ID),
    OF(span, session, ID),
    OF(span, site, NUMBER),
    OF(span, name, TEXT),
    OF(span, symbol, TEXT),
    OF(span, object, TEXT),
    OF(span, service, TEXT),
    OF(span, host, TEXT),
    OF(span, program, TEXT),
    OF(span, pid, NUMBER),
    OF(span, tid, NUMBER),
    OF(span, thread_name, TEXT),
    OF(span, depth, NUMBER),
    OF(span, start_unix_ns, NUMBER),
    OF(span, duration_ns, NUMBER),
    OF(span, self_ns, NUMBER),
    OF(span, cpu_ns, NUMBER),
    OF(span, queue_ns, NUMBER),
    OF(span, status, TEXT),
    OF(span, ended_by, TEXT),
    OF(span, links, JSON),
    OF(span, error_kind, TEXT),
    OF(span, error_type, TEXT),
    OF(span, error_errno, NUMBER),
    OF(span, error_fingerprint, TEXT),
    OF(span, error_rule, TEXT),
    OF(span, error_cause, TEXT),
    OF(span, error_cause_errno, NUMBER),
    OF(span, error_frames, JSON),
    OF(span, error_stack_ended, TEXT),
    OF(span, orphan, TEXT),
    OF(span, overdue_unix_ns, NUMBER),
    OF(span, overdue_limit_ns, NUMBER),
    OF(span, overdue_frames, JSON),
    VALUE(span, input, JSON),
    VALUE(span, output, JSON),
    VALUE(span, attributes, JSON),
    VALUE(span, capture, JSON),
    VALUE(span, error, JSON),
    END,
};
static const struct column traces[] = {
    OF(trace, trace_id, TRACE_ID),
    OF(trace, session, ID),
    OF(trace, version, NUMBER),
    OF(trace, root_span_id, ID),
    OF(trace, remote_parent_span_id, ID),
    OF(trace, name, TEXT),
    OF(trace, service, TEXT),
    OF(trace, host, TEXT),
    OF(trace, pid, NUMBER),
    OF(trace, start_unix_ns, NUMBER),
    OF(trace, duration_ns, NUMBER),
    OF(trace, status, TEXT),
    END,
};
static const struct column processes[] = {
    OF(process, trace_id, TRACE_ID),
    OF(process, span_id, ID),
    OF(process, version, NUMBER),
    OF(process, parent_span_id, ID),
    OF(process, session, ID),
    OF(process, name, TEXT),
    OF(process, service, TEXT),
    OF(process, host, TEXT),
    OF(process, pid, NUMBER),
    OF(process, start_unix_ns, NUMBER),
    OF(process, duration_ns, NUMBER),
    OF(process, cpu_ns, NUMBER),
    OF(process, peak_bytes, NUMBER),
    OF(process, peak_is_lower_bound, BOOL),
    OF(process, status, TEXT),
    OF(process, ended_by, TEXT),
    OF(process, exit_code, NUMBER),
    OF(process, signal, NUMBER),
    OF(process, end_source, TEXT),
    VALUE(process, program, TEXT),
    VALUE(process, command, JSON),
    OF(process, lost, TEXT),
    VALUE(process, target, TEXT),
    OF(process, is_root, BOOL),
    SINCE(5, process, loading_ns, NUMBER),
    END,
};
static const struct column sites[] = {
    OF(site, session, ID),
    OF(site, site, NUMBER),
    OF(site, version, NUMBER),
    OF(site, name, TEXT),
    OF(site, symbol, TEXT),
    OF(site, object, TEXT),
    OF(site, binding, TEXT),
    OF(site, shim, TEXT),
    OF(site, reason, TEXT),
    OF(site, build_id, TEXT),
    OF(site, declaration, NUMBER),
    OF(site, is_root, BOOL),
    OF(site, declared, TEXT),
    OF(site, manifest, TEXT),
    OF(site, unseen, TEXT),
    OF(site, slow_ns, NUMBER),
    OF(site, service, TEXT),
    OF(site, host, TEXT),
    END,
};
static const struct column rollups[] = {
    OF(rollup, trace_id, TRACE_ID),
    OF(rollup, session, ID),
    OF(rollup, site, NUMBER),
    OF(rollup, version, NUMBER),
    OF(rollup, name, TEXT),
    OF(rollup, calls, NUMBER),
    OF(rollup, errors, NUMBER),
    OF(rollup, total_ns, NUMBER),
    OF(rollup, self_ns, NUMBER),
    OF(rollup, max_ns, NUMBER),
    OF(rollup, cpu_ns, NUMBER),
    OF(rollup, dropped_calls, NUMBER),
    OF(rollup, slow_calls, NUMBER),
    OF(rollup, histogram, JSON),
    END,
};
static const struct column losses[] = {
    OF(loss, session, ID),
    OF(loss, site, NUMBER),
    OF(loss, loss, TEXT),
    OF(loss, version, NUMBER),
    OF(loss, name, TEXT),
    OF(loss, count, NUMBER),
    END,
};
static const struct column errors[] = {
    OF(error, fingerprint, TEXT),
    OF(error, session, ID),
    OF(error, version, NUMBER),
    OF(error, trace_id, TRACE_ID),
    OF(error, kind, TEXT),
    OF(error, type, TEXT),
    OF(error, name, TEXT),
    OF(error, count, NUMBER),
    OF(error, first_unix_ns, NUMBER),
    OF(error, last_unix_ns, NUMBER),
    OF(error, rule, TEXT),
    OF(error, last_span_id, ID),
    END,
};
static const struct column throws[] = {
    OF(thrown, session, ID),
    OF(thrown, site, NUMBER),
    OF(thrown, type, TEXT),
    OF(thrown, version, NUMBER),
    OF(thrown, name, TEXT),
    OF(thrown, count, NUMBER),
    END,
};

const struct columns upload_columns[UPLOAD_KINDS] = {
    [UPLOAD_SPANS] = {spans, "trace_id,span_id"},
    [UPLOAD_TRACES] = {traces, "trace_id,session,version"},
    [UPLOAD_PROCESSES] = {processes, "trace_id,span_id,version"},
    [UPLOAD_SITES] = {sites, "session,site,version"},
    [UPLOAD_ROLLUPS] = {rollups, "trace_id,session,site,version"},
    [UPLOAD_LOSSES] = {losses, "session,site,loss,version"},
    [UPLOAD_ERRORS] = {errors, "fingerprint,session,version"},
    [UPLOAD_THROWS] = {throws, "session,site,type,version"},
};

static const char hex[] = "0123456789abcdef";

/* Quoted. Texts of the store are UTF-8 already; what is not is its trouble,
 * and the server's to refuse. */
static void put_text(struct buf *out, const char *text)
{
    const char *plain = text;
    buf_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, plain, (size_t)(text - plain));
        plain = text + 1;
        if (c < 0x20) {
            buf_add(out, "\\u00", 4);
            buf_char(out, hex[c >> 4]);
            buf_char(out, hex[c & 15]);
        } else {
            buf_char(out, '\\');
            buf_char(out, (char)c);
        }
    }
    buf_add(out, plain, (size_t)(text - plain));
    buf_char(out, '"');
}

static void put_trace_id(struct buf *out, const uint8_t *id)
{
    char text[34];
    text[0] = text[33] = '"';
    for (int i = 0; i < 16; i++) {
        text[1 + i * 2] = hex[id[i] >> 4];
        text[2 + i * 2] = hex[id[i] & 15];
    }
    buf_add(out, text, sizeof text);
}

static void put_id(struct buf *out, uint64_t id)
{
    char text[18];
    text[0] = text[17] = '"';
    for (int i = 16; i > 0; i--, id >>= 4)
        text[i] = hex[id & 15];
    buf_add(out, text, sizeof text);
}

static void put_null(struct buf *out)
{
    buf_add(out, "null", 4);
}

static void put_column(struct buf *out, const struct column *c,
                       const char *base)
{
    const void *at = base + c->offset;
    int64_t number;
    uint64_t id;
    const char *text;
    switch (c->type) {
    case COLUMN_TRACE_ID:
        put_trace_id(out, at);
        return;
    case COLUMN_ID:
        memcpy(&id, at, sizeof id);
        if (id)
            put_id(out, id);
        else
            put_null(out);
        return;
    case COLUMN_NUMBER:
    case COLUMN_BOOL:
        memcpy(&number, at, sizeof number);
        if (number == UPLOAD_NULL)
            put_null(out);
        else if (c->type == COLUMN_BOOL)
            buf_text(out, number ? "true" : "false");
        else
            buf_number(out, number);
        return;
    default:
        memcpy(&text, at, sizeof text);
        if (!text)
            put_null(out);
        else if (c->type == COLUMN_TEXT)
            put_text(out, text);
        else
            buf_text(out, text);
    }
}

bool columns_has(const struct column *column, bool values, int version)
{
    return (values || !column->is_value) && column->since <= version;
}

void columns_names(enum upload_kind kind, bool values, int version,
                   struct buf *out)
{
    const char *separator = "";
    for (const struct column *c = upload_columns[kind].column; c->name; c++) {
        if (!columns_has(c, values, version))
            continue;
        buf_text(out, separator);
        buf_text(out, c->name);
        separator = ",";
    }
}

void columns_json(const struct upload_row *row, bool values, int version,
                  struct buf *out)
{
    const char *base = (const char *)&row->span;
    char separator = '{';
    for (const struct column *c = upload_columns[row->kind].column; c->name;
         c++) {
        if (!columns_has(c, values, version))
            continue;
        buf_char(out, separator);
        buf_char(out, '"');
        buf_text(out, c->name);
        buf_add(out, "\":", 2);
        put_column(out, c, base);
        separator = ',';
    }
    buf_char(out, '}');
}
