/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX timers and asynchronous I/O: functions that glibc calls on threads of
 * its own, and requests whose end their caller waits for. glibc makes the
 * threads that make those threads inside of some step: no parent either. */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "step.h"

enum {
    ITEMS = 20
};
/* what posix-timers.manifest says of them */
_Static_assert(offsetof(struct sigevent, _sigev_un) == 16 &&
                   offsetof(struct sigevent, sigev_notify) == 12 &&
                   offsetof(struct aiocb, aio_sigevent) == 32 &&
                   SIGEV_THREAD == 2,
               "glibc's own layout");
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long pending;
static int file;

static void begun(void)
{
    pthread_mutex_lock(&mutex);
    pending++;
    pthread_mutex_unlock(&mutex);
}
static void done(void)
{
    pthread_mutex_lock(&mutex);
    pending--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

struct request {
    struct aiocb cb;
    timer_t timer;
    long parent;
    atomic_long left;
    char bytes[16];
};

static void on_timer(union sigval value)
{
    struct request *request = value.sival_ptr;
    long left = atomic_fetch_sub(&request->left, 1);
    if (left < 1)
        return; /* due once more before it was deleted */
    step_for(request->parent, NULL, NULL);
    if (left > 1)
        return;
    timer_delete(request->timer); /* its memory stays: it may still be due */
    done();
}
static void start_timer(long id, void *data)
{
    struct request *request = calloc(1, sizeof *request);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD};
    struct itimerspec time = {{0, data ? 2000000 : 0}, {0, 1000000}};
    event.sigev_notify_function = on_timer;
    event.sigev_value.sival_ptr = request;
    request->parent = id;
    request->left = data ? 3 : 1;
    begun();
    if (timer_create(CLOCK_MONOTONIC, &event, &request->timer) != 0 ||
        timer_settime(request->timer, 0, &time, NULL) != 0)
        abort();
}

HANDLER void on_written(union sigval value)
{
    struct request *request = value.sival_ptr;
    step_for(request->parent, NULL, NULL);
    free(request);
    done();
}
static void start_writing(long id, void *data)
{
    struct request *request = calloc(1, sizeof *request);
    (void)data;
    request->parent = id;
    request->cb.aio_fildes = file;
    request->cb.aio_buf = request->bytes;
    request->cb.aio_nbytes = sizeof request->bytes;
    request->cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
    request->cb.aio_sigevent.sigev_notify_function = on_written;
    request->cb.aio_sigevent.sigev_value.sival_ptr = request;
    begun();
    if (aio_write(&request->cb) != 0)
        abort();
}

static struct request *reading[ITEMS];
static void start_reading(long id, void *data)
{
    struct request *request = calloc(1, sizeof *request);
    request->parent = id;
    request->cb.aio_fildes = file;
    request->cb.aio_buf = request->bytes;
    request->cb.aio_nbytes = sizeof request->bytes;
    if (aio_read(&request->cb) != 0)
        abort();
    reading[(long)data] = request;
}
static __attribute__((noipa)) void finish(struct request *request)
{
    const struct aiocb *list[] = {&request->cb};
    while (aio_error(&request->cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    ssize_t n = aio_return(&request->cb);
    step_for(request->parent, NULL, NULL);
    __asm__ volatile("" : : "r"(n) : "memory");
    free(request);
}
int main(int argc, char **argv)
{
    char path[] = "/tmp/handspan-aio-XXXXXX";
    step_start(argc, argv);
    file = mkstemp(path);
    if (file < 0 || unlink(path) != 0)
        return 2;
    for (long i = 0; i < ITEMS; i++) {
        step_for(0, start_timer, NULL);
        step_for(0, start_timer, (void *)1);
        step_for(0, start_writing, NULL);
        step_for(0, start_reading, (void *)i);
    }
    for (int i = 0; i < ITEMS; i++)
        finish(reading[i]);
    pthread_mutex_lock(&mutex);
    while (pending > 0)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return step_end();
}
