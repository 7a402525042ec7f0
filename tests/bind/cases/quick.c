/* SPDX-License-Identifier: Apache-2.0 */
/* _exit() below a handler; a vfork child's _exit() is not the parent's. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) int last(int n)
{
    if (n == 2)
        _exit(9);
    return n + 1;
}
int main(void)
{
    int status = 0;
    pid_t pid = vfork();
    if (pid == 0)
        _exit(4);
    waitpid(pid, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    fflush(stdout);
    for (int i = 0;; i = last(i))
        ;
}
