// SPDX-License-Identifier: Apache-2.0
// A record that is captured whole: what there is no item for is said, each
// reason once. What can be named is there when it is named.
//@ build: g++ -O1 -g -o p p.cc
//@ build: g++ -O1 -gdwarf-2 -gstrict-dwarf -o p p.cc
//@ build: clang++ -O1 -g -o p p.cc
//@ manifest: [[span, input(*p, u = p->u, s = p->s)]] nameless; [[span, input(*p)]] hidden; [[span, input(*p)]] far; [[span, input(*p, end = p->b.c.d.e.f.n)]] deep;
//@ manifest: [[span, input(*p, d = p->d[0:2])]] flexible; [[span, input(*p)]] whole;
//@ expect: one("nameless")["input"] | {"p": 0} == {"p": 0, "p_x": 1, "p_y": -3, "p_z": 31, "u": 7, "s": 66}
//@ expect: one("hidden")["input"] | {"p": 0} == {"p": 0, "p_a": 3, "p_b": 2}
//@ expect: one("far")["input"] | {"p": 0} == {"p": 0, "p_y": 5}
//@ expect: one("deep")["input"] | {"p": 0} == {"p": 0, "p_a": 1, "p_b_a": 2, "p_b_c_a": 3, "p_b_c_d_a": 4, "end": 6}
//@ expect: one("flexible")["input"] | {"p": 0} == {"p": 0, "p_n": 2, "d": "CAk="}
//@ expect: one("whole")["input"] | {"p": 0} == {"p": 0, "p_a": 7, "p_b": 8}
//@ expect: said.count("a part of '*p' is left out: ") == 4 and said.count("'d' of '*p' is left out: how long it is") == 1
//@ expect: all(said.count(w) == 1 for w in ("a union without a name", "whose name the class hides", "virtual base classes", "more than four records deep"))
volatile long sink;
#ifdef __clang__
#define N extern "C" __attribute__((noinline, used))
#else
#define N extern "C" __attribute__((noipa, used))
#endif
struct Nameless { int x; struct { int y : 5; unsigned z : 5; }; union { int u; float v; }; struct { union { short s; char c[2]; }; }; };
struct A { int a; }; struct B : A { int b; }; struct Hidden : B { int a; };
struct V { int x; }; struct Far : virtual V { int y; };
struct F { int n; }; struct E { F f; int a; }; struct D { E e; int a; }; struct C { D d; int a; }; struct BB { C c; int a; };
struct Deep { BB b; int a; };
struct Flexible { int n; char d[]; };
struct Whole { int a; char : 3; long b; static int c; };
N void nameless(Nameless *p) { sink = p->x + p->y + p->z + p->u + p->s; }
N void hidden(Hidden *p) { sink = p->a + p->b + p->A::a; }
N void far(Far *p) { sink = p->x + p->y; }
N void deep(Deep *p) { sink = p->b.c.d.e.f.n + p->b.c.d.e.a + p->b.c.d.a + p->b.c.a + p->b.a + p->a; }
N void flexible(Flexible *p) { sink = p->n + p->d[1]; }
N void whole(Whole *p) { sink = p->a + p->b; }
Nameless n; Hidden h; Far f; Deep d; alignas(4) char room[8] = {2, 0, 0, 0, 8, 9}; Whole w;
int main()
{
    n.x = 1; n.y = -3; n.z = 31; n.u = 7; n.s = 66; nameless(&n);
    h.a = 3; h.b = 2; h.A::a = 1; hidden(&h);
    f.y = 5; f.x = 4; far(&f);
    d.a = 1; d.b.a = 2; d.b.c.a = 3; d.b.c.d.a = 4; d.b.c.d.e.a = 5; d.b.c.d.e.f.n = 6; deep(&d);
    flexible((Flexible *)room); w.a = 7; w.b = 8; whole(&w);
}
