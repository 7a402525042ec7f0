/* SPDX-License-Identifier: Apache-2.0 */
/* Fork in the middle of everything: fifty threads call, hand items on, make
 * fibers, start threads and programs, and fork all the while; what a child does
 * belongs to the step that forked it. */
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "step.h"

enum {
    THREADS = 50,
    ROUNDS = 21,
};
extern char **environ;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct item *queue[THREADS * ROUNDS];
static int queued;

HANDLER void push(void *job)
{
    pthread_mutex_lock(&mutex);
    queue[queued++] = job;
    pthread_mutex_unlock(&mutex);
}
HANDLER void *pop(void)
{
    pthread_mutex_lock(&mutex);
    void *job = queued > 0 ? queue[--queued] : NULL;
    pthread_mutex_unlock(&mutex);
    return job;
}
static __attribute__((noipa)) void take_one(void)
{
    struct item *item = pop();
    if (!item)
        return;
    long parent = item->parent;
    free(item);
    step_for(parent, NULL, NULL);
    step_for(parent, NULL, NULL);
}

static void nothing(long id, void *data)
{
    step_for(id, NULL, data);
}
static void hand_on(long id, void *data)
{
    (void)data;
    push(item_of(id, 0));
}
static void wait_for(pid_t pid)
{
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        abort();
}
/* Without malloc: another thread may have held its lock. */
static void fork_one(long id, void *data)
{
    pid_t pid = fork();
    if (pid == 0) {
        step_for(id, data ? fork_one : NULL, NULL);
        step_for(id, NULL, NULL);
        _exit(0);
    }
    wait_for(pid);
    step_for(id, NULL, NULL);
}
static void spawn(long id, void *data)
{
    char *argv[] = {(char *)"true", NULL};
    pid_t pid = -1;
    (void)data;
    (void)id;
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) != 0)
        abort();
    wait_for(pid);
}
static void *run_thread(void *data)
{
    step_for((long)data, NULL, NULL);
    return NULL;
}
static void thread(long id, void *data)
{
    pthread_t thread;
    (void)data;
    if (pthread_create(&thread, NULL, run_thread, (void *)id) != 0)
        abort();
    pthread_join(thread, NULL);
}

struct fiber {
    ucontext_t context, back;
    long parent;
    char stack[32768];
};
static void in_fiber(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)((unsigned long)high << 32 | low);
    step_for(fiber->parent, fork_one, NULL);
    setcontext(&fiber->back);
}
static void make_fiber(long id, void *data)
{
    struct fiber *fiber = malloc(sizeof *fiber);
    unsigned long at = (unsigned long)fiber;
    (void)data;
    fiber->parent = id;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = sizeof fiber->stack;
    makecontext(&fiber->context, (void (*)(void))in_fiber, 2,
                (unsigned)(at >> 32), (unsigned)at);
    swapcontext(&fiber->back, &fiber->context);
    free(fiber);
}

static void *work(void *data)
{
    static step_body *const kinds[] = {nothing, hand_on, fork_one,  nothing,
                                       hand_on, thread,  make_fiber};
    for (long i = (long)data; i < (long)data + ROUNDS; i++) {
        step_for(0, kinds[i % 7], (void *)(i % 2));
        take_one();
        if (i % 10 == 0)
            step_for(0, spawn, NULL);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    step_start(argc, argv);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
            return 2;
    for (long i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while (queued > 0)
        take_one();
    return step_end();
}
