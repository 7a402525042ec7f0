/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions whose stack arguments compilers reach in roundabout ways: biased
 * pointers, loops, copies, aligned frames, variadic lists. Built by several
 * compilers at several levels; none may ever be proved (not_), the others
 * (any_) may be either.
 */
#include <stdarg.h>

struct eight {
    long a[8];
};
struct thirty_two {
    int a[32];
};

extern void use(void *);
extern void take(struct eight);
extern long g[];

#define CASE __attribute__((noinline, visibility("default")))

CASE long not_long_double(long double x)
{
    return (long)x;
}

CASE __attribute__((ms_abi)) long not_ms_abi(long a, long b, long c, long d,
                                             long e)
{
    volatile long *p = &a;
    use((void *)p);
    return b + c + d + e;
}

CASE long not_frame_address(long a)
{
    long *p = __builtin_frame_address(0);
    return p[2 + a];
}

CASE long not_loop(struct thirty_two s)
{
    long r = 0;
    for (int i = 0; i < 32; i++)
        r += s.a[i];
    return r;
}

CASE long not_reverse(struct thirty_two s)
{
    long r = 0;
    for (int i = 31; i >= 0; i--)
        r = r * 3 + s.a[i];
    return r;
}

CASE long not_gather(struct thirty_two s, int *index)
{
    long r = 0;
    for (int i = 0; i < 16; i++)
        r += s.a[index[i] - 7];
    return r;
}

CASE long not_copied(struct eight s)
{
    take(s);
    return 1;
}

CASE long not_biased(struct thirty_two s, int i)
{
    int local[8];
    use(local);
    return s.a[i - 30] + local[i & 7];
}

CASE long not_window(struct thirty_two s, int n)
{
    long r = 0;
    for (int i = 8; i < n; i++)
        r += s.a[i - 8] * g[i];
    return r;
}

CASE long not_beside_alloca(struct thirty_two s, int n)
{
    char *v = __builtin_alloca((unsigned long)n);
    use(v);
    return s.a[n - 3] + v[1];
}

CASE long not_beside_aligned(struct thirty_two s, int n)
{
    char v[64] __attribute__((aligned(64)));
    use(v);
    return s.a[n - 3] + v[n];
}

CASE long not_variadic_aligned(int n, ...)
{
    char v[64] __attribute__((aligned(64)));
    va_list list;
    va_start(list, n);
    use(v);
    use(list);
    va_end(list);
    return v[n];
}

CASE long not_variadic(int n, ...)
{
    va_list list;
    long r = 0;
    va_start(list, n);
    while (n-- > 0)
        r += va_arg(list, long);
    va_end(list);
    return r;
}

CASE long not_pointer(long a, long b, long c, long d, long e, long f, long h,
                      struct thirty_two s, int i)
{
    int *p = s.a - 12;
    long local[6];
    use(local);
    return p[i] + h + local[i & 3] + a + b + c + d + e + f;
}

CASE long not_pointer_below(struct thirty_two s)
{
    int *p = s.a - 1;
    use(p);
    return 0;
}

CASE __attribute__((noinline)) static long
eight_longs(long a, long b, long c, long d, long e, long f, long h, long i)
{
    use(&a);
    return a + b + c + d + e + f + h + i;
}

/* At -O2 a bare jmp, without any access of its own. */
CASE long not_forwarded(long a, long b, long c, long d, long e, long f, long h,
                        long i)
{
    return eight_longs(a, b, c, d, e, f, h, i);
}

#ifndef __clang__
CASE long not_dwarf_cfa(void)
{
    use(__builtin_dwarf_cfa());
    return 1;
}

CASE long not_nested(struct thirty_two s, int n)
{
    int inner(int k)
    {
        return s.a[k - 3];
    }
    use(inner);
    return inner(n);
}
#endif
