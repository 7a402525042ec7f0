/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to PostgreSQL as a sink needs one: made when it is used, given
 * up with whatever fails, within the URL's time limits and until the process is
 * told to end. libpq's owner. One thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "tools/upload/http/url.h"
#include "tools/upload/outbox/sink.h"

enum {
    CONNECTION_TEXT = 128
};
struct connection;

/* Not yet connected; `url` must live as long. 0; -ENOMEM; -ELIBACC: no libpq;
 * -EINVAL: of the URL; with a sentence in `why`. */
int connection_open(const struct upload_url *url, struct connection **out,
                    char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
/* NULL is fine. */
void connection_close(struct connection *c);
/* True where it is connected, or is now; false: why not is in the answer. */
bool connection_is_up(struct connection *c, struct sink_answer *answer);

/*
 * Each: true, or false with verdict, code and message in the answer; then the
 * connection has been closed, and what its session had is gone (so is a
 * transaction that was begun).
 */
/* One or more statements without parameters. `row`: the first two columns of
 * the first row of the last result ("" where there is none), or NULL. */
bool connection_run(struct connection *c, const char *sql,
                    char row[2][CONNECTION_TEXT], struct sink_answer *answer);
/* One statement with one parameter, $1, a text. */
bool connection_run_with(struct connection *c, const char *sql,
                         const char *parameter, struct sink_answer *answer);
/* A COPY ... FROM STDIN, whole. */
bool connection_copy(struct connection *c, const char *sql, const char *bytes,
                     size_t len_bytes, struct sink_answer *answer);
