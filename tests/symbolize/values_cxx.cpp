// SPDX-License-Identifier: Apache-2.0
/* As values.c, what only C++ has: members, references, bases, templates, an
 * enum class, text of the library, a lambda; an exception that passes. */
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#define OUT __attribute__((noinline, noclone))
#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")

namespace etl {
enum class mode : unsigned char { none, fast = 200 };
struct base {
    int number = 17;
    static int shared;
};
int base::shared = 3;
struct other {
    double ratio = 1.25;
};
class loader : public base, public other {
    const int &limit;
    mode how = mode::fast;

  public:
    explicit loader(const int &l) : limit(l) {}
    template <typename T> OUT int load(const std::string &path, T &&rest);
    OUT int run(std::vector<int> rows, int *&out);
};
template <typename T> OUT int loader::load(const std::string &path, T &&rest)
{
    auto check = [&](int value) {
        KEEP(&path);
        if (value > 3)
            throw std::runtime_error("too many");
        return value;
    };
    KEEP(&check);
    int result = check(rest) + number;
    KEEP(this);
    return result;
}
OUT int loader::run(std::vector<int> rows, int *&out)
{
    std::string path = "/data/x.csv";
    bool is_empty = rows.empty();
    KEEP(&is_empty);
    int result = load(path, rows.size() + (unsigned)is_empty);
    KEEP(&out);
    return result;
}
}

extern "C" OUT int step(const char *name, int number)
{
    int limit = number;
    int *out = &limit;
    etl::loader loader(limit);
    KEEP(&loader);
    int result = loader.run({1, 2, 3, 4, 5}, out);
    KEEP(name);
    return result;
}

extern "C" OUT int job(const char *name, int *left)
{
    int result = step(name, 7);
    KEEP(left);
    return result;
}

int main(int argc, char **argv)
{
    int left = 0;
    try {
        job(argc > 1 ? argv[1] : "throw", &left);
    } catch (const std::exception &e) {
        std::puts(e.what());
    }
    return 0;
}
