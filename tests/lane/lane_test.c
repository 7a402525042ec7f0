/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a session, written and read by the product's own code in one
 * process: also built with ThreadSanitizer. One case per call.
 *
 * usage: lane_test CASE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lane/format/histogram.h"
#include "lane/format/ids.h"
#include "lane/keeper/keeper.h"
#include "lane/format/utf8.h"
#include "lane/writer/writer.h"
#include "tests/common/folder.h"
#include "tests/lane/lane_items.h"

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x,  \
                    errno);                                                    \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

enum {
    SKIPPED = 77
};
static int dir = -1;
static const char name[] = "session-test";
static struct lane_map map;

static void open_dir(void)
{
    char path[TEST_FOLDER_MAX];
    const char *made = test_folder_make(path, "lane-test");
    CHECK(made);
    dir = open(made, O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0);
    CHECK(chdir(made) == 0);
}

static void close_dir(void)
{
    char path[4096];
    CHECK(getcwd(path, sizeof path));
    (void)unlink(name);
    CHECK(rmdir(path) == 0);
}

static int create(uint32_t lanes, uint32_t units)
{
    struct lane_config config = {
        .lane_count = lanes, .unit_count = units, .clock = LANE_CLOCK_TSC};
    errno = 4711;
    int rc = lane_session_create(dir, name, &config, &map);
    CHECK(errno == 4711);
    if (rc == 0)
        __atomic_store_n(&map.session->ready, 1, __ATOMIC_RELEASE);
    return rc;
}

/* ---- writing and reading again ------------------------------------------ */

struct writer {
    pthread_t thread;
    uint64_t count;
    uint32_t lane;
    bool wait;
};
static uint32_t writers_done;

static void *write_items(void *with)
{
    struct writer *w = with;
    struct lane *lane = test_take(&map, 1, 1, 0);
    CHECK(lane);
    __atomic_store_n(&w->lane, lane->index + 1, __ATOMIC_RELEASE);
    for (uint64_t i = 0; i < w->count; i++)
        while (item_put(&map, lane, i + 1) != 0) {
            CHECK(w->wait);
            sched_yield();
        }
    __atomic_fetch_add(&writers_done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* All items of a lane in order; the first is the thread's frame. */
/* ThreadSanitizer does not see what pread sees: show it the commit word. */
static void show_word(const uint64_t *word)
{
    (void)__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void show_commit(const struct lane_log *log, uint64_t position)
{
    show_word(
        (const void *)(test_address(&map, &map.lanes[log->lane], position) +
                       56));
}

/* A pad is no item: what lies between `before` and where the log is now. */
static void show_pad(const struct lane_log *log, uint64_t before, uint64_t now)
{
    if (before != now)
        show_commit(log, before);
}

static uint64_t read_some(struct lane_log *log, uint64_t next)
{
    struct lane_log_item item;
    int rc;
    CHECK(lane_log_look(log) == 0);
    if (log->head.limit == 0) /* being set up */
        return next;
    show_word(&map.lanes[log->lane].limit);
    uint64_t before = log->position;
    while ((rc = lane_log_next(log, &item)) == 1) {
        show_pad(log, before, item.position);
        before = log->position;
        show_commit(log, item.position);
        if (item.type == LANE_ITEM_FRAME &&
            item.frame->kind == LANE_FRAME_THREAD) {
            CHECK(next == 1);
            continue;
        }
        CHECK(item_is(&item, next++));
    }
    CHECK(rc == 0);
    show_pad(log, before, log->position);
    return next;
}

static void case_roundtrip(void)
{
    struct writer w[6] = {0};
    CHECK(create(0, 0) == 0);
    for (int i = 0; i < 6; i++) {
        w[i].count = 8000;
        CHECK(pthread_create(&w[i].thread, NULL, write_items, &w[i]) == 0);
    }
    for (int i = 0; i < 6; i++)
        pthread_join(w[i].thread, NULL);
    struct lane_reader reader;
    CHECK(lane_reader_open(&reader, dir, name) == 0);
    CHECK(reader.header.lane_next == 6);
    for (uint32_t i = 0; i < 6; i++) {
        struct lane_log log;
        CHECK(lane_log_open(&log, &reader, i, 0) == 0);
        CHECK(read_some(&log, 1) == 8001);
        CHECK(lane_log_at_end(&log));
        lane_log_close(&log);
    }
    lane_reader_close(&reader);
}

/* Few units, given back while others write: lines of earlier use lie where
 * new ones are to come, and must never be taken for them. */
#ifdef __SANITIZE_THREAD__
enum {
    RECYCLE_ITEMS = 25000
};
#else
enum {
    RECYCLE_ITEMS = 150000
};
#endif
static void case_recycle(void)
{
    struct writer w[2] = {{.count = RECYCLE_ITEMS, .wait = true},
                          {.count = RECYCLE_ITEMS, .wait = true}};
    static struct lane_keeper keeper;
    struct lane_reader reader;
    struct lane_log log[2] = {0};
    uint64_t next[2] = {1, 1};
    CHECK(create(0, 5) == 0);
    CHECK(lane_reader_open(&reader, dir, name) == 0);
    CHECK(lane_keeper_open(&keeper, dir, name, &reader) == 0);
    struct lane_map own = keeper.map;
    keeper.map = map; /* for ThreadSanitizer: the same addresses */
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&w[i].thread, NULL, write_items, &w[i]) == 0);
    while (next[0] <= w[0].count || next[1] <= w[1].count) {
        CHECK(lane_reader_refresh(&reader) == 0);
        for (uint32_t i = 0; i < reader.header.lane_next; i++) {
            if (!log[i].chunk)
                CHECK(lane_log_open(&log[i], &reader, i, 0) == 0);
            next[i] = read_some(&log[i], next[i]);
            if (log[i].head.limit != 0) /* as the sidecar does */
                lane_keeper_advance(&keeper, i, log[i].position);
        }
        lane_keeper_top_up(&keeper, 1);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(w[i].thread, NULL);
        lane_log_close(&log[i]);
    }
    CHECK(map.session->unit_next <= 5);
    CHECK(map.lanes[0].position >> 20 > 8); /* it did go round */
    keeper.map = own;
    lane_keeper_close(&keeper);
    lane_reader_close(&reader);
}

/* ---- a keeper that is killed ------------------------------------------- */

static struct lane_keeper killed_keeper;

/* Units 0..2 were filled; all but the last segment are stored. */
static uint64_t make_full(struct lane_reader *reader)
{
    CHECK(create(2, 3) == 0);
    struct lane *lane = test_take(&map, 1, 1, 0);
    for (uint64_t i = 1; item_put(&map, lane, i * 4) == 0; i++)
        ;
    CHECK(map.session->unit_next == 3);
    CHECK(lane_reader_open(reader, dir, name) == 0);
    return lane->position - 64;
}

/* Each unit is in one place: the lane's ring, or the queue. */
static void check_units(uint64_t tail)
{
    const struct lane_session *s = map.session;
    int seen[4] = {0};
    for (uint32_t i = s->ready_head; i != s->ready_tail; i++)
        seen[s->ready_unit[i % LANE_READY_RING]]++;
    CHECK(s->ready_tail - s->ready_head == 2);
    for (int i = 0; i < LANE_UNIT_RING; i++)
        seen[map.lanes[0].unit[i]]++;
    CHECK(seen[1] == 1 && seen[2] == 1 && seen[3] == 1);
    CHECK(map.lanes[0].recycled == tail >> LANE_SEGMENT_SHIFT);
    CHECK(s->recycling == 0);
}

/* Run lane_keeper_advance() in a child for `steps` instructions, kill it.
 * False: it had come to its end. */
static bool advance_and_kill(const struct lane_reader *reader, uint64_t tail,
                             long steps)
{
    CHECK(lane_keeper_open(&killed_keeper, dir, name, reader) == 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
        lane_keeper_advance(&killed_keeper, 0, tail);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSTOPPED(status));
    for (long i = 0; i < steps && WIFSTOPPED(status); i++) {
        CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        CHECK(waitpid(child, &status, 0) == child);
    }
    bool more = WIFSTOPPED(status);
    if (more) {
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child);
    }
    lane_keeper_close(&killed_keeper);
    return more;
}

static void case_killed_keeper(void)
{
    bool more = true;
    long steps = 0;
    for (; more; steps += 1 + steps % 9) { /* most of them */
        struct lane_reader reader;
        uint64_t tail = make_full(&reader);
        more = advance_and_kill(&reader, tail, steps);
        CHECK(lane_keeper_open(&killed_keeper, dir, name, &reader) == 0);
        lane_keeper_advance(&killed_keeper, 0, tail);
        check_units(tail);
        lane_keeper_close(&killed_keeper);
        lane_reader_close(&reader);
        CHECK(unlink(name) == 0);
        CHECK(munmap(map.base, map.len_bytes) == 0);
    }
    printf("killed at up to %ld instructions\n", steps);
    CHECK(steps > 50);
}

/* ---- limits ------------------------------------------------------------- */

static void case_budget(void)
{
    CHECK(create(0, 3) == 0);
    struct lane *lane = test_take(&map, 1, 1, 0);
    CHECK(lane && lane->generation == 1);
    uint64_t n = 0;
    for (;;) {
        uint64_t at = test_reserve(&map, lane, 64);
        if (at == 0 && test_grow(&map, lane) != 0)
            break;
        if (at == 0)
            continue;
        test_commit(&map, lane, test_at(&map, lane, at), at, LANE_ITEM_RECORD);
        n++;
    }
    CHECK(n == LANE_HOME / 64 - 1 + 3 * LANE_SEGMENT / 64); /* home but the
                                                  thread's frame, units */
    CHECK(test_take(&map, 2, 2, 0) != NULL); /* another one has its home */
    struct lane *last = NULL;
    for (int i = 0; i < LANE_MAX - 2; i++)
        CHECK((last = test_take(&map, 3, 3, 0)) != NULL);
    CHECK(test_take(&map, 4, 4, 0) == NULL);
    last->depth = 0;
    lane_release(last);
    struct lane *again = test_take(&map, 5, 5, 0);
    CHECK(again == last && again->generation == 2 && again->tid == 5);
    /* a thread that died: its lane is taken over, unless spans are open */
    uint32_t died = FUTEX_OWNER_DIED;
    memcpy(again->robust, &died, sizeof died);
    again->depth = 1;
    CHECK(test_take(&map, 6, 6, 0) == NULL);
    again->depth = 0;
    CHECK(test_take(&map, 6, 6, 0) == again && again->generation == 3);
    CHECK(again->robust[3] == 0);
}

static void with_limit(int what, rlim_t bytes, int want_least)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {bytes, bytes};
        CHECK(setrlimit((__rlimit_resource_t)what, &limit) == 0);
        int rc = create(0, 0);
        if (want_least < 0) {
            CHECK(rc == want_least);
            CHECK(access(name, F_OK) != 0); /* nothing is left behind */
            _exit(0);
        }
        CHECK(rc == 0 && map.len_bytes <= bytes);
        CHECK((int)map.session->unit_max >= want_least);
        struct lane *lane = test_take(&map, 1, 1, 0);
        CHECK(lane && test_grow(&map, lane) == 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    (void)unlink(name);
}

static void case_limits(void)
{
    with_limit(RLIMIT_FSIZE, 100 << 20, 4);
    with_limit(RLIMIT_FSIZE, 4 << 20, 1);
    with_limit(RLIMIT_FSIZE, 1 << 20, -EFBIG);
    with_limit(RLIMIT_AS, 1 << 30, 2);
    with_limit(RLIMIT_AS, 40 << 20, 1);
    with_limit(RLIMIT_AS, 16 << 20, -ENOMEM);
}

/* A tmpfs without room: errors, no SIGBUS. */
static void case_full(void)
{
    if (geteuid() != 0 || mkdir("small", 0700) != 0 ||
        mount("none", "small", "tmpfs", 0, "size=400k") != 0) {
        rmdir("small");
        close_dir();
        fputs("skipped: only root may mount a small tmpfs\n", stderr);
        _exit(SKIPPED);
    }
    int outer = dir;
    dir = open("small", O_RDONLY | O_DIRECTORY);
    CHECK(create(0, 0) == 0);
    int lanes = 0;
    struct lane *lane = NULL, *taken;
    while ((taken = test_take(&map, 1, 1, 0)) != NULL && lanes++ < 50)
        lane = taken;
    CHECK(lanes >= 2 && lanes <= 4);
    for (uint64_t i = 1; item_put(&map, lane, i * 4) == 0; i++)
        ;
    CHECK(test_grow(&map, lane) == -ENOSPC);
    CHECK(map.session->unit_next == 0); /* a unit without pages goes back */
    struct lane_string s;
    char text[64 * 1024];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 20; i++)
        (void)lane_string_put(&map, text, sizeof text, &s);
    CHECK(map.session->lost_strings > 0);
    munmap(map.base, map.len_bytes);
    close(dir);
    dir = outer;
    CHECK(umount2("small", MNT_DETACH) == 0);
    CHECK(rmdir("small") == 0);
}

/* ---- signals --------------------------------------------------------------
 */

static struct lane *signal_lane;
static volatile uint64_t in_handler, handler_lost;

static void on_signal(int number)
{
    (void)number;
    for (int i = 0; i < 3; i++) {
        uint64_t n = in_handler + 1;
        in_handler = n;
        if (item_put(&map, signal_lane, (1ULL << 40) + n * 4) != 0)
            handler_lost = handler_lost + 1;
    }
}

/* Reservations nested in reservations, growth nested in growth. */
static void case_signals(void)
{
    CHECK(create(0, 60) == 0);
    signal_lane = test_take(&map, 1, 1, 0);
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
    struct itimerspec often = {{0, 20000}, {0, 20000}};
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    uint64_t outer = 0;
    while (outer < 900000 && item_put(&map, signal_lane, (outer + 1) * 4) == 0)
        outer++;
    timer_delete(timer);
    printf("%llu items by the handler\n", (unsigned long long)in_handler);
    CHECK(in_handler != 0); /* a slow machine's timer has few */
    struct lane_reader reader;
    struct lane_log log;
    struct lane_log_item item;
    CHECK(lane_reader_open(&reader, dir, name) == 0);
    CHECK(lane_log_open(&log, &reader, 0, 0) == 0);
    CHECK(lane_log_look(&log) == 0);
    uint64_t seen = 0, seen_in_handler = 0;
    while (lane_log_next(&log, &item) == 1) {
        if (item.type != LANE_ITEM_RECORD)
            continue;
        if (item.record->span >> 40)
            seen_in_handler++;
        else
            CHECK(item.record->span == ++seen * 4);
    }
    CHECK(lane_log_at_end(&log));
    printf("%llu, and %llu of %llu in handlers\n", (unsigned long long)seen,
           (unsigned long long)seen_in_handler, (unsigned long long)in_handler);
    CHECK(seen == outer && seen_in_handler == in_handler - handler_lost);
    CHECK(map.session->unit_next <= 60);
    lane_log_close(&log);
    lane_reader_close(&reader);
}

/* ---- the rest ---------------------------------------------------------------
 */

/* An item that is never committed: skipped, counted, the rest is read. */
static void case_skip(void)
{
    CHECK(create(0, 4) == 0);
    struct lane *lane = test_take(&map, 1, 1, 0);
    for (uint64_t i = 1; i <= 10; i++)
        CHECK(item_put(&map, lane, i * 4) == 0);
    CHECK(test_reserve(&map, lane, 640) != 0);
    for (uint64_t i = 11; i <= 20; i++)
        CHECK(item_put(&map, lane, i * 4) == 0);
    struct lane_reader reader;
    struct lane_log log;
    struct lane_log_item item;
    CHECK(lane_reader_open(&reader, dir, name) == 0);
    CHECK(lane_log_open(&log, &reader, 0, 0) == 0);
    CHECK(lane_log_look(&log) == 0);
    int n = 0;
    while (lane_log_next(&log, &item) == 1)
        n++;
    CHECK(n == 11 && !lane_log_at_end(&log));
    lane_log_rest(&log); /* it needs no chunk of an earlier look */
    CHECK(lane_log_skip(&log) == 0);
    while (lane_log_next(&log, &item) == 1)
        n++;
    CHECK(n == 21 && lane_log_at_end(&log) && log.corrupt == 1);
    CHECK(lane_log_skip(&log) == 0); /* nothing there: nothing happens */
    CHECK(log.corrupt == 1);
    lane_log_close(&log);
    lane_reader_close(&reader);
}

static void check_text(const char *in, size_t len, const char *want)
{
    char out[64];
    utf8_clean(in, len, out, sizeof out, NULL);
    CHECK(strcmp(out, want) == 0);
}

static void case_small_things(void)
{
    for (uint64_t v = 0; v < 1000000; v = v < 100 ? v + 1 : v + v / 37) {
        uint32_t b = lane_histogram_bucket(v);
        uint64_t m = lane_histogram_middle(b);
        CHECK(b < LANE_HISTOGRAM_BUCKETS && lane_histogram_bucket(m) == b);
        CHECK((m > v ? m - v : v - m) * 32 <= v);
    }
    CHECK(lane_histogram_bucket(UINT64_MAX) == LANE_HISTOGRAM_BUCKETS - 1);
    CHECK(lane_span_id(7, 0) == 0 && lane_span_id(7, 1) != 0);
    for (uint64_t ref = 1; ref < 100000; ref += 77)
        CHECK(lane_span_ref(7, lane_span_id(7, ref)) == ref);
    CHECK(lane_span_ref(7, lane_span_id(7, 7)) == 7); /* the one that mixes
                                                         to 0 */
    check_text("a\0b", 3, "ab");
    check_text("\xc3\xa9\xff", 3, "\xc3\xa9\xef\xbf\xbd");
    check_text("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xf4\x90\x80\x80", 4,
               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
               "\xef\xbf\xbd");
    check_text("\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
    char cut[4];
    CHECK(utf8_clean("aa\xc3\xa9", 4, cut, sizeof cut, NULL) == 2);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"roundtrip", case_roundtrip},
    {"recycle", case_recycle},
    {"budget", case_budget},
    {"limits", case_limits},
    {"full", case_full},
    {"signals", case_signals},
    {"killed_keeper", case_killed_keeper},
    {"skip", case_skip},
    {"small", case_small_things},
};

int main(int argc, char **argv)
{
    open_dir();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            close_dir();
            puts("ok");
            return 0;
        }
    return 2;
}
