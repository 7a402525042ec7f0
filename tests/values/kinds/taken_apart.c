// SPDX-License-Identifier: Apache-2.0
// clang takes a struct in memory apart where it knows all calls of a function,
// and passes its members: nothing stands where the psABI has it.
//@ build: clang -O3 -g -gdwarf-4 -o p p.c
//@ build: clang -O2 -g -o p p.c
//@ manifest: [[span, input(r)]] use;
//@ expect: len(of("use")) == 2
//@ expect: all(s["input"].get("r_m0", m0) == m0 for s, m0 in zip(of("use"), (False, True)))
//@ expect: all(s["input"].get("r_m1", m1) == m1 for s, m1 in zip(of("use"), (True, False)))
//@ expect: "clang" not in build or "parameter r has no value" in said
#include <stdbool.h>
typedef float v4 __attribute__((vector_size(16)));
struct rec { bool m0; bool m1; v4 m2; };
static volatile long sink;
static volatile bool one = true, none;
static void add(const void *p, unsigned long n)
{
    const volatile unsigned char *c = p;
    for (unsigned long i = 0; i < n; i++)
        sink += c[i];
}
static __attribute__((noinline)) long use(int a, struct rec r)
{
    add(&a, sizeof a);
    add(&r, sizeof r);
    return sink++;
}
int main(void)
{
    struct rec r = {none, one, {1, 2, 3, 4}};
    long n = use(200, r);
    r.m0 = one;
    r.m1 = none;
    return n + use(0, r) == -1;
}
