// Exceptions that pass handlers, and one that is caught inside.
#include <cstdio>
#include <stdexcept>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

extern "C" {
HANDLER int thrower(int x)
{
    if (x == 0)
        throw std::runtime_error("no rows");
    return x;
}
HANDLER int middle(int x)
{
    return thrower(x) + 1;
}
HANDLER int catcher(int x)
{
    try {
        return middle(x);
    } catch (const std::exception &e) {
        return -1;
    }
}
}

int main()
{
    int sum = catcher(0) + catcher(5);
    try {
        middle(0);
    } catch (const std::runtime_error &e) {
        sum += e.what()[0];
    }
    std::printf("%d\n", sum);
    return 0;
}
