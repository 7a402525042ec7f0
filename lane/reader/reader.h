/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of a session that trusts nothing: for the sidecar, the views and
 * the tests. Everything is copied with pread first and validated in the copy,
 * so a file that changes, shrinks or is noise gives errors, never a signal.
 *
 * One thread per reader. Errors are -errno; -EBADMSG: not a session, or one
 * that contradicts itself; -EPROTONOSUPPORT: another major version.
 */
#pragma once
#include <stdbool.h>
#include "lane/format/layout.h"

/* Strings that were read with others beside them: what is in here was written
 * before. Empty: len_bytes 0. */
struct lane_strings {
    uint32_t offset, len_bytes;
    char bytes[16384];
};
struct lane_reader {
    int fd;
    struct lane_strings *strings; /* if set, strings are read through it */
    struct lane_session header;   /* a copy; the fixed part was validated */
};

/* Open `name` in dir_fd read-only (no symlink, a regular file) and validate
 * its header. -EAGAIN: its process has not finished making it. */
int lane_reader_open(struct lane_reader *reader, int dir_fd, const char *name)
    __attribute__((warn_unused_result));
void lane_reader_close(struct lane_reader *reader);
/* Read the changing words of the header anew. Counts (`*_next`) are cut to
 * the capacities. -EBADMSG when the fixed part changed or the file shrank. */
int lane_reader_refresh(struct lane_reader *reader)
    __attribute__((warn_unused_result));

/* Copy entry `index` of a table. `out` takes the table's entry_bytes, which
 * are sizeof of its struct (of a lane: the first 4096 bytes, see
 * lane_reader_lane). -EINVAL beyond the capacity, -EBADMSG. */
int lane_reader_entry(const struct lane_reader *reader,
                      enum lane_table_kind kind, uint32_t index, void *out)
    __attribute__((warn_unused_result));
/* Copy entries of a table whose first word is their state, `count` (at most
 * LANE_READ_MOST) from `first` on, in two reads. The state of one that became
 * whole meanwhile is 0. -EINVAL beyond the capacity, -EBADMSG. */
enum {
    LANE_READ_MOST = 64,
};
int lane_reader_entries(const struct lane_reader *reader,
                        enum lane_table_kind kind, uint32_t first,
                        uint32_t count, void *out)
    __attribute__((warn_unused_result));
/* The first entry from `index` on that was ever written, as far as the file
 * system knows; the capacity: none. */
uint32_t lane_reader_next_used(const struct lane_reader *reader,
                               enum lane_table_kind kind, uint32_t index);
/* The states of the first `count` processes, in one look. */
int lane_reader_process_states(const struct lane_reader *reader, uint32_t count,
                               uint32_t *state)
    __attribute__((warn_unused_result));
/* Copy a string, made valid UTF-8; NUL bytes become `nul` ('\0': dropped).
 * Always NUL-terminated; cut at cap_bytes; "" when it lies outside. */
void lane_reader_string(const struct lane_reader *reader,
                        struct lane_string string, char nul, char *out,
                        size_t cap_bytes);
/* The first page of a lane: all before open[]. */
struct lane_head {
    uint32_t state, index, tid, pid, process, generation;
    uint64_t start_ticks;
    char name[LANE_NAME_BYTES];
    uint32_t robust; /* the word */
    uint64_t owner;  /* LANE_OWNER; read before the rest of the page */
    uint64_t position, limit, counter, depth, dropped, tail, recycled;
    uint64_t kept_next;
    uint64_t stack_low, stack_high; /* of its thread; 0 unknown */
    uint32_t unit[LANE_UNIT_RING];
};
int lane_reader_lane(const struct lane_reader *reader, uint32_t index,
                     struct lane_head *out) __attribute__((warn_unused_result));
/* The spans that are open in a lane now, outermost first: at most `cap` of
 * them. An entry that changes while it is read is left out. All are of one
 * owner (LANE_OWNER), whose word goes to *owner; none of a lane that changes
 * hands meanwhile. Number, -errno. */
int lane_reader_open_spans(const struct lane_reader *reader, uint32_t index,
                           struct lane_open *out, uint32_t cap, uint64_t *owner)
    __attribute__((warn_unused_result));

/* The records that found no room in the lane's log: those whose commit word was
 * the same before and after, which are whole. `out`: LANE_OPEN_MAX of them, by
 * slot; the commit word of others is 0. 0 or -errno. */
int lane_reader_kept(const struct lane_reader *reader, uint32_t index,
                     struct lane_record *out)
    __attribute__((warn_unused_result));
/* The position in such a word; 0: it is none of this lane. */
static inline uint64_t lane_kept_position(uint32_t lane, uint64_t commit)
{
    uint64_t position = commit & (LANE_COMMIT(0, 0, 0) - 1) & ~63ULL;
    return commit == LANE_COMMIT(lane, position, LANE_ITEM_RECORD) ? position
                                                                   : 0;
}

/* ---- the log --------------------------------------------------------- */

enum {
    LANE_CHUNK = 256 * 1024, /* what is read at once; > LANE_FRAME_MAX */
};
/*
 * Segments that were set aside from their units, which may hold others by now:
 * whoever does that makes find() tell of a segment before it gives its unit
 * back, in whatever thread.
 */
struct lane_aside {
    /* Where it is; false: not aside. The descriptor stays open as long as the
     * log is read. [any thread] */
    bool (*find)(const void *context, uint32_t lane, uint64_t segment, int *fd,
                 int64_t *offset);
    const void *context;
    uint64_t most; /* segments of a lane that may be there */
};
/* Where a lane's log is read. Set up with lane_log_open(). */
struct lane_log {
    const struct lane_reader *reader;
    const struct lane_aside *aside; /* NULL: all is in the session */
    uint32_t lane;
    uint64_t position;        /* of the next item */
    struct lane_head head;    /* as of the last lane_log_look() */
    uint8_t *chunk;           /* LANE_CHUNK bytes; NULL: at rest */
    uint64_t chunk_at;        /* position of chunk[0] */
    uint64_t chunk_len_bytes; /* committed items in it */
    uint64_t corrupt;         /* places where the log had to be skipped */
};
struct lane_log_item {
    enum lane_item_type type; /* RECORD or FRAME; pads are passed over */
    uint64_t position;
    const struct lane_record *record; /* of a RECORD */
    const struct lane_frame *frame;   /* of a FRAME */
    const uint8_t *payload;           /* frame->payload_bytes of them */
};
/* Read lane `lane` from `position` on (0: from its beginning). 0. */
int lane_log_open(struct lane_log *log, const struct lane_reader *reader,
                  uint32_t lane, uint64_t position)
    __attribute__((warn_unused_result));
void lane_log_close(struct lane_log *log);
/* Give its memory back until the next item is read: a thousand lanes would have
 * a chunk each. What was read before is gone. */
void lane_log_rest(struct lane_log *log);
/* Look how far the writer is. 0 or -errno; -EBADMSG: the lane contradicts
 * itself and cannot be read on. */
int lane_log_look(struct lane_log *log) __attribute__((warn_unused_result));
/* The next committed item: 1; 0: none yet. The item points into the chunk and
 * holds until the next call. -errno as above. */
int lane_log_next(struct lane_log *log, struct lane_log_item *item)
    __attribute__((warn_unused_result));
/* The item at `position` will never be committed (its writer died, or it is
 * damaged): go on at the next valid one, at most to where the writer was at the
 * last look. Counted in `corrupt`. Does nothing at the end of the log. 0, or
 * -ENOMEM: nothing was skipped. */
int lane_log_skip(struct lane_log *log) __attribute__((warn_unused_result));
/* Bytes of the committed item at `position` of `lane`, whose first line is
 * `line`; 0: none is committed there; -EBADMSG: its length cannot be. */
int64_t lane_item_bytes(uint32_t lane, uint64_t position, const uint8_t *line);
/* Every byte that the writer reserved, as of the last look, was read. */
static inline bool lane_log_at_end(const struct lane_log *log)
{
    return log->position >= log->head.position;
}
