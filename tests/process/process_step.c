/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a pipeline of programs: step(NAME) with, open in it, whatever
 * the rest of the command line starts: process_step NAME [WAY COMMAND...]. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "include/handspan.h"

extern char **environ;
int step(const char *name, char **rest);
int inner(const char *name);

static int join(char **command, char *line, size_t cap)
{
    line[0] = 0;
    for (; *command; command++) {
        strncat(line, *command, cap - strlen(line) - 2);
        strcat(line, " ");
    }
    return 0;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0);
    return status;
}

static void *in_thread(void *name)
{
    inner(name);
    return name;
}

static int in_c11(void *name)
{
    return inner(name) ? 7 : 7;
}

static void region(const char *name, int threads)
{
    pthread_barrier_t all;
    pthread_barrier_init(&all, NULL, (unsigned)threads);
#pragma omp parallel num_threads(threads)
    {
        pthread_barrier_wait(&all); /* one on each thread */
        inner(name);
    }
    pthread_barrier_destroy(&all);
}

static void *forks(void *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        close_range(0, ~0u, 0);
        clearenv();
        inner(name);
        _exit(0);
    }
    inner(name);
    wait_for(pid);
    return NULL;
}

static int raw_clone(const char *name)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        inner(name);
        _exit(0);
    }
    return wait_for(pid);
}

/* Ten threads of fifty fork, ten children come by a raw clone. */
static int crowd(char *name)
{
    pthread_t threads[50];
    int bad = 0;
    for (size_t i = 0; i < 50; i++)
        bad |=
            pthread_create(&threads[i], NULL, i % 5 ? in_thread : forks, name);
    for (size_t i = 0; i < 50; i++)
        bad |= pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 10; i++)
        bad |= raw_clone(name);
    return bad;
}

/* All of them are there before the first goes on. */
static int children(long count, const char *name)
{
    int gate[2], bad = 0;
    char byte;
    if (pipe(gate) != 0)
        return 1;
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(gate[1]);
            if (read(gate[0], &byte, 1) != 0)
                _exit(1);
            inner(name);
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        bad |= pid < 0;
    }
    close(gate[1]);
    int status;
    for (long i = 0; i < count; i++)
        bad |= wait(&status) < 0 || status != 0;
    return bad;
}

static int run(const char *way, char **command)
{
    char line[4096];
    char *cleared[] = {NULL};
    pid_t pid = -1;
    if (strcmp(way, "fork") == 0 && (pid = fork()) == 0) {
        execvp(command[0], command);
        _exit(127);
    } else if (strcmp(way, "forkonly") == 0 && (pid = fork()) == 0) {
        inner(command[0]);
        exit(0);
    } else if (strcmp(way, "bare") == 0 && (pid = fork()) == 0) {
        close_range(0, ~0u, 0);
        execv(command[0], command);
        _exit(127);
    } else if (strcmp(way, "vfork") == 0 && (pid = vfork()) == 0) {
        execvp(command[0], command);
        _exit(127);
    } else if (strcmp(way, "spawn") == 0) {
        posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    } else if (strcmp(way, "cleared") == 0) {
        posix_spawnp(&pid, command[0], NULL, NULL, command, cleared);
    } else if (strcmp(way, "exec") == 0) {
        execvp(command[0], command);
    } else if (strcmp(way, "system") == 0) {
        return join(command, line, sizeof line), system(line);
    } else if (strcmp(way, "popen") == 0) {
        join(command, line, sizeof line);
        FILE *in = popen(line, "r");
        while (in && fgets(line, sizeof line, in))
            fputs(line, stdout);
        return in ? pclose(in) : -1;
    } else if (strcmp(way, "thread") == 0) {
        pthread_t thread;
        return pthread_create(&thread, NULL, in_thread, command[0]) ||
               pthread_join(thread, NULL);
    } else if (strcmp(way, "crowd") == 0) {
        return crowd(command[0]);
    } else if (strcmp(way, "children") == 0) {
        return children(strtol(command[0], NULL, 10), command[1]);
    } else if (strcmp(way, "ask") == 0) {
        char id[HANDSPAN_TRACEPARENT_BYTES];
        printf("%d %s\n", handspan_traceparent(id), id);
        return 0;
    } else if (strcmp(way, "omp") == 0) {
        /* the team stays: the second region is somebody else's */
        region(command[0], 4);
        return step(command[1], command + 2);
    } else if (strcmp(way, "region") == 0) {
        region(command[0], 4);
        return 0;
    } else if (strcmp(way, "c11") == 0) {
        thrd_t thread;
        int result = 0;
        return thrd_create(&thread, in_c11, command[0]) != thrd_success ||
               thrd_join(thread, &result) != thrd_success || result != 7;
    }
    return wait_for(pid);
}

__attribute__((noipa)) int inner(const char *name)
{
    return name[0];
}

__attribute__((noipa)) int step(const char *name, char **rest)
{
    printf("%s\n", name);
    fflush(stdout);
    return rest[0] ? run(rest[0], rest + 1) : 0;
}

int main(int argc, char **argv)
{
    char *none[] = {NULL};
    if (argc < 2)
        return 2;
    return step(argv[1], argc > 2 ? argv + 2 : none) == 0 ? 0 : 1;
}
