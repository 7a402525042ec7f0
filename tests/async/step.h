/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of this folder share: step() is the handler; the program
 * itself says whose work each call is, by handing the number of the step that
 * asked for it along with its own items. It writes that down in the file that
 * argv[1] names, and the test compares. Numbers are given out from 1; 0 is the
 * process.
 */
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __cplusplus
#include <atomic>
using std::atomic_fetch_add;
using std::atomic_load;
using std::atomic_long;
#define HANDLER extern "C" __attribute__((noipa, visibility("default"), unused))
#else
#include <stdatomic.h>
#define HANDLER __attribute__((noipa, visibility("default")))
#endif

typedef void step_body(long id, void *data);
static int step_file;
static atomic_long *step_count; /* also of forked children */

HANDLER void step(long id, long parent, step_body *body, void *data)
{
    dprintf(step_file, "%ld %ld\n", id, parent);
    if (body)
        body(id, data);
}

/* A step that `parent` asked for; inside it, body. */
static inline void step_for(long parent, step_body *body, void *data)
{
    step(atomic_fetch_add(step_count, 1) + 1, parent, body, data);
}

static inline void step_start(int argc, char **argv)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    step_file = argc > 1 ? open(argv[1], flags, 0600) : -1;
    void *shared = mmap(NULL, sizeof *step_count, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (step_file < 0 || shared == MAP_FAILED)
        exit(2);
    step_count = (atomic_long *)shared;
}

static inline int step_end(void)
{
    printf("%ld steps\n", atomic_load(step_count));
    return close(step_file) == 0 ? 0 : 1;
}

/* What an item carries: who asked for it. Its memory is used again at once. */
struct item {
    long parent;
    long n;
};
static inline struct item *item_of(long parent, long n)
{
    struct item *item = (struct item *)malloc(sizeof *item);
    item->parent = parent;
    item->n = n;
    return item;
}
