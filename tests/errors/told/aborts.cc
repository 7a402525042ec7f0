// SPDX-License-Identifier: Apache-2.0
/* Ways to end by abort(), and what the runtime says of each: glibc by a system
 * call of its own, libstdc++ by its terminate handler. */
#include <cassert>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unistd.h>
#define OUTER extern "C" __attribute__((noinline))

OUTER int load(int n)
{
    if (n > 5)
        throw std::out_of_range("no row " + std::to_string(n) + "\nof 5");
    return n;
}
OUTER int fixed(int n) noexcept
{
    return load(n) + 1;
}
OUTER int text(int n)
{
    if (n > 5)
        throw std::string("row ") + std::to_string(n);
    return n;
}
OUTER int keep(const char *how)
{
    char *volatile block = static_cast<char *>(malloc(32));
    if (strcmp(how, "heap") == 0)
        free(block + 8);
    assert(strcmp(how, "assert") != 0);
    fputs("aborts: table 3 is damaged\n", stderr);
    if (strcmp(how, "sent") == 0)
        kill(getpid(), SIGABRT);
    abort();
}
int main(int, char **v)
{
    if (strcmp(v[1], "uncaught") == 0)
        return load(6);
    if (strcmp(v[1], "fixed") == 0)
        return fixed(6);
    if (strcmp(v[1], "text") == 0)
        return text(6);
    if (strcmp(v[1], "outside") == 0) {
        char *volatile block = static_cast<char *>(malloc(32));
        free(block + 8);
    }
    return keep(v[1]);
}
