/* SPDX-License-Identifier: Apache-2.0 */
/* A child that may create nothing any more (chroot and another user, where we
 * may do that) goes on in the session of its parent. */
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
    int sum = work(1), status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (chroot("/proc/self/fdinfo") != 0 ||
                               setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        for (int i = 0; i < 5; i++)
            sum += work(i);
        exit(sum);
    }
    waitpid(pid, &status, 0);
    printf("%d %d\n", sum, WEXITSTATUS(status));
    return 0;
}
