// SPDX-License-Identifier: Apache-2.0
/*
 * Variables of every kind in the frames of a failure: values HOW, which is
 * `open` (a call that fails) or `crash`. Handlers are `job` and `step`; the
 * lines with a marker are where gdb stops.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define OUT __attribute__((noinline, noclone))
#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")

enum color { RED, GREEN = 7, BLUE = -3 };
struct point {
    int32_t x, y;
};
struct job {
    int64_t id;
    char tenant[16];
    struct point at[2];
    enum color color;
    double ratio;
    bool is_large;
    unsigned low : 3, high : 9;
    int minus : 5;
    struct job *next;
    union {
        uint32_t word;
        float real;
    } either;
};
struct login {
    int user;
    char password[24];
};
union mixed {
    char token[24];
    unsigned char raw[24];
};

static volatile int zero;
static int *volatile nowhere = (int *)0x40;

OUT static int fail(bool is_crash)
{
    int fd = -7;
    KEEP(&fd);
    if (is_crash)
        *nowhere = 1; /* @crash */
    return open("/nonexistent/v", O_RDONLY); /* @open */
}

static inline __attribute__((always_inline)) int nested(int depth, bool how)
{
    int doubled = depth * 2 + zero;
    char text[] = "on the stack";
    const char *pointer = text + 7;
    KEEP(text);
    int result = fail(how);
    KEEP(pointer);
    return result + doubled - doubled;
}

OUT static int numbers(int8_t a, uint16_t b, int64_t c, uint64_t d, float e,
                       double f, char g, long long h, bool how)
{
    int64_t least = INT64_MIN + zero;
    uint64_t most = UINT64_MAX - (unsigned)zero;
    long double wide = 1.5L + zero;
    int result = nested(a, how);
    KEEP(&least);
    KEEP(&most);
    KEEP(&wide);
    return result + (a + b + (int)c + (int)d + (int)e + (int)f + g + (int)h) *
                        zero;
}

OUT static int records(struct job *job, struct point by_value, bool how)
{
    struct job copy = *job;
    int list[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct login login = {42, "hunter2-in-a-member"};
    union mixed mixed = {"hunter2-in-a-union"};
    char password[] = "hunter2-in-a-local";
    struct point *point = &copy.at[1];
    const char *alias = password, *part = login.password + 8;
    char again[32] = "user=x&p=";
    strcat(again, password);
    {
        int block = 99 + zero;
        KEEP(&block);
    }
    KEEP(list);
    KEEP(&login);
    KEEP(&mixed);
    KEEP(password);
    KEEP(alias);
    KEEP(part);
    KEEP(again);
    KEEP(point);
    copy.next = job;
    int result = numbers(-5, 65535, -1, 1, 0.5f, 1e300, 'g', copy.id, how);
    KEEP(&copy);
    KEEP(&by_value);
    return result;
}

OUT int step(const char *name, int number)
{
    struct job job = {.id = 4242,
                      .tenant = "acme",
                      .at = {{1, -2}, {3, -4}},
                      .color = GREEN,
                      .ratio = 0.25,
                      .is_large = true,
                      .low = 5,
                      .high = 300,
                      .minus = -9,
                      .either = {.word = 0x3f800000}};
    KEEP(&job);
    int result = records(&job, (struct point){number, -number},
                         strcmp(name, "crash") == 0);
    KEEP(&job);
    return result;
}

OUT int job(const char *name, int *left)
{
    int result = step(name, 7);
    KEEP(left);
    *left = 4 + zero;
    return result < 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char how[16] = "";
    int left = 0;
    snprintf(how, sizeof how, "%s", argc > 1 ? argv[1] : "open");
    job(how, &left);
    return 0;
}
