// What the manifest claims and the debug information knows otherwise is told:
// a sign, a pointed-to type, the size of a record by value or in an array.
//@ build: gcc -O1 -g -o p p.c
//@ build: clang -O1 -g -o p p.c
//@ manifest: struct rec { long a; };
//@ manifest: [[span, input(m = *n)]] unsigned sign(int *n);
//@ manifest: [[span]] int by_value(struct rec r, int n);
//@ manifest: [[span, input(x = p[1].a)]] int by_index(struct rec *p);
//@ manifest: [[span, input(y = p[0:2])]] int by_slice(struct rec *p);
//@ manifest: [[span]] int fine(const char *name, void *any, enum mode { A, B } m, unsigned long n, long sum);
//@ expect: said.count("warning:") == 5 and "error:" not in said and status == 0
//@ expect: "this is unsigned here, but in the debug information signed" in said
//@ expect: "this points to a 4-byte integer here, but in the debug information to a 2-byte integer" in said
//@ expect: said.count("'struct rec' has 8 bytes here, but in the debug information 24") == 3
//@ expect: one("by_value")["input"].get("n") in (42, None)
struct rec { long a, b, c; };
enum mode { A, B };
volatile long sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
N int sign(short *n) { sink = *n; sink = 1; return -1; }
N int by_value(struct rec r, int n) { sink = r.a + r.c; sink = n; return n; }
N int by_index(struct rec *p) { sink = p[1].a; sink = 1; return 0; }
N int by_slice(struct rec *p) { sink = p[1].b; sink = 1; return 0; }
N int fine(const char *name, void *any, enum mode m, unsigned long n, long sum) { sink = *name + (long)any + m + n + sum; return 0; }
int main(void)
{
    struct rec r[2] = {{1, 2, 3}, {7, 8, 9}};
    short a[2] = {5, 6};
    sign(a); by_value(r[0], 42); by_index(r); by_slice(r); fine("x", r, B, 3, 4);
    return 0;
}
