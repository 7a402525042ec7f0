/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of a session, and its list of switches: see gate.h. One `off` or
 * `on` at a time writes there: a lock that ends with the descriptor.
 */
#include "tools/cli/launch/gate.h"
#include "lane/format/owner.h"
#include "lane/reader/reader.h"
#include "lane/writer/session.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Words of a header that was validated. A file that shrinks under us is
 * written with pwrite(), which faults nobody. */
struct gate {
    uint64_t off[LANE_PROCESS_MAX / 64];
    uint32_t word;
};

static int read_at(int fd, void *to, size_t len, size_t at)
{
    return pread(fd, to, len, (off_t)at) == (ssize_t)len ? 0 : -EIO;
}

static int write_at(int fd, const void *from, size_t len, size_t at)
{
    return pwrite(fd, from, len, (off_t)at) == (ssize_t)len ? 0 : -EIO;
}

enum {
    OFF_AT = offsetof(struct lane_session, process_off),
    WORD_AT = offsetof(struct lane_session, gate),
    NEXT_AT = offsetof(struct lane_session, switch_next),
    SWITCHES_AT = offsetof(struct lane_session, switches),
};

static int gate_read(int fd, struct gate *g)
{
    int err = read_at(fd, g->off, sizeof g->off, OFF_AT);
    return err ? err : read_at(fd, &g->word, sizeof g->word, WORD_AT);
}

/* No more than the byte of the place: who starts now clears its own bit. The
 * word last: it says to look at the bits. */
static int gate_write(int fd, const struct gate *g, int64_t place)
{
    size_t at = place < 0 ? 0 : (size_t)place / 8;
    size_t len = place < 0 ? sizeof g->off : 1;
    int err = write_at(fd, (const char *)g->off + at, len, OFF_AT + at);
    return err ? err : write_at(fd, &g->word, sizeof g->word, WORD_AT);
}

/* `place` -1: all of the session. */
static void gate_change(struct gate *g, int64_t place, bool open)
{
    uint64_t any = 0;
    if (place < 0) {
        *g = (struct gate){.word = open ? LANE_GATE_OPEN : LANE_GATE_OFF};
        return;
    }
    uint64_t bit = UINT64_C(1) << place % 64;
    uint64_t *off = &g->off[place / 64];
    *off = open ? *off & ~bit : *off | bit;
    for (unsigned i = 0; i < LANE_PROCESS_MAX / 64; i++)
        any |= g->off[i];
    g->word = any ? LANE_GATE_SOME : LANE_GATE_OPEN;
}

/* Ticks of another boot mean nothing in it, and nobody of it lives. */
static bool has_switches(const struct lane_session *h)
{
    uint8_t ours[sizeof h->boot_id];
    lane_boot_id(ours);
    return h->minor >= LANE_MINOR_SWITCH &&
           memcmp(h->boot_id, ours, sizeof ours) == 0;
}

/* For whoever drains the session later: the entry, then the count. */
static int switch_add(int fd, const struct lane_reader *reader, int64_t place,
                      bool open)
{
    const struct lane_map clock = {.clock = reader->header.clock};
    struct lane_switch now = {.ticks = lane_now(&clock), .is_off = !open};
    struct lane_process p;
    uint32_t next;
    if (!has_switches(&reader->header))
        return 0;
    if (place >= 0) {
        int err = lane_reader_entry(reader, LANE_TABLE_PROCESSES,
                                    (uint32_t)place, &p);
        if (err)
            return err;
        now.process = LANE_PROCESS_NUMBER(p.generation, place) + 1;
    }
    int err = read_at(fd, &next, sizeof next, NEXT_AT);
    if (err == 0)
        err = write_at(fd, &now, sizeof now,
                       SWITCHES_AT + next % LANE_SWITCH_RING * sizeof now);
    next++;
    return err ? err : write_at(fd, &next, sizeof next, NEXT_AT);
}

static int change(int fd, const struct lane_reader *reader, int64_t *place,
                  bool open)
{
    struct gate was, g;
    int err = gate_read(fd, &was);
    if (err)
        return err;
    if (was.word == LANE_GATE_OFF) /* where all are, there is no `on` of one */
        *place = -1;
    g = was;
    gate_change(&g, *place, open);
    if (g.word == was.word && memcmp(g.off, was.off, sizeof g.off) == 0)
        return 0;
    if (!open)
        err = switch_add(fd, reader, *place, open);
    if (err == 0)
        err = gate_write(fd, &g, *place);
    if (err == 0 && open)
        err = switch_add(fd, reader, *place, open);
    return err;
}

int gate_set(int dir_fd, const char *file, const struct lane_reader *reader,
             int64_t place, bool open)
{
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = OFF_AT,
                         .l_len =
                             sizeof((struct lane_session *)NULL)->process_off};
    int fd = openat(dir_fd, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int err = fcntl(fd, F_OFD_SETLKW, &lock) < 0 ? -errno : 0;
    if (err == 0)
        err = change(fd, reader, &place, open);
    close(fd);
    return err ? err : place < 0;
}
