/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DIR/sidecar.error: a sentence that says why nothing gets into the store, for
 * as long as that is so. `handspan run` stops waiting when it appears, and
 * `status` shows it; the log tells the same, but among other lines.
 */
#pragma once
#define TROUBLE_GOES_ON "; one without that limit goes on: 'handspan sidecar'"
#define TROUBLE_MEMORY                                                         \
    "the sidecar has too little memory (ulimit -v?)" TROUBLE_GOES_ON
#define TROUBLE_FILES                                                          \
    "the sidecar has too few file descriptors (ulimit -n?)" TROUBLE_GOES_ON

#define TROUBLE_FILE       "sidecar.error"
#define TROUBLE_SPOOL_FILE "spool.error"

/* Written aside and renamed, each time anew: its time says it still holds. */
void trouble_set(int dir_fd, const char *text);
void trouble_clear(int dir_fd);
/* DIR/spool.error: why the spool cannot be written, as long as that is so; the
 * store goes on. NULL: it can. From any one thread. */
void trouble_set_spool(int dir_fd, const char *text);
