/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that end in one way or another: ends_step MODE [ARGUMENT]. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
int work(int how);
int serve(int how);
int request(long id);
int hold(int ready);
int ask(int how);
int handle(long id);
int carry(long id);
int next(long id);

static void pass_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0)
        ;
}

__attribute__((noinline)) int work(int how)
{
    pass_ms(1);
    if (how > 0)
        kill(getpid(), how);
    return how;
}

/* A worker: says that it is there, and never returns by itself. */
__attribute__((noinline)) int serve(int ready)
{
    if (write(ready, "r", 1) != 1)
        return -1;
    for (;;)
        pause();
}

/* As Go's runtime ends a process; says when. */
static void raw(const char *how)
{
    work(0);
    pass_ms(20);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%ld\n", now.tv_sec * 1000000000 + now.tv_nsec);
    fflush(stdout);
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    syscall(SYS_exit_group, 0);
}

static pid_t start(const char *self, int signal)
{
    char number[8];
    char *argv[] = {(char *)(size_t)self, (char *)(size_t) "die", number, NULL};
    pid_t pid = -1;
    snprintf(number, sizeof number, "%d", signal);
    if (posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0)
        exit(9);
    return pid;
}

/* Each is waited for in another way; half of them are not exec'ed. */
static void children(const char *self)
{
    static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM, 0};
    siginfo_t info;
    int status;
    for (unsigned i = 0; i < 5; i++) {
        pid_t pid = start(self, signals[i]);
        if (waitpid(pid, &status, 0) != pid)
            exit(9);
        pid = fork();
        if (pid == 0)
            exit(work(signals[i]));
        if (i % 2 ? waitid(P_PID, (id_t)pid, &info, WEXITED) != 0
                  : wait(NULL) != pid)
            exit(9);
    }
}

static void server(void)
{
    for (int how = 0; how < 3; how++) {
        static const int signals[] = {0, SIGSEGV, SIGKILL};
        if (fork() == 0)
            exit(work(signals[how]));
        wait(NULL);
    }
    pass_ms(600);
}

/* Ends its own workers; with `alone`, somebody else ends them. */
static void pool(bool alone)
{
    enum {
        WORKERS = 3
    };
    int ready[2];
    char byte;
    pid_t pid[WORKERS];
    if (pipe(ready) != 0)
        exit(9);
    for (int i = 0; i < WORKERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            exit(serve(ready[1]));
        if (read(ready[0], &byte, 1) != 1)
            exit(9);
    }
    for (int i = 0; i < WORKERS; i++) {
        if (alone)
            printf("%d\n", pid[i]);
        else
            kill(pid[i], SIGTERM);
    }
    fflush(stdout);
    for (int i = 0; i < WORKERS; i++)
        waitpid(pid[i], NULL, 0);
}

/* Leaves its work to a child that nobody waits for, and which fails. */
static void be_daemon(void)
{
    if (fork() != 0)
        _exit(0);
    work(0);
    pass_ms(200);
    exit(3);
}

/* Requests that a root handler only hands over: a thread does the work. */
static sem_t handed, done;
static long item;

__attribute__((noinline)) int request(long id)
{
    item = id;
    return sem_post(&handed);
}

__attribute__((noinline)) int handle(long id)
{
    pass_ms(20);
    return id == 2 ? -1 : 0;
}

static void *handler(void *unused)
{
    for (;;) {
        sem_wait(&handed);
        if (item == 0)
            return unused;
        handle(item);
        sem_post(&done);
    }
}

static void requests(void)
{
    pthread_t thread;
    sem_init(&handed, 0, 0);
    sem_init(&done, 0, 0);
    if (pthread_create(&thread, NULL, handler, NULL) != 0)
        exit(9);
    for (long id = 1; id <= 3; id++) {
        request(id);
        sem_wait(&done);
    }
    item = 0;
    sem_post(&handed);
    pthread_join(thread, NULL);
}

/* Requests that are open when the process is killed. */
__attribute__((noinline)) int hold(int ready)
{
    return serve(ready);
}

static void *holder(void *ready)
{
    hold(*(int *)ready);
    return NULL;
}

/* One whose child fails, and which lives with that. */
__attribute__((noinline)) int ask(int how)
{
    pid_t pid = fork();
    if (pid == 0)
        exit(work(0) + how);
    waitpid(pid, NULL, 0);
    return 0;
}

static void cut(void)
{
    pthread_t thread;
    int ready[2];
    char byte;
    if (pipe(ready) != 0)
        exit(9);
    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, holder, &ready[1]) != 0 ||
            read(ready[0], &byte, 1) != 1)
            exit(9);
    pass_ms(20);
    kill(getpid(), SIGKILL);
}

/* Handlers that follow each other by what the one before carried. */
__attribute__((noinline)) int carry(long id)
{
    item = id;
    return 0;
}

__attribute__((noinline)) int next(long id)
{
    pass_ms(2);
    return id < 20 ? carry(id + 1) : 0;
}

static void chain(void)
{
    carry(1);
    while (item) {
        long id = item;
        item = 0;
        next(id);
    }
}

/* Two children that call until they are told to end. */
static void prefork(void)
{
    int end[2];
    char byte;
    if (pipe(end) != 0)
        exit(9);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(end[1]);
            fcntl(end[0], F_SETFL, O_NONBLOCK);
            while (read(end[0], &byte, 1) < 0)
                work(0);
            exit(0);
        }
        printf("%d\n", pid);
    }
    fflush(stdout);
    close(end[0]);
    if (read(STDIN_FILENO, &byte, 1) < 0)
        exit(9);
    close(end[1]);
    while (wait(NULL) > 0)
        ;
}

/* Calls until it is told to end; to exec itself; to try an exec that fails. */
static void turn(const char *self)
{
    char byte;
    printf("%d\n", getpid());
    fflush(stdout);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    for (;;) {
        work(0);
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0)
            continue;
        if (got == 0 || byte == 'x')
            exit(0);
        execl(byte == 'e' ? self : "/no/such/file", self, "turn", (char *)NULL);
        puts("goes on");
        fflush(stdout);
    }
}

/* Computes for 20 ms, then execs what the rest of the line says, if any. */
static void compute_and_go(char **rest)
{
    struct timespec t;
    long end = 0, now;
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        now = t.tv_sec * 1000000000 + t.tv_nsec;
        if (!end)
            end = now + 20000000;
    } while (now < end);
    work(0);
    if (!*rest)
        return;
    if (strcmp(*rest, "exit") == 0 || strcmp(*rest, "kill") == 0)
        raw(*rest);
    execl("/no/such/file", "x", (char *)NULL); /* the process goes on */
    execvp(*rest, rest);
    exit(9);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "raw") == 0)
        raw(argc > 2 ? argv[2] : "");
    if (strcmp(mode, "compute") == 0)
        compute_and_go(argv + 2);
    if (strcmp(mode, "die") == 0)
        return work(atoi(argv[2]));
    if (strcmp(mode, "children") == 0)
        children(argv[0]);
    if (strcmp(mode, "exit") == 0)
        return work(0) + atoi(argv[2]);
    if (strcmp(mode, "daemon") == 0)
        be_daemon();
    if (strcmp(mode, "requests") == 0)
        requests();
    if (strcmp(mode, "ask") == 0)
        return ask(4);
    if (strcmp(mode, "cut") == 0)
        cut();
    if (strcmp(mode, "chain") == 0)
        chain();
    if (strcmp(mode, "prefork") == 0)
        prefork();
    if (strcmp(mode, "turn") == 0)
        turn(argv[0]);
    if (strcmp(mode, "server") == 0)
        server();
    if (strcmp(mode, "pool") == 0)
        pool(false);
    if (strcmp(mode, "alone") == 0)
        pool(true);
    return 0;
}
