// SPDX-License-Identifier: Apache-2.0
// Exceptions through handlers, in threads and in the main one.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

extern "C" __attribute__((noinline)) int work(int n)
{
    if (n % 3 == 0)
        throw std::runtime_error("third " + std::to_string(n));
    return n + 1;
}

static int sum_of(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        try {
            sum += work(i);
        } catch (const std::runtime_error &e) {
            sum += static_cast<int>(std::string(e.what()).size());
        }
    }
    return sum;
}

int main()
{
    std::vector<int> sums(3);
    std::string how = "threads";
    try {
        std::vector<std::thread> threads;
        for (int &sum : sums)
            threads.emplace_back([&sum] { sum = sum_of(50); });
        for (auto &thread : threads)
            thread.join();
    } catch (const std::system_error &) {
        how = "no threads";
    }
    std::printf("%d %s\n", sum_of(60) + sums[0], how.c_str());
    return 4;
}
