/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way of captures (capture_direct.c) at its limits: texts of every
 * length that end where their page does, what is not known to be there, the
 * end of a segment, a log without room. What it writes is taken apart here as
 * docs/lane.md has it; what it leaves to the other way must leave no trace.
 */
#define _GNU_SOURCE
#include "preload/call/capture/capture_write.h"
#include "preload/call/record/span_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct runtime runtime; /* as runtime.c has them */
__thread struct span_thread span_thread;

bool span_make_room(struct lane *lane)
{
    return lane_grow(&runtime.map, lane, &span_thread.window) == 0;
}

static int failures;
#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);         \
            failures++;                                                        \
        }                                                                      \
    } while (0)

enum {
    PAGE = 4096,
    SPAN = 77,
    SITE = 5,
    TEXT_MOST = CAPTURE_SHORT_BYTES - 9, /* of a text alone */
};
static struct lane *lane;
static struct shim_call call = {.site = SITE};

static struct capture_value value_of(uint8_t type, uint8_t source,
                                     uint8_t size_bytes, uint16_t item)
{
    return (struct capture_value){.head = item | (uint64_t)type << 24,
                                  .item = item,
                                  .type = type,
                                  .source = source,
                                  .unused_bits = (uint8_t)(64 - 8 * size_bytes),
                                  .is_signed = type == LANE_VALUE_SIGNED};
}

static struct capture_list list_of(const struct capture_value *values,
                                   uint32_t count)
{
    return (struct capture_list){.values = values,
                                 .count = count,
                                 .cap_bytes = LANE_CAPTURE_MAX,
                                 .is_direct = true};
}

static uint64_t put(const struct capture_list *list, uint64_t rax)
{
    return capture_write_direct(list, &call, rax, lane, LANE_FRAME_INPUT, SPAN);
}

/* The frame at `position`: its payload, which is `want`, and nothing behind. */
static void check_frame(uint64_t position, const void *want, uint32_t bytes,
                        uint32_t count)
{
    const uint8_t *line =
        lane_at(&runtime.map, lane, &span_thread.window, position);
    const struct lane_frame *f = (const void *)line;
    bool is_inline = bytes <= sizeof f->inline_bytes;
    const uint8_t *at = is_inline ? f->inline_bytes : line + LANE_LINE;
    const uint8_t *end = is_inline ? line + 56 : at + (bytes + 63u) / 64 * 64;
    CHECK(f->commit ==
          LANE_COMMIT(span_thread.window.index, position, LANE_ITEM_FRAME));
    CHECK(f->payload_bytes == bytes && f->kind == LANE_FRAME_INPUT);
    CHECK(f->count == count && f->flags == 0 && f->span == SPAN);
    CHECK(f->site == SITE && f->pad0 == 0);
    CHECK(memcmp(at, want, bytes) == 0);
    for (at += bytes; at < end; at++)
        CHECK(*at == 0);
    for (at = f->inline_bytes; !is_inline && at < line + 56; at++)
        CHECK(*at == 0);
}

static uint32_t put_wanted(uint8_t *to, uint32_t item, uint8_t type,
                           const void *bytes, uint32_t len)
{
    struct lane_value head = {(uint16_t)item, 0, type, len};
    memcpy(to, &head, sizeof head);
    memset(to + 8, 0, (len + 7) & ~7u);
    memcpy(to + 8, bytes, len);
    return 8 + ((len + 7) & ~7u);
}

/* A page that ends in `text`, none behind it. */
static char *page;
static char *put_at_end(const char *text)
{
    size_t len = strlen(text) + 1;
    memset(page, 0xee, PAGE);
    return memcpy(page + PAGE - len, text, len);
}

static void test_lengths(void)
{
    const struct capture_value values[] = {
        value_of(LANE_VALUE_TEXT, 0, 8, 0),
        value_of(LANE_VALUE_SIGNED, 1, 4, 3),
        value_of(LANE_VALUE_UNSIGNED, CAPTURE_RAX, 1, 9)};
    struct capture_list one = list_of(values, 1), all = list_of(values, 3);
    char text[CAPTURE_SHORT_BYTES + 64] = "";
    uint8_t want[2 * CAPTURE_SHORT_BYTES];
    int64_t minus = -10;
    uint64_t low = 0xab;
    call.args.rsi = 0xdead0000fffffff6;
    for (uint32_t len = 0; len < sizeof text - 1; len++) {
        memset(text, 'a' + (int)len % 26, len);
        text[len] = 0;
        call.args.rdi = (uint64_t)(uintptr_t)put_at_end(text);
        uint32_t bytes = put_wanted(want, 0, LANE_VALUE_TEXT, text, len);
        uint64_t before = lane->position, at = put(&one, 0);
        if (len > TEXT_MOST) {
            CHECK(at == 0 && lane->position == before);
            continue;
        }
        check_frame(at, want, bytes, 1);
        at = put(&all, 0xffab);
        bytes += put_wanted(want + bytes, 3, LANE_VALUE_SIGNED, &minus, 8);
        bytes += put_wanted(want + bytes, 9, LANE_VALUE_UNSIGNED, &low, 8);
        if (bytes <= CAPTURE_SHORT_BYTES)
            check_frame(at, want, bytes, 3);
        else
            CHECK(at == 0);
    }
}

static void test_unknown(void)
{
    const struct capture_value text = value_of(LANE_VALUE_TEXT, 0, 8, 2);
    struct capture_list list = list_of(&text, 1);
    char *heap = strdup("nobody knows this page");
    uint64_t before = lane->position;
    call.args.rdi = (uint64_t)(uintptr_t)heap;
    CHECK(put(&list, 0) == 0);
    call.args.rdi = 0x10;
    CHECK(put(&list, 0) == 0);
    call.args.rdi = UINT64_MAX - 3;
    CHECK(put(&list, 0) == 0);
    memset(page, 'x', PAGE); /* no NUL before the page ends */
    call.args.rdi = (uint64_t)(uintptr_t)(page + PAGE - 20);
    CHECK(put(&list, 0) == 0);
    CHECK(lane->position == before);
    struct lane_value null = {2, LANE_VALUE_NULL, LANE_VALUE_TEXT, 0};
    call.args.rdi = 0;
    check_frame(put(&list, 0), &null, sizeof null, 1);
    free(heap);
}

/* From one segment to the next, to the end of all: each frame is whole, none
 * crosses a segment's end, and a full log takes nothing. */
static void test_segments(void)
{
    const struct capture_value text = value_of(LANE_VALUE_TEXT, 0, 8, 0);
    struct capture_list list = list_of(&text, 1);
    char words[] = "a text of some more bytes than two lines of a frame have "
                   "room for, so that it takes four";
    uint8_t want[sizeof words + 16];
    uint32_t bytes =
        put_wanted(want, 0, LANE_VALUE_TEXT, words, sizeof words - 1);
    call.args.rdi = (uint64_t)(uintptr_t)put_at_end(words);
    uint64_t last = 0, at, crossed = 0;
    /* what may be reserved ends behind the next segments, not with this one */
    CHECK(lane_grow(&runtime.map, lane, &span_thread.window) == 0);
    CHECK(lane_grow(&runtime.map, lane, &span_thread.window) == 0);
    while ((at = put(&list, 0)) != UINT64_MAX) {
        check_frame(at, want, bytes, 1);
        CHECK(at >> LANE_SEGMENT_SHIFT ==
              (at + LANE_LINE + bytes) >> LANE_SEGMENT_SHIFT);
        crossed += at >> LANE_SEGMENT_SHIFT != last >> LANE_SEGMENT_SHIFT;
        last = at;
    }
    CHECK(crossed >= 4);
    call.args.rdi = 0; /* a line may be left, or not */
    at = put(&list, 0);
    CHECK(at != 0);
}

int main(int argc, char **argv)
{
    struct lane_config config = {.lane_count = 4,
                                 .unit_count = 4,
                                 .clock = LANE_CLOCK_TSC,
                                 .mode = 0600};
    int dir = open(argc > 1 ? argv[1] : ".", O_DIRECTORY | O_RDONLY);
    unlinkat(dir, "direct-test", 0);
    int err = lane_session_create(dir, "direct-test", &config, &runtime.map);
    unlinkat(dir, "direct-test", 0);
    page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (err || page == MAP_FAILED || mprotect(page + PAGE, PAGE, PROT_NONE) ||
        read_add_range((uint64_t)page, (uint64_t)page + PAGE))
        return 1;
    runtime.pid = (uint32_t)getpid();
    lane = lane_take(&runtime.map, &span_thread.window, (uint32_t)getpid(),
                     (uint32_t)getpid(), 0);
    if (!lane)
        return 1;
    /* what was there before must not shine through */
    uint64_t used = lane->position - LANE_FIRST_POSITION;
    memset(lane->home + used, 0xee, LANE_HOME - used);
    test_lengths();
    test_unknown();
    test_segments();
    close(dir);
    return failures != 0;
}
