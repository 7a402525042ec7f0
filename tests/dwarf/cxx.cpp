// SPDX-License-Identifier: Apache-2.0
// Handlers of C++: overloads, methods, templates, texts and vectors of
// libstdc++, classes that are passed by a pointer that nobody sees.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#define NO __attribute__((noinline, noipa))

namespace etl {
enum class State : unsigned char { Idle, Running = 7 };
struct Base {
    virtual ~Base() = default;
    int rank = 3;
    static int shared;
};
int Base::shared = 1;
struct Batch : Base {
    std::string name = "a name that is too long for the object itself";
    long rows = 12;
    State state = State::Running;
    std::vector<int> ids{1, 2, 3};
    Batch *next = nullptr;
};
struct Guard { // is passed by reference to a copy
    int n;
    explicit Guard(int i) : n(i) {}
    Guard(const Guard &g) : n(g.n) {}
    ~Guard() {}
};
template <typename A, typename B> struct Pair {
    A a;
    B b;
};

struct Loader {
    int count = 5;
    NO int load(const Batch &batch, int n)
    {
        return printf("%s %d %d\n", batch.name.c_str(), n, count);
    }
    NO int load(const std::string &text)
    {
        return printf("%s\n", text.c_str());
    }
    NO static int fixed(long n)
    {
        return printf("%ld\n", n);
    }
    NO std::string name(std::string part, int n)
    {
        return part + std::to_string(n);
    }
};
NO int scale(int n)
{
    return printf("%d\n", n);
}
NO int scale(double d)
{
    return printf("%f\n", d);
}
NO int view(std::string_view text, State s)
{
    return printf("%d %d\n", (int)text.size(), (int)s);
}
NO int guarded(Guard g, int behind)
{
    return printf("%d %d\n", g.n, behind);
}
NO int numbers(const std::vector<int> &v, std::vector<double> w)
{
    return printf("%zu %zu\n", v.size(), w.size());
}
NO int pair(const Pair<int, long> &p)
{
    return printf("%ld\n", p.b + p.a);
}
template <typename T> NO T twice(T n)
{
    return n + n + (T)(printf("") < 0);
}
NO std::unique_ptr<int> make(int n)
{
    return std::make_unique<int>(n);
}
} // namespace etl

int main()
{
    using namespace etl;
    Loader l;
    Batch b;
    l.load(b, 41);
    l.load("short");
    Loader::fixed(77);
    l.name("part", 4);
    scale(3);
    scale(2.5);
    view(std::string_view("abcdef").substr(0, 3), State::Running);
    view(std::string_view(), State::Idle);
    guarded(Guard(6), 9);
    numbers(b.ids, {0.5, 1.5});
    pair({1, 2});
    make(8);
    return twice(21) != 42 || twice(1L) != 2;
}
