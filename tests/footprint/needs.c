// SPDX-License-Identifier: Apache-2.0
/*
 * How many bytes of a thread's stack a call needs: the thread stands LEFT bytes
 * above the end of its stack and calls a function that takes BYTES of them.
 *
 *   needs FIRST STACK LEFT BYTES
 *
 * FIRST: 1: it is the thread's first call of a handler, 0: it made one before.
 * Prints "ok". The page below the stack is not accessible.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE = 4096
};
static long left, bytes;
static int first;
static uint8_t *low;
static volatile long sink;

int warm(int n);
__attribute__((noinline)) int warm(int n)
{
    sink += n;
    return n;
}

/* Takes `bytes` below its return address. */
int take(long n);
__asm__(".text\n"
        ".globl take\n"
        ".type take, @function\n"
        "take:\n"
        ".cfi_startproc\n"
        "mov %rdi, %rax\n"
        "neg %rax\n"
        "movb $1, 8(%rsp,%rax)\n"
        "mov $1, %eax\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size take, . - take\n");

/* Moves down to `left` bytes above the end and calls. */
__attribute__((noinline)) static int call_at(uint8_t *to)
{
    int result;
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %[to], %%rsp\n\t"
                     "call *%[take]\n\t"
                     "mov %%rbx, %%rsp"
                     : "=a"(result)
                     : [to] "r"(to), [take] "r"(take), "D"(bytes)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
                       "memory");
    return result;
}

static void *run(void *argument)
{
    if (!first)
        warm(1);
    return call_at(low + left) == 1 ? argument : NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_attr_t attributes;
    void *result = NULL;
    if (argc < 5)
        return 2;
    first = atoi(argv[1]);
    size_t stack = (size_t)atol(argv[2]);
    left = atol(argv[3]) & ~15l;
    bytes = atol(argv[4]);
    low = mmap(NULL, stack + PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (low == MAP_FAILED || mprotect(low, PAGE, PROT_NONE) != 0)
        return 2;
    low += PAGE;
    warm(0); /* what is done once in a process */
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, low, stack) != 0 ||
        pthread_create(&thread, &attributes, run, &left) != 0)
        return 2;
    pthread_join(thread, &result);
    puts(result ? "ok" : "wrong");
    return result == NULL;
}
