/* SPDX-License-Identifier: Apache-2.0 */
/* What a sidecar finds around it when it starts: its standard streams, the
 * directory, others that run, those who made the sessions. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* SQLite's files must not become our standard streams. */
void setup_standard_streams(void);
/* What is given back is not kept. */
void setup_memory(void);
/* Mode of what we make in a directory: shared if that is. */
mode_t setup_file_mode(int dir_fd);
/* The log, and sidecar.lock: its descriptor, or -1, which is logged. */
int setup_files(int dir_fd, const char *dir, const char *log_option,
                bool is_typed);
/* Be the only sidecar that has the directory; `wait`: for up to 10 s. What is
 * locked is the directory itself, because its file sidecar.lock may be removed
 * by anybody's rm. That file every sidecar holds shared: who locks it alone
 * (also a sidecar of an older version) keeps all others out. */
bool setup_share(int lock_fd, bool wait);
bool setup_lock(int dir_fd, int lock_fd, bool wait);
void setup_unlock(int dir_fd, int lock_fd);
/*
 * The sessions that a sidecar takes. One that a run started for the store which
 * it named has those of that key alone (lane/format/store_name.h: a byte of
 * sidecar.lock); any other has those that name no store, too, and the directory
 * with them; the key if nobody has it, for who is started by a program. `wait`
 * as above.
 */
struct setup_claim {
    int dir_fd, lock_fd;
    bool is_named, is_auto;
    uint64_t key; /* of the store's path */
    bool has_key; /* out */
};
bool setup_claim(struct setup_claim *claim, bool wait);
void setup_leave(struct setup_claim *claim);
/* Has a sidecar this key? */
bool setup_is_served(const struct setup_claim *claim, uint64_t key);
/* What sessions of this user in the directory say: for each other store that
 * they name, and that nobody serves, a sidecar is run for it; until it has
 * ended, with `wait`. Before this one has anything open. */
void setup_serve_others(const struct setup_claim *claim, const char *dir,
                        bool wait);
/* Does the process that made this session live? Its pid is in the name. */
bool setup_maker_lives(const char *name);
/* And is it certain that it does not? (The name may be anything.) */
bool setup_maker_is_dead(const char *name);
/* Does what lies in this directory outlive a crash of the machine? */
bool setup_is_durable(int dir_fd);
/* What ends the sidecar in order, and what must not end it. */
void setup_signals(void (*on_stop)(int));
/* Of this boot of the machine, as a session's header says it? */
bool setup_boot_is_ours(const uint8_t boot_id[16]);
/* The seccomp filter; if there is none, the log says so. */
void setup_confine(void);
/* The spool, as large as the settings say. */
void setup_spool(const char *store_path, const char *dir, int dir_fd);
struct upload;
/* Start what sends the store to `given` (URLs; NULL: those of the
 * configuration), before the store is opened: an open one must not be forked.
 * 0, also if there are none, or -errno, which is in the log. */
int setup_uploads(const char *given, const char *store_path, const int *ours,
                  int64_t end_ms, struct upload **out);
