/* SPDX-License-Identifier: Apache-2.0 */
/* Overloads, templates, virtual methods, constructors, namespaces, classes
 * that are returned by a hidden pointer. */
#include <cstdio>
#include <string>
#include <vector>

#define HANDLER __attribute__((noipa))

namespace etl
{
struct Batch {
    long rows;
    std::string name;
};
HANDLER int load(int n)
{
    return n + 1;
}
HANDLER int load(const Batch &b)
{
    return static_cast<int>(b.rows);
}
HANDLER int load(const std::string &s, int n)
{
    return static_cast<int>(s.size()) + n;
}
template <typename T> HANDLER T twice(T n)
{
    return n + n;
}

struct Loader {
    int base;
    HANDLER explicit Loader(int n) : base(n)
    {
        __asm__ volatile("");
    }
    HANDLER int scale(int n) const
    {
        return base * n;
    }
    virtual HANDLER int run(int n)
    {
        return base + n;
    }
    virtual ~Loader()
    {
    }
};
struct Fast : Loader {
    HANDLER explicit Fast(int n) : Loader(n)
    {
        __asm__ volatile("");
    }
    HANDLER int run(int n) override
    {
        return base - n;
    }
};
HANDLER Batch make(long rows, const char *name)
{
    return Batch{rows, name};
}
namespace
{
HANDLER int inner(int n)
{
    return n * 11 - 1;
}
} // namespace
} // namespace etl

int main()
{
    etl::Batch batch = etl::make(7, "seven");
    etl::Fast fast(100);
    etl::Loader slow(200);
    etl::Loader *loaders[] = {&fast, &slow};
    int sum = etl::load(1) + etl::load(2) + etl::load(batch);
    sum += etl::load(std::string("text"), 3) + etl::inner(2);
    sum += etl::twice<int>(4) + static_cast<int>(etl::twice<long>(5));
    for (int i = 0; i < 4; i++)
        sum += loaders[i % 2]->run(i) + loaders[i % 2]->scale(i);
    std::printf("%d %s\n", sum, batch.name.c_str());
    return 0;
}
