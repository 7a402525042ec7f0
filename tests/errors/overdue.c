// SPDX-License-Identifier: Apache-2.0
/*
 * What overdue_test.py asks of overdue(): overdue CASE. Each waits until its
 * standard input ends, so the test decides when a call is over.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT __attribute__((noinline))
#define STAY __asm__ volatile("" ::: "memory")

enum {
    THREADS = 60
};

OUT static int wait_read(void)
{
    char c;
    int n = (int)read(0, &c, 1);
    STAY;
    return n;
}

/* A thread in vfork is not to be stopped until its child is done. */
OUT static int wait_vfork(void)
{
    int status = -1;
    pid_t child = vfork();
    if (child == 0) {
        char c;
        (void)!read(0, &c, 1);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

/* 1: a stop was seen as EINTR; 0: not. */
OUT static int wait_epoll(void)
{
    int interrupted = 0, fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event);
    while (epoll_wait(fd, &event, 1, -1) < 0 && errno == EINTR)
        interrupted = 1;
    close(fd);
    return interrupted;
}

OUT static int wait_as(const char *how)
{
    int n = strcmp(how, "vfork") == 0   ? wait_vfork()
            : strcmp(how, "epoll") == 0 ? wait_epoll()
                                        : wait_read();
    STAY;
    return n;
}
OUT int outer(const char *how, int stop);
OUT int quiet(const char *how)
{
    int n = wait_as(how);
    STAY;
    return n;
}
OUT int stopped(const char *how)
{
    int n = wait_as(how);
    STAY;
    return n;
}
OUT int outer(const char *how, int stop)
{
    int n = stop ? stopped(how) : quiet(how);
    STAY;
    return n;
}

OUT int fetch_start(long id)
{
    for (volatile int i = 0; i < 10; i++)
        STAY;
    return (int)id;
}
OUT int fetch_end(long id)
{
    for (volatile int i = 0; i < 10; i++)
        STAY;
    return (int)id;
}

static void *in_thread(void *how)
{
    outer(how, 1);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int stop = strcmp(argv[2], "stop") == 0;
    if (strcmp(argv[1], "begun") == 0) {
        fetch_start(7);
        wait_read();
        fetch_end(7);
    } else if (strcmp(argv[1], "many") == 0) {
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++)
            pthread_create(&thread[i], NULL, in_thread, "read");
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    } else {
        printf("%d\n", outer(argv[1], stop));
    }
    return 0;
}
