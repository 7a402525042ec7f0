/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the store as an ExportTraceServiceRequest of OTLP 1.x
 * (opentelemetry-proto, trace/v1): spans and processes become spans, what is
 * the same for a process is a resource. Names of attributes are those of the
 * semantic conventions where there is one, else "handspan.*".
 * docs/operations.md lists them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/upload/otlp_emit.h"
#include "tools/upload/sink.h"

/*
 * A whole request with the rows (UPLOAD_SPANS or UPLOAD_PROCESSES each; others
 * are left out). `values`: what is marked VALUE as well. Rows of one process
 * should come together: each run of them is a resource.
 */
void otlp_rows(struct emit *e, enum emit_encoding encoding,
               const struct upload_row *rows, size_t count, bool values,
               size_t max_bytes);
/* A process that has not ended is no span yet. */
bool otlp_is_final(const struct upload_row *row);
