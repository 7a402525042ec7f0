// SPDX-License-Identifier: Apache-2.0
// A C++ plugin for a host that knows nothing of C++ and loads it RTLD_LOCAL:
// its exceptions pass through traced handlers.
#include <stdexcept>
#include <string>

extern "C" int thrower_inner(int n);
extern "C" int thrower_work(int n);

extern "C" __attribute__((noipa)) int thrower_inner(int n)
{
    if (n % 2)
        throw std::runtime_error("odd " + std::to_string(n));
    return n;
}

namespace thrower
{
// Named as people read it, while libstdc++ comes with this plugin.
__attribute__((noipa)) int step(const std::string &by, int n)
{
    return n + static_cast<int>(by.size());
}
} // namespace thrower

extern "C" int thrower_work(int n)
{
    int caught = 0;
    for (int i = 0; i < n; i = thrower::step("+", i)) {
        try {
            caught += thrower_inner(i) * 0;
        } catch (const std::exception &e) {
            caught += e.what()[0] == 'o';
        }
    }
    return caught;
}
