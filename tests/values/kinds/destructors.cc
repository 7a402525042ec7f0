// SPDX-License-Identifier: Apache-2.0
// One call of a destructor is one span: of its variants those that pass the
// call on to another one are not the function. Constructors.
//@ build: g++ -O0 -g -o p p.cc
//@ build: g++ -O2 -g -fPIC -fno-plt -o p p.cc
//@ build: g++ -O1 -fPIC -o p p.cc
//@ build: clang++ -O0 -g -o p p.cc
//@ build: clang++ -O2 -g -o p p.cc
//@ manifest: [[span, symbol("t::Plain::Plain(long)")]] void Plain(...); [[span, symbol("t::Plain::~Plain()")]] void PlainD(...);
//@ manifest: [[span, symbol("t::Base::Base(long)")]] void Base(...); [[span, symbol("t::Base::~Base()")]] void BaseD(...);
//@ manifest: [[span, symbol("t::Derived::Derived(long)")]] void Derived(...); [[span, symbol("t::Derived::~Derived()")]] void DerivedD(...);
//@ manifest: [[span, symbol("t::Virt::Virt(long)")]] void Virt(...); [[span, symbol("t::Virt::~Virt()")]] void VirtD(...);
//@ manifest: [[span, symbol("t::Leaf::Leaf(long)")]] void Leaf(...); [[span, symbol("t::Leaf::~Leaf()")]] void LeafD(...);
//@ manifest: [[span, symbol("t::Deleg::Deleg(long)")]] void dl(...);
//@ manifest: [[span, symbol("t::Deleg::Deleg()")]] void d0(...);
//@ expect: {n: len(of(n)) for n in ("Plain", "PlainD", "Base", "BaseD", "Derived", "DerivedD", "Virt", "VirtD", "Leaf", "LeafD", "dl", "d0")} == {'Plain': 2, 'PlainD': 2, 'Base': 6, 'BaseD': 6, 'Derived': 2, 'DerivedD': 2, 'Virt': 3, 'VirtD': 3, 'Leaf': 2, 'LeafD': 2, 'dl': 1, 'd0': 1}
namespace t {
volatile long sink;
#define SOME for (int i = 0; i < 30; i++) sink = sink * 3 + x + i;
struct Plain { long x; Plain(long n); ~Plain(); };
__attribute__((noinline)) Plain::Plain(long n) : x(n) { SOME }
__attribute__((noinline)) Plain::~Plain() { SOME }
struct Base { long x; Base(long n); virtual ~Base(); };
__attribute__((noinline)) Base::Base(long n) : x(n) { SOME }
__attribute__((noinline)) Base::~Base() { SOME SOME SOME}
struct Derived : Base { Derived(long n); ~Derived() override; };
__attribute__((noinline)) Derived::Derived(long n) : Base(n) { SOME }
__attribute__((noinline)) Derived::~Derived() { SOME SOME}
struct Virt : virtual Base { Virt(long n); ~Virt() override; };
__attribute__((noinline)) Virt::Virt(long n) : Base(n) { SOME }
__attribute__((noinline)) Virt::~Virt() { SOME }
struct Leaf : Virt { Leaf(long n); ~Leaf() override; };
__attribute__((noinline)) Leaf::Leaf(long n) : Base(n), Virt(n) { SOME }
__attribute__((noinline)) Leaf::~Leaf() { SOME }
struct Deleg { long x; Deleg(long n); Deleg(); };
__attribute__((noinline)) Deleg::Deleg(long n) : x(n) { SOME }
__attribute__((noinline)) Deleg::Deleg() : Deleg(5) { SOME }
}
int main()
{
    { t::Plain p(1); }
    delete new t::Plain(2);
    t::Base *volatile b = new t::Base(3); delete b;
    t::Base *volatile d = new t::Derived(4); delete d;
    { t::Derived e(5); }
    t::Base *volatile v = new t::Virt(6); delete v;
    t::Base *volatile l = new t::Leaf(7); delete l;
    { t::Leaf m(8); }
    t::Deleg q;
}
