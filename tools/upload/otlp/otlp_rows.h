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
#include "tools/upload/otlp/otlp_emit.h"
#include "tools/upload/outbox/sink.h"

struct otlp_resource {
    uint64_t session, process;
    const char *service, *host, *program, *name, *attributes;
    int64_t pid;
};
struct otlp_request {
    struct emit emit; /* emit.out: the bytes; failed: more than max_bytes */
    bool values;
    size_t count;
    struct otlp_resource now;
};

/*
 * A whole request: begin, add rows (UPLOAD_SPANS or UPLOAD_PROCESSES), end;
 * then emit_free(). `values`: what is marked VALUE as well. Rows of one process
 * should come together: each run of them is a resource.
 */
void otlp_begin(struct otlp_request *request, enum emit_encoding encoding,
                bool values, size_t max_bytes);
void otlp_add(struct otlp_request *request, const struct upload_row *row);
void otlp_end(struct otlp_request *request);
/* A process that has not ended is no span yet. */
bool otlp_is_final(const struct upload_row *row);
