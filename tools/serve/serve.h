/* SPDX-License-Identifier: Apache-2.0 */
/* `handspan serve` and `handspan report`: the page, live or as one file. */
#pragma once
#include <stdint.h>
#include <stdio.h>

/*
 * Serve the store at `store` on the loopback interface until SIGINT, SIGTERM or
 * SIGHUP; one line on stdout says where. `port` 0: a free one. 0, or -errno
 * with what is wrong in `why`. To be called while there is one thread.
 */
int serve_run(const char *store, uint16_t port, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));

struct report {
    const char *store;
    const char *trace;  /* whole id, hex */
    int64_t most_bytes; /* of the file, about */
    /* set by report_write(): calls of the trace, and how many of them stand in
     * the file with their values */
    int64_t calls, told;
    int64_t bytes;
};
/* One HTML file to `out`. 0, or -errno with what is wrong in `why`. */
int report_write(struct report *r, FILE *out, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
