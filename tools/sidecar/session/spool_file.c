/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a spool: made, opened again, read.
 *
 * lane.recycled is what makes a slot count. A segment below it was written
 * whole before its unit was given back; one at or above it may be half there,
 * and is in its unit. What does not count loses its first commit word before
 * anything else is written, so that no two slots ever claim one segment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "tools/common/config.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/spool_internal.h"

struct claim {
    uint32_t lane, slot;
    uint64_t segment;
};

int64_t spool_slot_at(uint32_t slot)
{
    return SPOOL_HEAD + (int64_t)slot * LANE_SEGMENT;
}

bool spool_file_has_room(int fd)
{
    struct statvfs at;
    int64_t leave;
    if (fstatvfs(fd, &at) != 0)
        return true; /* a write will tell */
    int64_t block = (int64_t)at.f_frsize;
    return config_parse_room(spool_setting.leave, (int64_t)at.f_blocks * block,
                             &leave) != 0 ||
           leave < 0 || (int64_t)at.f_bavail * block - LANE_SEGMENT >= leave;
}

/*
 * Before it is written, and before the keeper is asked whether the session is
 * still ours: whoever takes it over where locks do not hold leaves that slot
 * alone, as it may still be written to.
 */
int spool_file_announce(int fd, uint32_t slot)
{
    uint32_t writing = slot + 1;
    ssize_t n = pwrite(fd, &writing, sizeof writing,
                       offsetof(struct spool_head, writing));
    return n == (ssize_t)sizeof writing ? 0 : n < 0 ? -errno : -EIO;
}

/* POSIX locks: no child has them. */
static bool file_lock(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &all) == 0 ||
           (errno != EAGAIN && errno != EACCES);
}

int spool_file_make(const struct spool_head *head)
{
    char path[PATHS_MAX + 32];
    uint8_t page[SPOOL_HEAD] = {0};
    spool_path(head->key, path);
    int fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    memcpy(page, head, sizeof *head);
    ssize_t n = file_lock(fd) ? pwrite(fd, page, sizeof page, 0) : -1;
    if (n == (ssize_t)sizeof page)
        return fd;
    int rc = n < 0 ? -errno : -ENOSPC;
    close(fd);
    (void)unlink(path);
    return rc;
}

static bool is_private(int fd)
{
    struct stat at;
    return fstat(fd, &at) == 0 && S_ISREG(at.st_mode) &&
           at.st_uid == geteuid() && at.st_nlink == 1 &&
           (at.st_mode & 077) == 0;
}

static bool is_of(int fd, const struct spool_head *head)
{
    struct spool_head there;
    return pread(fd, &there, sizeof there, 0) == (ssize_t)sizeof there &&
           memcmp(there.magic, head->magic, sizeof there.magic) == 0 &&
           there.version == head->version &&
           there.slot_bytes == head->slot_bytes && there.key == head->key &&
           memcmp(there.boot_id, head->boot_id, sizeof there.boot_id) == 0;
}

int spool_file_open(const struct spool_head *head)
{
    char path[PATHS_MAX + 32];
    spool_path(head->key, path);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0 || !is_private(fd)) {
        log_line("'%s' is not a spool of ours: it is left alone", path);
        if (fd >= 0)
            close(fd);
        return -EPERM;
    }
    if (!file_lock(fd)) {
        close(fd);
        return -EALREADY;
    }
    if (is_of(fd, head))
        return fd;
    /* half made, or of another boot of the machine: nothing in it counts */
    close(fd);
    (void)unlink(path);
    return -ENOENT;
}

/* Whose segment a slot says it holds. */
static bool read_claim(int fd, uint32_t slot, struct claim *out)
{
    uint64_t commit;
    if (pread(fd, &commit, sizeof commit, spool_slot_at(slot) + 56) !=
        (ssize_t)sizeof commit)
        return false;
    uint64_t position =
        commit & (LANE_COMMIT(0, 0, 0) - 1) & ~(uint64_t)(LANE_LINE - 1);
    *out = (struct claim){.lane = (uint32_t)(commit >> 48) - 1,
                          .slot = slot,
                          .segment = position >> LANE_SEGMENT_SHIFT};
    return position % LANE_SEGMENT == 0;
}

bool spool_was_written(const struct session *s, uint32_t lane, uint64_t segment)
{
    struct stat at;
    struct claim claim;
    int fd = s->spool ? s->spool->fd : -1;
    if (fd < 0 || fstat(fd, &at) != 0)
        return false;
    for (uint32_t i = 0; i < SPOOL_SLOTS_MAX && spool_slot_at(i) < at.st_size;
         i++)
        if (read_claim(fd, i, &claim) && claim.lane == lane &&
            claim.segment == segment)
            return true;
    return false;
}

static bool counts(const struct session *s, const struct claim *c)
{
    struct lane_head head;
    return c->lane < s->reader.header.lane_next && c->lane < LANE_MAX &&
           lane_reader_lane(&s->reader, c->lane, &head) == 0 &&
           c->segment != 0 && c->segment < head.recycled &&
           head.recycled - c->segment < SPOOL_SLOTS_MAX &&
           (c->segment + 1) << LANE_SEGMENT_SHIFT > s->lane[c->lane].stored;
}

static int by_segment(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    return x->segment < y->segment ? -1 : x->segment > y->segment;
}

static void slot_forget(struct spool *sp, uint32_t slot)
{
    static const uint64_t none;
    ssize_t n = pwrite(sp->fd, &none, sizeof none, spool_slot_at(slot) + 56);
    /* the disk is full, or a sidecar that lives, perhaps, writes to it */
    if (n != (ssize_t)sizeof none || slot + 1 == sp->head.writing)
        spool_slot_leave(sp);
    else
        spool_slot_give(sp, slot);
}

static int claims_take(struct spool *sp, struct claim *claim, uint32_t count)
{
    int rc = 0;
    qsort(claim, count, sizeof *claim, by_segment);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = spool_put(sp, claim[i].lane, claim[i].segment, claim[i].slot);
        if (rc == -EEXIST) { /* nonsense that somebody wrote */
            slot_forget(sp, claim[i].slot);
            rc = 0;
        }
    }
    return rc;
}

/* That there are, or that one is about to write. */
static int slots_count(struct spool *sp, uint32_t *out)
{
    struct stat at;
    uint32_t writing = 0;
    if (fstat(sp->fd, &at) != 0 ||
        pread(sp->fd, &writing, sizeof writing,
              offsetof(struct spool_head, writing)) < 0)
        return -errno;
    int64_t slots = (at.st_size - SPOOL_HEAD + LANE_SEGMENT - 1) / LANE_SEGMENT;
    if (slots < writing && writing <= SPOOL_SLOTS_MAX)
        slots = writing;
    sp->head.writing = writing;
    *out = slots < 0                 ? 0
           : slots < SPOOL_SLOTS_MAX ? (uint32_t)slots
                                     : SPOOL_SLOTS_MAX;
    return 0;
}

int spool_file_read(struct spool *sp, const struct session *s)
{
    uint32_t taken = 0;
    int rc = slots_count(sp, &sp->slots);
    if (rc != 0 || sp->slots == 0)
        return rc;
    sp->used = sp->slots;
    spool_setting.slots_used += sp->slots;
    struct claim *claim = calloc(sp->slots, sizeof *claim);
    if (!claim)
        return -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < sp->slots; i++)
        if (read_claim(sp->fd, i, &claim[taken]) && counts(s, &claim[taken]))
            taken++;
        else
            slot_forget(sp, i);
    if (rc == 0)
        rc = claims_take(sp, claim, taken);
    free(claim);
    return rc;
}
