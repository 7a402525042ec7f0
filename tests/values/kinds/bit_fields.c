// Small unsigned bit fields are an int in expressions, as C 6.3.1.1 has it;
// vector_size counts in a manifest.
//@ build: gcc -O1 -o p p.c
//@ build: clang -O1 -g -o p p.c
//@ manifest: struct bits { unsigned b : 7; unsigned full : 32; unsigned long wide : 20; int s : 5; _Bool flag : 1; };
//@ manifest: typedef double v2d __attribute__((vector_size(16))); struct s { v2d v; int n; };
//@ manifest: [[span, attr(v = p->b - 5, less = n < p->b, whole = n < p->full, minus = -p->b < 0, wide = n < p->wide, sum = p->s + p->b, flag = -p->flag), fails(p->b - 5 < 0)]] int f(struct bits *p, int n);
//@ manifest: [[span, input(n = p->n)]] int g(v2d v, struct s *p, double d);
//@ expect: one("f")["attributes"] | {"pad": 0} == {"v": -2, "less": 1, "whole": 0, "minus": 1, "wide": 1, "sum": 0, "flag": -1, "pad": 0}
//@ expect: one("f")["status"] == "error" and "never true" not in said and "always true" not in said
//@ expect: one("g")["input"]["n"] == 42 and one("g")["input"]["d"] == 2.5 and "v" not in one("g")["input"]
struct bits { unsigned b : 7; unsigned full : 32; unsigned long wide : 20; int s : 5; _Bool flag : 1; };
typedef double v2d __attribute__((vector_size(16)));
struct s { v2d v; int n; };
volatile double sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
N int f(struct bits *p, int n) { sink = n; sink = p->b; return n; }
N int g(v2d v, struct s *p, double d) { sink = v[0] + v[1] + d; sink = p->n; return p->n; }
int main(void)
{
    struct bits b = {3, 3, 3, -3, 1};
    struct s s = {{1, 2}, 42};
    v2d v = {3, 4};
    f(&b, -1);
    return g(v, &s, 2.5) != 42;
}
