/* SPDX-License-Identifier: Apache-2.0 */
/* Under seccomp's strict mode only read, write, exit and sigreturn are left,
 * and rdtsc faults, as it does after PR_SET_TSC. A handler runs there as
 * before, and the process does not die of ours: the calls are counted. */
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
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
/* No rdtsc: a fault of the program's own would be seen in its status. */
static int without_tsc(void)
{
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    long sum = 0;
    for (long i = 0; i < 100; i++)
        sum += work(i) > i;
    return sum == 100 ? 6 : 7;
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
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        exit(without_tsc());
    waitpid(pid, &status, 0);
    printf("%x\n", (unsigned)status);
    return 0;
}
