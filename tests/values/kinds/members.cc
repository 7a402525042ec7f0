// SPDX-License-Identifier: Apache-2.0
// Pointers to members, by value and in a record: no value, and those beside
// them have theirs. A function is found by its name also where its parameters
// cannot be told.
//@ build: g++ -std=gnu++17 -O0 -g -o p p.cc
//@ build: clang++ -std=gnu++17 -O1 -g -o p p.cc
//@ manifest: [[span]] t::method; [[span]] t::data; [[span, input(r)]] t::both;
//@ manifest: [[span]] t::old; [[span]] int t::pasted(std::variant<int, double> v, int n);
//@ expect: all(one("t::" + n)["input"] | {"x": 0} == {"a": 1, "d": 2.5, "b": 3, "x": 0} for n in ("method", "data"))
//@ expect: one("t::both")["input"] == {"a": 1, "r_n": 7, "b": 3}
//@ expect: len(of("t::old")) == 1 and len(of("t::pasted")) == 1 and "no such symbol" not in said
//@ expect: all(one("t::" + n)["input"].get("n", 42) == 42 for n in ("old", "pasted"))
//@ expect: "g++ " not in build[:4] or ("does not say whether in registers or by a pointer" in said and one("t::pasted")["input"] == {})
#include <variant>
namespace t {
volatile long sink;
#define N __attribute__((noinline, used))
struct S { int q; int m(int); };
struct R { int S::*p; int n; };
N int method(int a, int (S::*x)(int), double d, int b) { sink = a + d + b; sink = x != nullptr; return b; }
N int data(int a, int S::*x, double d, int b) { sink = a + d + b; sink = x != nullptr; return b; }
N int both(int a, R r, int b) { sink = a + r.n + b; sink = r.p != nullptr; return b; }
N int old(std::variant<int, double> v, int n) { sink = v.index() + n; return n; }
N int pasted(std::variant<int, double> v, int n) { sink = v.index() - n; return n; }
N int S::m(int x) { return q + x; }
}
using namespace t;
int main()
{
    method(1, &S::m, 2.5, 3);
    data(1, &S::q, 2.5, 3);
    both(1, R{&S::q, 7}, 3);
    old(2.5, 42);
    pasted(2.5, 42);
}
