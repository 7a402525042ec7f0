/* SPDX-License-Identifier: Apache-2.0 */
/* Spools of sessions: their slots, the index of what is in them. See spool.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/spool_internal.h"
#include "lane/format/assert.h"

struct spool_setting spool_setting = {
    .list = TAILQ_HEAD_INITIALIZER(spool_setting.list)};
pthread_mutex_t spool_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t spool_idle = PTHREAD_COND_INITIALIZER;

void spool_lock(void)
{
    (void)pthread_mutex_lock(&spool_mutex);
}

void spool_unlock(void)
{
    (void)pthread_mutex_unlock(&spool_mutex);
}

void spool_setup(const char *store, const char *dir, int dir_fd,
                 int64_t most_bytes, const char *leave)
{
    struct spool_setting *to = &spool_setting;
    int64_t slots = most_bytes / LANE_SEGMENT;
    if (strlen(store) >= sizeof to->store || strlen(dir) >= sizeof to->dir)
        slots = 0;
    snprintf(to->store, sizeof to->store, "%s", store);
    snprintf(to->dir, sizeof to->dir, "%s", dir);
    to->leave = leave;
    to->dir_fd = dir_fd;
    lane_boot_id(to->boot_id);
    to->slots_most = slots <= 0                ? 0
                     : slots > SPOOL_SLOTS_MAX ? SPOOL_SLOTS_MAX
                                               : (uint32_t)slots;
    spool_left_remove();
}

bool spool_is_off(void)
{
    return spool_setting.slots_most == 0;
}

void spool_path(uint64_t key, char out[PATHS_MAX + 32])
{
    snprintf(out, PATHS_MAX + 32, "%s" SPOOL_INFIX "%016llx",
             spool_setting.store, (unsigned long long)key);
}

static void file_remove(uint64_t key)
{
    char path[PATHS_MAX + 32];
    spool_path(key, path);
    (void)unlink(path);
}

/* ---- slots ----------------------------------------------------------------
 */

int64_t spool_slot_take(struct spool *sp, enum spool_reason *why)
{
    *why = SPOOL_FULL;
    if (spool_setting.slots_used >= spool_setting.slots_most ||
        (!sp->free_count && sp->slots >= SPOOL_SLOTS_MAX))
        return -ENOSPC;
    *why = SPOOL_UNWRITABLE;
    if (sp->fd < 0) {
        sp->fd = spool_file_make(&sp->head);
        if (sp->fd < 0)
            return sp->fd;
    }
    *why = SPOOL_NO_ROOM;
    if (!sp->free_count && !spool_file_has_room(sp->fd))
        return -ENOSPC;
    sp->used++;
    spool_setting.slots_used++;
    return sp->free_count ? sp->free_one[--sp->free_count] : sp->slots++;
}

void spool_slot_leave(struct spool *sp)
{
    lane_assert(sp->used != 0 && spool_setting.slots_used != 0);
    sp->used--;
    spool_setting.slots_used--;
}

/* Without memory for its number it stays unused, as long as the file is. */
void spool_slot_give(struct spool *sp, uint32_t slot)
{
    spool_slot_leave(sp);
    if (sp->free_count == sp->free_cap) {
        uint32_t cap = sp->free_cap ? sp->free_cap * 2 : 64;
        uint32_t *more = realloc(sp->free_one, cap * sizeof *more);
        if (!more)
            return;
        sp->free_one = more;
        sp->free_cap = cap;
    }
    sp->free_one[sp->free_count++] = slot;
}

/* ---- index ----------------------------------------------------------------
 */

static int row_grow(struct spool_row *row, uint64_t count)
{
    uint32_t cap = row->cap ? row->cap : 16;
    if (count > SPOOL_SLOTS_MAX)
        return -ENOMEM;
    while (cap < count)
        cap *= 2;
    uint32_t *more = cap == row->cap
                         ? row->slot
                         : realloc(row->slot, cap * sizeof *row->slot);
    if (!more)
        return -ENOMEM;
    row->slot = more;
    row->cap = cap;
    return 0;
}

int spool_put(struct spool *sp, uint32_t lane, uint64_t segment, uint32_t slot)
{
    if (!sp->row)
        sp->row = calloc(LANE_MAX, sizeof *sp->row);
    if (!sp->row)
        return -ENOMEM;
    struct spool_row *row = &sp->row[lane];
    if (row->count == 0)
        row->first = segment;
    if (segment < row->first + row->count)
        return -EEXIST;
    int rc = row_grow(row, segment - row->first + 1);
    if (rc != 0)
        return rc;
    while (row->first + row->count < segment)
        row->slot[row->count++] = 0; /* one that is missing */
    row->slot[row->count++] = slot + 1;
    return 0;
}

void spool_take_back(struct spool *sp, uint32_t lane)
{
    sp->row[lane].count--;
}

static bool find(const void *context, uint32_t lane, uint64_t segment, int *fd,
                 int64_t *offset)
{
    const struct spool *sp = context;
    spool_lock();
    const struct spool_row *row = sp->row ? &sp->row[lane] : NULL;
    uint32_t slot =
        row && segment >= row->first && segment - row->first < row->count
            ? row->slot[segment - row->first]
            : 0;
    *fd = sp->fd;
    spool_unlock();
    *offset = slot ? spool_slot_at(slot - 1) : 0;
    return slot != 0;
}

uint64_t spool_next(const struct session *s, uint32_t lane, uint64_t segment)
{
    uint64_t found = UINT64_MAX;
    if (!s->spool)
        return found;
    spool_lock();
    const struct spool_row *row = s->spool->row ? &s->spool->row[lane] : NULL;
    for (uint32_t i = 0; row && i < row->count && found == UINT64_MAX; i++)
        if (row->slot[i] && row->first + i >= segment)
            found = row->first + i;
    spool_unlock();
    return found;
}

void spool_trim(struct session *s, uint32_t lane, uint64_t position)
{
    struct spool *sp = s->spool;
    struct spool_row *row = sp && sp->row ? &sp->row[lane] : NULL;
    uint64_t before = position >> LANE_SEGMENT_SHIFT;
    uint32_t n = 0;
    if (!row || row->count == 0)
        return;
    for (; n < row->count && row->first + n < before; n++)
        if (row->slot[n])
            spool_slot_give(sp, row->slot[n] - 1);
    row->first += n;
    row->count -= n;
    memmove(row->slot, row->slot + n, row->count * sizeof *row->slot);
}

static void file_drop(struct spool *sp)
{
    if (sp->fd < 0)
        return;
    close(sp->fd);
    sp->fd = -1;
    sp->slots = sp->free_count = 0;
    file_remove(sp->head.key);
}

/* Another sidecar took the session over: its file is that one's, too. */
static bool is_taken(const struct spool *sp)
{
    return sp->keeper && !lane_keeper_is_ours(sp->keeper);
}

void spool_tidy(struct session *s)
{
    if (s->spool && s->spool->is_read && s->spool->used == 0 &&
        !is_taken(s->spool))
        file_drop(s->spool);
}

uint64_t spool_refusals(struct session *s, enum spool_reason why)
{
    lane_assert(why < SPOOL_REASONS);
    if (!s->spool)
        return 0;
    spool_lock();
    uint32_t count = s->spool->refused[why];
    s->spool->refused[why] = 0;
    spool_unlock();
    return count;
}

/* ---- of a session ---------------------------------------------------------
 */

static struct spool *spool_make(const struct session *s)
{
    struct spool *sp = calloc(1, sizeof *sp);
    if (!sp)
        return NULL;
    sp->fd = -1;
    sp->aside = (struct lane_aside){find, sp, SPOOL_SLOTS_MAX};
    sp->head = (struct spool_head){.magic = SPOOL_MAGIC,
                                   .version = 1,
                                   .slot_bytes = LANE_SEGMENT,
                                   .key = s->reader.header.key};
    memcpy(sp->head.boot_id, spool_setting.boot_id, sizeof sp->head.boot_id);
    snprintf(sp->head.dir, sizeof sp->head.dir, "%s", spool_setting.dir);
    snprintf(sp->head.name, sizeof sp->head.name, "%s", s->name);
    return sp;
}

static int file_look(struct spool *sp)
{
    int rc = spool_file_open(&sp->head);
    sp->fd = rc >= 0 ? rc : -1;
    return rc == -EALREADY ? rc : 0;
}

int spool_open(struct session *s)
{
    if (!spool_setting.store[0])
        return 0;
    s->spool = spool_make(s);
    if (!s->spool)
        return -ENOMEM;
    s->aside = &s->spool->aside;
    return file_look(s->spool);
}

int spool_read(struct session *s)
{
    struct spool *sp = s->spool;
    if (!sp)
        return 0;
    /* a rival's may have come, before it was told that the session is ours */
    int rc = sp->fd < 0 ? file_look(sp) : 0;
    spool_lock();
    if (rc == 0 && sp->fd >= 0)
        rc = spool_file_read(sp, s);
    sp->is_read = rc == 0;
    spool_tidy(s);
    spool_unlock();
    if (rc == 0)
        spool_attach(s);
    return rc;
}

void spool_close(struct session *s)
{
    struct spool *sp = s->spool;
    if (!sp)
        return;
    spool_lock();
    spool_tidy(s);
    spool_unlock();
    spool_detach(s); /* waits for a copy that is being written */
    spool_lock();
    spool_setting.slots_used -= sp->used;
    spool_unlock();
    if (sp->fd >= 0)
        close(sp->fd);
    if (sp->fd >= 0 && s->is_ended)
        file_remove(sp->head.key);
    for (uint32_t i = 0; sp->row && i < LANE_MAX; i++)
        free(sp->row[i].slot);
    free(sp->row);
    free(sp->free_one);
    free(sp);
    s->spool = NULL;
    s->aside = NULL;
}

void spool_attach(struct session *s)
{
    if (!s->spool || !s->keeper || s->spool->keeper)
        return;
    spool_lock();
    s->spool->keeper = s->keeper;
    s->spool->is_promised = spool_setting.slots_most != 0;
    lane_keeper_promise(s->keeper, s->spool->is_promised);
    TAILQ_INSERT_TAIL(&spool_setting.list, s->spool, of_list);
    spool_unlock();
}

void spool_detach(struct session *s)
{
    if (!s->spool || !s->spool->keeper)
        return;
    spool_lock();
    if (!s->comes_back && !s->spool->keeper->broken && !is_taken(s->spool))
        lane_keeper_promise(s->spool->keeper, false);
    TAILQ_REMOVE(&spool_setting.list, s->spool, of_list);
    while (s->spool->is_busy)
        (void)pthread_cond_wait(&spool_idle, &spool_mutex);
    s->spool->keeper = NULL;
    if (TAILQ_EMPTY(&spool_setting.list))
        spool_ease();
    spool_unlock();
}
