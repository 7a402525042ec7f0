/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the spool: the file and its index (spool.c), its slots
 * (spool_file.c), the thread (spool_copy.c), what stays behind (spool_left.c).
 * All of it under spool_lock(). */
#pragma once
#include <pthread.h>
#include <sys/queue.h>
#include "lane/keeper/keeper.h"
#include "tools/common/paths.h"
#include "tools/sidecar/session/spool.h"

enum {
    SPOOL_HEAD = 4096, /* bytes before the first slot */
    SPOOL_SLOTS_MAX = 1 << 20,
};
#define SPOOL_MAGIC "hspool\r\n"
#define SPOOL_INFIX "-spool-" /* STORE-spool-KEY, 16 hex digits */

/* The file's first bytes. Slots of LANE_SEGMENT bytes follow at SPOOL_HEAD; the
 * first commit word of one says whose segment it is. */
struct spool_head {
    char magic[8];
    uint32_t version, slot_bytes;
    uint64_t key; /* of the session */
    uint8_t boot_id[16];
    char dir[PATHS_MAX / 2]; /* where the session's file is, */
    char name[256];          /* and what it is called */
    uint32_t writing;        /* slot + 1 that is, or was last, written to */
};
_Static_assert(sizeof(struct spool_head) <= SPOOL_HEAD, "file format");

struct spool_row {  /* of a lane: segments that are set aside */
    uint64_t first; /* segment of slot[0] */
    uint32_t *slot; /* + 1; 0: this one is not */
    uint32_t count, cap;
};
struct spool {
    TAILQ_ENTRY(spool) of_list;
    struct spool_head head;
    int fd;             /* -1: there is no file */
    uint32_t slots;     /* that the file has, */
    uint32_t used;      /* of these not free, */
    uint32_t *free_one; /* and the free ones */
    uint32_t free_count, free_cap;
    struct spool_row *row; /* LANE_MAX; NULL: none was needed yet */
    struct lane_aside aside;
    struct lane_keeper *keeper; /* NULL: not attached */
    bool is_read;               /* what an earlier sidecar left, if any */
    bool is_busy;               /* a copy of it is being written */
    bool is_promised;
    bool is_refused; /* the last segment, and why: */
    enum spool_reason why;
    uint32_t refused[SPOOL_REASONS];
};
TAILQ_HEAD(spool_list, spool);

struct spool_setting {
    char store[PATHS_MAX], dir[PATHS_MAX / 2];
    uint8_t boot_id[16];
    uint32_t slots_most; /* of all; 0: no spool */
    uint32_t slots_used;
    int dir_fd;
    const char *leave; /* config_parse_room() */
    struct spool_list list;
};
extern struct spool_setting spool_setting;
extern pthread_mutex_t spool_mutex;
extern pthread_cond_t spool_idle; /* a copy was written */

/* STORE-spool-KEY. */
void spool_path(uint64_t key, char out[PATHS_MAX + 32]);

/* ---- spool_file.c: one thread at a time ---------------------------------- */

/* A file of ours, private, regular: its descriptor, locked; -errno. */
int spool_file_open(const struct spool_head *head)
    __attribute__((warn_unused_result));
int spool_file_make(const struct spool_head *head)
    __attribute__((warn_unused_result));
/* Read slots of what an earlier one left: those of segments that were given
 * back and are not stored yet are taken, the others made free. */
int spool_file_read(struct spool *spool, const struct session *session)
    __attribute__((warn_unused_result));
int64_t spool_slot_at(uint32_t slot);
/* For one more slot, and for all that is to be left free. */
bool spool_file_has_room(int fd);
/* Which slot comes next. 0 or -errno. */
int spool_file_announce(int fd, uint32_t slot)
    __attribute__((warn_unused_result));

/* ---- slots and index ------------------------------------------------------
 */

/* A free slot, or -errno and why there is none. */
int64_t spool_slot_take(struct spool *spool, enum spool_reason *why)
    __attribute__((warn_unused_result));
void spool_slot_give(struct spool *spool, uint32_t slot);
/* It is in use no more, and used no more as long as this sidecar has the file.
 */
void spool_slot_leave(struct spool *spool);
/* Set aside from now on. Segments of a lane come in order. 0 or -ENOMEM. */
int spool_put(struct spool *spool, uint32_t lane, uint64_t segment,
              uint32_t slot) __attribute__((warn_unused_result));
/* It was put last, and is not. */
void spool_take_back(struct spool *spool, uint32_t lane);

/* ---- spool_copy.c ---------------------------------------------------------
 */

/* Nobody asks for room any more: what was told of it holds no more. Locked. */
void spool_ease(void);

/* ---- spool_left.c ---------------------------------------------------------
 */

/* Files of sessions that are gone. */
void spool_left_remove(void);
