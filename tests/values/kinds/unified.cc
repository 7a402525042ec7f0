// SPDX-License-Identifier: Apache-2.0
// Of the variants of a constructor or destructor gcc may make one function,
// that they all call or jump to, near or far: one call is one span.
//@ build: g++ -Os -g -o p p.cc
//@ build: g++ -O2 -fdeclone-ctor-dtor -o p p.cc
//@ build: g++ -O2 -fdeclone-ctor-dtor -fno-inline -o p p.cc
//@ manifest: [[span, symbol("t::Virt::Virt(long)")]] void Virt(...); [[span, symbol("t::Virt::~Virt()")]] void VirtD(...);
//@ manifest: [[span, symbol("t::Leaf::Leaf(long)")]] void Leaf(...); [[span, symbol("t::Leaf::~Leaf()")]] void LeafD(...);
//@ manifest: [[span, symbol("t::Of<int>::Of(int)")]] void Of(...); [[span, symbol("t::Of<int>::~Of()")]] void OfD(...);
//@ expect: {n: len(of(n)) for n in ("Virt", "VirtD", "Leaf", "LeafD", "Of", "OfD")} == {'Virt': 4, 'VirtD': 4, 'Leaf': 2, 'LeafD': 2, 'Of': 2, 'OfD': 2}
namespace t {
volatile long sink;
#define SOME                                                                   \
    sink = sink * 5 + x;                                                       \
    for (int i = 0; i < 30; i++)                                               \
        sink = sink * 3 + x + i;
#define N __attribute__((noinline))
struct Base { long x; Base(long n); virtual ~Base(); };
N Base::Base(long n) : x(n) { SOME }
N Base::~Base() { SOME }
struct Virt : virtual Base { Virt(long n); ~Virt() override; };
N Virt::Virt(long n) : Base(n) { SOME }
N Virt::~Virt() { SOME }
struct Leaf : Virt { Leaf(long n); ~Leaf() override; };
N Leaf::Leaf(long n) : Base(n), Virt(n) { SOME }
N Leaf::~Leaf() { SOME }
template <class T> struct Of : virtual Base {
    N Of(T n) : Base(n) { SOME }
    N ~Of() { SOME }
};
}
int main()
{
    t::Base *volatile v = new t::Virt(6); delete v;
    t::Base *volatile l = new t::Leaf(7); delete l;
    { t::Leaf m(8); }
    { t::Virt n(9); }
    t::Base *volatile o = new t::Of<int>(10); delete o;
    { t::Of<int> p(11); }
}
