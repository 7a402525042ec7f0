/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploading, as the sidecar starts it: a process for each sink, so that no
 * server, however slow or strange, delays draining, another sink, or the
 * sidecar's end. It reads the store by itself and goes when the sidecar does.
 */
#pragma once
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

struct upload;

/*
 * Start a process for each of `urls` (blanks between). Call it before the
 * store is opened. `close_fds` (to -1) are closed in them; when the sidecar is
 * gone they have `end_ms` left; `say` gets what there is to say, there. 0, or
 * -errno with a sentence in `why`: then none was started.
 */
int upload_start(const char *store, const char *urls, const int *close_fds,
                 int64_t end_ms, void (*say)(const char *text),
                 struct upload **out, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
/* Whether upload_start() would take the list, nothing is asked or started: a
 * sentence for each URL that it would not, without what is secret in it.
 * Returns their number. */
int upload_check(const char *urls,
                 void (*each)(void *context, const char *text), void *context)
    __attribute__((warn_unused_result));
/* The names that the sinks of such a list have in the store, each once; those
 * that are wrong are left out. Returns their number. */
int upload_names(const char *urls,
                 void (*each)(void *context, const char *name), void *context);
/* After that: wipe from this process's environment what only the uploaders
 * need, the keys and headers that `urls` and the settings name. */
void upload_forget_keys(const char *urls);
/* Something new is in the store. Never blocks. NULL is fine. */
void upload_poke(struct upload *upload);
/* No more will come: let them send what they can, at most so long. NULL is
 * fine. False: something is left that was not sent. */
bool upload_finish(struct upload *upload, int64_t most_ms);
