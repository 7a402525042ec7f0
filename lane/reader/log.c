/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the log of a lane: see reader.h.
 *
 * The bytes of an item are whole once its commit word is there, but one pread
 * may copy the bytes before it copies the word. So a chunk is read twice: the
 * first copy tells how far items are committed, the second, begun after that
 * was seen, is what counts; every item is validated in it again.
 */
#define _GNU_SOURCE
#include "lane/reader/reader.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEGMENT_MASK = LANE_SEGMENT - 1,
    TYPE_MASK = LANE_LINE - 1,
};
static const uint64_t position_end = 1ULL << 48;

int lane_log_open(struct lane_log *log, const struct lane_reader *reader,
                  uint32_t lane, uint64_t position)
{
    lane_assert(lane < LANE_MAX);
    *log = (struct lane_log){
        .reader = reader,
        .lane = lane,
        .position = position ? position : LANE_FIRST_POSITION,
    };
    return 0;
}

void lane_log_rest(struct lane_log *log)
{
    free(log->chunk);
    log->chunk = NULL;
    log->chunk_len_bytes = 0;
}

void lane_log_close(struct lane_log *log)
{
    lane_log_rest(log);
}

int lane_log_look(struct lane_log *log)
{
    int rc = lane_reader_lane(log->reader, log->lane, &log->head);
    if (rc != 0)
        return rc;
    uint64_t end = log->head.position;
    if (end == 0) { /* being set up; it begins at LANE_FIRST_POSITION */
        log->head.position = log->position;
        return 0;
    }
    /* more than the ring holds, and what is aside, cannot be there */
    uint64_t most = (log->aside ? log->aside->most : 0) + LANE_UNIT_RING + 1;
    if (end % LANE_LINE != 0 || end >= position_end || end < log->position ||
        (end - log->position) >> LANE_SEGMENT_SHIFT > most ||
        log->position < LANE_FIRST_POSITION || log->position % LANE_LINE != 0)
        return -EBADMSG;
    return 0;
}

/* Where in the file a position is. -EBADMSG: its segment has no unit. */
static int64_t file_offset(const struct lane_log *log, uint64_t position)
{
    lane_assert(position % LANE_LINE == 0 && position < position_end);
    lane_assert(log->lane <
                log->reader->header.table[LANE_TABLE_LANES].capacity);
    lane_assert(position >= LANE_FIRST_POSITION);
    const struct lane_session *header = &log->reader->header;
    uint64_t segment = position >> LANE_SEGMENT_SHIFT;
    uint64_t offset = position & SEGMENT_MASK;
    if (segment == 0)
        return (int64_t)(header->table[LANE_TABLE_LANES].offset +
                         log->lane * sizeof(struct lane) +
                         offsetof(struct lane, home) +
                         (offset - LANE_FIRST_POSITION));
    uint32_t unit = log->head.unit[segment % LANE_UNIT_RING];
    if (unit == 0 || unit > header->table[LANE_TABLE_UNITS].capacity)
        return -EBADMSG;
    return (int64_t)(header->table[LANE_TABLE_UNITS].offset +
                     ((uint64_t)(unit - 1) << LANE_SEGMENT_SHIFT) + offset);
}

static int read_file(int fd, int64_t at, void *out, uint64_t len_bytes)
{
    lane_assert(len_bytes <= LANE_CHUNK);
    uint8_t *to = out;
    while (len_bytes) {
        ssize_t n = pread(fd, to, len_bytes, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EBADMSG;
        to += n;
        at += n;
        len_bytes -= (uint64_t)n;
    }
    return 0;
}

static bool is_aside(const struct lane_log *log, uint64_t position, int *fd,
                     int64_t *at)
{
    const struct lane_aside *aside = log->aside;
    if (!aside || !aside->find(aside->context, log->lane,
                               position >> LANE_SEGMENT_SHIFT, fd, at))
        return false;
    *at += (int64_t)(position & SEGMENT_MASK);
    return true;
}

static int read_log(const struct lane_log *log, uint64_t position, void *out,
                    uint64_t len_bytes)
{
    lane_assert((position & SEGMENT_MASK) + len_bytes <= LANE_SEGMENT);
    int fd;
    int64_t at;
    if (is_aside(log, position, &fd, &at))
        return read_file(fd, at, out, len_bytes);
    at = file_offset(log, position);
    int rc = at < 0 ? (int)at : read_file(log->reader->fd, at, out, len_bytes);
    /* set aside while we read: its unit may be another segment's */
    if (is_aside(log, position, &fd, &at))
        rc = read_file(fd, at, out, len_bytes);
    return rc;
}

int64_t lane_item_bytes(uint32_t lane, uint64_t position, const uint8_t *line)
{
    lane_assert(position % LANE_LINE == 0);
    uint64_t commit;
    memcpy(&commit, line + 56, sizeof commit);
    uint64_t type = commit & TYPE_MASK;
    if (commit != LANE_COMMIT(lane, position, type))
        return 0;
    uint64_t left = LANE_SEGMENT - (position & SEGMENT_MASK);
    switch (type) {
    case LANE_ITEM_RECORD:
        return LANE_LINE;
    case LANE_ITEM_PAD:
        return (int64_t)left;
    case LANE_ITEM_FRAME: {
        uint32_t payload;
        memcpy(&payload, line + offsetof(struct lane_frame, payload_bytes),
               sizeof payload);
        if (payload > LANE_FRAME_MAX - LANE_LINE)
            return -EBADMSG;
        uint64_t len = LANE_LINE;
        if (payload > 32)
            len += (payload + TYPE_MASK) & ~(uint64_t)TYPE_MASK;
        return len <= left ? (int64_t)len : -EBADMSG;
    }
    default:
        return 0;
    }
}

/* Committed bytes at the start of a copy, whole items only. */
static uint64_t committed_length(const struct lane_log *log,
                                 const uint8_t *copy, uint64_t len_bytes)
{
    lane_assert(len_bytes <= LANE_CHUNK && len_bytes % LANE_LINE == 0);
    uint64_t at = 0;
    while (at < len_bytes) {
        uint64_t position = log->position + at;
        int64_t len = lane_item_bytes(log->lane, position, copy + at);
        if (len <= 0)
            break;
        bool is_pad = ((position + (uint64_t)len) & SEGMENT_MASK) == 0;
        if (at + (uint64_t)len > len_bytes)
            return is_pad && at == 0 ? len_bytes : at;
        at += (uint64_t)len;
    }
    return at;
}

static int chunk_make(struct lane_log *log)
{
    if (!log->chunk)
        log->chunk = malloc(LANE_CHUNK);
    return log->chunk ? 0 : -ENOMEM;
}

/* Bring the items at `position` into the chunk. 1; 0: nothing committed. */
static int fill(struct lane_log *log)
{
    lane_assert(log->position < log->head.position);
    uint64_t len = LANE_SEGMENT - (log->position & SEGMENT_MASK);
    if (len > LANE_CHUNK)
        len = LANE_CHUNK;
    if (len > log->head.position - log->position)
        len = log->head.position - log->position;
    lane_assert(len != 0);
    log->chunk_at = log->position;
    log->chunk_len_bytes = 0;
    if (chunk_make(log) != 0)
        return -ENOMEM;
    int rc = read_log(log, log->position, log->chunk, len);
    if (rc != 0)
        return rc;
    len = committed_length(log, log->chunk, len);
    if (len == 0)
        return lane_item_bytes(log->lane, log->position, log->chunk) < 0
                   ? -EBADMSG
                   : 0;
    rc = read_log(log, log->position, log->chunk, len);
    if (rc != 0)
        return rc;
    log->chunk_len_bytes = len;
    lane_assert(len <= LANE_CHUNK && len % LANE_LINE == 0);
    return 1;
}

static const uint8_t *in_chunk(const struct lane_log *log)
{
    lane_assert(log->chunk_len_bytes == 0 || log->chunk != NULL);
    uint64_t at = log->position - log->chunk_at;
    if (log->position < log->chunk_at || at >= log->chunk_len_bytes)
        return NULL;
    return log->chunk + at;
}

/* The item whose first line is `line`, of `len` bytes, in the chunk. */
static void item_set(const struct lane_log *log, const uint8_t *line,
                     struct lane_log_item *item)
{
    lane_assert(line >= log->chunk && line < log->chunk + LANE_CHUNK);
    uint64_t commit;
    memcpy(&commit, line + 56, sizeof commit);
    *item = (struct lane_log_item){
        .type = (enum lane_item_type)(commit & TYPE_MASK),
        .position = log->position,
    };
    if (item->type == LANE_ITEM_RECORD)
        item->record = (const void *)line;
    else if (item->type == LANE_ITEM_FRAME) {
        item->frame = (const void *)line;
        item->payload = item->frame->payload_bytes > 32
                            ? line + LANE_LINE
                            : item->frame->inline_bytes;
    }
}

int lane_log_next(struct lane_log *log, struct lane_log_item *item)
{
    while (log->position < log->head.position) {
        const uint8_t *line = in_chunk(log);
        if (!line) {
            int rc = fill(log);
            if (rc <= 0)
                return rc;
            line = in_chunk(log);
            if (!line)
                return -EBADMSG;
        }
        int64_t len = lane_item_bytes(log->lane, log->position, line);
        uint64_t left = log->chunk_at + log->chunk_len_bytes - log->position;
        if (len <= 0)
            return -EBADMSG; /* it was committed a moment ago */
        item_set(log, line, item);
        if (item->type != LANE_ITEM_PAD && (uint64_t)len > left)
            return -EBADMSG;
        log->position += (uint64_t)len;
        if (item->type != LANE_ITEM_PAD)
            return 1;
    }
    return 0;
}

int lane_log_skip(struct lane_log *log)
{
    lane_assert(log->position % LANE_LINE == 0);
    uint64_t end = log->head.position;
    uint64_t segment_end = (log->position | SEGMENT_MASK) + 1;
    if (log->position >= end)
        return 0;
    if (chunk_make(log) != 0)
        return -ENOMEM;
    log->corrupt++;
    log->chunk_len_bytes = 0;
    uint64_t stop = end < segment_end ? end : segment_end;
    uint64_t at = log->position + LANE_LINE;
    lane_assert(stop > log->position && stop <= segment_end);
    log->position = stop;
    while (at < stop) {
        uint64_t len = stop - at < LANE_CHUNK ? stop - at : LANE_CHUNK;
        if (read_log(log, at, log->chunk, len) != 0)
            return 0;
        for (uint64_t i = 0; i < len; i += LANE_LINE)
            if (lane_item_bytes(log->lane, at + i, log->chunk + i) > 0) {
                log->position = at + i;
                return 0;
            }
        at += len;
    }
    return 0;
}
