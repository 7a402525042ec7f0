// A virtual method of a second base has a thunk, which passes the call on with
// another `this`: it is not the function.
//@ build: clang++ -O2 -g -o p p.cc
//@ build: g++ -O2 -g -o p p.cc
//@ manifest: struct AB { void *v1; long av; void *v2; long bv; long own; };
//@ manifest: [[span, input(own = self->own), symbol("t::AB::fb(int)")]] long fb(struct AB *self, int x);
//@ manifest: [[span, input(own = self->own)]] t::V::run;
//@ expect: [(c["input"]["own"], c["input"]["x"]) for c in of("fb")] == [(33, 4), (33, 5)]
//@ expect: [(c["input"].get("own"), c["input"]["x"]) for c in of("t::V::run")] == [(44, 6), (44, 7)]
//@ expect: status == 0 and "functions" not in said
namespace t {
volatile long sink;
struct A { virtual long fa(int x); long av = 11; };
struct B { virtual long fb(int x); virtual long run(int x); long bv = 22; };
struct AB : A, B { long own = 33; long fb(int x) override; };
struct V : A, B { long own = 44; long run(int x) override; };
#define SOME for (int i = 0; i < 30; i++) sink = sink * 3 + x + i;
long A::fa(int x) { SOME return x; }
long B::fb(int x) { SOME return x; }
long B::run(int x) { SOME return x; }
__attribute__((noinline)) long AB::fb(int x) { SOME SOME return own + x; }
__attribute__((noinline)) long V::run(int x) { SOME SOME return own - x; }
}
int main()
{
    t::AB ab; t::B *volatile b = &ab; b->fb(4); t::AB *volatile p = &ab; p->fb(5);
    t::V v; t::B *volatile c = &v; c->run(6); t::V *volatile q = &v; q->run(7);
}
