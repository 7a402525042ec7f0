/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures into a real lane of a real session file: a manifest is parsed, a
 * plan built, registers given, and the frame that stands in the log is taken
 * apart again. Memory is real too: pages that are not there, pages that end a
 * text, texts around every limit.
 */
#include "preload/call/capture/capture_plan.h"
#include "preload/call/memory/read.h"
#include "preload/call/memory/read_pages.h"
#include "preload/call/record/span_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct runtime runtime; /* the one instance, as runtime.c has it */
__thread struct span_thread span_thread; /* as span.c has it */

/* as span_record.c has it where nobody waits */
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

static struct lane *lane;
static struct lane_site lane_site;
static struct site site;
static struct shim_call call;
static struct shim_regs regs;

/* ---- a frame taken apart ---------------------------------------------- */

struct value {
    const char *key;
    uint32_t flags, type, len;
    uint64_t true_len, bits;
    const uint8_t *bytes;
};
struct frame {
    const struct lane_frame *line;
    struct value values[260];
    uint32_t count;
};

static const char *key_of(uint32_t item)
{
    static char keys[8][128];
    static uint32_t next;
    char *key = keys[next++ % 8];
    const struct lane_item *i = &runtime.map.items[lane_site.item_first + item];
    snprintf(key, 128, "%.*s", (int)i->key.len_bytes,
             runtime.map.strings + i->key.offset);
    return key;
}

static struct frame frame;

static void take_apart(uint64_t position, enum lane_frame_kind kind)
{
    const uint8_t *line =
        lane_at(&runtime.map, lane, &span_thread.window, position);
    const struct lane_frame *f = (const void *)line;
    frame = (struct frame){.line = f};
    CHECK(f->commit == LANE_COMMIT(lane->index, position, LANE_ITEM_FRAME));
    CHECK(f->kind == kind && f->span == 77 && f->site == 5);
    const uint8_t *at =
        f->payload_bytes <= 32 ? f->inline_bytes : line + LANE_LINE;
    const uint8_t *end = at + f->payload_bytes;
    for (; frame.count < f->count && kind != LANE_FRAME_ERROR; frame.count++) {
        struct value *v = &frame.values[frame.count];
        const struct lane_value *head = (const void *)at;
        CHECK(at + 8 <= end);
        *v = (struct value){.key = NULL,
                            .flags = head->flags,
                            .type = head->type,
                            .len = head->len_bytes};
        v->true_len = v->len;
        v->key = strdup(key_of(head->item));
        at += 8;
        if (v->flags & LANE_VALUE_TRUNCATED) {
            memcpy(&v->true_len, at, 8);
            at += 8;
        }
        v->bytes = at;
        memcpy(&v->bits, at, v->len < 8 ? v->len : 8);
        for (at += v->len; (uintptr_t)at & 7; at++)
            CHECK(*at == 0);
        CHECK(at <= end);
    }
    for (; at < end && kind != LANE_FRAME_ERROR; at++)
        CHECK(*at == 0);
}

static const struct value *get(const char *key)
{
    static const struct value none = {.flags = 0xff};
    for (uint32_t i = 0; i < frame.count; i++)
        if (strcmp(frame.values[i].key, key) == 0)
            return &frame.values[i];
    fprintf(stderr, "no value %s\n", key);
    failures++;
    return &none;
}

static bool has(const char *key)
{
    for (uint32_t i = 0; i < frame.count; i++)
        if (strcmp(frame.values[i].key, key) == 0)
            return true;
    return false;
}

static bool text_is(const char *key, const char *text)
{
    const struct value *v = get(key);
    return v->flags == 0 && v->len == strlen(text) &&
           memcmp(v->bytes, text, v->len) == 0;
}

/* ---- binding ----------------------------------------------------------- */

static void show(void *context, const struct manifest_diagnostic *d)
{
    char buf[1024];
    (void)context;
    manifest_format_diagnostic(d, buf, sizeof(buf));
    fprintf(stderr, "%s", buf);
}

static void bind(const char *text)
{
    static char space[1 << 18];
    static char memory[1 << 16];
    struct manifest_arena arena = {.base = space, .cap_bytes = sizeof(space)};
    struct manifest_arena plans = {.base = memory};
    struct manifest_host host = {.report = show};
    const struct manifest *m;
    memset(memory, 0xee, sizeof(memory));
    if (manifest_parse("capture", text, strlen(text), &host, &arena, &m) ||
        m->error_count || m->decl_count != 1) {
        fprintf(stderr, "cannot parse %s\n", text);
        exit(1);
    }
    site = (struct site){.index = 5, .decl = &m->decls[0]};
    lane_site = (struct lane_site){.state = 0};
    memset(&call, 0, sizeof(call));
    call.site = site.index;
    memset(&regs, 0, sizeof(regs));
    /* Every size of memory: too little is said and leaves no trace. */
    uint32_t items = runtime.map.session->item_next;
    int err = -ENOMEM;
    while (err == -ENOMEM && plans.cap_bytes < sizeof(memory)) {
        err = capture_bind(&runtime.map, site.decl, &plans, &lane_site,
                           &site.flags, &site.capture);
        if (err == -ENOMEM) {
            CHECK(runtime.map.session->item_next == items);
            CHECK(plans.used_bytes == 0 && site.capture == NULL);
            plans.cap_bytes += 16;
        }
    }
    CHECK(err == 0);
}

static void enter(void)
{
    errno = 4711;
    uint64_t at = capture_enter(&site, lane, 77, &call);
    CHECK(errno == 4711);
    CHECK(at != 0 && at != UINT64_MAX);
    if (at != 0 && at != UINT64_MAX)
        take_apart(at, LANE_FRAME_INPUT);
}

/* The frame that begins at `from`: output frames stand where the log was. */
static struct capture_verdict leave(int saved_errno)
{
    uint64_t before = lane->position;
    struct capture_verdict v =
        capture_leave(&site, lane, 77, &call, &regs, saved_errno, 1, false);
    if (v.has_output)
        take_apart(before, LANE_FRAME_OUTPUT);
    return v;
}

/* ---- the tests --------------------------------------------------------- */

static void test_scalars(void)
{
    bind("enum color { RED, GREEN = 7 }; "
         "[[span]] int f(int a, unsigned char b, long c, void *d, _Bool e,"
         " enum color g);");
    call.args.rdi = 0xdead0000fffffff6; /* -10 under noise */
    call.args.rsi = 0x1234ff;
    call.args.rdx = (uint64_t)-1;
    call.args.rcx = 0x7fff0000;
    call.args.r8 = 0xff01;
    call.args.r9 = 7;
    CHECK((site.flags & SITE_CAPTURE_IN) && (site.flags & SITE_CAPTURE_OUT));
    CHECK(!(site.flags & SITE_FREG));
    enter();
    CHECK(frame.count == 6);
    CHECK((int64_t)get("a")->bits == -10 &&
          get("a")->type == LANE_VALUE_SIGNED);
    CHECK(get("b")->bits == 0xff && get("b")->type == LANE_VALUE_UNSIGNED);
    CHECK((int64_t)get("c")->bits == -1);
    CHECK(get("d")->bits == 0x7fff0000 && get("d")->type == LANE_VALUE_POINTER);
    CHECK(get("e")->bits == 1 && get("e")->type == LANE_VALUE_BOOL);
    CHECK(get("g")->bits == 7 && get("g")->type == LANE_VALUE_ENUM);
    /* the enum's names follow their item */
    const struct lane_item *items = &runtime.map.items[lane_site.item_first];
    CHECK(lane_site.item_count == 9);
    CHECK(items[6].direction == LANE_ENUM && items[6].value == 0);
    CHECK(items[7].direction == LANE_ENUM && items[7].value == 7);
    regs.rax = (uint32_t)-3;
    struct capture_verdict v = leave(1);
    CHECK(v.has_output && !v.is_error && (int64_t)get("return")->bits == -3);
    uint64_t before = lane->position;
    v = capture_leave(&site, lane, 77, &call, &regs, 0, 0, true);
    CHECK(site.flags & SITE_VALUE);
    CHECK(v.has_value && !v.has_output && (int64_t)v.value == -3);
    CHECK(lane->position == before);
}

/* Only what no rule speaks of stands in the record. */
static void test_value_and_rule(void)
{
    bind("[[span, fails(return < 0)]] int f(int a);");
    CHECK((site.flags & SITE_CAPTURE_OUT) && !(site.flags & SITE_VALUE));
    regs.rax = (uint32_t)-3;
    struct capture_verdict v =
        capture_leave(&site, lane, 77, &call, &regs, 1, 1, true);
    CHECK(v.is_error && v.has_error && v.has_output && !v.has_value);
    regs.rax = 8;
    v = capture_leave(&site, lane, 77, &call, &regs, 1, 1, true);
    CHECK(!v.is_error && !v.has_output && v.has_value && v.value == 8);
    bind("[[span, output(return)]] const char *f(int a);");
    CHECK(!(site.flags & SITE_VALUE)); /* a text */
    bind("[[span, output(return, a)]] int f(int a);");
    CHECK(!(site.flags & SITE_VALUE)); /* two */
}

static void test_plain(void)
{
    bind("[[span]] void f(int a, short b);");
    CHECK(site.capture->in.is_direct && !site.capture->in.is_value);
    CHECK(!(site.flags & SITE_CAPTURE_OUT));
    call.args.rdi = 5;
    call.args.rsi = 0xffff8000;
    enter();
    CHECK(frame.line->payload_bytes == 32); /* inline */
    CHECK(get("a")->bits == 5 && (int64_t)get("b")->bits == -32768);
}

static double take_double(const char *key)
{
    double d;
    memcpy(&d, &get(key)->bits, 8);
    return d;
}

static void test_floats(void)
{
    float f;
    bind("[[span]] double f(double a, float b, int c);");
    CHECK(site.flags & SITE_FREG);
    call.args.rdi = 9;
    register double x0 __asm__("xmm0") = 2.5;
    register float x1 __asm__("xmm1") = -0.25f;
    __asm__ volatile("" : "+x"(x0), "+x"(x1));
    uint64_t at = capture_enter(&site, lane, 77, &call);
    take_apart(at, LANE_FRAME_INPUT);
    memcpy(&f, &get("b")->bits, 4);
    CHECK(take_double("a") == 2.5 && f == -0.25f && get("c")->bits == 9);
    CHECK(get("b")->len == 4);
    uint64_t before = lane->position;
    register double r0 __asm__("xmm0") = 1e300;
    __asm__ volatile("" : "+x"(r0));
    capture_leave(&site, lane, 77, &call, &regs, 0, 0, false);
    take_apart(before, LANE_FRAME_OUTPUT);
    CHECK(take_double("return") == 1e300);
}

static void test_texts(void)
{
    struct job {
        long id;
        char tenant[8];
        int nums[3];
    } job = {42, "acmecorp", {1, 2, 3}};
    bind("struct job { long id; char tenant[8]; int nums[3]; };"
         "[[span, input(path, job->id, job->tenant, job->nums, null, empty,"
         " head = path[1:4], bad, worse = bad[0:9], at = *argv)]]"
         " int f(const char *path, struct job *job, char *null,"
         " char *empty, char *bad, char **argv);");
    char *argv[] = {(char *)"first", NULL};
    call.args.rdi = (uint64_t)(uintptr_t) "/data/x.csv";
    call.args.rsi = (uint64_t)(uintptr_t)&job;
    call.args.rcx = (uint64_t)(uintptr_t) "";
    call.args.r8 = 0x10;
    call.args.r9 = (uint64_t)(uintptr_t)argv;
    enter();
    CHECK(text_is("path", "/data/x.csv"));
    CHECK(get("job_id")->bits == 42);
    CHECK(text_is("job_tenant", "acmecorp")); /* no NUL in the array */
    CHECK(get("job_nums")->len == 12 &&
          memcmp(get("job_nums")->bytes, job.nums, 12) == 0);
    CHECK(get("null")->flags == LANE_VALUE_NULL && get("null")->len == 0);
    CHECK(text_is("empty", ""));
    CHECK(text_is("head", "dat"));
    CHECK(get("bad")->flags == LANE_VALUE_UNREADABLE && !get("bad")->len);
    CHECK(get("worse")->flags == LANE_VALUE_UNREADABLE);
    CHECK(text_is("at", "first"));
    CHECK(get("job")->bits == (uint64_t)(uintptr_t)&job);
}

/* Texts and bytes of every awkward length, at the end of a page. */
static void test_lengths(void)
{
    static const uint32_t lengths[] = {0,    1,     7,     8,     159,  160,
                                       161,  255,   256,   257,   4095, 4096,
                                       4097, 49999, 50000, 50001, 60000};
    size_t size = 20 * 4096;
    char *map = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED && munmap(map + size, 4096) == 0);
    bind("[[span, input(t, b = t[0:n])]] int f(const char *t, size_t n);");
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint32_t len = lengths[i];
        char *t = map + size - len - 1;
        for (uint32_t j = 0; j < len; j++)
            t[j] = (char)('a' + j % 26);
        t[len] = '\0';
        call.args.rdi = (uint64_t)(uintptr_t)t;
        call.args.rsi = len;
        enter();
        uint64_t stored = (uint64_t)get("t")->len + get("b")->len;
        CHECK(stored <= 50000 && stored >= (len > 25000 ? 49990 : 2 * len));
        for (int k = 0; k < 2; k++) {
            const struct value *v = get(k ? "b" : "t");
            bool cut = len > 25000;
            uint32_t head = cut ? (uint32_t)((uint64_t)v->len * 3 / 4) : len;
            CHECK(v->true_len == len);
            CHECK(v->flags == (cut ? LANE_VALUE_TRUNCATED : 0));
            CHECK(memcmp(v->bytes, t, head) == 0);
            CHECK(memcmp(v->bytes + head, t + len - (v->len - head),
                         v->len - head) == 0);
        }
    }
    /* No NUL before the pages end. */
    memset(map, 'z', size);
    call.args.rdi = (uint64_t)(uintptr_t)(map + size - 1000);
    call.args.rsi = 2000;
    enter();
    CHECK(get("t")->flags == LANE_VALUE_UNREADABLE && get("t")->len == 1000);
    CHECK(get("b")->flags == LANE_VALUE_UNREADABLE && get("b")->len == 1000);
    /* The tail of a cut range is not there: a beginning remains. */
    call.args.rdi = (uint64_t)(uintptr_t)(map + size - 45000);
    call.args.rsi = 53000;
    enter();
    CHECK(get("t")->flags ==
          (LANE_VALUE_TRUNCATED | LANE_VALUE_UNREADABLE | LANE_VALUE_AT_LEAST));
    CHECK(get("t")->true_len == 45000 && get("t")->len == 25000);
    CHECK(get("b")->flags == LANE_VALUE_UNREADABLE && get("b")->len > 10000 &&
          memcmp(get("b")->bytes, map + size - 45000, get("b")->len) == 0);
    munmap(map, size);
}

static void test_endless(void)
{
    size_t size = 3 << 20;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(map, 'x', size);
    bind("[[span, cap(100), input(t)]] void f(const char *t);");
    call.args.rdi = (uint64_t)(uintptr_t)map;
    enter();
    CHECK(get("t")->flags == (LANE_VALUE_TRUNCATED | LANE_VALUE_AT_LEAST));
    CHECK(get("t")->true_len == CAPTURE_SCAN_MAX && get("t")->len == 100);
    munmap(map, size);
}

/* A short text leaves its share to the long one; many of them share. */
static void test_sharing(void)
{
    static char big[70000];
    memset(big, 'y', sizeof(big) - 1);
    bind("[[span, input(a, b, c)]] void f(char *a, char *b, char *c);");
    call.args.rdi = (uint64_t)(uintptr_t) "short";
    call.args.rsi = call.args.rdx = (uint64_t)(uintptr_t)big;
    enter();
    CHECK(text_is("a", "short"));
    CHECK(get("b")->len == (50000 - 5) / 2 && get("c")->len == get("b")->len);
    CHECK(get("b")->true_len == sizeof(big) - 1);
}

static void test_many(void)
{
    char text[4096] = "[[span, input(";
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%st%d = s",
                 i ? ", " : "", i);
    strcat(text, ")]] void f(char *s, int n);");
    bind(text);
    call.args.rdi = (uint64_t)(uintptr_t) "many";
    enter();
    CHECK(frame.count == 42 && text_is("t0", "many") && text_is("t15", "many"));
    CHECK(get("t16")->flags == (LANE_VALUE_TRUNCATED | LANE_VALUE_AT_LEAST));
    CHECK(get("t39")->len == 0 && get("n")->len == 8);
}

static const struct lane_frame_error *error_frame(void)
{
    uint64_t at = lane->position - LANE_LINE;
    take_apart(at, LANE_FRAME_ERROR);
    return (const void *)frame.line->inline_bytes;
}

static void test_rules(void)
{
    char *out = (char *)"written";
    bind("enum { AGAIN = -11 };"
         "[[span, output(text = *out), fails(return < 0, -return),"
         " fails(n == 99), benign(return == AGAIN)]]"
         " int f(int n, char **out);");
    call.args.rsi = (uint64_t)(uintptr_t)&out;
    struct capture_verdict v = leave(1);
    CHECK(!v.is_error && !v.has_error && v.has_output);
    CHECK(text_is("text", "written") && has("return"));
    regs.rax = (uint32_t)-2;
    v = leave(ENOENT);
    CHECK(v.is_error && v.has_error && v.has_output);
    CHECK(!has("text") && has("return")); /* *out of a failed call */
    const struct lane_frame_error *e = error_frame();
    CHECK(e->kind == LANE_ERROR_RULE && e->has_code && e->code == 2);
    CHECK(e->saved_errno == ENOENT && (int64_t)e->return_value == -2);
    CHECK(strcmp(key_of(e->rule), "return < 0") == 0);
    regs.rax = (uint32_t)-11;
    v = leave(1);
    CHECK(!v.is_error && !v.has_error && has("text"));
    regs.rax = 0;
    call.args.rdi = 99;
    v = leave(1); /* errno as before the call: not shown */
    e = error_frame();
    CHECK(v.is_error && !e->has_code && e->saved_errno == 0);
    CHECK(strcmp(key_of(e->rule), "n == 99") == 0);
}

/* What a failed handler returns is shown, and bytes of a length that was said;
 * a text that it was to fill is not. */
static void test_returned_text(void)
{
    char buf[] = "half-written";
    bind("[[span, output(return, buf, part = buf[0:4]), fails(errno == 5)]]"
         " const char *f(char *buf);");
    call.args.rdi = (uint64_t)(uintptr_t)buf;
    regs.rax = (uint64_t)(uintptr_t) "because";
    struct capture_verdict v = leave(5);
    CHECK(v.is_error && v.has_output && text_is("return", "because"));
    CHECK(!has("buf") && has("part"));
    v = leave(0);
    CHECK(!v.is_error && text_is("buf", "half-written"));
    CHECK(text_is("part", "half"));
}

static void test_secrets(void)
{
    bind("[[span, secret(token, return), fails(return < 0, return)]]"
         " int f(char *token, int n);");
    call.args.rdi = 0x5ec2e7;
    enter();
    CHECK(frame.count == 1 && has("n"));
    regs.rax = (uint32_t)-5;
    struct capture_verdict v = leave(1);
    CHECK(v.is_error && !v.has_output);
    const struct lane_frame_error *e = error_frame();
    CHECK(!e->has_code && e->code == 0 && e->return_value == 0);
}

/* Arguments behind the return address; a value on our own stack. */
static void test_stack(void)
{
    char local[] = "on the stack";
    struct {
        uint64_t ret;
        int64_t seven;
        char *eight;
    } slots = {0, -7, local};
    bind("[[span, input(h)]] void f(int a, int b, int c, int d, int e, int g,"
         " long s, char *h);");
    call.sp = (uint64_t)(uintptr_t)&slots;
    enter();
    CHECK((int64_t)get("s")->bits == -7 && text_is("h", local));
}

/* No room: said, nothing half-written, and the log goes on. */
static void test_full(void)
{
    static char big[60000];
    memset(big, 'q', sizeof(big) - 1);
    bind("[[span, input(t)]] void f(char *t);");
    call.args.rdi = (uint64_t)(uintptr_t)big;
    uint64_t at = 0;
    for (int i = 0; i < 200 && at != UINT64_MAX; i++)
        at = capture_enter(&site, lane, 77, &call);
    CHECK(at == UINT64_MAX);
    uint64_t before = lane->position;
    CHECK(capture_enter(&site, lane, 77, &call) == UINT64_MAX);
    CHECK(lane->position == before || lane->position > before);
    bind("[[span, input(t)]] int f(char *t);");
    regs.rax = 1;
    call.args.rdi = (uint64_t)(uintptr_t) "small";
    enter(); /* what is left of the last segment still takes a small frame */
    CHECK(text_is("t", "small"));
}

static void start(const char *folder)
{
    struct lane_config config = {.lane_count = 4,
                                 .unit_count = 4,
                                 .clock = LANE_CLOCK_TSC,
                                 .mode = 0600};
    int dir = open(folder, O_DIRECTORY | O_RDONLY);
    unlinkat(dir, "capture-test", 0);
    int err = lane_session_create(dir, "capture-test", &config, &runtime.map);
    if (err) {
        fprintf(stderr, "no session: %s\n", strerror(-err));
        exit(1);
    }
    unlinkat(dir, "capture-test", 0);
    runtime.pid = (uint32_t)getpid();
    lane = lane_take(&runtime.map, &span_thread.window, (uint32_t)getpid(),
                     (uint32_t)getpid(), 0);
    if (!lane)
        exit(1);
    /* What was there before must not shine through. */
    uint64_t used = lane->position - LANE_FIRST_POSITION;
    memset(lane->home + used, 0xee, LANE_HOME - used);
}

/* What an input frame costs: the log goes back each time. */
static void measure(const char *what)
{
    enum {
        ROUNDS = 200000
    };
    struct timespec a, b;
    uint64_t from = lane->position;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < ROUNDS; i++) {
        lane->position = from;
        capture_enter(&site, lane, 77, &call);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    lane->position = from;
    printf("%-40s %8.1f ns\n", what,
           ((double)(b.tv_sec - a.tv_sec) * 1e9 +
            (double)(b.tv_nsec - a.tv_nsec)) /
               ROUNDS);
}

static bool any_repairs(uint64_t handler, uint64_t flags)
{
    return (handler | flags) != 1;
}

static void measure_all(void)
{
    static char text[48] = "/data/2026-03-03/some/input/file-number-12.csv";
    char local[48];
    memcpy(local, text, sizeof(text));
    bind("[[span]] void f(int a, long b);");
    measure("two integers");
    bind("[[span]] void f(int a, long b, void *c, int d, int e, int g);");
    measure("six integers");
    bind("[[span, input(t)]] void f(const char *t, int n);");
    call.args.rdi = (uint64_t)(uintptr_t)text;
    measure("46-byte text and integer, by the kernel");
    read_pages_enable(any_repairs);
    measure("the same, page seen before");
    call.args.rdi = (uint64_t)(uintptr_t)local;
    span_thread.stack_low = call.args.rdi - 65536;
    span_thread.stack_high = call.args.rdi + sizeof(local);
    measure("the same, own stack");
}

int main(int argc, char **argv)
{
    start(argc > 1 ? argv[1] : ".");
    if (argc > 2) {
        measure_all();
        return 0;
    }
    test_scalars();
    test_value_and_rule();
    test_plain();
    test_floats();
    test_texts();
    test_lengths();
    test_endless();
    test_sharing();
    test_many();
    test_rules();
    test_returned_text();
    test_secrets();
    test_stack();
    test_full();
    return failures != 0;
}
