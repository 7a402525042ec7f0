/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a session's header, tables, strings and open spans: see reader.h.
 * All sizes are recomputed from capacities and checked for overflow once, in
 * header_check(); after that an index below its capacity is inside the file,
 * unless the file shrank: then pread comes back short, which is -EBADMSG.
 */
#define _GNU_SOURCE
#include "lane/reader/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lane/format/owner.h"
#include "lane/format/utf8.h"
#include "lane/format/assert.h"

enum {
    FIXED_BYTES = offsetof(struct lane_session, ready),
};

static const struct {
    uint32_t entry_bytes, capacity_max;
} tables[LANE_TABLES] = {
    [LANE_TABLE_PROCESSES] = {sizeof(struct lane_process), LANE_PROCESS_MAX},
    [LANE_TABLE_CONTEXTS] = {sizeof(struct lane_context), LANE_CONTEXT_MAX},
    [LANE_TABLE_SITES] = {sizeof(struct lane_site), LANE_SITE_MAX},
    [LANE_TABLE_ITEMS] = {sizeof(struct lane_item), LANE_ITEM_MAX},
    [LANE_TABLE_COUNTERS] = {sizeof(struct lane_counter), LANE_SITE_MAX},
    [LANE_TABLE_MODULES] = {sizeof(struct lane_module), LANE_MODULE_MAX},
    [LANE_TABLE_ANCHORS] = {sizeof(struct lane_anchor), LANE_ANCHOR_MAX},
    [LANE_TABLE_STRINGS] = {1, LANE_STRING_BYTES},
    [LANE_TABLE_LANES] = {sizeof(struct lane), LANE_MAX},
    [LANE_TABLE_UNITS] = {LANE_SEGMENT, LANE_UNIT_MAX},
    [LANE_TABLE_WORDS] = {sizeof(struct lane_word), LANE_WORD_MAX},
};

static int read_at(int fd, void *out, uint64_t len_bytes, uint64_t offset)
{
    lane_assert(fd >= 0);
    uint8_t *to = out;
    while (len_bytes) {
        ssize_t n = pread(fd, to, len_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EBADMSG; /* shorter than it said */
        to += n;
        offset += (uint64_t)n;
        len_bytes -= (uint64_t)n;
    }
    return 0;
}

static int header_check(const struct lane_session *header, uint64_t file_bytes)
{
    if (header->header_bytes != sizeof *header ||
        header->file_bytes > file_bytes || header->machine != 62 ||
        header->page_bytes != 4096 ||
        (header->clock != LANE_CLOCK_TSC &&
         header->clock != LANE_CLOCK_MONOTONIC) ||
        header->key == 0)
        return -EBADMSG;
    uint64_t end = sizeof *header;
    int tables_there =
        header->minor >= LANE_MINOR_WORDS ? LANE_TABLES : LANE_TABLE_WORDS;
    for (int i = 0; i < tables_there; i++) {
        const struct lane_table *table = &header->table[i];
        uint64_t size = (uint64_t)table->entry_bytes * table->capacity;
        if (table->entry_bytes != tables[i].entry_bytes ||
            table->capacity == 0 || table->capacity > tables[i].capacity_max ||
            table->offset % 4096 != 0 || table->offset < end ||
            __builtin_add_overflow(table->offset, size, &end) ||
            end > header->file_bytes)
            return -EBADMSG;
    }
    return 0;
}

static void cut(uint32_t *count, uint32_t capacity)
{
    if (*count > capacity)
        *count = capacity;
}

static void header_cut(struct lane_session *h)
{
    lane_assert(h->table[LANE_TABLE_LANES].capacity <= LANE_MAX);
    lane_assert(h->table[LANE_TABLE_UNITS].capacity <= LANE_UNIT_MAX);
    lane_assert(h->table[LANE_TABLE_PROCESSES].capacity <= LANE_PROCESS_MAX);
    cut(&h->process_next, h->table[LANE_TABLE_PROCESSES].capacity);
    cut(&h->context_next, h->table[LANE_TABLE_CONTEXTS].capacity);
    cut(&h->site_next, h->table[LANE_TABLE_SITES].capacity);
    cut(&h->item_next, h->table[LANE_TABLE_ITEMS].capacity);
    cut(&h->module_next, h->table[LANE_TABLE_MODULES].capacity);
    cut(&h->string_next, h->table[LANE_TABLE_STRINGS].capacity);
    cut(&h->lane_next, h->table[LANE_TABLE_LANES].capacity);
    cut(&h->unit_next, h->table[LANE_TABLE_UNITS].capacity);
    cut(&h->unit_max, h->table[LANE_TABLE_UNITS].capacity);
}

static int header_read(int fd, struct lane_session *header)
{
    struct stat at;
    if (fstat(fd, &at) != 0)
        return -errno;
    if (!S_ISREG(at.st_mode))
        return -EBADMSG;
    if (at.st_size == 0)
        return -EAGAIN; /* just created, before its size was set */
    int rc = read_at(fd, header, sizeof *header, 0);
    if (rc != 0)
        return rc;
    static const char zero[sizeof header->magic];
    if (memcmp(header->magic, zero, sizeof zero) == 0 && header->ready == 0)
        return -EAGAIN;
    if (memcmp(header->magic, LANE_MAGIC, sizeof header->magic) != 0)
        return -EBADMSG;
    if (header->major > LANE_MAJOR || header->major < LANE_MAJOR_LEAST)
        return -EPROTONOSUPPORT;
    if (header->ready != 1)
        return header->ready == 0 ? -EAGAIN : -EBADMSG;
    /* `ready` was seen: now what it vouches for */
    rc = read_at(fd, header, sizeof *header, 0);
    if (rc == 0)
        rc = header_check(header, (uint64_t)at.st_size);
    if (rc == 0)
        header_cut(header);
    return rc;
}

int lane_reader_open(struct lane_reader *reader, int dir_fd, const char *name)
{
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = header_read(fd, &reader->header);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    reader->fd = fd;
    reader->strings = NULL;
    return 0;
}

void lane_reader_close(struct lane_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
}

int lane_reader_refresh(struct lane_reader *reader)
{
    lane_assert(reader->fd >= 0);
    struct lane_session fresh;
    struct stat at;
    if (fstat(reader->fd, &at) != 0)
        return -errno;
    if ((uint64_t)at.st_size < reader->header.file_bytes)
        return -EBADMSG;
    int rc = read_at(reader->fd, &fresh, sizeof fresh, 0);
    if (rc != 0)
        return rc;
    if (memcmp(&fresh, &reader->header, FIXED_BYTES) != 0)
        return -EBADMSG;
    header_cut(&fresh);
    reader->header = fresh;
    return 0;
}

int lane_reader_entry(const struct lane_reader *reader,
                      enum lane_table_kind kind, uint32_t index, void *out)
{
    const struct lane_table *table = &reader->header.table[kind];
    if (index >= table->capacity || kind == LANE_TABLE_LANES ||
        kind == LANE_TABLE_UNITS || kind >= LANE_TABLES)
        return -EINVAL;
    uint64_t offset = table->offset + (uint64_t)index * table->entry_bytes;
    uint64_t state;
    /* twice: what the state (first word) vouches for is read after it */
    int rc = read_at(reader->fd, &state, sizeof(uint32_t), offset);
    if (rc == 0)
        rc = read_at(reader->fd, out, table->entry_bytes, offset);
    return rc;
}

int lane_reader_entries(const struct lane_reader *reader,
                        enum lane_table_kind kind, uint32_t first,
                        uint32_t count, void *out)
{
    const struct lane_table *table = &reader->header.table[kind];
    uint32_t state[LANE_READ_MOST], end, now;
    uint8_t *entry = out;
    lane_assert(reader->fd >= 0 && out != NULL);
    if (count > LANE_READ_MOST || __builtin_add_overflow(first, count, &end) ||
        end > table->capacity || kind == LANE_TABLE_LANES ||
        kind == LANE_TABLE_UNITS || kind >= LANE_TABLES)
        return -EINVAL;
    uint64_t size = (uint64_t)count * table->entry_bytes;
    uint64_t at = table->offset + (uint64_t)first * table->entry_bytes;
    /* twice: what a state vouches for is read after it */
    int rc = read_at(reader->fd, out, size, at);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        memcpy(&state[i], entry + (size_t)i * table->entry_bytes,
               sizeof state[i]);
    if (rc == 0)
        rc = read_at(reader->fd, out, size, at);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        uint8_t *to = entry + (size_t)i * table->entry_bytes;
        memcpy(&now, to, sizeof now);
        if (now != state[i])
            memset(to, 0, sizeof now);
    }
    return rc;
}

uint32_t lane_reader_next_used(const struct lane_reader *reader,
                               enum lane_table_kind kind, uint32_t index)
{
    lane_assert(kind < LANE_TABLES && reader->fd >= 0);
    const struct lane_table *table = &reader->header.table[kind];
    if (index >= table->capacity)
        return table->capacity;
    uint64_t at = table->offset + (uint64_t)index * table->entry_bytes;
    off_t data = lseek(reader->fd, (off_t)at, SEEK_DATA);
    if (data < 0) /* ENXIO: nothing behind it; or it cannot tell */
        return errno == ENXIO ? table->capacity : index;
    if ((uint64_t)data <= at)
        return index;
    uint64_t next = ((uint64_t)data - table->offset) / table->entry_bytes;
    lane_assert(next >= index);
    return next < table->capacity ? (uint32_t)next : table->capacity;
}

int lane_reader_process_states(const struct lane_reader *reader, uint32_t count,
                               uint32_t *state)
{
    lane_assert(count <= LANE_PROCESS_MAX);
    struct lane_process some[64];
    const struct lane_table *table =
        &reader->header.table[LANE_TABLE_PROCESSES];
    if (count > table->capacity)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i += 64) {
        uint32_t n = count - i < 64 ? count - i : 64;
        int rc = read_at(reader->fd, some, n * sizeof *some,
                         table->offset + (uint64_t)i * sizeof *some);
        if (rc != 0)
            return rc;
        for (uint32_t j = 0; j < n; j++)
            state[i + j] = some[j].state;
    }
    return 0;
}

/* Out of what was read before, or is read now with what follows it: strings are
 * written one behind the other, and are used so. */
static bool string_take(const struct lane_reader *reader, uint32_t offset,
                        char *out, size_t len_bytes)
{
    struct lane_strings *s = reader->strings;
    const struct lane_table *table = &reader->header.table[LANE_TABLE_STRINGS];
    if (!s || len_bytes > sizeof s->bytes)
        return false;
    lane_assert(offset + len_bytes <= table->capacity);
    if (offset < s->offset || offset + len_bytes > s->offset + s->len_bytes) {
        uint32_t most = table->capacity - offset;
        uint32_t len = most < sizeof s->bytes ? most : sizeof s->bytes;
        s->len_bytes = 0;
        if (read_at(reader->fd, s->bytes, len, table->offset + offset) != 0)
            return false;
        s->offset = offset;
        s->len_bytes = len;
    }
    lane_assert(offset - s->offset + len_bytes <= s->len_bytes);
    memcpy(out, s->bytes + (offset - s->offset), len_bytes);
    return true;
}

void lane_reader_string(const struct lane_reader *reader,
                        struct lane_string string, char nul, char *out,
                        size_t cap_bytes)
{
    lane_assert(cap_bytes == 0 || out != NULL);
    const struct lane_table *table = &reader->header.table[LANE_TABLE_STRINGS];
    char raw[8192];
    uint32_t end;
    if (cap_bytes)
        out[0] = 0;
    if (string.offset == 0 ||
        __builtin_add_overflow(string.offset, string.len_bytes, &end) ||
        end > table->capacity)
        return;
    size_t len = string.len_bytes < sizeof raw ? string.len_bytes : sizeof raw;
    if (!string_take(reader, string.offset, raw, len) &&
        read_at(reader->fd, raw, len, table->offset + string.offset) != 0)
        return;
    for (size_t i = 0; nul && i < len; i++)
        if (raw[i] == 0)
            raw[i] = nul;
    (void)utf8_clean(raw, len, out, cap_bytes, NULL);
}

static uint64_t lane_offset(const struct lane_reader *reader, uint32_t index)
{
    lane_assert(index < reader->header.table[LANE_TABLE_LANES].capacity);
    return reader->header.table[LANE_TABLE_LANES].offset +
           (uint64_t)index * sizeof(struct lane);
}

static int owner_read(const struct lane_reader *reader, uint32_t index,
                      uint64_t *owner)
{
    return read_at(reader->fd, owner, sizeof *owner,
                   lane_offset(reader, index) + offsetof(struct lane, owner));
}

/* Before LANE_MINOR_OWNER there was no such word. */
static uint64_t owner_of(const struct lane_reader *reader, uint64_t owner,
                         const struct lane *lane)
{
    lane_assert(reader->header.major <= LANE_MAJOR);
    if (reader->header.minor >= LANE_MINOR_OWNER)
        return owner;
    return LANE_OWNER(lane->generation,
                      lane->state == LANE_TAKEN ? lane->process + 1 : 0);
}

int lane_reader_lane(const struct lane_reader *reader, uint32_t index,
                     struct lane_head *out)
{
    if (index >= reader->header.table[LANE_TABLE_LANES].capacity)
        return -EINVAL;
    struct lane page; /* of which the first 4096 bytes are read */
    uint64_t offset = lane_offset(reader, index);
    uint64_t position, limit, owner;
    /* The position first: what it covers was there before it. The unit slots
     * are read with the page, after it. */
    int rc = read_at(reader->fd, &position, sizeof position,
                     offset + offsetof(struct lane, position));
    if (rc == 0)
        rc = owner_read(reader, index, &owner);
    if (rc == 0)
        rc = read_at(reader->fd, &page, offsetof(struct lane, open), offset);
    if (rc != 0)
        return rc;
    const struct lane *lane = &page;
    memcpy(&limit, &lane->limit, sizeof limit);
    struct lane_head head = {
        .state = lane->state,
        .index = lane->index,
        .tid = lane->tid,
        .pid = lane->pid,
        .process = lane->process,
        .generation = lane->generation,
        .start_ticks = lane->start_ticks,
        .position = position,
        .limit = limit,
        .counter = lane->counter,
        .depth = lane->depth,
        .dropped = lane->dropped,
        .tail = lane->tail,
        .recycled = lane->recycled,
        .kept_next = lane->kept_next,
        .owner = owner_of(reader, owner, lane),
        .stack_low = lane->stack_low,
        .stack_high = lane->stack_high,
    };
    memcpy(head.name, lane->name, sizeof head.name);
    memcpy(&head.robust, lane->robust, sizeof head.robust);
    memcpy(head.unit, lane->unit, sizeof head.unit);
    *out = head;
    return 0;
}

int lane_reader_kept(const struct lane_reader *reader, uint32_t index,
                     struct lane_record *out)
{
    struct lane_record before[LANE_OPEN_MAX];
    if (index >= reader->header.table[LANE_TABLE_LANES].capacity)
        return -EINVAL;
    uint64_t at = lane_offset(reader, index) + offsetof(struct lane, kept);
    int rc = read_at(reader->fd, before, sizeof before, at);
    if (rc == 0)
        rc = read_at(reader->fd, out, sizeof before, at);
    /* a slot is filled before its word, and not changed until the word is 0 */
    for (uint32_t i = 0; rc == 0 && i < LANE_OPEN_MAX; i++)
        if (before[i].commit != out[i].commit)
            out[i].commit = 0;
    return rc;
}

int lane_reader_open_spans(const struct lane_reader *reader, uint32_t index,
                           struct lane_open *out, uint32_t cap, uint64_t *owner)
{
    lane_assert(cap == 0 || out != NULL);
    struct lane_head head, after;
    int rc = lane_reader_lane(reader, index, &head);
    if (rc != 0)
        return rc;
    uint32_t depth =
        head.depth < LANE_OPEN_MAX ? (uint32_t)head.depth : LANE_OPEN_MAX;
    struct lane_open first[LANE_OPEN_MAX], second[LANE_OPEN_MAX];
    uint64_t at = lane_offset(reader, index) + offsetof(struct lane, open);
    rc = read_at(reader->fd, first, depth * sizeof *first, at);
    if (rc == 0)
        rc = read_at(reader->fd, second, depth * sizeof *second, at);
    if (rc == 0)
        rc = lane_reader_lane(reader, index, &after);
    if (rc != 0)
        return rc;
    *owner = head.owner;
    if (after.owner != head.owner)
        return 0;
    uint32_t n = 0;
    lane_assert(depth <= LANE_OPEN_MAX);
    for (uint32_t i = 0; i < depth && n < cap; i++) {
        first[i].state &= LANE_OPEN_STATE;
        second[i].state &= LANE_OPEN_STATE;
        if (memcmp(&first[i], &second[i], sizeof *first) != 0 ||
            (first[i].state != LANE_OPEN_CALL &&
             first[i].state != LANE_OPEN_TAIL) ||
            LANE_REF_LANE(first[i].span) != index)
            continue;
        out[n++] = first[i];
    }
    return (int)n;
}
