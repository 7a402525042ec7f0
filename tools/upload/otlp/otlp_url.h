/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "otlp" as a sink: where OTEL_EXPORTER_OTLP_* say. Only asked for by name:
 * a program that is set up for OpenTelemetry sends nothing of ours by that.
 */
#pragma once
#include <stddef.h>

/*
 * The URL (url.h) for `text`: "otlp", "otlp?values=on" from the environment,
 * others as they are. 0, or -EINVAL with a sentence in `why`.
 */
int otlp_url(const char *text, char *out, size_t cap_bytes, char *why,
             size_t why_bytes) __attribute__((warn_unused_result));

/* Percent-decoding of len bytes (blanks around taken off), cut to fit. */
void otlp_decode(const char *text, size_t len, char *out, size_t cap_bytes);
