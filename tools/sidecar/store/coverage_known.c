/* SPDX-License-Identifier: Apache-2.0 */
/* See coverage_known.h: a table of answers, a new one in the place of the one
 * that has its hash. */
#define _GNU_SOURCE
#include "tools/sidecar/store/coverage_known.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/text/hash.h"

enum {
    ANSWERS_MAX = 4096, /* a power of two */
};
#define KEEP_NS INT64_C(60000000000)

static struct known {
    char *key; /* NULL: none */
    char *text;
    int64_t until_ns;
} known[ANSWERS_MAX];

/* Malloc'ed; NULL: out of memory. A symbol may be as long as a path. */
static char *key_of(const struct coverage_question *q)
{
    char *key = NULL;
    int n = asprintf(&key, "%d %" PRIx64 " %s %s\n%s", q->is_none, q->vaddr,
                     q->build_id, q->object, q->symbol);
    return n < 0 ? NULL : key;
}

static struct known *slot_of(const char *key)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, key, strlen(key));
    return &known[(hash ^ hash >> 32) & (ANSWERS_MAX - 1)];
}

const char *coverage_known(const struct coverage_question *q, int64_t now_ns)
{
    char *key = key_of(q);
    const struct known *k = key ? slot_of(key) : NULL;
    bool is_it = k && k->key && strcmp(k->key, key) == 0;
    free(key);
    return is_it && now_ns < k->until_ns ? k->text : NULL;
}

void coverage_known_put(const struct coverage_question *q, const char *text,
                        int64_t now_ns)
{
    char *key = key_of(q), *copy = strdup(text);
    if (!key || !copy) {
        free(key);
        free(copy);
        return;
    }
    struct known *k = slot_of(key);
    free(k->key);
    free(k->text);
    *k = (struct known){key, copy, now_ns + KEEP_NS};
}
