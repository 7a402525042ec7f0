/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured bytes to JSON, and ticks to time, under ASan and UBSan.
 *
 * usage: sidecar_decode values|cap|errors|fuzz|clock
 */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lane/format/error_frames.h"
#include "lane/format/ids.h"
#include "lane/writer/session.h"
#include "tests/common/folder.h"
#include "tools/sidecar/store/clock.h"
#include "tools/sidecar/decode/decode_internal.h"

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);            \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static struct decode_item items[] = {
    {(char *)"i", LANE_INPUT, LANE_VALUE_SIGNED, 4, false, 0},
    {(char *)"u", LANE_INPUT, LANE_VALUE_UNSIGNED, 8, false, 0},
    {(char *)"b", LANE_INPUT, LANE_VALUE_BOOL, 1, false, 0},
    {(char *)"p", LANE_INPUT, LANE_VALUE_POINTER, 8, false, 0},
    {(char *)"d", LANE_INPUT, LANE_VALUE_F64, 8, false, 0},
    {(char *)"t", LANE_INPUT, LANE_VALUE_TEXT, 0, false, 0},
    {(char *)"y", LANE_INPUT, LANE_VALUE_BYTES, 0, false, 0},
    {(char *)"e", LANE_INPUT, LANE_VALUE_ENUM, 4, false, 0},
    {(char *)"RED", LANE_ENUM, 0, 0, false, 1},
    {(char *)"BLUE", LANE_ENUM, 0, 0, false, -2},
    {(char *)"f", LANE_INPUT, LANE_VALUE_F32, 4, false, 0},
    {(char *)"a", LANE_ATTRIBUTE, LANE_VALUE_SIGNED, 8, false, 0},
    {(char *)"return", LANE_OUTPUT, LANE_VALUE_SIGNED, 4, false, 0},
    {(char *)"return < 0", LANE_RULE, 0, 0, false, 0},
};
static const struct decode_site site = {items, sizeof items / sizeof *items, 0,
                                        "work"};

static uint8_t payload[200000];
static struct decode_frame frame;

static void begin(void)
{
    frame = (struct decode_frame){payload, 0, 0, NULL};
}

static void add(int item, int flags, const void *bytes, uint32_t len,
                uint64_t true_len)
{
    struct lane_value v = {(uint16_t)item, (uint8_t)flags, items[item].type,
                           len};
    memcpy(payload + frame.len_bytes, &v, sizeof v);
    frame.len_bytes += 8;
    if (flags & LANE_VALUE_TRUNCATED) {
        memcpy(payload + frame.len_bytes, &true_len, 8);
        frame.len_bytes += 8;
    }
    memcpy(payload + frame.len_bytes, bytes, len);
    frame.len_bytes += (len + 7) & ~7u;
    frame.count++;
}

static struct decode_result decoded(int want)
{
    struct decode_result r = {0};
    struct decode_frame none = {0};
    CHECK(decode_span(&site, &frame, &none, &none, &none, NULL, 0, &r) == want);
    return r;
}

static void check_one(int item, int flags, const void *bytes, uint32_t len,
                      const char *want)
{
    begin();
    add(item, flags, bytes, len, 0);
    struct decode_result r = decoded(0);
    if (!r.input || strcmp(r.input, want) != 0) {
        fprintf(stderr, "got %s, want %s\n", r.input, want);
        exit(1);
    }
    decode_free(&r);
}

static void case_values(void)
{
    int32_t i = -2;
    check_one(0, 0, &i, 4, "{\"i\":-2}");
    uint64_t u = UINT64_MAX;
    check_one(1, 0, &u, 8, "{\"u\":18446744073709551615}");
    u = 9007199254740993ULL;
    check_one(1, 0, &u, 8, "{\"u\":9007199254740993}");
    check_one(2, 0, "\1", 1, "{\"b\":true}");
    u = 0x55d0c8a012a0;
    check_one(3, 0, &u, 8, "{\"p\":\"0x55d0c8a012a0\"}");
    u = 0;
    check_one(3, 0, &u, 8, "{\"p\":null}");
    double d = 0.1;
    check_one(4, 0, &d, 8, "{\"d\":0.1}");
    d = NAN;
    check_one(4, 0, &d, 8, "{\"d\":\"NaN\"}");
    d = -INFINITY;
    check_one(4, 0, &d, 8, "{\"d\":\"-Infinity\"}");
    float f = 2.5f;
    check_one(10, 0, &f, 4, "{\"f\":2.5}");
    check_one(5, 0, "caf\xc3\xa9\n\"", 7, "{\"t\":\"caf\xc3\xa9\\n\\\"\"}");
    check_one(5, 0, "a\0\xff", 3, "{\"t\":\"a\xef\xbf\xbd\"}");
    check_one(5, LANE_VALUE_NULL, "", 0, "{\"t\":null}");
    check_one(6, 0, "\0\1\2\3", 4, "{\"y\":\"AAECAw==\"}");
    i = 1;
    check_one(7, 0, &i, 4, "{\"e\":\"RED\"}");
    i = -2;
    check_one(7, 0, &i, 4, "{\"e\":\"BLUE\"}");
    i = 9;
    check_one(7, 0, &i, 4, "{\"e\":\"9\"}");
    begin();
    add(5, LANE_VALUE_UNREADABLE, "", 0, 0);
    add(11, 0, "\7\0\0\0\0\0\0\0", 8, 0);
    struct decode_result r = decoded(0);
    CHECK(strcmp(r.input, "{\"t\":null}") == 0);
    CHECK(strcmp(r.attributes, "{\"a\":7}") == 0);
    CHECK(strcmp(r.capture, "{\"t\":{\"bytes\":0,\"truncated\":false,"
                            "\"encoding\":null,\"unreadable\":true}}") == 0);
    decode_free(&r);
    frame.count = 5; /* more than there are */
    r = decoded(-EBADMSG);
    CHECK(strcmp(r.input, "{\"t\":null}") == 0);
    decode_free(&r);
}

static int mark(const struct decode_result *r, const char *key,
                const char *what)
{
    cJSON *capture = cJSON_Parse(r->capture ? r->capture : "{}");
    cJSON *m = cJSON_GetObjectItem(cJSON_GetObjectItem(capture, key), what);
    int n = !m ? -1 : cJSON_IsNumber(m) ? m->valueint : cJSON_IsTrue(m);
    cJSON_Delete(capture);
    return n;
}

static void check_cut(const char *fill, uint32_t len, int least)
{
    static char text[51200];
    for (uint32_t i = 0; i < len; i++)
        text[i] = fill[i % strlen(fill)];
    text[0] = '<';
    text[len - 1] = '>';
    begin();
    add(0, 0, "\1\0\0\0", 4, 0);
    add(5, LANE_VALUE_TRUNCATED, text, len, 200000);
    struct decode_result r = decoded(0);
    CHECK(strlen(r.input) <= DECODE_CAP);
    CHECK((int)strlen(r.input) >= least);
    cJSON *o = cJSON_Parse(r.input);
    const char *t = cJSON_GetObjectItem(o, "t")->valuestring;
    CHECK(t[0] == '<' && t[strlen(t) - 1] == '>');
    CHECK(strstr(t, "\xe2\x80\xa6"));
    CHECK(cJSON_GetObjectItem(o, "i")->valueint == 1);
    CHECK(mark(&r, "t", "bytes") == 200000);
    CHECK(mark(&r, "t", "truncated") == 1);
    int head = mark(&r, "t", "head_bytes");
    CHECK(head > 0 && head <= (int)len * 3 / 4);
    cJSON_Delete(o);
    decode_free(&r);
}

static void case_cap(void)
{
    check_cut("x", 51200, 49000);
    check_cut("\"\\", 51200, 49000); /* two bytes each */
    check_cut("\1", 51200, 49000);   /* six */
    check_cut("\xff", 51200, 49000); /* three */
    check_cut("\xf0\x9f\x98\x80", 51200, 49000);
    check_cut("x", 1000, 1000);
    /* three texts share; the short one stays whole */
    static char text[51200];
    memset(text, 'y', sizeof text);
    begin();
    add(5, 0, text, 40000, 0);
    add(6, 0, text, 40000, 0);
    add(5, 0, "short", 5, 0);
    struct decode_result r = decoded(0);
    CHECK(strlen(r.input) <= DECODE_CAP && strlen(r.input) > 48000);
    CHECK(strstr(r.input, "\"t\":\"short\""));
    CHECK(mark(&r, "y", "bytes") == 40000 && mark(&r, "y", "truncated") == 1);
    decode_free(&r);
}

static void check_error(const struct lane_frame_error *e, const char *text,
                        const char *key, const char *want)
{
    struct decode_frame none = {0};
    begin();
    memcpy(payload, e, sizeof *e);
    memcpy(payload + sizeof *e, text, strlen(text));
    frame.len_bytes = (uint32_t)(sizeof *e + strlen(text));
    struct decode_result r = {0};
    CHECK(decode_span(&site, &none, &none, &none, &frame, NULL, 0, &r) == 0);
    /* as it stands: a parser would make doubles of 64-bit integers */
    char wanted[256];
    snprintf(wanted, sizeof wanted, "\"%s\":%s", key, want);
    if (!strstr(r.error, wanted)) {
        fprintf(stderr, "no %s in %s\n", wanted, r.error);
        exit(1);
    }
    decode_free(&r);
}

static void case_errors(void)
{
    struct lane_frame_error e = {.kind = LANE_ERROR_RULE,
                                 .has_code = 1,
                                 .return_kind = LANE_RETURN_SIGNED,
                                 .rule = 13,
                                 .code = ENOENT,
                                 .return_value = (uint64_t)-2};
    check_error(&e, "", "type", "\"ENOENT\"");
    check_error(&e, "", "rule", "\"return < 0\"");
    check_error(&e, "", "return_value", "-2");
    check_error(&e, "", "errno", "2");
    check_error(&e, "", "message", "\"No such file or directory\"");
    check_error(&e, "", "cause", "null");
    e.return_kind = LANE_RETURN_UNSIGNED;
    check_error(&e, "", "return_value", "18446744073709551614");
    e.return_kind = LANE_RETURN_NONE; /* a double, or nothing at all */
    check_error(&e, "", "return_value", "null");
    e.code = -77; /* a code of the rule's own */
    check_error(&e, "", "type", "\"-77\"");
    check_error(&e, "", "errno", "null");
    e = (struct lane_frame_error){
        .kind = LANE_ERROR_EXCEPTION, .type_bytes = 4, .message_bytes = 3};
    check_error(&e, "boombad", "type", "\"boom\"");
    check_error(&e, "boombad", "message", "\"bad\"");
    check_error(&e, "boombad", "return_value", "null");
    e = (struct lane_frame_error){
        .kind = LANE_ERROR_SIGNAL, .has_code = 1, .code = 11};
    check_error(&e, "", "type", "\"SIGSEGV\"");
    struct decode_frame none = {0};
    struct decode_result r = {0};
    e.message_bytes = 1; /* not there */
    memcpy(payload, &e, sizeof e);
    frame.len_bytes = sizeof e;
    CHECK(decode_span(&site, &none, &none, &none, &frame, NULL, 0, &r) ==
          -EBADMSG);
    CHECK(r.error == NULL);
    decode_free(&r);
}

static void check_json(const char *text)
{
    if (!text)
        return;
    cJSON *o = cJSON_Parse(text);
    CHECK(o);
    cJSON_Delete(o);
}

/* Random frames, as they are and with sane heads, in memory of their size. */
static void case_fuzz(void)
{
    uint64_t state = 1;
    for (int turn = 0; turn < 30000; turn++) {
        uint64_t mix = lane_mix64(state += 0x9e3779b97f4a7c15ULL);
        uint32_t len = (uint32_t)(mix % (turn % 100 ? 200 : 52000));
        uint8_t *bytes = malloc(len ? len : 1);
        CHECK(bytes);
        for (uint32_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)lane_mix64(state + i);
        for (uint32_t i = 0; turn % 2 && i + 8 <= len; i += 24) {
            struct lane_value v = {(uint16_t)(bytes[i] % 15), bytes[i + 1] & 15,
                                   bytes[i + 2] % 12, bytes[i + 3] % 20};
            memcpy(bytes + i, &v, sizeof v);
        }
        struct decode_frame f = {bytes, len, (uint16_t)(mix >> 32 & 31), NULL};
        struct decode_result r = {0};
        struct decode_site capped = site;
        capped.cap_bytes = (uint32_t)(mix >> 40 & 0xfff);
        (void)!decode_span(&capped, &f, &f, &f, &f, NULL, turn % 7, &r);
        check_json(r.input);
        check_json(r.output);
        check_json(r.attributes);
        check_json(r.capture);
        check_json(r.error);
        CHECK(!r.input || strlen(r.input) <= DECODE_CAP);
        decode_free(&r);
        free(bytes);
    }
}

/* One value of a kind that is often, sometimes with something special. */
static void add_usual(uint64_t mix)
{
    static const int often[] = {0, 1, 2, 3, 5, 5, 5, 12, 11, 4, 7};
    static const char texts[] = "/data/in-0017.csv \"\\\n\t\x7f\xc3\xa9";
    int item = often[mix % (mix >> 60 ? 8 : 11)];
    uint64_t number = mix >> 8 & 1 ? mix : (mix >> 8 & 0xff);
    if (items[item].type == LANE_VALUE_TEXT)
        add(item, mix >> 55 & 31 ? 0 : LANE_VALUE_NULL, texts,
            (uint32_t)((mix >> 20 & 31) % (mix >> 59 & 1 ? 18 : sizeof texts)),
            0);
    else
        add(item, 0, &number, items[item].size_bytes, 0);
}

/* The quick way gives what the long way gives, or nothing. (A later frame goes
 * the long way.) */
static void case_quick(void)
{
    uint64_t state = 7;
    int quick = 0;
    for (int turn = 0; turn < 20000; turn++) {
        struct decode_result r = {0};
        struct decode_frame none = {0};
        struct decode_site capped = site;
        begin();
        uint64_t mix = lane_mix64(state++);
        for (uint64_t i = 0; i < mix % 6; i++)
            add_usual(lane_mix64(state++));
        if (turn % 10 == 0 && frame.len_bytes)
            frame.len_bytes -= mix >> 8 & 7;
        if (turn % 3 == 0)
            capped.cap_bytes = (uint32_t)(mix >> 16 & 0x1ff);
        char *text = decode_quick(&capped, &frame);
        (void)!decode_span(&capped, &none, &none, &frame, &none, NULL, 0, &r);
        if (text && (!r.output || strcmp(text, r.output) != 0)) {
            fprintf(stderr, "quick %s\nlong  %s\n", text, r.output);
            exit(1);
        }
        CHECK(!text || (!r.capture && !r.attributes));
        quick += text != NULL;
        free(text);
        decode_free(&r);
    }
    CHECK(quick > 5000);
}

/* ---- clock ----------------------------------------------------------------
 */

/* A session with anchors as we like them. */
static struct lane_map map;
static struct lane_reader reader;
static double true_rate = 0.4;

static void anchor(uint64_t tick, int64_t error_ns, int64_t wall_step)
{
    uint32_t n = map.session->anchor_next++;
    struct lane_anchor *a = &map.anchors[n % LANE_ANCHOR_MAX];
    a->tick = tick;
    a->monotonic_ns =
        (uint64_t)(1e12 + (double)tick * true_rate) + (uint64_t)error_ns;
    a->real_ns = a->monotonic_ns + 1700000000000000000ULL + (uint64_t)wall_step;
    a->commit = n + 1;
}

static void case_clock(void)
{
    char path[TEST_FOLDER_MAX];
    struct lane_config config = {
        .lane_count = 1, .unit_count = 1, .clock = LANE_CLOCK_TSC};
    CHECK(test_folder_make(path, "clock-test"));
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(lane_session_create(dir, "s", &config, &map) == 0);
    map.session->ready = 1;
    map.session->anchor_next = 0; /* without the true one */
    CHECK(lane_reader_open(&reader, dir, "s") == 0);
    struct clock clock;
    clock_init(&clock, LANE_CLOCK_TSC);
    uint64_t tick = 1000000, t = tick;
    anchor(tick, 0, 0);
    anchor(tick + 12500000, 60, 0); /* after 5 ms, 60 ns wrong */
    CHECK(lane_reader_refresh(&reader) == 0);
    CHECK(clock_read(&clock, &reader) == 0);
    clock.used = true;
    int64_t before = clock_unix_ns(&clock, tick), worst = 0;
    int64_t kept = clock_unix_ns(&clock, tick + 100000000);
    for (int second = 1; second <= 1500; second++) {
        uint64_t next = tick + (uint64_t)second * 2500000000u;
        for (; t < next; t += 99999999) {
            int64_t now = clock_unix_ns(&clock, t);
            int64_t want =
                (int64_t)(1e12 + (double)t * true_rate) + 1700000000000000000LL;
            CHECK(now >= before);
            before = now;
            if (second > 10 && llabs(now - want) > worst)
                worst = llabs(now - want);
        }
        anchor(next, second % 3 * 40 - 40, second == 700 ? -5000000000 : 0);
        CHECK(lane_reader_refresh(&reader) == 0);
        CHECK(clock_read(&clock, &reader) == 0);
    }
    printf("worst %lld ns\n", (long long)worst);
    CHECK(worst < 2000);
    CHECK(llabs(clock_duration_ns(&clock, t - 25000, t) - 10000) <= 1);
    /* what was once converted stays */
    CHECK(kept == clock_unix_ns(&clock, tick + 100000000));
    CHECK(clock_stepped_ns(&clock, tick, t) == 0); /* there and back */
    uint64_t at = tick + 700 * 2500000000ULL;
    int64_t step = clock_stepped_ns(&clock, at - 100, at + 100);
    CHECK(llabs(step + 5000000000) < 1000);
    CHECK(clock.step_count == 2);
    clock_free(&clock);
    lane_reader_close(&reader);
    CHECK(unlinkat(dir, "s", 0) == 0 && rmdir(path) == 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"values", case_values}, {"cap", case_cap},
                 {"errors", case_errors}, {"fuzz", case_fuzz},
                 {"quick", case_quick},   {"clock", case_clock}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            puts("ok");
            return 0;
        }
    return 2;
}
