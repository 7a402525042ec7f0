// SPDX-License-Identifier: Apache-2.0
// Virtual methods, exceptions that pass a handler and are caught above it,
// and a symbol as people read it.
#include <cstdio>
#include <stdexcept>

namespace etl
{
struct Batch {
    int rows;
};
struct Step {
    virtual ~Step() = default;
    virtual int run(const Batch &batch) = 0;
};
struct Loader : Step {
    __attribute__((noipa)) int run(const Batch &batch) override;
};
struct Checker : Step {
    __attribute__((noipa)) int run(const Batch &batch) override;
};
int Loader::run(const Batch &batch)
{
    return batch.rows * 2;
}
int Checker::run(const Batch &batch)
{
    if (batch.rows % 3 == 0)
        throw std::invalid_argument("rows");
    return batch.rows;
}
} // namespace etl

int main()
{
    etl::Loader loader;
    etl::Checker checker;
    etl::Step *steps[] = {&loader, &checker};
    int sum = 0, failed = 0;
    for (int i = 0; i < 30; i++) {
        try {
            sum += steps[i % 2]->run(etl::Batch{i});
        } catch (const std::exception &) {
            failed++;
        }
    }
    std::printf("%d %d\n", sum, failed);
    return 0;
}
