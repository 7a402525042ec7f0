/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds the mutex that a thread waits for; see live.h. A futex is known by
 * its address alone. That it is glibc's mutex is believed only if the stack
 * stands in a function of mutexes and its owner is a thread of the process. */
#include "tools/cli/live/live.h"
#include "tools/query/frames.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum {
    NEAR = 5, /* innermost frames that tell what is waited for */
};

/* The beginning of glibc's struct __pthread_mutex_s. */
struct mutex {
    int32_t lock;
    uint32_t count;
    uint32_t owner;
    uint32_t users;
    int32_t kind;
};

static bool has_function(const struct live_thread *t, const char *part)
{
    for (int i = 0; i < NEAR && i < cJSON_GetArraySize(t->frames); i++) {
        struct query_frame f =
            query_frame_read(cJSON_GetArrayItem(t->frames, i));
        if (f.function && strstr(f.function, part))
            return true;
    }
    return false;
}

static int thread_of(const struct live *l, uint32_t own_tid)
{
    for (size_t i = 0; i < l->thread_count; i++)
        if (l->thread[i].own_tid == own_tid)
            return (int)i;
    return -1;
}

/* In words, where the functions on the stack say it. */
static const char *waits_for(const struct live_thread *t)
{
    static const struct {
        const char *part, *words;
    } known[] = {{"cond_", "waiting for a condition variable"},
                 {"pthread_join", "waiting for a thread to end"},
                 {"join", "waiting for a thread to end"},
                 {"sem_", "waiting for a semaphore"},
                 {"sem_wait", "waiting for a semaphore"},
                 {"rwlock", "waiting for a read-write lock"},
                 {"barrier", "waiting at a barrier"},
                 {"pthread_once", "waiting for a first call to end"},
                 {"mutex", "waiting for a mutex"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (has_function(t, known[i].part))
            return known[i].words;
    return "waiting in futex: for another thread";
}

void live_find_lock(struct live *l, size_t at, const struct look *look)
{
    struct live_thread *t = &l->thread[at];
    struct mutex m;
    t->holder = -1;
    if (look->syscall != SYS_futex || look->state == 'R')
        return;
    const char *words = waits_for(t);
    snprintf(t->place, sizeof t->place, "%s", words);
    if (!strstr(words, "mutex") ||
        !look_read(l->pid, look->argument, &m, sizeof m) || m.lock == 0)
        return;
    t->lock = look->argument;
    t->holder = thread_of(l, m.owner);
    size_t len = strlen(t->place);
    if (t->holder >= 0)
        snprintf(t->place + len, sizeof t->place - len,
                 " that %s (%d) holds, 0x%llx", l->thread[t->holder].name,
                 l->thread[t->holder].tid, (unsigned long long)t->lock);
    else
        snprintf(t->place + len, sizeof t->place - len,
                 ", 0x%llx; who holds it is not known",
                 (unsigned long long)t->lock);
}

int live_deadlock(const struct live *l)
{
    for (size_t i = 0; i < l->thread_count; i++) {
        int at = l->thread[i].holder;
        for (size_t n = 0; n < l->thread_count && at >= 0; n++) {
            if (at == (int)i)
                return at;
            at = l->thread[at].holder;
        }
    }
    return -1;
}
