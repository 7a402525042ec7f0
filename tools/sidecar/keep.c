/* SPDX-License-Identifier: Apache-2.0 */
/* See keep.h. */
#define _GNU_SOURCE
#include "tools/sidecar/keep.h"
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tools/sidecar/store/log.h"
#include "tools/store/retention.h"
#include "lane/format/assert.h"

static const int64_t look_ns = 60000000000;
static const int64_t size_look_ns = 2000000000;
static const int64_t step_ns = 20000000; /* pause between steps */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The time by which traces grow old. A clock that is set ahead meanwhile makes
 * none of them older, one that is set back makes them younger. */
static int64_t age_clock(struct keep *k)
{
    int64_t now = clock_ns(CLOCK_REALTIME), boot = clock_ns(CLOCK_BOOTTIME);
    if (k->boot_is_zero_at_ns == 0)
        k->boot_is_zero_at_ns = now - boot;
    int64_t steady = k->boot_is_zero_at_ns + boot;
    lane_assert(k->boot_is_zero_at_ns != 0);
    return now < steady ? now : steady;
}

static void tell_once(struct keep *k, const char *why)
{
    lane_assert(why[0] != 0);
    if (!k->is_told)
        log_line("%s", why);
    k->is_told = true;
}

static int64_t file_bytes(const char *store)
{
    struct stat at;
    return stat(store, &at) == 0 ? at.st_size : 0;
}

/* A store that a running trace fills does not wait for the minute; one that
 * cannot be made smaller is let alone until it grew by an eighth. */
static bool is_grown(struct keep *k, const char *store, int64_t now_ns)
{
    char why[1024];
    struct retention_rules rules;
    if (k->store || now_ns < k->size_at_ns)
        return false;
    k->size_at_ns = now_ns + size_look_ns;
    int64_t bytes = file_bytes(store);
    if (bytes < k->left_bytes)
        k->left_bytes = bytes;
    return retention_settings(&rules, why, sizeof why) == 0 &&
           rules.keep_bytes >= 0 && bytes > rules.keep_bytes &&
           bytes > k->left_bytes + k->left_bytes / 8;
}

static void rest(struct keep *k, const char *store, int64_t now_ns)
{
    if (k->traces + k->thinned > 0)
        log_line("retention: %" PRId64 " traces removed, %" PRId64
                 " thinned out, %" PRId64 " calls' details in all",
                 k->traces, k->thinned, k->spans);
    keep_end(k);
    k->traces = k->thinned = k->spans = 0;
    k->look_at_ns = now_ns + look_ns;
    k->left_bytes = file_bytes(store);
}

bool keep_step(struct keep *k, const char *store, bool is_busy, int64_t now_ns)
{
    lane_assert(now_ns >= 0);
    char why[1024];
    struct retention_rules rules;
    struct retention_done done = {0};
    if (now_ns < k->look_at_ns && !is_grown(k, store, now_ns))
        return k->store != NULL;
    (void)age_clock(k); /* it counts from the first look on */
    int rc = retention_settings(&rules, why, sizeof why);
    if (rc == 0 && !k->store)
        rc = access(store, F_OK) == 0
                 ? retention_open(store, &k->store, why, sizeof why)
                 : 1; /* nothing is stored yet */
    if (rc != 0) {
        if (rc < 0)
            tell_once(k, why);
        k->look_at_ns = now_ns + look_ns;
        return false;
    }
    rc = retention_step(k->store, &rules, age_clock(k), &done);
    k->traces += done.traces;
    k->thinned += done.thinned_traces;
    k->spans += done.spans + done.thinned_spans;
    if (rc < 0)
        tell_once(k, retention_why(k->store));
    if (rc <= 0)
        rest(k, store, now_ns);
    else
        k->look_at_ns = now_ns + (is_busy ? step_ns : 0);
    return rc > 0;
}

void keep_end(struct keep *k)
{
    retention_close(k->store);
    k->store = NULL;
}
