/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round of the sidecar: each session of its directory is looked at in turn,
 * opened, drained into the store, closed when it ended; then what was committed
 * is settled. main.c goes round after round.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/sidecar/entries.h"
#include "tools/sidecar/health.h"
#include "tools/sidecar/keep.h"
#include "tools/sidecar/session/setup.h"
#include "tools/upload/upload.h"

enum {
    ROUND_SCAN_NS = 20000000, /* between looks at what need not be at once */
    ROUND_UPLOAD_MS = 10000,  /* at the end, what can be sent in that time */
};

/* A sidecar at work. */
struct sidecar {
    const volatile sig_atomic_t *stop; /* set: come to an end */
    const char *dir_option, *store_option, *log_option;
    bool is_auto, once, stay;
    char dir[PATHS_MAX], store_path[PATHS_MAX];
    int dir_fd, lock_fd;
    int news_fd; /* of the directory (tools/common/notice.h); -1 */
    struct setup_claim claim;
    struct store *store;
    struct option_words uploads;
    struct upload *upload; /* NULL: nowhere to */
    struct keep keep;
    struct health health;
    int64_t drained_items;
    struct entries entries;
    bool is_durable;  /* the directory outlives a crash of the machine */
    bool has_commits; /* that are not settled */
    int64_t synced_at_ns, idle_since_ns, commands_at_ns, busy_at_ns;
    int store_failures;
    bool is_hopeless; /* what stands in the way will not go by itself */
    bool is_told;     /* in DIR/sidecar.error, by an earlier one perhaps */
};

/* CLOCK_MONOTONIC. */
int64_t round_now(void);
/* One round. Items done: 0 is idle. */
int round_of_all(struct sidecar *c);
/* A process ended, and its end is told in the directory: the next round looks
 * at all that is looked at in intervals. Not where that is much. */
void round_hurry(struct sidecar *c);
/* Open the store unless it is. 0 or -errno; what stands in the way was told,
 * and c->is_hopeless is set if it will not go by itself. */
int round_store_ready(struct sidecar *c);
/* Start what sends the store, as setup_uploads(), before the store is opened.
 */
int round_uploads_start(struct sidecar *c);
