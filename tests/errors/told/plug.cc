// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <stdexcept>
#include <string>
class own : public std::exception
{
    int code;
    std::string text;

  public:
    explicit own(std::string t) : code(7), text(std::move(t))
    {
    }
    const char *what() const noexcept override
    {
        return text.c_str();
    }
};
class derived : public own
{
  public:
    using own::own;
};
extern "C" __attribute__((noinline)) int load_rows(int n)
{
    if (n > 5)
        throw std::runtime_error("no such customer: " + std::to_string(n));
    return n;
}
extern "C" __attribute__((noinline)) int read_table(int n)
{
    if (n > 5)
        throw derived(n > 6 ? "couldn't deserialize thrift: no more data"
                            : "short");
    return n;
}
extern "C" int run(int n)
{
    int sum = 0;
    try {
        sum += load_rows(n);
    } catch (const std::exception &) {
        sum--;
    }
    for (int i = 6; i < 8; i++)
        try {
            sum += read_table(i);
        } catch (const std::exception &) {
            sum--;
        }
    return sum;
}
