/* SPDX-License-Identifier: Apache-2.0 */
/* The program of which every prototype in the manifest is wrong. */
#include <cstdio>
#include <cstring>
#include <string>

#define HANDLER __attribute__((noipa))
struct Big {
    long a[8];
};
struct Pair {
    double x;
    long n;
};

extern "C" {
HANDLER int few(int a, const char *b, long c, double d, long e, long f, long g,
                long h)
{
    return static_cast<int>(a + static_cast<long>(std::strlen(b)) + c +
                            static_cast<long>(d) + e + f + g + h);
}
HANDLER int many(int a)
{
    return a * 3 + 1;
}
HANDLER long swapped(long n, const char *text)
{
    return n + text[0];
}
HANDLER double real_(double a, float b)
{
    return a * static_cast<double>(b);
}
HANDLER Big big(int n)
{
    Big b;
    for (int i = 0; i < 8; i++)
        b.a[i] = n + i;
    return b;
}
HANDLER Pair pair(double x, long n)
{
    return Pair{x * 2, n + 1};
}
HANDLER int by_value(Big b, int n)
{
    return static_cast<int>(b.a[7]) + n;
}
HANDLER long double wide(long double x)
{
    return x / 3;
}
HANDLER void nothing(int *out)
{
    *out += 5;
}
HANDLER int callee(int n)
{
    return n + 6;
}
HANDLER int take(int (*fn)(int), int n)
{
    return fn(n);
}
}
struct Thing {
    int base;
    HANDLER int method(int n)
    {
        return base + n;
    }
    HANDLER std::string text(int n) const
    {
        return std::string(static_cast<size_t>(n), 'x');
    }
};

int main()
{
    Thing thing = {7};
    long sum = 0;
    double real_sum = 0;
    for (int i = 0; i < 200; i++) {
        int out = i;
        Big b = big(i);
        Pair p = pair(i, i);
        nothing(&out);
        sum += few(i, "text", 2, 3.5, 4, 5, 6, 7) + many(i) + out;
        sum += swapped(i, "a") + b.a[3] + p.n + by_value(b, i);
        sum += thing.method(i) + static_cast<long>(thing.text(i % 40).size());
        sum += take(callee, i);
        real_sum += real_(i, 1.5f) + p.x + static_cast<double>(wide(i));
    }
    std::printf("%ld %.6f\n", sum, real_sum);
    return 0;
}
