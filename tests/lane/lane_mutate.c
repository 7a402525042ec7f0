/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader against damaged sessions, under ASan and UBSan: bytes of a whole
 * session are changed, everything is read, the bytes are put back. What it
 * must do is end, without a fault.
 *
 * usage: lane_mutate COUNT [SEED]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lane/format/ids.h"
#include "lane/keeper/keeper.h"
#include "lane/writer/writer.h"
#include "tests/common/folder.h"
#include "tests/lane/lane_windows.h"

enum {
    CHANGES_MAX = 16,
    STEPS_MAX = 200000, /* items and skips of one lane: far more than are */
};
static struct lane_map map;
static uint64_t state;
static const char name[] = "session-mutate";

static uint64_t next_random(void)
{
    state += 0x9e3779b97f4a7c15ULL;
    return lane_mix64(state);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s; errno %d\n", what, errno);
    exit(1);
}

static void put(struct lane *lane, uint64_t number, uint32_t payload)
{
    uint64_t len = payload ? 64 + ((payload + 63) & ~63u) : 64;
    uint64_t at = test_reserve(&map, lane, len);
    if (at == 0 && test_grow(&map, lane) == 0)
        at = test_reserve(&map, lane, len);
    if (at == 0)
        fail("no room");
    uint8_t *line = test_at(&map, lane, at);
    memset(line, (int)number, len);
    struct lane_frame *f = (void *)line;
    if (payload)
        *f = (struct lane_frame){
            .payload_bytes = payload, .kind = LANE_FRAME_INPUT, .span = number};
    test_commit(&map, lane, line, at,
                payload ? LANE_ITEM_FRAME : LANE_ITEM_RECORD);
}

static void make(int dir)
{
    struct lane_config config = {.lane_count = 3,
                                 .unit_count = 3 * LANE_UNITS_A_MIB,
                                 .clock = LANE_CLOCK_TSC};
    if (lane_session_create(dir, name, &config, &map) != 0)
        fail("cannot create");
    map.session->ready = 1;
    struct lane_string s;
    if (lane_string_put(&map, "\xff\xfe text", 7, &s) != 0)
        fail("no string");
    for (int i = 0; i < 3; i++) {
        struct lane *lane = test_take(&map, 1, 1, 0);
        if (!lane)
            fail("no lane");
        for (uint64_t n = 1; n < 1500; n++)
            put(lane, n, n % 5 == 0 ? (uint32_t)(n * 33) % 3000 + 33 : 0);
        lane->depth = 7;
        for (uint32_t j = 0; j < 7; j++)
            lane->open[j] = (struct lane_open){.span = LANE_REF(i, j + 1),
                                               .state = LANE_OPEN_CALL};
    }
}

static uint64_t read_lane(const struct lane_reader *reader, uint32_t lane)
{
    struct lane_log log;
    struct lane_log_item item;
    uint64_t sum = 0;
    int steps = 0;
    if (lane_log_open(&log, reader, lane, 0) != 0)
        fail("no memory");
    if (lane_log_look(&log) == 0)
        while (!lane_log_at_end(&log) && steps++ < STEPS_MAX) {
            int rc = lane_log_next(&log, &item);
            if (rc <= 0) {
                if (lane_log_skip(&log) != 0)
                    fail("no memory");
                continue;
            }
            if (item.type == LANE_ITEM_RECORD)
                sum += item.record->span;
            for (uint32_t i = 0; item.payload && i < item.frame->payload_bytes;
                 i++)
                sum += item.payload[i];
        }
    if (steps >= STEPS_MAX)
        fail("an endless log");
    struct lane_open open[LANE_OPEN_MAX];
    uint64_t owner;
    int n = lane_reader_open_spans(reader, lane, open, LANE_OPEN_MAX, &owner);
    for (int i = 0; i < n; i++)
        sum += open[i].span;
    lane_log_close(&log);
    return sum;
}

static uint64_t read_all(int dir, bool *opened)
{
    struct lane_reader reader;
    uint64_t sum = 0;
    *opened = lane_reader_open(&reader, dir, name) == 0;
    if (!*opened)
        return 0;
    char text[300];
    struct lane_string s = {(uint32_t)next_random() % 5000000,
                            (uint32_t)next_random() % 300};
    lane_reader_string(&reader, s, '\n', text, sizeof text);
    for (uint32_t i = 0; i < reader.header.lane_next; i++)
        sum += read_lane(&reader, i);
    union {
        struct lane_counter counter;
        struct lane_site site;
    } entry;
    for (int kind = 0; kind < LANE_TABLE_LANES; kind++)
        sum +=
            (uint64_t)lane_reader_entry(&reader, (enum lane_table_kind)kind,
                                        (uint32_t)next_random() % 5000, &entry);
    static struct lane_keeper keeper;
    if (lane_keeper_open(&keeper, dir, name, &reader) == 0) {
        /* numbers that the reader would pass on */
        for (uint32_t i = 0; i < reader.header.lane_next; i++)
            lane_keeper_advance(&keeper, i,
                                map.lanes[i].tail & ~(uint64_t)(LANE_LINE - 1));
        lane_keeper_close(&keeper);
    }
    lane_reader_close(&reader);
    return sum;
}

struct change {
    uint64_t at;
    uint8_t before[8];
    uint32_t len;
};

/* Somewhere where something is. */
static struct lane_table t[LANE_TABLES];
static uint64_t place(void)
{
    static const int kinds[] = {LANE_TABLE_LANES, LANE_TABLE_LANES,
                                LANE_TABLE_UNITS, LANE_TABLE_STRINGS};
    uint64_t where = next_random() % 10;
    if (where < 4)
        return next_random() % 1400;
    const struct lane_table *table = &t[kinds[where % 4]];
    uint64_t base = table->offset;
    if (where % 4 < 2)
        base += next_random() % 3 * sizeof(struct lane);
    return base + next_random() % (where < 7 ? 1024 : 80000);
}

static void change(int fd, struct change *c)
{
    uint64_t value = next_random();
    c->at = place();
    c->len = 1u << next_random() % 4;
    if (next_random() % 3 == 0) /* numbers that tend to hurt */
        value = (uint64_t)INT64_MAX >> next_random() % 64;
    if (pread(fd, c->before, c->len, (off_t)c->at) != (ssize_t)c->len ||
        pwrite(fd, &value, c->len, (off_t)c->at) != (ssize_t)c->len)
        fail("cannot change");
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    char path[TEST_FOLDER_MAX];
    const char *made = test_folder_make(path, "lane-mutate");
    int dir = made ? open(made, O_RDONLY | O_DIRECTORY) : -1;
    if (dir < 0 || lane_keeper_guard() != 0)
        fail("no directory");
    make(dir);
    int fd = openat(dir, name, O_RDWR);
    memcpy(t, map.session->table, sizeof t);
    bool opened;
    uint64_t whole = read_all(dir, &opened);
    long differ = 0, refused = 0;
    for (long i = 0; i < count; i++) {
        struct change changes[CHANGES_MAX];
        long n = 1 + (long)(next_random() % CHANGES_MAX);
        uint8_t header[4096];
        if (pread(fd, header, sizeof header, 0) != sizeof header)
            fail("cannot read");
        for (long j = 0; j < n; j++)
            change(fd, &changes[j]);
        if (read_all(dir, &opened) != whole)
            differ++;
        refused += !opened;
        while (n-- > 0)
            if (pwrite(fd, changes[n].before, changes[n].len,
                       (off_t)changes[n].at) != (ssize_t)changes[n].len)
                fail("cannot restore");
        if (pwrite(fd, header, sizeof header, 0) != sizeof header)
            fail("cannot restore");
    }
    printf("%ld changed sessions: %ld refused, %ld read otherwise\n", count,
           refused, differ - refused);
    if (differ < count / 4 || refused < count / 20 || refused > count * 3 / 4)
        fail("the changes hit nothing, or everything");
    close(fd);
    (void)unlinkat(dir, name, 0);
    (void)rmdir(made);
    return 0;
}
