/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A traced process without handlers: it writes sessions through the product's
 * own lane/writer/writer.h, from several threads, and says what it wrote.
 *
 * usage: writer DIR [threads=N] [records=N] [values=N] [nest=N] [units=N]
 *        [gap_us=N] [drop=1] [end=exit|kill|none|code] [open=N] [pause=1]
 *        [name=FILE] [fork=1] [deep=N] [bytes=N] [sites=N] [cut=1|2]
 *        [held=1] [lost=1]
 * cut: each thread's last item is never committed (1), or its last but one (2).
 * held: a thread is held up for five looks of the sidecar between the inputs
 * of an event and its record, and between those of a call and its being open.
 * lost: records of what has no frame: promised, and without room.
 * Prints "session FILE", then a line "wrote RECORDS dropped N inputs N" and,
 * with pause=1, waits for a line on standard input before it ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "lane/format/histogram.h"
#include "lane/writer/writer.h"
#include "tests/lane/lane_windows.h"

static struct lane_map map;
static long threads = 1, records = 1000, values, nest = 1, units, gap_us;
static long drop, open_spans, do_fork, deep, bytes, sites = 2, cut, held, lost;
static const char *end = "exit", *file;
static uint64_t written, dropped, inputs;

static uint64_t start_time(void)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strrchr(text, ')');
    for (int i = 2; at && i < 22; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static struct lane_string text_put(const char *text)
{
    struct lane_string s;
    if (lane_string_put(&map, text, (uint32_t)strlen(text), &s) != 0)
        _exit(3);
    return s;
}

static void site_put(const char *name, uint32_t item_first, uint32_t items)
{
    int64_t i =
        lane_table_take(&map, LANE_TABLE_SITES, &map.session->site_next, 1);
    if (i < 0 || lane_counter_make(&map, (uint32_t)i) != 0)
        _exit(3);
    struct lane_site *site = &map.sites[i];
    site->binding = LANE_BINDING_ENTRY;
    site->shim = LANE_SHIM_FRAME;
    site->name = text_put(name);
    site->symbol = text_put(name);
    site->object = text_put("/usr/lib/libx.so.1");
    site->item_first = item_first;
    site->item_count = items;
    __atomic_store_n(&site->state, 1, __ATOMIC_RELEASE);
}

static void tables_put(void)
{
    int64_t c = lane_table_take(&map, LANE_TABLE_CONTEXTS,
                                &map.session->context_next, 1);
    int64_t p = lane_table_take(&map, LANE_TABLE_PROCESSES,
                                &map.session->process_next, 1);
    int64_t i =
        lane_table_take(&map, LANE_TABLE_ITEMS, &map.session->item_next, 3);
    if (c < 0 || p < 0 || i < 0)
        _exit(3);
    memcpy(map.contexts[c].trace_id, &map.session->key, 8);
    map.contexts[c].trace_id[15] = 1;
    map.contexts[c].state = 1;
    map.items[i] = (struct lane_item){
        text_put("path"), LANE_INPUT, LANE_VALUE_TEXT, 0, 0, 0, 0, 0};
    map.items[i + 1] = (struct lane_item){
        text_put("n"), LANE_INPUT, LANE_VALUE_UNSIGNED, 8, 0, 0, 0, 0};
    map.items[i + 2] = (struct lane_item){
        text_put("return"), LANE_OUTPUT, LANE_VALUE_SIGNED, 4, 0, 0, 0, 0};
    site_put("leaf", (uint32_t)i, 3);
    site_put("outer", (uint32_t)i, 3);
    for (long n = 2; n < sites; n++)
        site_put("more", (uint32_t)i, 3);
    struct lane_process *process = &map.processes[p];
    process->pid = (uint32_t)getpid();
    process->start_time = start_time();
    process->t0_ticks = lane_now(&map);
    process->program = text_put("/usr/bin/etl");
    if (lane_string_put(&map, "etl\0--day\0001", 11, &process->command) != 0)
        _exit(3);
    __atomic_store_n(&process->state, LANE_PROCESS_RUNS, __ATOMIC_RELEASE);
    __atomic_store_n(&map.session->ready, 1, __ATOMIC_RELEASE);
}

static uint64_t room(struct lane *lane, uint64_t len)
{
    for (;;) {
        uint64_t at = test_reserve(&map, lane, len);
        if (at || (test_grow(&map, lane) != 0 && drop))
            return at;
        if (!at && lane->limit == lane->position)
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

static void put_input(struct lane *lane, uint64_t ref, uint64_t number)
{
    static _Thread_local char text[1 << 16];
    uint32_t len = (uint32_t)snprintf(text, sizeof text, "/data/%llx/%llu",
                                      (unsigned long long)ref >> 48,
                                      (unsigned long long)number);
    for (; len < bytes && len < sizeof text; len++)
        text[len] = (char)('a' + len % 26);
    uint32_t payload = 8 + ((len + 7) & ~7u) + 16;
    uint64_t at = room(lane, 64 + ((payload + 63) & ~63u));
    if (!at)
        return;
    uint8_t *line = test_at(&map, lane, at);
    struct lane_frame *f = (void *)line;
    *f = (struct lane_frame){.payload_bytes = payload,
                             .kind = LANE_FRAME_INPUT,
                             .count = 2,
                             .span = ref,
                             .site = 1};
    uint8_t *to = line + 64;
    struct lane_value v = {0, 0, LANE_VALUE_TEXT, len};
    memcpy(to, &v, 8);
    memcpy(to + 8, text, len);
    to += 8 + ((len + 7) & ~7u);
    v = (struct lane_value){1, 0, LANE_VALUE_UNSIGNED, 8};
    memcpy(to, &v, 8);
    memcpy(to + 8, &number, 8);
    test_commit(&map, lane, line, at, LANE_ITEM_FRAME);
    __atomic_fetch_add(&inputs, 1, __ATOMIC_RELAXED);
}

static void count_only(uint32_t site, uint64_t ticks)
{
    struct lane_counter *c = &map.counters[site];
    __atomic_fetch_add(&c->calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->total_ticks, ticks, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->histogram[lane_histogram_bucket(ticks)], 1,
                       __ATOMIC_RELAXED);
}

static void put_record_of(struct lane *lane, uint64_t ref, uint64_t parent,
                          uint32_t site, uint64_t t0, uint64_t capture)
{
    uint64_t t1 = lane_now(&map);
    uint64_t at = room(lane, 64);
    if (!at) {
        count_only(site, t1 - t0);
        __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
        return;
    }
    struct lane_record *r = (void *)test_at(&map, lane, at);
    *r = (struct lane_record){.t0_ticks = t0,
                              .t1_ticks = t1,
                              .span = ref,
                              .parent = parent,
                              .cpu_ns = t1 - t0,
                              .capture = capture,
                              .site_status = site};
    test_commit(&map, lane, (void *)r, at, LANE_ITEM_RECORD);
    __atomic_fetch_add(&written, 1, __ATOMIC_RELAXED);
}

static void put_record(struct lane *lane, uint64_t ref, uint64_t parent,
                       uint32_t site, uint64_t t0)
{
    put_record_of(lane, ref, parent, site, t0, 0);
}

static uint64_t span_begin(struct lane *lane, uint32_t site, uint64_t parent,
                           uint64_t t0)
{
    uint64_t ref = LANE_REF(lane->index, lane_xadd_own(&lane->counter, 1) + 1);
    struct lane_open *o = &lane->open[lane->depth];
    *o = (struct lane_open){
        .t0_ticks = t0, .span = ref, .parent = parent, .site_kind = site};
    __atomic_store_n(&o->state, LANE_OPEN_CALL, __ATOMIC_RELEASE);
    lane->depth++;
    return ref;
}

static void span_end(struct lane *lane)
{
    lane->depth--;
    lane->open[lane->depth].state = LANE_OPEN_FREE;
}

/* leaf, in itself, `deep` times, with an outer in the middle. */
static long recurse(struct lane *lane, uint64_t parent, long level)
{
    uint32_t site = level == deep / 2 ? 2 : 1;
    uint64_t t0 = lane_now(&map);
    uint64_t ref = span_begin(lane, site, parent, t0);
    long n = level < deep ? recurse(lane, ref, level + 1) : 0;
    put_record(lane, ref, parent, site, t0);
    span_end(lane);
    return n + 1;
}

/* The sidecar looks at what is open each time it reads the clocks. */
static void wait_for_looks(void)
{
    uint32_t from =
        __atomic_load_n(&map.session->anchor_next, __ATOMIC_RELAXED);
    while (__atomic_load_n(&map.session->anchor_next, __ATOMIC_RELAXED) - from <
           5)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void hold(struct lane *lane, uint64_t root)
{
    uint64_t ref = LANE_REF(lane->index, lane_xadd_own(&lane->counter, 1) + 1);
    put_input(lane, ref, 1);
    wait_for_looks();
    put_record_of(lane, ref, root, 1, lane_now(&map), LANE_FIRST_POSITION);
    struct lane_open *o = &lane->open[lane->depth++];
    o->span = LANE_REF(lane->index, lane_xadd_own(&lane->counter, 1) + 1);
    put_input(lane, o->span, 2);
    wait_for_looks();
    o->t0_ticks = lane_now(&map);
    o->parent = root;
    o->site_kind = 1;
    __atomic_store_n(&o->state, LANE_OPEN_CALL, __ATOMIC_RELEASE);
    put_record_of(lane, o->span, root, 1, o->t0_ticks, LANE_FIRST_POSITION);
    span_end(lane);
}

static void lose(struct lane *lane, uint64_t root)
{
    static const struct {
        uint32_t site;
        uint64_t capture;
    } all[] = {{1, 3 * LANE_LINE},
               {1 | LANE_STATUS_CAPTURE_LOST << 24, 1},
               {1 | LANE_STATUS_CAPTURE_LOST << 24, 0},
               {1, 0},
               {1 | LANE_SITE_VALUE | LANE_SITE_INPUT, (uint64_t)-35},
               {1 | LANE_SITE_VALUE, 1}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t t0 = lane_now(&map);
        put_record_of(lane, span_begin(lane, 1, root, t0), root, all[i].site,
                      t0, all[i].capture);
        span_end(lane);
    }
}

static void *run(void *unused)
{
    struct lane *lane =
        test_take(&map, (uint32_t)syscall(SYS_gettid), (uint32_t)getpid(), 0);
    if (!lane)
        _exit(4);
    uint64_t root = LANE_REF(LANE_PROCESS_LANE, 1);
    for (long i = 0; i < open_spans; i++) {
        root = span_begin(lane, 2, root, lane_now(&map));
        put_input(lane, root, (uint64_t)i);
    }
    if (held)
        hold(lane, root);
    if (lost)
        lose(lane, root);
    for (long done = 0; done < records;) {
        if (deep) {
            done += recurse(lane, root, 1);
            continue;
        }
        uint64_t t0 = lane_now(&map);
        uint64_t outer = nest > 1 ? span_begin(lane, 2, root, t0) : root;
        for (long i = 1; i < nest || nest == 1; i++) {
            uint64_t t = lane_now(&map);
            uint64_t leaf = span_begin(lane, 1, outer, t);
            if (values && done % values == 0)
                put_input(lane, leaf, (uint64_t)done);
            put_record(lane, leaf, outer,
                       sites > 2 ? 1 + (uint32_t)(done % sites) : 1, t);
            span_end(lane);
            done++;
            if (nest == 1)
                break;
        }
        if (nest > 1) {
            put_record(lane, outer, root, 2, t0);
            span_end(lane);
            done++;
        }
        if (gap_us)
            nanosleep(&(struct timespec){.tv_nsec = gap_us * 1000}, NULL);
    }
    if (cut)
        (void)room(lane, 4096);
    if (cut == 2) {
        uint64_t t0 = lane_now(&map);
        put_record(lane, span_begin(lane, 1, root, t0), root, 1, t0);
        span_end(lane);
    }
    if (open_spans == 0 && !cut)
        lane_release(lane);
    return unused;
}

/* A child that writes nothing until it is told to: it is in no table. */
static void child(void)
{
    char line[16];
    if (fork() != 0)
        return;
    (void)!fgets(line, sizeof line, stdin);
    int64_t p = lane_table_take(&map, LANE_TABLE_PROCESSES,
                                &map.session->process_next, 1);
    if (p < 0)
        _exit(3);
    struct lane_process *process = &map.processes[p];
    *process = (struct lane_process){.pid = (uint32_t)getpid(),
                                     .start_time = start_time(),
                                     .parent = 1,
                                     .t0_ticks = lane_now(&map),
                                     .program = map.processes[0].program};
    __atomic_store_n(&process->state, LANE_PROCESS_RUNS, __ATOMIC_RELEASE);
    struct lane *lane =
        test_take(&map, (uint32_t)getpid(), (uint32_t)getpid(), (uint32_t)p);
    uint64_t t0 = lane_now(&map), root = LANE_REF(LANE_PROCESS_LANE, p + 1);
    put_record(lane, span_begin(lane, 1, root, t0), root, 1, t0);
    span_end(lane);
    lane_release(lane);
    process->t1_ticks = lane_now(&map);
    process->marker = LANE_MARKER_EXIT;
    __atomic_store_n(&process->state, LANE_PROCESS_ENDED, __ATOMIC_RELEASE);
    _exit(0);
}

static void finish(void)
{
    struct lane_process *p = &map.processes[0];
    if (strcmp(end, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(end, "none") == 0)
        _exit(0);
    p->t1_ticks = lane_now(&map);
    p->marker = LANE_MARKER_EXIT;
    p->code = strcmp(end, "code") == 0 ? 3 : 0;
    p->cpu_ns = 12345;
    p->peak_bytes = 1 << 20;
    __atomic_store_n(&p->state, LANE_PROCESS_ENDED, __ATOMIC_RELEASE);
    _exit(p->code);
}

static void options(int argc, char **argv, long *do_pause)
{
    const struct {
        const char *key;
        long *value;
    } numbers[] = {
        {"threads=", &threads}, {"records=", &records}, {"values=", &values},
        {"nest=", &nest},       {"units=", &units},     {"gap_us=", &gap_us},
        {"drop=", &drop},       {"open=", &open_spans}, {"pause=", do_pause},
        {"fork=", &do_fork},    {"deep=", &deep},       {"bytes=", &bytes},
        {"sites=", &sites},     {"cut=", &cut},         {"held=", &held},
        {"lost=", &lost},
    };
    for (int i = 2; i < argc; i++) {
        for (unsigned j = 0; j < sizeof numbers / sizeof *numbers; j++)
            if (strncmp(argv[i], numbers[j].key, strlen(numbers[j].key)) == 0)
                *numbers[j].value =
                    strtol(argv[i] + strlen(numbers[j].key), NULL, 10);
        if (strncmp(argv[i], "end=", 4) == 0)
            end = argv[i] + 4;
        if (strncmp(argv[i], "name=", 5) == 0)
            file = argv[i] + 5;
    }
}

int main(int argc, char **argv)
{
    char name[128];
    long do_pause = 0;
    if (argc < 2)
        return 2;
    options(argc, argv, &do_pause);
    snprintf(name, sizeof name, "session-%d-%llu-x", getpid(),
             (unsigned long long)start_time());
    if (file)
        snprintf(name, sizeof name, "%s", file);
    int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct lane_config config = {.clock = LANE_CLOCK_TSC,
                                 .unit_count = (uint32_t)units};
    if (lane_session_create(dir, name, &config, &map) != 0)
        return 3;
    close(dir);
    tables_put();
    printf("session %s\n", name);
    fflush(stdout);
    pthread_t thread[256];
    for (long i = 0; i < threads && i < 256; i++)
        if (pthread_create(&thread[i], NULL, run, NULL) != 0)
            return 3;
    for (long i = 0; i < threads && i < 256; i++)
        pthread_join(thread[i], NULL);
    printf("wrote %llu dropped %llu inputs %llu\n", (unsigned long long)written,
           (unsigned long long)dropped, (unsigned long long)inputs);
    fflush(stdout);
    if (do_fork)
        child();
    char line[16];
    if (do_pause)
        (void)!fgets(line, sizeof line, stdin);
    finish();
    return 0;
}
