/* SPDX-License-Identifier: Apache-2.0 */
/* Under seccomp's strict mode only read, write, exit and sigreturn are left:
 * a handler is called there as often as before, for longer than a time slice,
 * and the process does not die of a call of ours. */
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) long work(long n)
{
    for (int i = 0; i < 1000; i++)
        __asm__ volatile("" : "+r"(n));
    return n + 1;
}
int main(void)
{
    int status = 0;
    work(1);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        long sum = 0;
        for (long i = 0; i < 300000; i++)
            sum += work(i) > i;
        syscall(SYS_exit, sum == 300000 ? 4 : 5);
    }
    waitpid(pid, &status, 0);
    printf("%x\n", (unsigned)status);
    return 0;
}
