/* SPDX-License-Identifier: Apache-2.0 */
/* An exec that fails, children by fork and posix_spawn that exec, and then one
 * that succeeds; all with an empty environment, so that the child of
 * posix_spawn has an entry as well: the trace ends with it. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) int work(int n)
{
    __asm__ volatile("");
    return n * 7 + 2;
}
int main(void)
{
    char *args[] = {"true", NULL}, *none[] = {NULL};
    int status = 0;
    pid_t pid;
    printf("%d", execve("/nowhere/true", args, none));
    printf(" %d\n", errno);
    printf("%d", execve("/", args, none));
    printf(" %d\n", errno);
    posix_spawnp(&pid, "true", NULL, NULL, args, none);
    waitpid(pid, &status, 0);
    printf("%d %d\n", work(1), status);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execve("/bin/false", args, none);
        _exit(9);
    }
    waitpid(pid, &status, 0);
    printf("%d %d %d\n", work(2), status, system("exit 3"));
    fflush(stdout);
    execve("/bin/false", args, none);
    return 5;
}
