// SPDX-License-Identifier: Apache-2.0
// A record, or a part of it, that no value is made of leaves its declaration
// and what stands beside it alone. Long double results.
//@ build: gcc -O1 -g -o p p.c -lm
//@ build: clang -O0 -g -o p p.c -lm
//@ build: gcc -O0 -o p p.c -lm
//@ manifest: typedef float v4 __attribute__((vector_size(16)));
//@ manifest: struct large { v4 v; unsigned long m; signed char c; }; struct odd { __int128 v; }; struct text { char name[6]; short n; }; struct l { long double d; };
//@ manifest: [[span, input(r)]] int large(float f, struct large r, unsigned char n);
//@ manifest: [[span, input(r), fails(n == 9)]] int odd(struct odd r, int n);
//@ manifest: [[span, input(r, v)]] int text(struct text r, v4 v, int n);
//@ manifest: [[span]] long double third(int n);
//@ manifest: [[span, output(return)]] struct l wrapped(int n);
//@ manifest: [[span]] _Complex long double both(int n);
//@ expect: one("large")["input"] == {"f": 1.5, "r_m": 77, "r_c": -3, "n": 200}
//@ expect: one("odd")["input"] == {"n": 9} and one("odd")["status"] == "error"
//@ expect: one("text")["input"] == {"r_n": 12, "n": 34}
//@ expect: one("text")["output"] == {"return": 46}
//@ expect: [c["output"]["return"] for c in of("third")] == [1/3, -2/3, "Infinity"] or [str(c["output"]["return"])[:8] for c in of("third")] == ["0.333333", "-0.66666", "Infinity"]
//@ expect: one("wrapped")["output"] == {"return_d": 2.5} and one("wrapped")["input"] == {"n": 5}
//@ expect: one("both")["output"] == {} and one("both")["input"] == {"n": 7}
//@ expect: "'v' of 'r' is left out: no value is made of its type" in said
//@ expect: "'name' of 'r' is left out: only scalar members of a record in registers can be read" in said
//@ expect: "'v' is left out: no value is made of its type" in said
//@ expect: "'return' of 'both' is of a type that no value is made of" in said
//@ expect: "this is what the debug" not in said and "name it, or a member" not in said
//@ expect: "error" not in said and status in (0, 1)
#include <fenv.h>
typedef float v4 __attribute__((vector_size(16)));
#define N __attribute__((noinline, used))
struct large { v4 v; unsigned long m; signed char c; };
struct odd { __int128 v; };
struct text { char name[6]; short n; };
struct l { long double d; };
volatile long sink;
volatile long double zero;
N int large(float f, struct large r, unsigned char n) { sink = f + r.v[0] + r.m + r.c + n; return 1; }
N int odd(struct odd r, int n) { sink = r.v + n; return n; }
N int text(struct text r, v4 v, int n) { sink = r.name[0] + v[0]; return r.n + n; }
N long double third(int n) { return n ? n / 3.0L : 1 / zero; }
N struct l wrapped(int n) { struct l r = {n / 2.0L}; return r; }
N _Complex long double both(int n) { return n; }
int main(void)
{
    struct large r = {{1, 2, 3, 4}, 77, -3};
    struct odd o = {5};
    struct text t = {"hello", 12};
    v4 v = {1, 2, 3, 4};
    large(1.5f, r, 200);
    odd(o, 9);
    text(t, v, 34);
    if (third(1) != 1 / 3.0L || third(-2) != -2 / 3.0L)
        return 1;
    if (fetestexcept(FE_INVALID) || third(0) != 1 / zero)
        return 2;
    if (wrapped(5).d != 2.5L || both(7) != 7)
        return 3;
    return fetestexcept(FE_INVALID) != 0;
}
