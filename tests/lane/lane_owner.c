/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a lane, and a place in the table of processes: two sides meet after
 * each store of one of them.
 *
 * usage: lane_owner CASE
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <string.h>
#include "lane/format/owner.h"
#include "tests/lane/lane_check.h"
#include "tests/lane/lane_windows.h"

enum {
    DEAD = 7,   /* numbers of processes */
    LIVING = 8, /* who comes for its lane */
    STORES_MAX = 4096,
};
static struct lane_reader reader;
static struct lane_keeper keeper;
static uint64_t judged;

/* ---- two take their first lane at once ------------------------------------
 */

static void take_first(void *unused)
{
    (void)unused;
    CHECK(test_take(&map, 1, 1, LIVING) != NULL);
}

/* One is stopped as soon as it has its number; the other one is quicker. All
 * lanes are known to be there afterwards, and taken again. */
static void case_together(void)
{
    test_session_make(8, 2);
    pid_t child = stepped_start(take_first, NULL);
    while (__atomic_load_n(&map.session->lane_next, __ATOMIC_RELAXED) == 0)
        CHECK(stepped_go(child, 1));
    struct lane *mine = test_take(&map, 2, 2, LIVING);
    CHECK(mine && mine->index == 1);
    stepped_finish(child);
    uint32_t real = map.session->real_pages[LANE_TABLE_LANES];
    CHECK((uint64_t)real * 4096 >= 2 * sizeof(struct lane));
    for (int round = 0; round < 3; round++) {
        lane_release(&map.lanes[0]);
        lane_release(&map.lanes[1]);
        CHECK(test_take(&map, 3, 3, LIVING) == &map.lanes[0]);
        CHECK(test_take(&map, 4, 4, LIVING) == &map.lanes[1]);
    }
    CHECK(map.session->lane_next == 2);
    test_session_end();
}

/* ---- a lane that is set free while somebody claims it -----------------------
 */

/* A thread died without an open span: everybody may have its lane. */
static struct lane *make_dead(void)
{
    test_session_make(1, 2);
    struct lane *lane = test_take(&map, 1, 1, DEAD);
    uint32_t died = FUTEX_OWNER_DIED;
    CHECK(lane);
    memcpy(lane->robust, &died, sizeof died);
    judged = lane->owner;
    CHECK(lane_reader_open(&reader, test_dir, test_name) == 0);
    CHECK(lane_keeper_open(&keeper, test_dir, test_name, &reader) == 0);
    return lane;
}

static void free_it(void *unused)
{
    (void)unused;
    (void)lane_keeper_free(&keeper, 0, judged);
}

/* Whoever got it has it: a call is open, and stays so. */
static void check_is_ours(struct lane *lane)
{
    CHECK(LANE_OWNER_WHO(lane->owner) == LIVING + 1);
    CHECK(lane->generation == LANE_OWNER_GENERATION(lane->owner));
    CHECK(lane->depth == 1 && lane->open[0].state == LANE_OPEN_CALL);
    CHECK(lane->state == LANE_TAKEN);
}

static void open_call(struct lane *lane)
{
    lane->depth = 1;
    lane->open[0].state = LANE_OPEN_CALL;
}

/* `steps` instructions of the sidecar, a claim, the rest of it (or its end and
 * another one). False: it was at its end. */
static bool free_and_claim(long steps, bool is_killed)
{
    struct lane *lane = make_dead();
    pid_t child = stepped_start(free_it, NULL);
    bool more = stepped_go(child, steps);
    struct lane *got = test_take(&map, 2, 2, LIVING);
    if (got)
        open_call(got);
    if (more && is_killed)
        stepped_kill(child);
    else if (more)
        stepped_finish(child);
    lane_keeper_close(&keeper);
    CHECK(lane_keeper_open(&keeper, test_dir, test_name, &reader) == 0);
    free_it(NULL); /* the judgement of the one that was killed, once more */
    if (!got && (got = test_take(&map, 2, 2, LIVING)) != NULL)
        open_call(got);
    CHECK(got == lane);
    free_it(NULL);
    check_is_ours(lane);
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
    test_session_end();
    return more;
}

/* After how many instructions the lane changes. */
static int find_stores(void (*what)(void *), long stores[STORES_MAX])
{
    static uint8_t before[sizeof(struct lane)];
    struct lane *lane = make_dead();
    pid_t child = stepped_start(what, NULL);
    int count = 0;
    memcpy(before, lane, sizeof before);
    stores[count++] = 0;
    for (long steps = 1; stepped_go(child, 1); steps++) {
        if (memcmp(before, lane, offsetof(struct lane, home)) == 0)
            continue;
        CHECK(count < STORES_MAX);
        stores[count++] = steps;
        memcpy(before, lane, sizeof before);
    }
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
    test_session_end();
    return count;
}

static void case_free(void)
{
    static long stores[STORES_MAX];
    int count = find_stores(free_it, stores);
    for (int i = 0; i < count; i++) {
        CHECK(free_and_claim(stores[i], false));
        CHECK(free_and_claim(stores[i], true));
    }
    printf("a claim met %d stores of the sidecar\n", count);
    CHECK(count > 4);
}

static void take_dead(void *unused)
{
    (void)unused;
    CHECK(test_take(&map, 2, 2, LIVING) != NULL);
}

/* And the other way round: the one who claims is met. What the kernel marked
 * was an earlier owner's: nobody takes it for the new one's. */
static void case_claim(void)
{
    static long stores[STORES_MAX];
    int count = find_stores(take_dead, stores);
    for (int i = 0; i < count; i++) {
        struct lane *lane = make_dead();
        pid_t child = stepped_start(take_dead, NULL);
        CHECK(stepped_go(child, stores[i]));
        bool has_it = lane->owner != judged;
        CHECK(has_it == (test_take(&map, 3, 3, LIVING) == NULL));
        uint64_t owner = lane->owner;
        CHECK(lane_keeper_free(&keeper, 0, judged) == false);
        CHECK(lane->owner == owner);
        stepped_kill(child);
        lane_keeper_close(&keeper);
        lane_reader_close(&reader);
        test_session_end();
    }
    printf("two claims met at %d stores\n", count);
    CHECK(count > 4);
}

/* ---- places of processes --------------------------------------------------
 */

static uint32_t take_place(void)
{
    int64_t number = lane_process_take(&map);
    CHECK(number >= 0);
    struct lane_process *entry = &map.processes[LANE_PROCESS_SLOT(number)];
    CHECK(entry->state == LANE_PROCESS_NONE && entry->pid == 0);
    CHECK(entry->marker == 0 && entry->generation == (uint32_t)number / 4096);
    entry->pid = 1;
    entry->marker = LANE_MARKER_EXIT;
    lane_process_ready(&map, (uint32_t)number, LANE_PROCESS_ENDED);
    return (uint32_t)number;
}

static void case_places(void)
{
    static uint32_t state[LANE_PROCESS_MAX];
    static bool is_owner[LANE_PROCESS_MAX];
    test_session_make(8, 2);
    for (uint32_t i = 0; i < LANE_PROCESS_MAX; i++)
        CHECK(take_place() == i);
    CHECK(lane_process_take(&map) == -ENOSPC);
    CHECK(test_take(&map, 1, 1, 4711 % 4096) != NULL);
    CHECK(lane_reader_open(&reader, test_dir, test_name) == 0);
    CHECK(lane_keeper_open(&keeper, test_dir, test_name, &reader) == 0);
    lane_keeper_owners(&keeper, &reader, is_owner);
    for (uint32_t i = 0; i < LANE_PROCESS_MAX; i++)
        CHECK(is_owner[i] == (i == 4711 % 4096));
    lane_keeper_free_process(&keeper, 17);
    lane_keeper_free_process(&keeper, 17 + 4096); /* nobody's number yet */
    CHECK(take_place() == 17 + 4096);
    CHECK(map.session->process_again == 1);
    CHECK(lane_process_take(&map) == -ENOSPC);
    lane_keeper_free_process(&keeper, 17); /* judged long ago */
    CHECK(lane_process_take(&map) == -ENOSPC);
    CHECK(lane_reader_process_states(&reader, LANE_PROCESS_MAX, state) == 0);
    for (uint32_t i = 0; i < LANE_PROCESS_MAX; i++)
        CHECK(state[i] == LANE_PROCESS_ENDED);
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
    test_session_end();
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"together", case_together},
    {"free", case_free},
    {"claim", case_claim},
    {"places", case_places},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            test_directory_make();
            cases[i].run();
            test_session_remove();
            puts("ok");
            return 0;
        }
    return 2;
}
