/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a pipeline of programs: step(NAME) with, open in it, whatever
 * the rest of the command line starts: process_step NAME [WAY COMMAND...]. */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

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
