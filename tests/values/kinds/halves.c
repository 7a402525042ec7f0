// SPDX-License-Identifier: Apache-2.0
// Of a struct in two registers a function reads one member: clang leaves the
// other register as it was, of exported functions as well. What is passed has
// its value, the rest has none.
//@ build: clang -O2 -g -o p p.c
//@ build: clang -O1 -g -gdwarf-4 -o p p.c
//@ build: gcc -O2 -g -o p p.c
//@ manifest: [[span, input(p)]] last; [[span, input(p)]] floats; [[span, input(p, q)]] both; [[span, input(p)]] wide; [[span, input(p)]] two;
//@ manifest: [[span, input(sum = p.d), fails(p.l != 2)]] rule;
//@ expect: one("last")["input"].get("p_a", 1.5) == 1.5 and one("last")["input"].get("p_b", 2.5) == 2.5 and one("last")["input"]["p_c"] == -3
//@ expect: one("floats")["input"].get("p_a", 1.5) == 1.5 and one("floats")["input"]["p_c"] == 3.5 and one("floats")["input"]["a"] == 4.5
//@ expect: one("both")["input"].get("p_l", 2) == 2 and one("both")["input"].get("q_l", 3) == 3
//@ expect: one("both")["input"]["p_d"] == 1.5 and one("both")["input"]["q_d"] == 4.5 and one("both")["input"]["a"] == 5
//@ expect: one("wide")["input"].get("p_w", 3) == 3 and one("wide")["input"]["p_v"] == 2 and one("wide")["input"]["x"] == 1
//@ expect: one("two")["input"]["p_v"] == 7 and one("two")["input"]["p_w"] == 8
//@ expect: one("rule")["input"]["sum"] == 1.5 and one("rule")["status"] == "ok"
//@ expect: "clang" not in build or said.count("8 bytes of parameter") == 6
//@ expect: "gcc" not in build or ("8 bytes of" not in said and one("last")["input"]["p_a"] == 1.5 and one("both")["input"]["q_l"] == 3)
#define N __attribute__((noinline))
#define SOME for (int i = 0; i < 30; i++) sink = sink * 3 + i;
volatile long sink;
volatile int n;
struct last { float a, b; int c; };
struct floats { float a, b, c; };
struct dl { double d; long l; };
struct ld { long l; double d; };
struct wide { _Alignas(16) long v; long w; };
N int last(struct last p, int a) { SOME return p.c + a; }
N int floats(struct floats p, float a) { SOME return (int)(p.c + a); }
N int both(struct dl p, struct ld q, int a) { SOME return (int)(p.d + q.d) + a; }
N int wide(int x, struct wide p, int a) { SOME return (int)p.v + a + x; }
N int two(struct wide p) { SOME return (int)(p.v + p.w); }
N int rule(struct dl p) { SOME return (int)p.d; }
int main(void)
{
    sink += last((struct last){1.5f, 2.5f, -3 + n}, 4 + n);
    sink += floats((struct floats){1.5f, 2.5f, 3.5f}, 4.5f);
    sink += both((struct dl){1.5, 2 + n}, (struct ld){3 + n, 4.5}, 5 + n);
    sink += wide(1 + n, (struct wide){2 + n, 3 + n}, 4 + n);
    sink += two((struct wide){7 + n, 8 + n});
    sink += rule((struct dl){1.5, 2 + n});
}
