// SPDX-License-Identifier: Apache-2.0
/* Ways to leave calls by longjmp; longjmp_test.py knows what is true of each.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

struct large {
    long words[24];
};
static __thread sigjmp_buf back;
static int said;
static void escape(void *at)
{
    __asm__ volatile("" : : "r"(at) : "memory");
}
/* Takes the address of its stack arguments: it is carried by Z. */
#define ON_Z(large) pointer_escapes(&(large))
static void (*volatile pointer_escapes)(void *) = escape;

__attribute__((noinline)) void say(const char *text)
{
    said += (int)strlen(text);
}
__attribute__((noinline)) int parse(int n)
{
    volatile int x = n;
    return x + 1;
}
__attribute__((noinline)) void report(int n)
{
    char text[64];
    snprintf(text, sizeof text, "relation %d does not exist", n);
    say(text);
    if (n)
        siglongjmp(back, 1);
    said++;
}
__attribute__((noinline)) int query(struct large l, int n)
{
    ON_Z(l);
    report(n);
    return n + (int)l.words[2];
}
static __attribute__((noinline)) int deeper(int n)
{
    volatile char room[4096];
    room[n] = 1;
    return parse(n) + room[n];
}
static void fail(int n)
{
    struct large l = {{0}};
    if (sigsetjmp(back, 1) == 0)
        query(l, n);
}

/* parse() stands deeper than what was left, after a pause */
static void requests(void)
{
    for (int i = 1; i <= 3; i++) {
        fail(i);
        usleep(200000);
        said += deeper(i);
    }
}

/* 192 bytes each would be 12 MB */
static long anonymous_kb(void)
{
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "RssAnon: %ld", &kb);
    if (f)
        fclose(f);
    return kb;
}
static void many(void)
{
    struct large l = {{0}};
    for (volatile int i = 0; i < 60000; i++)
        if (sigsetjmp(back, 0) == 0)
            recurse(l, 0);
    puts(anonymous_kb() < 8192 ? "small" : "large");
    said += parse(1);
}

static sigjmp_buf outside;
static void on_signal(int signal)
{
    fail(8); /* within the handler: what was interrupted goes on */
    siglongjmp(outside, signal);
}
__attribute__((noinline)) int interrupted(int n)
{
    raise(SIGUSR1);
    return n;
}
/* out of a handler on a stack of its own, and on the thread's */
static void signals(void)
{
    static char stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal};
    sigaltstack(&alternate, NULL);
    for (volatile int i = 0; i < 4; i++) {
        action.sa_flags = i % 2 ? SA_ONSTACK : 0;
        sigaction(SIGUSR1, &action, NULL);
        if (sigsetjmp(outside, 1) == 0)
            interrupted(i);
        said += parse(i);
    }
}

static void *thread(void *unused)
{
    for (int i = 1; i <= 50; i++)
        fail(i);
    return unused;
}
static void threads(void)
{
    pthread_t id[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&id[i], NULL, thread, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(id[i], NULL);
}

/* Two coroutines that jump to each other: nothing is left. */
static ucontext_t home, there;
static jmp_buf in_home, in_there;
__attribute__((noinline)) int task(int n)
{
    for (int i = 0; i < 3; i++)
        if (_setjmp(in_there) == 0)
            _longjmp(in_home, 1);
    return n;
}
static void body(void)
{
    said += task(5);
    swapcontext(&there, &home);
}
__attribute__((noinline)) int drive(int n)
{
    volatile int rounds = 0;
    if (_setjmp(in_home) == 0)
        swapcontext(&home, &there);
    else if (rounds++ < 3)
        _longjmp(in_there, 1);
    return n + rounds;
}
static void coroutines(void)
{
    static char stack[1 << 18];
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = NULL;
    makecontext(&there, body, 0);
    said += drive(1);
}

/* A generator whose stack is copied away and back (callcc). */
static char *kept, *kept_at;
static size_t kept_bytes;
static jmp_buf generator, caller;
static __attribute__((noinline)) void keep_stack(char *top)
{
    char here;
    kept_at = &here - 512;
    kept_bytes = (size_t)(top - kept_at);
    kept = malloc(kept_bytes);
    for (size_t i = 0; i < kept_bytes; i++)
        kept[i] = kept_at[i];
}
static char *stack_top;
__attribute__((noinline)) int yields(struct large l, int n)
{
    ON_Z(l);
    if (_setjmp(generator) == 0) {
        keep_stack(stack_top);
        _longjmp(caller, 1);
    }
    return n + 1;
}
static __attribute__((noinline)) void restore(void)
{
    volatile char room[1 << 16]; /* below what is written over */
    room[0] = 1;
    for (size_t i = 0; i < kept_bytes; i++)
        kept_at[i] = kept[i];
    said += room[0];
    _longjmp(generator, 1);
}
static __attribute__((noinline)) void copied_once(void)
{
    struct large l = {{0}};
    volatile int step = 0;
    char top;
    stack_top = &top + 4096;
    if (_setjmp(caller) == 0)
        step = yields(l, 41);
    if (step == 42) {
        puts("came back");
        return;
    }
    for (int i = 0; i < 20; i++)
        fail(1);
    restore();
}
static __attribute__((noinline)) void copied(void)
{
    volatile char room[1 << 14]; /* of main: stays */
    room[0] = 1;
    copied_once();
    said += room[0];
}

__attribute__((noinline)) int recurse(struct large l, int n)
{
    ON_Z(l);
    if (n == 0)
        siglongjmp(back, 1);
    return recurse(l, n - 1) + (int)l.words[1];
}
/* deeper than there are open entries */
static void deep(void)
{
    struct large l = {{0}};
    for (volatile int i = 0; i < 20; i++)
        if (sigsetjmp(back, 1) == 0)
            recurse(l, 300);
    said += parse(1);
}

/* Two of Z within each other; the second time on more stack than is copied. */
__attribute__((noinline)) int inner(struct large l, int n)
{
    ON_Z(l);
    if (n >= 0)
        siglongjmp(back, 1);
    return (int)l.words[3];
}
static __attribute__((noinline)) int on_much_stack(struct large *l, int n)
{
    volatile char room[40000];
    room[n] = 1;
    return inner(*l, n) + room[n];
}
__attribute__((noinline)) int outer(struct large l, int n)
{
    ON_Z(l);
    return (n == 0 ? inner(l, n) : on_much_stack(&l, n)) + (int)l.words[2];
}
/* Neither returns: the call is the last of its function. */
__attribute__((noinline, noreturn)) void last_words(int n)
{
    siglongjmp(back, n + 1);
}
static __attribute__((noinline, noreturn)) void give_up(struct large *l, int n)
{
    l->words[0] = n;
    escape(l);
    last_words(n);
}
/* Jumps that no library makes (Ruby's, and coroutines'). */
static void *own[5];
static ucontext_t before;
__attribute__((noinline)) int jumps(int n)
{
    if (n % 2)
        setcontext(&before);
    __builtin_longjmp(own, 1);
    return n;
}
static __attribute__((noinline)) void own_jumps(void)
{
    static volatile int n;
    getcontext(&before);
    while (n < 7) {
        if (__builtin_setjmp(own) == 0)
            jumps(n++);
        said += parse(n);
    }
}

static void nested(void)
{
    struct large l = {{0}};
    for (volatile int n = 0; n < 2; n++)
        if (sigsetjmp(back, 0) == 0)
            outer(l, n);
    if (sigsetjmp(back, 0) == 0)
        give_up(&l, 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"requests", requests}, {"many", many},     {"signals", signals},
        {"threads", threads},   {"copied", copied}, {"coroutines", coroutines},
        {"deep", deep},         {"nested", nested}, {"own_jumps", own_jumps}};
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            modes[i].run();
    puts("done");
    return 0;
}
