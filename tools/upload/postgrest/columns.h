/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of sink.h as JSON objects with the columns of sql/postgres/: one
 * table of columns a kind. Written plainly, not through a JSON library: 64-bit
 * numbers must stay whole.
 */
#pragma once
#include "tools/common/text/buf.h"
#include "tools/upload/outbox/sink.h"

enum column_type {
    COLUMN_TRACE_ID, /* 16 bytes: 32 hex digits */
    COLUMN_ID,       /* uint64_t: 16 hex digits, 0: null */
    COLUMN_NUMBER,   /* int64_t, UPLOAD_NULL: null */
    COLUMN_BOOL,     /* int64_t */
    COLUMN_TEXT,     /* const char *, NULL: null */
    COLUMN_JSON,     /* const char *: JSON text as it stands, NULL: null */
};
struct column {
    const char *name;
    enum column_type type;
    size_t offset; /* in struct upload_span etc. */
    bool is_value; /* only with values=on */
    int since;     /* version of handspan_schema that brought it; 0: it is in
                      all that we send to */
};
enum {
    COLUMNS_SCHEMA = 4, /* the least version of handspan_schema that will do */
    COLUMNS_NEWEST = 5, /* that which has all of them */
};
struct columns {
    const struct column *column;
    const char *key; /* what makes a row the same: on_conflict= */
};
extern const struct columns upload_columns[UPLOAD_KINDS];

/* Does a server of this version of handspan_schema get it? */
bool columns_has(const struct column *column, bool values, int version);
/* "a,b,c" for columns=. */
void columns_names(enum upload_kind kind, bool values, int version,
                   struct buf *out);
/* {"a":1,...} */
void columns_json(const struct upload_row *row, bool values, int version,
                  struct buf *out);
