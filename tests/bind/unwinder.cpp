// SPDX-License-Identifier: Apache-2.0
// For test_unwinder.py: exceptions that pass handlers with cleanups, with and
// without stack arguments, rethrown on the way. As a program or as a library.
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

#define API extern "C" __attribute__((noinline, visibility("default"))) long

struct big {
    long a[8];
};
static long done;
static volatile int sink;
struct count {
    long n;
    explicit count(long v) : n(v)
    {
    }
    ~count()
    {
        done += n;
    }
};

API leaf(int n)
{
    sink = n;
    if (n % 2)
        throw std::runtime_error("odd");
    return n;
}

API on_stack(big b, int n)
{
    sink = n;
    if (n % 3 == 0)
        throw n;
    return b.a[7] + n;
}

API cleans(int n)
{
    count c(n);
    return leaf(n) + sink;
}

API rethrows(int n)
{
    count c(7);
    try {
        return cleans(n);
    } catch (std::exception &) {
        sink = 1;
        throw;
    }
}

API by_big(int n)
{
    count c(3);
    big b = {{1, 2, 3, 4, 5, 6, 7, 8}};
    return on_stack(b, n) + 1;
}

/* takes the address of its stack arguments */
API many(int n, ...)
{
    count c(1);
    va_list list;
    long sum = 0;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        sum += va_arg(list, long);
    va_end(list);
    if (sum % 2)
        throw sum;
    return sum;
}

API catches(int n)
{
    try {
        return rethrows(n) + by_big(n);
    } catch (std::runtime_error &) {
        return 1000;
    } catch (int i) {
        return i;
    }
}

API run_all(int n)
{
    long sum = 0;
    for (int i = 0; i < n; i++) {
        sum += catches(i);
        try {
            sum += many(9, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, (long)i);
        } catch (long v) {
            sum += v * 2;
        }
    }
    return sum * 100000 + done;
}

#ifdef PROGRAM
int main()
{
    std::printf("%ld\n", run_all(300));
}
#endif
