// SPDX-License-Identifier: Apache-2.0
/* Exceptions: throw CASE. Handlers as in fail.c. */
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#define OUT __attribute__((noinline))
#define STAY __asm__ volatile("" ::: "memory")

namespace etl {
struct bad_row : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct plain { // no std::exception
    int n;
};
}

OUT static int t_runtime()
{
    throw std::runtime_error("cannot parse"); /* @runtime */
}
OUT static int t_own()
{
    throw etl::bad_row("row 17"); /* @own */
}
OUT static int t_plain()
{
    throw etl::plain{3}; /* @plain */
}
OUT static int t_int()
{
    throw 42; /* @int */
}
OUT static int t_library()
{
    std::string text;
    char c = text.at(3); /* @library */
    STAY;
    return c;
}
OUT static int t_system()
{
    throw std::system_error(2, std::system_category()); /* @system */
}
OUT static int t_again()
{
    try {
        t_runtime(); /* @again */
    } catch (...) {
        STAY;
        throw;
    }
    return 0;
}
OUT static int t_dependent()
{
    std::exception_ptr held;
    try {
        t_own(); /* @dependent */
    } catch (...) {
        held = std::current_exception();
    }
    std::rethrow_exception(held);
}
OUT static int t_nested()
{
    try {
        t_runtime();
    } catch (...) {
        std::throw_with_nested(etl::bad_row("outer")); /* @nested */
    }
    return 0;
}
/* Caught below the handler, which then fails by its rule. */
OUT static int t_caught()
{
    try {
        t_own();
    } catch (const std::exception &) {
        STAY;
        return -71;
    }
    return 0;
}
struct guard { // with a destructor that runs on the way
    ~guard()
    {
        STAY;
    }
};
OUT static int t_unwound()
{
    guard g;
    int n = t_own(); /* @unwound */
    STAY;
    return n;
}

static const struct {
    const char *name;
    int (*run)();
} cases[] = {
    {"runtime", t_runtime}, {"own", t_own},         {"plain", t_plain},
    {"int", t_int},         {"library", t_library}, {"system", t_system},
    {"again", t_again},     {"dependent", t_dependent},
    {"nested", t_nested},   {"caught", t_caught},   {"unwound", t_unwound},
};

extern "C" OUT int step(const char *name, int number)
{
    for (const auto &c : cases)
        if (std::strcmp(c.name, name) == 0) {
            int result = c.run(); /* @step */
            STAY;
            return result;
        }
    return number;
}

extern "C" OUT int job(const char *name, int *left)
{
    *left = 0;
    try {
        int result = step(name, 7); /* @job */
        *left = result < 0 ? 5 : 0;
    } catch (...) {
        STAY;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int left;
    if (argc < 2)
        return 2;
    if (argc > 2 && std::strcmp(argv[2], "thread") == 0) {
        std::thread t([&] { job(argv[1], &left); });
        t.join();
    } else if (argc > 2 && std::strcmp(argv[2], "uncaught") == 0) {
        step(argv[1], 7);
    } else {
        job(argv[1], &left);
    }
    return 0;
}
