/* SPDX-License-Identifier: Apache-2.0 */
/* A process as it is now, looked at from outside: its objects, its threads,
 * what they wait for, who holds the locks. Nothing is changed in it. */
#pragma once
#include "tools/sidecar/process/look.h"
#include "tools/symbolize/symbolize.h"

enum {
    LIVE_THREADS = 512, /* of a process, at most so many are looked at */
    LIVE_PATH = 1024,
};
struct live_object {
    struct symbolize_module module; /* path_bytes: of `path` */
    char *path;
};
struct live_thread {
    int32_t tid;      /* as we see it */
    uint32_t own_tid; /* as it sees itself: what a mutex holds */
    char name[32];
    char place[256];      /* "waiting for a mutex" and what is known of it */
    struct cJSON *frames; /* innermost first; NULL: none */
    char *ended;          /* why there is no frame above; NULL: it is whole */
    uint64_t lock;        /* of the mutex that it waits for, 0: for none */
    int holder;           /* index of the thread that holds it; -1: not known */
};
struct live {
    int32_t pid;
    char name[64], program[LIVE_PATH];
    struct live_object *object;
    size_t object_count;
    struct live_thread *thread;
    size_t thread_count, left_out;
    uint8_t
        own_id[20]; /* build id of libhandspan.so in it; zeros: not traced */
    bool is_traced;
};

/* ---- live_process.c ------------------------------------------------------ */

/* Objects, threads. 0, or -errno with a sentence in `why`: -ESRCH gone, -EPERM
 * somebody else's or not to be looked at, and how it can be. */
int live_open(int32_t pid, struct live *out, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
void live_close(struct live *l);

/* ---- live_stack.c -------------------------------------------------------- */

/* Look at each thread. `may_stop`: threads that run are stopped for a moment,
 * so that they have a place. 0 or -errno. */
int live_look(struct live *l, bool may_stop)
    __attribute__((warn_unused_result));
/* At one of them, with a client that the caller begins ({.fd = -1}) and stops.
 */
int live_look_at(struct live *l, size_t at, bool may_stop,
                 struct symbolize_client *client)
    __attribute__((warn_unused_result));

/* ---- live_lock.c --------------------------------------------------------- */

/* The mutex that thread `at` waits for, by its look: lock and holder. */
void live_find_lock(struct live *l, size_t at, const struct look *look);
/* A circle of threads that wait for each other: its first thread, or -1. */
int live_deadlock(const struct live *l);
