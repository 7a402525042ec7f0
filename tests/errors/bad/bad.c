// SPDX-License-Identifier: Apache-2.0
/*
 * Failures in bad company: bad CASE. The handler is `work`; what breaks is not
 * only the program but also what would tell about it: its stack, its heap, the
 * loader, its files. bad.py knows what must be said of each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* noipa: nobody may know that a parameter is not used */
#define OUT __attribute__((noinline, noipa))
#define STAY __asm__ volatile("" ::: "memory")

struct row {
    long pad0;
    const char *name;
    struct row *next;
};
static char *volatile nowhere = (char *)0x10;
static volatile long sink;

OUT static void fault(void)
{
    *nowhere = 1; /* @fault */
    STAY;
}

/* ---- the stack ----------------------------------------------------------- */

/* All of it above this frame is garbage, our callers' return addresses too. */
OUT static void corrupt(void)
{
    char *from = __builtin_frame_address(0);
    memset(from + 16, 0xa5, 3000);
    *nowhere = 1; /* @corrupt */
    STAY;
}
OUT static void smash(void)
{
    void **frame = __builtin_frame_address(0);
    frame[1] = (void *)0x123456; /* to where there is nothing */
    STAY;
}
__attribute__((noinline, optimize("stack-protector-all"))) static void
canary(void)
{
    char room[16];
    char *volatile to = room;
    for (int i = 0; i < 64; i++)
        to[i] = 'x';
    STAY;
}
/* Two frames without unwind tables, whose frame pointers go in a circle. */
void circle(void);
__asm__(".text\n"
        ".type circle, @function\n"
        "circle: push %rbp\n mov %rsp, %rbp\n call circle_inner\n leave\n ret\n"
        ".size circle, . - circle\n"
        ".type circle_inner, @function\n"
        "circle_inner: push %rbp\n mov %rsp, %rbp\n mov %rbp, (%rbp)\n"
        "movl $1, 0x10\n leave\n ret\n"
        ".size circle_inner, . - circle_inner\n");

OUT static long deep(long n)
{
    char room[512];
    memset(room, (int)n, sizeof room);
    STAY;
    return deep(n + 1) + room[n & 511];
}
static void give_stack(void)
{
    static char room[1 << 16];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    sigaltstack(&stack, NULL);
}

/* ---- the heap ------------------------------------------------------------ */

OUT static void *again(size_t n)
{
    void *p = malloc(n); /* @malloc */
    STAY;
    return p;
}
/* A free list that leads to nowhere: malloc itself faults. */
static void wild_list(void)
{
    void *volatile a = malloc(40), *volatile b = malloc(40);
    free(a);
    free(b);
    *(volatile uintptr_t *)b = (uintptr_t)b >> 12 ^ 0x4141414141414140;
    sink = (long)again(40);
    sink = (long)again(40);
}
/* malloc gives up with its lock held. */
static void wild_top(void)
{
    char *volatile last = malloc(40000 + 8);
    *(volatile size_t *)(last + 40000 + 8) = (size_t)-8;
    sink = (long)again(1 << 16);
}
OUT static void free_twice(void)
{
    void *volatile p = malloc(2000);
    void *volatile wall = malloc(24);
    free(p);
    free(p); /* @twice */
    free(wall);
    STAY;
}

/* ---- many ---------------------------------------------------------------- */

long again_fails(long n);
OUT long again_fails(long n)
{
    STAY;
    return -n;
}
long work(const char *how, struct row *row);
static pthread_barrier_t all;
static void *in_thread(void *unused)
{
    (void)unused;
    work("all", NULL);
    return NULL;
}
static void together(int count)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_barrier_init(&all, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&thread, &attr, in_thread, NULL) != 0)
            _exit(77);
    for (;;)
        pause();
}

/* ---- the handler --------------------------------------------------------- */

static int load(const char *name)
{
    void *p = dlopen(name, RTLD_NOW);
    puts(p ? "loaded" : "not loaded");
    return p ? 0 : -1;
}

OUT long work(const char *how, struct row *row)
{
    long result = 0;
    (void)row;
    if (strcmp(how, "all") == 0)
        pthread_barrier_wait(&all);
    if (strcmp(how, "fault") == 0 || strcmp(how, "all") == 0)
        fault();
    if (strcmp(how, "corrupt") == 0)
        corrupt();
    if (strcmp(how, "smash") == 0)
        smash();
    if (strcmp(how, "canary") == 0)
        canary();
    if (strcmp(how, "circle") == 0)
        circle();
    if (strcmp(how, "overflow") == 0 || strcmp(how, "overflow_alt") == 0)
        result = deep(0);
    if (strcmp(how, "wild_list") == 0)
        wild_list();
    if (strcmp(how, "wild_top") == 0)
        wild_top();
    if (strcmp(how, "twice") == 0)
        free_twice();
    if (strcmp(how, "abort") == 0)
        abort();
    if (strncmp(how, "./", 2) == 0)
        result = load(how);
    STAY;
    return result;
}

static void rows(void)
{
    struct row good = {0, "good", NULL};
    struct row wild = {0, (char *)0x4141414141414141, NULL};
    struct row low = {0, (char *)0x10, NULL};
    char *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone, 4096);
    work("rows", &good);
    work("rows", &wild);
    work("rows", &low);
    work("rows", (struct row *)0x4141414141414141);
    work("rows", (struct row *)(uintptr_t)0xffffffff80000000);
    work("rows", (struct row *)(void *)gone);
    work("rows", NULL);
}

#ifdef EARLY
__attribute__((constructor)) static void early(void)
{
    work("fault", NULL);
    STAY;
}
#endif

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    puts("begun");
    fflush(stdout);
    if (strcmp(how, "overflow_alt") == 0)
        give_stack();
    if (strcmp(how, "rows") == 0)
        rows();
    else if (strcmp(how, "storm") == 0)
        for (int i = 1; i <= 100000; i++)
            sink += again_fails(i);
    else if (strcmp(how, "together") == 0)
        together(500);
    else
        sink = work(how, NULL);
    printf("done %d\n", errno);
    return 0;
}
