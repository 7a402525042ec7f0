/* SPDX-License-Identifier: Apache-2.0 */
/* What the sidecar has to say: to a file beside the sessions, and to standard
 * error when somebody started it by hand. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* `path` NULL: no file; else it is made with `mode`. Begins anew when the file
 * is larger than 1 MiB. */
void log_open(const char *path, mode_t mode, bool to_stderr);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_close(void);
