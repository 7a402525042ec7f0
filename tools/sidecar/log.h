/* SPDX-License-Identifier: Apache-2.0 */
/* What the sidecar has to say: to a file beside the sessions, and to standard
 * error when somebody started it by hand. */
#pragma once
#include <stdbool.h>

/* `path` NULL: no file. Begins anew when the file is larger than 1 MiB. */
void log_open(const char *path, bool to_stderr);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_close(void);
