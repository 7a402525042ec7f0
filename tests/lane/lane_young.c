/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane that is looked at while a thread sets it up is young, not damaged:
 * one side takes all lanes of a session, the other looks at the newest one
 * without a pause. Rounds are repeated until the looks met enough set-ups.
 *
 * usage: lane_young
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lane/reader/reader.h"
#include "lane/writer/writer.h"
#include "tests/common/folder.h"
#include "tests/lane/lane_windows.h"

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x,  \
                    errno);                                                    \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

enum {
    LANES = 1024,
    ROUNDS = 8,
};
static const char name[] = "session-young";
static struct lane_map map;
static bool all_taken;

static void *take_all(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < LANES; i++)
        CHECK(test_take(&map, i + 1, 1, 0) != NULL);
    __atomic_store_n(&all_taken, true, __ATOMIC_RELEASE);
    return NULL;
}

static void look_at(const struct lane_reader *reader, uint32_t lane)
{
    struct lane_log log;
    CHECK(lane_log_open(&log, reader, lane, 0) == 0);
    CHECK(lane_log_look(&log) == 0);
    lane_log_close(&log);
}

static void one_round(int dir)
{
    struct lane_config config = {
        .lane_count = LANES, .unit_count = 4, .clock = LANE_CLOCK_TSC};
    struct lane_reader reader;
    pthread_t writer;
    CHECK(lane_session_create(dir, name, &config, &map) == 0);
    __atomic_store_n(&map.session->ready, 1, __ATOMIC_RELEASE);
    CHECK(lane_reader_open(&reader, dir, name) == 0);
    all_taken = false;
    CHECK(pthread_create(&writer, NULL, take_all, NULL) == 0);
    while (!__atomic_load_n(&all_taken, __ATOMIC_ACQUIRE)) {
        CHECK(lane_reader_refresh(&reader) == 0);
        uint32_t next = reader.header.lane_next;
        /* the one being set up, and the one that comes after it */
        look_at(&reader, next ? next - 1 : 0);
        look_at(&reader, next < LANES ? next : LANES - 1);
    }
    CHECK(pthread_join(writer, NULL) == 0);
    lane_reader_close(&reader);
    CHECK(munmap(map.base, map.len_bytes) == 0);
    CHECK(unlinkat(dir, name, 0) == 0);
}

int main(void)
{
    char path[TEST_FOLDER_MAX];
    CHECK(test_folder_make(path, "lane-young"));
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0);
    for (int i = 0; i < ROUNDS; i++)
        one_round(dir);
    close(dir);
    CHECK(rmdir(path) == 0);
    return 0;
}
