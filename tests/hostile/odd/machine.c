// SPDX-License-Identifier: Apache-2.0
/* Registers, flags and switches of the machine. */
#include "odd.h"
#include <asm/prctl.h>

enum {
    TRAP_FLAG = 0x100
};

static volatile int steps, inner;

static void on_step(int number)
{
    if (++steps % 7 == 0)
        inner += work(number) - number;
}

/* Each instruction traps, ours as well; the handler calls some, too. */
static int steps_itself(char **argv)
{
    (void)argv;
    int sum = 0;
    handle(SIGTRAP, on_step, 0);
    for (int i = 0; i < 5; i++) {
        __asm__ volatile("pushfq; orq %0, (%%rsp); popfq"
                         :
                         : "i"(TRAP_FLAG)
                         : "cc", "memory");
        sum += work(i) + look("abc");
        __asm__ volatile("pushfq; andq %0, (%%rsp); popfq"
                         :
                         : "i"(~TRAP_FLAG)
                         : "cc", "memory");
    }
    printf("%d %d %d\n", sum, steps > 20, inner > 2);
    return 0;
}

/* The counter that most clocks are read from is forbidden: SIGSEGV. */
static int no_counter(char **argv)
{
    (void)argv;
    pthread_t thread;
    void *got = NULL;
    int sum = work(1);
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0)
        return CANNOT;
    for (int i = 0; i < 1000; i++)
        sum += work(i) + look("abc");
    sum += wide(300, work);
    if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)work,
                       (void *)41) == 0)
        pthread_join(thread, &got);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(6));
    printf("%d %d %x\n", sum, (int)(intptr_t)got, (unsigned)status_of(pid));
    fflush(stdout);
    _exit(work(2));
}

static int own_gs(char **argv)
{
    (void)argv;
    static uintptr_t block[8];
    uintptr_t got;
    block[1] = 77;
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, block) != 0)
        return CANNOT;
    int sum = works(200);
    __asm__ volatile("mov %%gs:8, %0" : "=r"(got));
    printf("%d %d\n", sum, (int)got);
    return 0;
}

/* ---- conventions that ask for more than C's -------------------------------
 */

/* A stack that is not aligned, as some old code has it. */
__attribute__((noinline)) static int misaligned_call(int n)
{
    int got;
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "sub $512, %%rsp\n"
                     "and $-16, %%rsp\n"
                     "sub $8, %%rsp\n"
                     "call work\n"
                     "mov %%rbx, %%rsp\n"
                     : "=a"(got), "+D"(n)
                     :
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
                       "memory", "cc");
    return got;
}

static int misaligned(char **argv)
{
    (void)argv;
    int sum = 0;
    for (int i = 0; i < 100; i++)
        sum += misaligned_call(i);
    printf("%d\n", sum);
    return 0;
}

/* A caller that knows what work() leaves alone (gcc's -fipa-ra does). */
__attribute__((noinline)) static long kept_call(int n)
{
    long got;
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "mov $11, %%ecx; mov $12, %%edx; mov $13, %%esi\n"
                     "mov $14, %%r8d; mov $15, %%r9d; mov $16, %%r10d\n"
                     "mov $17, %%r11d\n"
                     "sub $128, %%rsp; and $-16, %%rsp\n"
                     "call work\n"
                     "mov %%rbx, %%rsp; cltq\n"
                     "add %%rcx, %%rax; add %%rdx, %%rax; add %%rsi, %%rax\n"
                     "add %%r8, %%rax; add %%r9, %%rax; add %%r10, %%rax\n"
                     "add %%r11, %%rax\n"
                     : "=&a"(got), "+D"(n)
                     :
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
                       "memory", "cc");
    return got;
}

static int kept_registers(char **argv)
{
    (void)argv;
    long sum = 0;
    for (int i = 0; i < 100; i++)
        sum += kept_call(i);
    printf("%ld\n", sum);
    return 0;
}

static int x87_full(char **argv)
{
    (void)argv;
    long double got[8], sum = 0;
    int n = 0;
    __asm__ volatile("fninit; fld1; fldpi; fldl2e; fldl2t; fldlg2; fldln2;"
                     "fld1; fld1" ::
                         : "memory");
    for (int i = 0; i < 50; i++)
        n += work(i) + look("abc");
    for (int i = 0; i < 8; i++)
        __asm__ volatile("fstpt %0" : "=m"(got[i]));
    for (int i = 0; i < 8; i++)
        sum += got[i] * (i + 1);
    printf("%d %.15Lg\n", n, sum);
    return 0;
}

const struct way machine_ways[] = {
    {"steps-itself", steps_itself},
    {"no-counter", no_counter},
    {"own-gs", own_gs},
    {"misaligned", misaligned},
    {"kept-registers", kept_registers},
    {"x87-full", x87_full},
    {NULL, NULL},
};
