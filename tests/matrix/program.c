/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of every shape that a compiler makes, called in known numbers: it
 * is the caller that counts, so that the function is what the compiler wants
 * it to be. Prints what was computed, then how often each was called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* so that no call of it is left out or drawn together with another */
#define EFFECT() __asm__ volatile("" ::: "memory")
#define KEEP     __attribute__((noinline, used))
#define FUNCTIONS                                                              \
    X(tiny)                                                                    \
    X(leaf)                                                                    \
    X(spin)                                                                    \
    X(chosen)                                                                  \
    X(labels) X(distances) X(even) X(odd) X(rare) X(many) X(pair_of) X(deep)   \
        X(jumps) X(text_length) X(floats) X(wide)

enum {
#define X(name) ID_##name,
    FUNCTIONS
#undef X
        IDS
};
static long counts[IDS];
#define CALL(name, ...) (counts[ID_##name]++, name(__VA_ARGS__))

struct pair {
    long a, b, c;
};

KEEP int tiny(void)
{
    EFFECT();
    return 3;
}

KEEP long leaf(long n)
{
    EFFECT();
    return n * 3 + 1;
}

/* its first block is a loop */
KEEP long spin(unsigned long n)
{
    while (n % 7 != 0)
        n = n * 5 + 3;
    EFFECT();
    return (long)(n / 7);
}

KEEP int chosen(int n)
{
    EFFECT();
    switch (n) {
    case 0:
        return 11;
    case 1:
        return n + 90;
    case 2:
        return 5 * n;
    case 3:
        return n ^ 77;
    case 4:
        return 6;
    case 5:
        return -n;
    case 6:
        return n << 4;
    default:
        return 0;
    }
}

KEEP long labels(const unsigned char *p)
{
    static void *const table[] = {&&add, &&sub, &&end};
    long s = 0;
add:
    s += 3;
    goto *table[*p++];
sub:
    s -= 1;
    goto *table[*p++];
end:
    EFFECT();
    return s;
}

KEEP long distances(const unsigned char *p)
{
    static const int table[] = {&&add - &&sub, &&sub - &&sub, &&end - &&sub};
    long s = 0;
add:
    s += 5;
    goto *(&&sub + table[*p++]);
sub:
    s -= 2;
    goto *(&&sub + table[*p++]);
end:
    EFFECT();
    return s;
}

KEEP int odd(unsigned n);
KEEP int even(unsigned n)
{
    EFFECT();
    return n == 0 ? 1 : CALL(odd, n - 1);
}

KEEP int odd(unsigned n)
{
    EFFECT();
    return n == 0 ? 0 : CALL(even, n - 1);
}

__attribute__((cold, noinline)) static void complain(int n)
{
    static volatile int seen;
    seen += n;
}

KEEP int rare(int n)
{
    int tries = 0;
again:
    if (__builtin_expect(n < 0, 0)) {
        complain(n);
        if (tries++ < 2)
            goto again;
        return -tries;
    }
    EFFECT();
    return n + tries;
}

KEEP long many(int n, ...)
{
    va_list list;
    long s = 0;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        s += va_arg(list, int);
    EFFECT();
    va_end(list);
    return s;
}

KEEP struct pair pair_of(struct pair p)
{
    EFFECT();
    p.c = p.a + p.b;
    return p;
}

KEEP long deep(int n)
{
    long below = n == 0 ? 1 : CALL(deep, n - 1);
    EFFECT(); /* a call, not a loop */
    return below + n;
}

static jmp_buf back;
KEEP void jumps(int n)
{
    longjmp(back, n);
}

KEEP unsigned long text_length(const char *s)
{
    const char *at = s;
    while (*at)
        at++;
    EFFECT();
    return (unsigned long)(at - s);
}

KEEP double floats(double a, float b)
{
    EFFECT();
    return a * 2 + (double)b;
}

KEEP long wide(long a, long b, long c, long d, long e, long f, long g, long h)
{
    EFFECT();
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

static int (*volatile function_pointer)(int) = chosen;

static long first_half(long n)
{
    static const unsigned char code[] = {0, 1, 0, 1, 1, 2};
    long s = CALL(tiny) + CALL(leaf, n) + CALL(spin, (unsigned long)n);
    for (int i = 0; i < 9; i++)
        s += CALL(chosen, i);
    s += (counts[ID_chosen]++, function_pointer(3));
    s += CALL(labels, code) + CALL(distances, code);
    return s + CALL(even, (unsigned)n % 9) + CALL(rare, 4) + CALL(rare, -4);
}

static long second_half(long n)
{
    struct pair p = {n, 2, 0};
    long s = CALL(many, 3, 5, 6, 7);
    s += CALL(pair_of, p).c + CALL(deep, 12);
    int got = setjmp(back);
    if (got == 0)
        CALL(jumps, 9);
    s += got;
    s += (long)CALL(text_length, "handlers of programs");
    return s + (long)CALL(floats, 2.5, 1.5f) +
           CALL(wide, 1, 2, 3, 4, 5, 6, 7, 8);
}

int main(void)
{
    static const char *const names[] = {
#define X(name) #name,
        FUNCTIONS
#undef X
    };
    long sum = 0;
    for (long n = 0; n < 200; n++)
        sum = sum * 7 + first_half(n) + second_half(n);
    printf("sum %ld\n", sum);
    for (int i = 0; i < IDS; i++)
        printf("count %s %ld\n", names[i], counts[i]);
    return (int)(sum & 63);
}
