/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message written once, in two encodings: protobuf's wire format, and the
 * JSON of OTLP (lowerCamelCase, ids in hex, 64-bit integers as text, enums as
 * numbers). Fields are named by number and name. Texts become valid UTF-8, as
 * both demand. A submessage's length stands before it: four bytes are kept
 * free and filled in at its end (a varint may be longer than it must be).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/common/text/buf.h"

enum emit_encoding {
    EMIT_PROTOBUF,
    EMIT_JSON,
};
enum {
    EMIT_DEPTH = 16
};
struct emit {
    struct buf out;
    enum emit_encoding encoding;
    size_t start[EMIT_DEPTH]; /* protobuf: where the length goes */
    bool has_members[EMIT_DEPTH * 2];
    unsigned depth, level; /* submessages; JSON's brackets */
};

/* The whole message is opened by emit_begin() and closed by emit_end(); out
 * says whether it fitted into max_bytes. */
void emit_begin(struct emit *e, enum emit_encoding encoding, size_t max_bytes);
void emit_end(struct emit *e);
void emit_free(struct emit *e);

/* A submessage. */
void emit_open(struct emit *e, unsigned field, const char *name);
void emit_close(struct emit *e);
/* A repeated one: list, then item and close for each, then list_end. */
void emit_list(struct emit *e, const char *name);
void emit_item(struct emit *e, unsigned field);
void emit_list_end(struct emit *e);

/* NULL is left out. */
void emit_text(struct emit *e, unsigned field, const char *name,
               const char *text);
void emit_hex(struct emit *e, unsigned field, const char *name,
              const void *bytes, size_t len_bytes);
void emit_fixed64(struct emit *e, unsigned field, const char *name, uint64_t n);
void emit_int64(struct emit *e, unsigned field, const char *name, int64_t n);
/* A KeyValue, item of the open list `field`; name is ASCII. NULL is left out.
 */
void emit_attribute_text(struct emit *e, unsigned field, const char *name,
                         const char *text);
void emit_attribute_int(struct emit *e, unsigned field, const char *name,
                        int64_t n);
void emit_number(struct emit *e, unsigned field, const char *name, uint32_t n);
