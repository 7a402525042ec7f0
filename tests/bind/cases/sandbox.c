/* SPDX-License-Identifier: Apache-2.0 */
/* A process that locks itself in as sandboxes do: no_new_privs, then a filter
 * by the raw syscall that kills for all but what it needs itself. Its handlers
 * run there as before, a new thread's too, it ends with its own status, and a
 * fault is still a fault. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) long work(long n)
{
    for (int i = 0; i < 100; i++)
        __asm__ volatile("" : "+r"(n));
    return n + 1;
}

/* What write() and pthread_create() need; of prctl, clock_gettime, madvise's
 * kin and the rest nothing. */
static const unsigned allowed[] = {
    SYS_write,           SYS_futex,        SYS_mmap,           SYS_mprotect,
    SYS_munmap,          SYS_clone,        SYS_clone3,         SYS_exit,
    SYS_set_robust_list, SYS_rseq,         SYS_rt_sigprocmask, SYS_brk,
    SYS_exit_group,      SYS_rt_sigreturn, SYS_rt_sigaction,   SYS_madvise,
};
enum {
    COUNT = sizeof allowed / sizeof *allowed
};

static void lock_in(void)
{
    struct sock_filter code[COUNT + 3];
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                           offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < COUNT; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (__u8)(COUNT - i), 0);
    code[COUNT + 1] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[COUNT + 2] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {COUNT + 3, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        _exit(9);
}

static void *on_thread(void *unused)
{
    (void)unused;
    for (long i = 0; i < 1000; i++)
        work(i);
    return NULL;
}

static void flood(void)
{
    long sum = 0;
    for (long i = 0; i < 3000000; i++)
        sum += work(i) > i;
    _exit(sum == 3000000 ? 4 : 5);
}
static void threads(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, on_thread, NULL) != 0)
        _exit(6);
    for (long i = 0; i < 1000; i++)
        work(i);
    pthread_join(thread, NULL);
    _exit(7);
}
static void fault(void)
{
    work(1);
    *(volatile int *)8 = 1;
}

static void in_child(void (*body)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        work(1);
        lock_in();
        body();
    }
    waitpid(pid, &status, 0);
    printf("%x\n", (unsigned)status);
    fflush(stdout);
}
int main(void)
{
    in_child(flood);
    in_child(threads);
    in_child(fault);
    return 0;
}
