/* SPDX-License-Identifier: Apache-2.0 */
/* What a sidecar finds around it when it starts: its standard streams, the
 * directory, others that run, those who made the sessions. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* SQLite's files must not become our standard streams. */
void setup_standard_streams(void);
/* Mode of what we make in a directory: shared if that is. */
mode_t setup_file_mode(int dir_fd);
/* Be the only sidecar of a directory; `wait`: for up to 10 s. What is locked is
 * the directory itself: its file sidecar.lock, by which those know us who look
 * for it (and sidecars of older versions), may be removed by anybody's rm. */
bool setup_lock(int dir_fd, int lock_fd, bool wait);
void setup_unlock(int dir_fd, int lock_fd);
/* Does the process that made this session live? Its pid is in the name. */
bool setup_maker_lives(const char *name);
/* And is it certain that it does not? (The name may be anything.) */
bool setup_maker_is_dead(const char *name);
/* Does what lies in this directory outlive a crash of the machine? */
bool setup_is_durable(int dir_fd);
/* What ends the sidecar in order, and what must not end it. */
void setup_signals(void (*on_stop)(int));
struct upload;
/* Start what sends the store to `given` (URLs; NULL: those of the
 * configuration), before the store is opened: an open one must not be forked.
 * 0, also if there are none, or -errno, which is in the log. */
int setup_uploads(const char *given, const char *store_path, const int *ours,
                  int64_t end_ms, struct upload **out);
