/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments wherever the psABI puts them: variadic, structs by value in
 * registers, in memory and returned in memory, long double, vectors, and more
 * of each than there are registers. */
#include <complex.h>
#include <stdarg.h>
#include <stdio.h>

typedef float v4 __attribute__((vector_size(16)));
struct pair {
    long a;
    double b;
};
struct big {
    long v[6];
};

__attribute__((noipa)) double sum_variadic(int n, ...)
{
    double sum = 0;
    va_list list;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        sum += i % 2 ? va_arg(list, double) : (double)va_arg(list, long);
    va_end(list);
    return sum;
}
__attribute__((noipa)) struct pair swap_pair(struct pair p)
{
    __asm__ volatile("");
    return (struct pair){(long)p.b, (double)p.a};
}
__attribute__((noipa)) struct big add_big(struct big x, struct big y)
{
    for (int i = 0; i < 6; i++)
        x.v[i] += y.v[i];
    return x;
}
__attribute__((noipa)) long double scale_long(long double x, int n)
{
    __asm__ volatile("");
    return x * n;
}
__attribute__((noipa)) v4 add_vectors(v4 a, v4 b, v4 c, v4 d, v4 e, v4 f, v4 g,
                                      v4 h, v4 i, v4 j)
{
    __asm__ volatile("");
    return a + b + c + d + e + f + g + h + i * j;
}
__attribute__((noipa)) long many(long a, long b, long c, long d, long e, long f,
                                 long g, long h, double x, long i)
{
    __asm__ volatile("");
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + (long)x +
           9 * i;
}
__attribute__((noipa)) double complex turn(double complex z)
{
    __asm__ volatile("");
    return z * I;
}

int main(void)
{
    for (int n = 0; n < 3; n++) {
        struct pair p = swap_pair((struct pair){n, 2.5});
        struct big b = add_big((struct big){{1, 2, 3, 4, 5, n}},
                               (struct big){{9, 8, 7, 6, 5, 4}});
        v4 v = {1, 2, 3, (float)n};
        v = add_vectors(v, v, v, v, v, v, v, v, v, v);
        double complex z = turn(1 + 2 * I);
        printf("%.1f %ld %.1f %ld %.3Lf %.1f %.1f %ld %.1f\n",
               sum_variadic(9, 1L, 2.0, 3L, 4.0, 5L, 6.0, 7L, 8.0, 9L), p.a,
               p.b, b.v[5] + b.v[0], scale_long(1.5L, n), (double)v[0],
               (double)v[3], many(1, 2, 3, 4, 5, 6, 7, 8, 9.5, n), creal(z));
    }
    return 0;
}
