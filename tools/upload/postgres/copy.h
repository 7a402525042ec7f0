/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of sink.h as SQL and as COPY's text format, by the columns that
 * tools/upload/postgrest names. */
#pragma once
#include "tools/common/text/buf.h"
#include "tools/upload/outbox/sink.h"

/* A line for COPY ... FROM STDIN. */
void copy_row(const struct upload_row *row, bool values, int version,
              struct buf *out);
/* "a text, b bigint, ...": what COPY and json_to_record() are given. */
void copy_types(enum upload_kind kind, bool values, int version,
                struct buf *out);
