// SPDX-License-Identifier: Apache-2.0
// The variant of a constructor that runs as a base gets a table of the virtual
// bases behind `this`, and one that gcc makes of all variants also a flag:
// the values of the prototype are those of the others.
//@ build: g++ -O1 -o p p.cc
//@ build: g++ -Os -o p p.cc
//@ build: g++ -O0 -g -o p p.cc
//@ build: clang++ -O0 -o p p.cc
//@ build: clang++ -O1 -o p p.cc
//@ build: clang++ -Os -o p p.cc
//@ manifest: [[span, symbol("t::V::V(int, double)"), fails(n == 1)]] void V(void *self, int n, double d);
//@ manifest: [[span, symbol("t::FC4E::FC4E(int)")]] void F(void *self, int n); [[span, symbol("D::D(int)")]] void D(void *self, int n);
//@ expect: all(c["input"].get("n", 4) in (4, 5) and c["input"].get("d", 1.5) in (1.5, 2.5) for c in of("V")) and len(of("V")) >= 2
//@ expect: all(c["status"] == "ok" for c in of("V")) and "parameters" in said
//@ expect: "-Os" in build or "-g" in build or [c["input"]["n"] for c in of("V") if c["input"]] == [4]
//@ expect: one("F")["input"]["n"] == 9
//@ expect: all(c["input"].get("n") in (7, None) for c in of("D")) and len(of("D")) >= 1
namespace t {
volatile long sink;
#define SOME for (int i = 0; i < 30; i++) t::sink = t::sink * 3 + i;
#define N __attribute__((noinline, used))
struct B { long x; B() : x(1) {} virtual ~B() {} };
struct V : virtual B { long y; V(int n, double d); };
struct L : V { L(int n); };
struct FC4E { long y; FC4E(int n); };
N V::V(int n, double d) { SOME sink += n + d; }
N L::L(int n) : V(n, 2.5) { SOME sink += n; }
N FC4E::FC4E(int n) : y(n) { sink += n; sink *= 3; SOME }
}
struct D : virtual t::B { D(int n); };
struct E : D { E() : D(7) {} };
N D::D(int n) { t::sink += n; t::sink *= 3; SOME }
#undef SOME
int main()
{
    t::V v(4, 1.5);
    t::L l(5);
    t::FC4E f(9);
    D d(7);
    E e;
}
