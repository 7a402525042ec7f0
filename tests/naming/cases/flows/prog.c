/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, slow calls, events, and spans that another function, also on
 * another thread, ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HANDLER __attribute__((noipa))

struct req {
    long id;
    const char *tenant;
};

HANDLER void app_log(int level, const char *text)
{
    printf("%d %s\n", level, text);
}

HANDLER int serve(struct req *req)
{
    app_log(3, "serving");
    return (int)req->id;
}

HANDLER int nap(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
    return ms;
}

HANDLER int fetch_start(struct req *req, int priority)
{
    return (int)req->id + priority;
}
HANDLER void fetch_done(struct req *req, int status)
{
    __asm__ volatile("" : : "r"(req), "r"(status));
}

/* the key is what the first returns, the end knows only when it returns */
HANDLER long job_open(int kind)
{
    return 1000 + kind;
}
HANDLER int job_close(long job)
{
    return job == 1002 ? -5 : 0;
}

/* a span of its own, and the begin of another */
HANDLER int both_start(int key)
{
    return key + 1;
}
HANDLER int both_end(int key)
{
    return key - 1;
}

HANDLER void run(struct req *reqs)
{
    for (int i = 0; i < 3; i++)
        fetch_start(&reqs[i], i);
    app_log(1, "started");
}

static void *finish(void *reqs)
{
    struct req *r = reqs;
    fetch_done(&r[1], 0);
    fetch_done(&r[0], 7);
    fetch_done(&r[2], 0);
    return NULL;
}

int main(void)
{
    struct req reqs[4] = {{10, "a"}, {11, "b"}, {12, "c"}, {13, NULL}};
    pthread_t thread;
    run(reqs);
    pthread_create(&thread, NULL, finish, reqs);
    pthread_join(thread, NULL);
    fetch_done(&reqs[3], 0);  /* nobody began it */
    fetch_start(&reqs[3], 9); /* nobody ends it, but */
    fetch_start(&reqs[3], 8); /* it is begun anew, */
    fetch_done(&reqs[3], 0);  /* and that one ended */
    long a = job_open(1), b = job_open(2);
    job_close(a);
    job_close(b);
    both_end(both_start(4) - 1);
    for (int i = 0; i < 4; i++)
        serve(&reqs[i]);
    nap(1);
    nap(60);
    app_log(2, "end");
    return 0;
}
