/* SPDX-License-Identifier: Apache-2.0 */
/* The sidecar seen from outside: does one serve this directory, start one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One is at work in `dir`, for whatever store. */
bool sidecar_is_running(const char *dir);
/* One that takes the sessions which name this store (an absolute path). */
bool sidecar_serves(const char *dir, const char *store);
/* Start `handspan sidecar` for this store (an absolute path) in a session of
 * its own, as no child of ours, without descriptors of ours; the directory is
 * in the environment. 0 or -errno. */
int sidecar_spawn(const char *store) __attribute__((warn_unused_result));

/* Why nothing gets into the store, as the sidecar says it at `since_unix_ns` or
 * later (0: ever); false: nothing is wrong. */
bool sidecar_trouble(const char *dir, int64_t since_unix_ns, char *out,
                     size_t cap_bytes);
/* Why its spool cannot be written, if that is so: nothing stands still. */
bool sidecar_spool_trouble(const char *dir, char *out, size_t cap_bytes);

/* A session file "session-PID-STARTTIME-..." of this process lies in `dir`. */
bool session_exists(const char *dir, pid_t pid, uint64_t start_time);
/* Field 22 of /proc/PID/stat: with the pid it names a process. 0: unknown. */
uint64_t process_start_time(pid_t pid);
