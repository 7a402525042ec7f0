/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See harness.h. It does what start.c and the sidecar do, in one process.
 */
#define _GNU_SOURCE
#include "tests/core/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lane/writer/writer.h"
#include "lane/x86_64/machine.h"
#include "preload/call/record/span.h"
#include "tests/common/folder.h"
#include "tests/lane/lane_windows.h"

int harness_failures;
static bool is_zero, is_copy;
static const char *names[SHIM_SITE_MAX];
static uint64_t *cursor; /* per lane: position read so far; shared memory */
static char text[1 << 16];

static void die(const char *what)
{
    fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
    _exit(2);
}

static void *shared_page(size_t len, int flags)
{
    void *at =
        mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

void harness_start(const char *mode)
{
    char dir[TEST_FOLDER_MAX];
    struct lane_config config = {.clock = LANE_CLOCK_TSC, .mode = 0600};
    is_zero = mode[0] == 'Z';
    is_copy = mode[0] == 'C';
    if (getenv("HARNESS_MONOTONIC") != NULL)
        config.clock = LANE_CLOCK_MONOTONIC;
    if (test_folder_make(dir, "handspan-core") == NULL)
        die("mkdtemp");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = lane_session_create(fd, "session", &config, &runtime.map);
    if (rc != 0) {
        errno = -rc;
        die("lane_session_create");
    }
    unlinkat(fd, "session", 0);
    close(fd);
    rmdir(dir);
    struct lane_session *session = runtime.map.session;
    if (lane_table_take(&runtime.map, LANE_TABLE_CONTEXTS,
                        &session->context_next, 1) != 0)
        die("tables");
    runtime.map.contexts[0].state = 1;
    memset(runtime.map.contexts[0].trace_id, 0x5a, 16);
    session->gate = LANE_GATE_OPEN;
    runtime.alive = shared_page(4096, MAP_PRIVATE);
    madvise((void *)runtime.alive, 4096, MADV_WIPEONFORK);
    *runtime.alive = 1;
    cursor = shared_page(LANE_MAX * sizeof *cursor, MAP_SHARED);
    shim_start();
    if (shim_entries_reserve(1 << 18) != 0 ||
        process_register(0, (struct span_place){0, 0}) != 0)
        die("start");
    span_set_hooks();
}

bool harness_is_zero(void)
{
    return is_zero;
}

static void *make_stub(const char *name, void *function, uint32_t flags,
                       bool zero)
{
    int64_t index = lane_table_take(&runtime.map, LANE_TABLE_SITES,
                                    &runtime.map.session->site_next, 1);
    if (index < 0 || lane_counter_make(&runtime.map, (uint32_t)index) != 0)
        die("sites");
    struct site *site = &runtime.sites[index];
    site->target = (uint64_t)function;
    site->index = (uint32_t)index;
    site->flags = flags;
    names[index] = name;
    if (is_copy) /* whatever it has: the copy is of all that fits */
        return (void *)shim_stub_copy((uint32_t)index, SHIM_COPY_WORDS_MAX);
    return (void *)(zero ? shim_stub_zero_copy((uint32_t)index)
                         : shim_stub_frame((uint32_t)index));
}

void *harness_stub(const char *name, void *function)
{
    return make_stub(name, function, 0, is_zero);
}

void *harness_stub_stack(const char *name, void *function)
{
    return make_stub(name, function, 0, true);
}

void *harness_stub_flags(const char *name, void *function, uint32_t flags)
{
    return make_stub(name, function, flags, is_zero);
}

uint32_t harness_lane(void)
{
    return span_lane ? span_lane->index : UINT32_MAX;
}

uint32_t harness_lanes(void)
{
    return runtime.map.session->lane_next;
}

uint64_t harness_depth(void)
{
    return span_lane ? span_lane->depth : 0;
}

uint64_t harness_opened(uint32_t lane)
{
    return runtime.map.lanes[lane].counter;
}

uint64_t harness_counted(const char *name)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < runtime.map.session->site_next; i++)
        if (strcmp(names[i], name) == 0)
            sum += runtime.map.counters[i].calls;
    return sum;
}

uint64_t harness_kept(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < runtime.map.session->lane_next; i++)
        sum += runtime.map.lanes[i].kept_next;
    return sum;
}

uint64_t harness_lost(void)
{
    return runtime.map.session->lost_calls;
}

uint32_t harness_processes(void)
{
    return runtime.map.session->process_next;
}

uint64_t harness_process_ref(void)
{
    return LANE_REF(LANE_PROCESS_LANE, runtime.process + 1);
}

double harness_ns_per_tick(void)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t tick = lane_now(&runtime.map);
    double ns;
    do {
        clock_gettime(CLOCK_MONOTONIC, &b);
        ns = (double)(b.tv_sec - a.tv_sec) * 1e9 +
             (double)(b.tv_nsec - a.tv_nsec);
    } while (ns < 2e7);
    return ns / (double)(lane_now(&runtime.map) - tick);
}

/* ---- reading ----------------------------------------------------------- */

static void read_error(const struct lane_frame *frame, char *type, size_t max)
{
    const uint8_t *payload = frame->payload_bytes > 32
                                 ? (const uint8_t *)(frame + 1)
                                 : frame->inline_bytes;
    struct lane_frame_error error;
    memcpy(&error, payload, sizeof error);
    size_t len = error.type_bytes < max ? error.type_bytes : max - 1;
    memcpy(type, payload + sizeof error, len);
    type[len] = 0;
}

static void fill(struct harness_record *out, const struct lane_record *from)
{
    out->t0 = from->t0_ticks;
    out->t1 = from->t1_ticks;
    out->span = from->span;
    out->parent = from->parent;
    out->cpu_ns = from->cpu_ns;
    out->capture = from->capture;
    out->site = LANE_SITE_OF(from->site_status);
    out->name = out->site < SHIM_SITE_MAX ? names[out->site] : NULL;
    out->end = from->site_status >> 24 & 15;
    out->status = from->site_status >> 24 & 0xf0;
    out->context = from->context_depth & 0xffffff;
    out->depth = from->context_depth >> 24;
}

/* Units go back to the ready queue as the sidecar would do it: here simply by
 * reusing the slot. */
static void give_back(struct lane *lane, uint64_t position)
{
    uint64_t segment = position >> LANE_SEGMENT_SHIFT;
    while (lane->recycled < segment) {
        uint32_t *slot = &lane->unit[lane->recycled % LANE_UNIT_RING];
        struct lane_session *session = runtime.map.session;
        uint32_t tail = session->ready_tail;
        session->ready_unit[tail % LANE_READY_RING] = *slot;
        *slot = 0;
        __atomic_store_n(&session->ready_tail, tail + 1, __ATOMIC_RELEASE);
        __atomic_store_n(&lane->recycled, lane->recycled + 1, __ATOMIC_RELEASE);
    }
}

bool harness_next_of(uint32_t index, struct harness_record *out)
{
    struct lane *lane = &runtime.map.lanes[index];
    out->type[0] = 0;
    out->lane = index;
    if (cursor[index] == 0)
        cursor[index] = LANE_FIRST_POSITION;
    for (;;) {
        uint64_t at = cursor[index];
        give_back(lane, at);
        if (at >= lane->position)
            return false;
        const struct lane_record *line =
            (const void *)test_address(&runtime.map, lane, at);
        uint64_t commit = __atomic_load_n(&line->commit, __ATOMIC_ACQUIRE);
        uint64_t type = commit & (LANE_LINE - 1);
        if (commit != LANE_COMMIT(index, at, type))
            return false;
        if (type == LANE_ITEM_PAD) {
            cursor[index] = (at | (LANE_SEGMENT - 1)) + 1;
            continue;
        }
        if (type == LANE_ITEM_RECORD) {
            fill(out, line);
            cursor[index] += LANE_LINE;
            return true;
        }
        const struct lane_frame *frame = (const void *)line;
        if (frame->kind == LANE_FRAME_ERROR)
            read_error(frame, out->type, sizeof out->type);
        uint64_t len = frame->payload_bytes > 32 ? frame->payload_bytes : 0;
        cursor[index] += LANE_LINE + ((len + 63) & ~(uint64_t)63);
    }
}

bool harness_next(struct harness_record *out)
{
    return span_lane && harness_next_of(span_lane->index, out);
}

const char *harness_text(void)
{
    static const char *const ends[16] = {"", "!", "^", "~"};
    struct harness_record record;
    size_t len = 0;
    text[0] = 0;
    while (harness_next(&record)) {
        const char *end = ends[record.end] ? ends[record.end] : "?";
        int n = snprintf(text + len, sizeof text - len, "%s%s%u%s",
                         len ? " " : "", record.name, record.depth, end);
        if (n < 0 || (size_t)n >= sizeof text - len)
            break;
        len += (size_t)n;
    }
    return text;
}

void harness_expect(const char *step, const char *expected)
{
    const char *got = harness_text();
    if (strcmp(got, expected) == 0)
        return;
    harness_failures++;
    fprintf(stderr, "%s\n  expected: %s\n  got:      %s\n", step, expected,
            got);
}

void harness_complain(const char *file, int line, const char *what)
{
    harness_failures++;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
}

int harness_end(void)
{
    if (harness_failures == 0)
        puts("ok");
    else
        printf("%d failures\n", harness_failures);
    return harness_failures != 0;
}
