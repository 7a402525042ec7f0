/* SPDX-License-Identifier: Apache-2.0 */
/* A server that gives up root (as an ordinary user: that may not be looked
 * into) and then loads a plugin, while another thread runs its handlers:
 * /proc/self/mem cannot be opened any more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int is_over;

__attribute__((noipa)) int busy(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static void *keep_busy(void *sum)
{
    while (!is_over)
        *(int *)sum = busy(*(int *)sum) & 1023;
    return NULL;
}

/* Where anybody can read it. */
static int copy_plugin(const char *program, const char *to)
{
    char from[4096];
    struct stat st;
    const char *slash = strrchr(program, '/');
    int len = slash ? (int)(slash - program) : 0;
    snprintf(from, sizeof(from), "%.*s/plugins/libbind_plugin.so", len,
             program);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (in < 0 || out < 0 || fstat(in, &st) != 0 ||
        sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size ||
        fchmod(out, 0755) != 0)
        return -1;
    return close(in) | close(out);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/handspan-dropped-XXXXXX", path[64];
    pthread_t thread;
    int sum = argc - 1, done = 1;
    if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
        return 2;
    snprintf(path, sizeof(path), "%s/libbind_plugin.so", folder);
    if (copy_plugin(argv[0], path) != 0)
        return 3;
    pid_t child = fork(); /* who drops cannot remove it any more */
    if (child == 0) {
        if (pthread_create(&thread, NULL, keep_busy, &sum) != 0 ||
            (getuid() == 0 ? setgid(65534) != 0 || setuid(65534) != 0
                           : prctl(PR_SET_DUMPABLE, 0) != 0))
            _exit(4);
        void *handle = dlopen(path, RTLD_NOW);
        int (*work)(int) =
            handle ? (int (*)(int))dlsym(handle, "plugin_work") : NULL;
        for (int i = 0; work && i < 5; i++)
            done += work(i);
        is_over = 1;
        pthread_join(thread, NULL);
        _exit(work ? done : 5);
    }
    int status = -1;
    waitpid(child, &status, 0);
    unlink(path);
    rmdir(folder);
    printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
