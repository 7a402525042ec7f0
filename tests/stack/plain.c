/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that succeed, counted instruction by instruction (cost_test.py). */

enum {
    CALLS = 1000
};

__attribute__((noinline)) static int plain(int n)
{
    __asm__ volatile("");
    return n + 1;
}

__attribute__((noinline)) static int ruled(int n, const char *name)
{
    __asm__ volatile("" : : "r"(name));
    return n + 2;
}

/* Here callgrind counts. */
__attribute__((noinline)) static int measured(int n)
{
    for (int i = 0; i < CALLS; i++)
        n = ruled(plain(n), "name");
    return n;
}

int main(void)
{
    int n = 0;
    for (int i = 0; i < CALLS; i++) /* the lane, its pages */
        n = ruled(plain(n), "name");
    return measured(n) > 0 ? 0 : 1;
}
