/* SPDX-License-Identifier: Apache-2.0 */
/* Calls what entries.S has, and counts the calls. */
#include <stdio.h>

#define PAIRS                                                                  \
    X(jcc)                                                                     \
    X(jcc_near)                                                                \
    X(jrcxz)                                                                   \
    X(loop)                                                                    \
    X(section)                                                                 \
    X(init)                                                                    \
    X(pushed)                                                                  \
    X(word)                                                                    \
    X(tls)                                                                     \
    X(words)                                                                   \
    X(table4)                                                                  \
    X(table8)                                                                  \
    X(table_label)                                                             \
    X(table1)                                                                  \
    X(table_text) X(number) X(number_far) X(number_got) X(popped)

#define X(name) long fn_##name(long), other_##name(long, long);
PAIRS
#undef X

static const struct {
    const char *name;
    long (*fn)(long);
    long (*other)(long, long);
} pairs[] = {
#define X(name) {#name, fn_##name, other_##name},
    PAIRS
#undef X
};

enum {
    PAIR_COUNT = sizeof pairs / sizeof *pairs,
    CALLS = 40
};

int main(void)
{
    for (int i = 0; i < PAIR_COUNT; i++) {
        long sum = 0;
        for (long n = 0; n < CALLS; n++)
            sum = sum * 3 + pairs[i].fn(n) + pairs[i].other(n, n & 1);
        printf("sum %s %ld\n", pairs[i].name, sum);
        fflush(stdout);
    }
    for (int i = 0; i < PAIR_COUNT; i++)
        printf("count fn_%s %d\ncount other_%s %d\n", pairs[i].name, CALLS,
               pairs[i].name, CALLS);
    return 0;
}
