/* SPDX-License-Identifier: Apache-2.0 */
/* See otlp_url.h; "OpenTelemetry Protocol Exporter", the environment's part. */
#define _GNU_SOURCE
#include "tools/upload/otlp/otlp_url.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/text/buf.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"

static int hex(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10
                                        : -1;
}

void otlp_decode(const char *text, size_t len, char *out, size_t cap_bytes)
{
    size_t n = 0;
    while (len && isspace((unsigned char)*text))
        text++, len--;
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    for (size_t i = 0; i < len && n + 1 < cap_bytes; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < len && hex(text[i + 1]) >= 0 &&
            hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        if (c)
            out[n++] = c;
    }
    out[n] = 0;
}

/* Of traces, else of all signals; empty counts as unset. */
static const char *setting(const char *name, const char **variable)
{
    static char of_traces[64], of_all[64];
    snprintf(of_traces, sizeof of_traces, "OTEL_EXPORTER_OTLP_TRACES_%s", name);
    snprintf(of_all, sizeof of_all, "OTEL_EXPORTER_OTLP_%s", name);
    *variable = of_traces;
    const char *value = getenv(of_traces);
    if (value && *value)
        return value;
    *variable = of_all;
    value = getenv(of_all);
    return value && *value ? value : NULL;
}

static int no(char *why, size_t why_bytes, const char *variable,
              const char *value, const char *hint)
{
    snprintf(why, why_bytes, "%s=%s: %s", variable, value, hint);
    return -EINVAL;
}

static void put_encoded(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "&%s=", name);
    for (; *value; value++)
        if (isalnum((unsigned char)*value) || strchr("-_./:", *value))
            buf_char(b, *value);
        else
            buf_printf(b, "%%%02x", (unsigned char)*value);
}

static int put_options(struct buf *b, char *why, size_t why_bytes)
{
    const char *variable, *value = setting("PROTOCOL", &variable);
    if (value && strcmp(value, "http/json") == 0)
        buf_text(b, "&protocol=json");
    else if (value && strcmp(value, "http/protobuf") != 0)
        return no(why, why_bytes, variable, value,
                  "this sink speaks http/protobuf and http/json");
    value = setting("COMPRESSION", &variable);
    if (!value || strcmp(value, "none") == 0)
        buf_text(b, "&gzip=off");
    else if (strcmp(value, "gzip") != 0)
        return no(why, why_bytes, variable, value, "gzip or none");
    value = setting("TIMEOUT", &variable); /* milliseconds */
    if (value) {
        char *end;
        long ms = strtol(value, &end, 10);
        if (end == value || *end || ms <= 0)
            return no(why, why_bytes, variable, value, "milliseconds");
        buf_printf(b, "&timeout=%ld.%03ld", ms / 1000, ms % 1000);
    }
    value = setting("CERTIFICATE", &variable);
    if (value)
        put_encoded(b, "ca-file", value);
    if (setting("HEADERS", &variable)) /* they may be secret: by name */
        put_encoded(b, "headers-env", variable);
    return 0;
}

/* An endpoint of traces is whole; one of all signals gets /v1/traces. */
static int put_endpoint(struct buf *b, char *why, size_t why_bytes)
{
    const char *variable, *value = setting("ENDPOINT", &variable);
    bool is_whole = value && strstr(variable, "TRACES") != NULL;
    if (!value)
        value = DEFAULT_ENDPOINT;
    if (strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
        return no(why, why_bytes, variable, value, "http:// or https://");
    if (strpbrk(value, "?#@ "))
        return no(why, why_bytes, variable, "...",
                  "without credentials, query and fragment");
    buf_printf(b, "otlp+%s?path=%s", value, is_whole ? "" : "/v1/traces");
    return 0;
}

int otlp_url(const char *text, char *out, size_t cap_bytes, char *why,
             size_t why_bytes)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, cap_bytes - 1);
    bool is_ours =
        strncmp(text, "otlp", 4) == 0 && (!text[4] || text[4] == '?');
    if (is_ours) {
        rc = put_endpoint(&b, why, why_bytes);
        if (rc == 0)
            rc = put_options(&b, why, why_bytes);
        if (text[4])
            buf_printf(&b, "&%s", text + 5);
    } else {
        buf_text(&b, text);
    }
    if (rc == 0 && b.failed) {
        snprintf(why, why_bytes, "the URL of a sink is too long");
        rc = -EINVAL;
    }
    if (rc == 0)
        snprintf(out, cap_bytes, "%s", buf_get(&b));
    buf_free(&b);
    return rc;
}
