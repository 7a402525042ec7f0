/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of the traces that were asked for last; see bars.h. */
#include "tools/serve/bars.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    KEPT = 3,
    FRESH_MS = 1000,
};
struct kept {
    struct bars bars; /* first: what is given away */
    char hex[33];
    int users; /* with the cache itself */
    int64_t loaded_ms, took_ms, used_ms;
};
static struct kept *kept[KEPT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER,
                       path_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void leave(struct kept *k)
{
    if (k && --k->users == 0) {
        bars_free(&k->bars);
        free(k);
    }
}

/* What took long to load may be older. */
static bool is_fresh(const struct kept *k, int64_t now)
{
    int64_t age = 5 * k->took_ms;
    return k->bars.is_final ||
           now - k->loaded_ms < (age > FRESH_MS ? age : FRESH_MS);
}

/* Where the trace stands, else the place that was not used for longest. */
static size_t choose(const char *hex)
{
    size_t best = 0;
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i] && strcmp(kept[i]->hex, hex) == 0)
            return i;
        if (kept[best] && (!kept[i] || kept[i]->used_ms < kept[best]->used_ms))
            best = i;
    }
    return best;
}

static struct kept *load(struct query_db *db, const char *hex, int *err)
{
    struct kept *k = calloc(1, sizeof *k);
    int64_t begun = now_ms();
    *err = k ? bars_load(db, hex, &k->bars) : -ENOMEM;
    if (*err) {
        free(k);
        return NULL;
    }
    memcpy(k->hex, hex, sizeof k->hex);
    k->loaded_ms = now_ms();
    k->took_ms = k->loaded_ms - begun;
    k->users = 1;
    return k;
}

const struct bars *bars_take(struct query_db *db, const char *hex, int *err)
{
    *err = 0;
    pthread_mutex_lock(&lock);
    size_t at = choose(hex);
    struct kept *k = kept[at];
    if (!k || strcmp(k->hex, hex) != 0 || !is_fresh(k, now_ms())) {
        k = load(db, hex, err);
        if (k) {
            leave(kept[at]);
            kept[at] = k;
        }
    }
    if (k) {
        k->used_ms = now_ms();
        k->users++;
    }
    pthread_mutex_unlock(&lock);
    return k ? &k->bars : NULL;
}

void bars_release(const struct bars *b)
{
    pthread_mutex_lock(&lock);
    leave((struct kept *)(uintptr_t)b);
    pthread_mutex_unlock(&lock);
}

int bars_path(struct query_db *db, const struct bars *b)
{
    struct bars *ours = (struct bars *)(uintptr_t)b;
    int err = 0;
    pthread_mutex_lock(&path_lock);
    if (!ours->has_path)
        err = bars_find_path(db, ours);
    pthread_mutex_unlock(&path_lock);
    return err;
}
