/* SPDX-License-Identifier: Apache-2.0 */
/* What the sidecar has to say: to a file beside the sessions, and to standard
 * error when somebody started it by hand. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* `path` NULL: the file "log" of the directory. Made with `mode`; begins anew
 * when it is larger than 1 MiB. What somebody else may have put there in its
 * stead (a link, a pipe, a second name of another file) is not written to. */
void log_open(int dir_fd, const char *path, mode_t mode, bool to_stderr);
/* Control characters and bytes that are no UTF-8 come out escaped. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_close(void);
/* A line as it is. */
void log_say(const char *text);
