// SPDX-License-Identifier: Apache-2.0
// Functions that are called otherwise than the psABI has it, and those without
// a prototype, whose floats come as doubles. Types that the manifest has no
// word for, and what stands beside them.
//@ build: gcc -O0 -g -o p p.c
//@ build: gcc -O0 -gdwarf-2 -gstrict-dwarf -o p p.c
//@ build: clang -O0 -g -o p p.c
//@ manifest: [[span]] windows; [[span]] old; [[span]] odd; [[span]] other; [[span, input(r)]] in;
//@ expect: all(v == {"a": -1, "b": 5000000000, "c": 2.5, "d": -7, "e": 9}.get(k) for k, v in one("windows")["input"].items())
//@ expect: "clang" not in build or (one("windows")["input"] == {} and "a calling convention of its own" in said)
//@ expect: one("old")["input"] == {"a": -3, "f": 1.5, "s": -300} and one("old")["output"] == {"return": -3}
//@ expect: one("odd")["input"] == {"a": 1, "b": 3, "d": 2.5} and one("odd")["output"] == {"return": 3}
//@ expect: "of a type that no value is made of" in said or "is a record and has no value of its own" in said
//@ expect: all(v == {"a": 1, "c": 3}.get(k, v) for k, v in one("other")["input"].items())
//@ expect: one("in")["input"] == {"a": 1, "r_n": 7, "b": 3}
#define N __attribute__((noinline, used))
#ifdef __clang__
typedef _BitInt(9) word;
typedef _BitInt(7) part;
#define OTHER __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))
#else
typedef _Decimal64 word;
typedef _Complex char part;
#define OTHER
#define CONTEXT
#endif
struct rec { part x; int n; };
volatile long sink;
N __attribute__((ms_abi)) int windows(int a, long b, double c, short d, int e) { sink = a + b + c + d + e; return 77; }
N int old(a, f, s) char a; float f; short s; { sink = a + f + s; return a; }
N int odd(int a, word w, int b, double d) { sink = a + b + d + (long)w; return b; }
N OTHER int other(int a, CONTEXT long *p, int c) { sink = a + *p + c; return c; }
N int in(int a, struct rec r, int b) { sink = a + r.n + b; return b; }
int main(void)
{
    long n = 5;
    struct rec r = {-50, 7};
    windows(-1, 5000000000, 2.5, -7, 9);
    old(-3, 1.5, -300);
    odd(1, -200, 3, 2.5);
    other(1, &n, 3);
    in(1, r, 3);
    return 0;
}
