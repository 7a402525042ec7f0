/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that start other programs in every way, and one that lets go of
 * the whole process group as a daemon does. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((noipa)) int by_system(int n)
{
    return WEXITSTATUS(system("exit 3")) + n;
}
__attribute__((noipa)) int by_popen(int n)
{
    char line[64] = "";
    FILE *from = popen("echo 45", "r");
    if (!from || !fgets(line, sizeof(line), from))
        return -1;
    return atoi(line) + n + pclose(from);
}
__attribute__((noipa)) int by_spawn(int n)
{
    int status = 0;
    pid_t pid;
    char *args[] = {"sh", "-c", "exit 6", NULL};
    if (posix_spawnp(&pid, "sh", NULL, NULL, args, environ) != 0)
        return -1;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status) + n;
}
__attribute__((noipa)) int by_vfork(int n)
{
    int status = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 8", (char *)NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status) + n;
}
__attribute__((noipa)) int work(int n)
{
    __asm__ volatile("");
    return n * 3 + 1;
}
__attribute__((noipa)) int as_daemon(int n)
{
    int status = 0, sum = 0, out[2];
    char byte;
    if (pipe(out) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        closefrom(0);
        umask(0);
        if (chdir("/") != 0 || open("/dev/null", O_RDWR) != 0)
            _exit(90);
        for (int i = 0; i < 1000; i++)
            sum += work(i);
        _exit(sum == 1499500 ? 5 : 91);
    }
    close(out[1]);
    waitpid(pid, &status, 0);
    if (read(out[0], &byte, 1) != 0)
        return -2;
    pid = wait(&status);
    return WEXITSTATUS(status) + n + (pid > 0);
}
int main(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that the daemon can be awaited */
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        printf("%d %d ", by_system(i), by_popen(i));
        printf("%d %d ", by_spawn(i), by_vfork(i));
        printf("%d\n", as_daemon(i));
        fflush(stdout);
    }
    return 0;
}
