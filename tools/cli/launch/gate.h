/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of a session: `handspan off` and `on`. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct lane_reader;

/* Open or close it, for the process at `place` of its table or (-1) for all of
 * it, and leave in the session when that was. 1: it is of all, 0, or -errno.
 * `reader` has this session open. */
int gate_set(int dir_fd, const char *file, const struct lane_reader *reader,
             int64_t place, bool open) __attribute__((warn_unused_result));
