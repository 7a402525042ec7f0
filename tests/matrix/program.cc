// SPDX-License-Identifier: Apache-2.0
// As program.c, for what C++ adds: exceptions that pass and that are caught,
// virtual calls and their thunks, templates, destructors.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#define EFFECT() __asm__ volatile("" ::: "memory")
#define KEEP     __attribute__((noinline, used))
#define FUNCTIONS                                                              \
    X(throws)                                                                  \
    X(passes)                                                                  \
    X(catches) X(cleans) X(rethrows) X(sums) X(by_reference) X(virtual_calls)

enum {
#define X(name) ID_##name,
    FUNCTIONS
#undef X
        IDS
};
static long counts[IDS];
#define CALL(name, ...) (counts[ID_##name]++, name(__VA_ARGS__))

static long cleaned;
struct Cleaner {
    long n;
    explicit Cleaner(long m) : n(m)
    {
    }
    ~Cleaner()
    {
        cleaned += n;
    }
};

struct First {
    virtual ~First() = default;
    virtual long first(long n)
    {
        return n + 1;
    }
};
struct Second {
    virtual ~Second() = default;
    virtual long second(long n)
    {
        return n + 2;
    }
};
struct Both : First, Second {
    long first(long n) override
    {
        return n * 2;
    }
    long second(long n) override
    {
        return n * 3;
    }
};

extern "C" {
KEEP long throws(long n)
{
    EFFECT();
    if (n % 3 == 0)
        throw std::runtime_error("third");
    if (n % 3 == 1)
        throw n;
    return n;
}

KEEP long passes(long n)
{
    return CALL(throws, n) + 1;
}

KEEP long cleans(long n)
{
    Cleaner one(n), two(2);
    std::string text(static_cast<size_t>(n % 40), 'x');
    return CALL(passes, n) + static_cast<long>(text.size());
}

KEEP long rethrows(long n)
{
    try {
        return CALL(cleans, n);
    } catch (const std::exception &) {
        cleaned++;
        throw;
    }
}

KEEP long catches(long n)
{
    for (;;) {
        try {
            return CALL(rethrows, n);
        } catch (const std::exception &e) {
            n += static_cast<long>(std::string(e.what()).size()) * 3 + 2;
        } catch (long caught) {
            return -caught;
        }
    }
}

KEEP long sums(const std::vector<long> &v)
{
    long s = 0;
    EFFECT();
    for (long n : v)
        s += n;
    return s;
}

KEEP void by_reference(std::string &s)
{
    s += "more";
}

KEEP long virtual_calls(First *a, Second *b)
{
    EFFECT();
    return a->first(4) * 100 + b->second(5);
}
}

int main()
{
    static const char *const names[] = {
#define X(name) #name,
        FUNCTIONS
#undef X
    };
    long sum = 0;
    Both both;
    for (long n = 0; n < 60; n++) {
        std::vector<long> v(static_cast<size_t>(n), n);
        std::string s("some ");
        sum = sum * 5 + CALL(catches, n) + CALL(sums, v);
        CALL(by_reference, s);
        sum += CALL(virtual_calls, &both, &both) + static_cast<long>(s.size());
    }
    std::printf("sum %ld %ld\n", sum, cleaned);
    for (int i = 0; i < IDS; i++)
        std::printf("count %s %ld\n", names[i], counts[i]);
    return static_cast<int>(sum & 63);
}
