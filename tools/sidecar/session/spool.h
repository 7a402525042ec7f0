/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: full segments of lanes, copied raw to a file beside the store when
 * decoding does not keep up, so that their units are free (hot) at once. A
 * session has at most one file, STORE-spool-KEY (0600); docs/spool.md says what
 * is in it and why nothing is lost or stored twice.
 *
 * Copying is a thread's job (spool_copy.c), all else the main thread's. Both
 * touch spools, and the keepers of sessions that are attached, only under
 * spool_lock(); a copy is written without it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct session;
struct spool;

/* Why there is no room in it. */
enum spool_reason {
    SPOOL_FULL,       /* spool_size */
    SPOOL_NO_ROOM,    /* spool_free: on its file system */
    SPOOL_UNWRITABLE, /* an error of the file system */
    SPOOL_REASONS
};

/* Once, before sessions are opened: the store, the directory of the sessions
 * (its descriptor stays open; what stays of one that is gone there is removed),
 * the most bytes that all files together may take (0: no spool) and the room
 * that they leave on their file system, as the setting says it (not copied). */
void spool_setup(const char *store, const char *dir, int dir_fd,
                 int64_t most_bytes, const char *leave);
/* Is there none, by the setting? */
bool spool_is_off(void);
/* How often it refused a segment of this session after it had taken one, since
 * this was asked last. */
uint64_t spool_refusals(struct session *session, enum spool_reason why);

/* The file that an earlier sidecar left of this session, if there is one:
 * before its keeper is opened. 0, -ENOMEM, or -EALREADY: another sidecar has
 * it. */
int spool_open(struct session *session) __attribute__((warn_unused_result));
/* What is in it; then the session may be copied. After its cursors are known,
 * with its keeper. As above, or -errno. */
int spool_read(struct session *session) __attribute__((warn_unused_result));
/* Done with it here. Its file stays for the next one, or goes where all of the
 * session is stored. */
void spool_close(struct session *session);
/* Its keeper may be used by the copying thread, or must not any more (returns
 * when it is not). */
void spool_attach(struct session *session);
void spool_detach(struct session *session);
void spool_lock(void);
void spool_unlock(void);
/* Below `position` all of this lane is stored for good. Locked. */
void spool_trim(struct session *session, uint32_t lane, uint64_t position);
/* The same was said of all lanes: a file with nothing in it goes. Locked. */
void spool_tidy(struct session *session);
/* The first segment from `segment` on that is set aside; UINT64_MAX: none. */
uint64_t spool_next(const struct session *session, uint32_t lane,
                    uint64_t segment);
/* Is it in the file all the same? Then another sidecar put it there, by a lock
 * that did not keep it out: the session is to be opened again. */
bool spool_was_written(const struct session *session, uint32_t lane,
                       uint64_t segment);
/* Before something is stored, and with `is_busy` when that is much: the thread
 * looks at lanes for a while, as the store may keep us waiting. */
void spool_wake(bool is_busy);
/* Let the thread go first for a moment, if it cannot keep up. */
void spool_yield(void);
/* At the end: what was told, in the log and beside the sessions, of why there
 * is no room holds no more. */
void spool_end(void);
