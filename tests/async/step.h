/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of this folder share: step() is the handler; the program
 * itself says whose work each call is, by handing the number of the step that
 * asked for it along with its own items. It writes that down in the file that
 * argv[1] names, and the test compares. Numbers are given out from 1; 0 is the
 * process.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>

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
static FILE *step_file;
static atomic_long step_count;

HANDLER void step(long id, long parent, step_body *body, void *data)
{
    fprintf(step_file, "%ld %ld\n", id, parent);
    if (body)
        body(id, data);
}

/* A step that `parent` asked for; inside it, body. */
static inline void step_for(long parent, step_body *body, void *data)
{
    step(atomic_fetch_add(&step_count, 1) + 1, parent, body, data);
}

static inline void step_start(int argc, char **argv)
{
    step_file = argc > 1 ? fopen(argv[1], "w") : NULL;
    if (!step_file)
        exit(2);
}

static inline int step_end(void)
{
    printf("%ld steps\n", atomic_load(&step_count));
    return fclose(step_file) == 0 ? 0 : 1;
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
