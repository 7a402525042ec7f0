// DWARF 2, whose members are placed by an expression, and 3; sections that
// cannot be read are named.
//@ build: gcc -O2 -gdwarf-2 -gstrict-dwarf -o p p.c
//@ build: gcc -O1 -gdwarf-3 -o p p.c
//@ build: clang -O1 -gdwarf-2 -o p p.c
//@ build: gcc -O1 -g -Wl,--compress-debug-sections=zlib -o p p.c
//@ build: gcc -O1 -g -Wl,--compress-debug-sections=zstd -o p p.c
//@ manifest: [[span, input(id = job->id, b = job->b, inner = job->in.x)]] work;
//@ manifest: [[span, input(s)]] over;
//@ expect: "zstd" in build or (one("work")["input"]["id"] == 5 and one("work")["input"]["b"] == -2 and one("work")["input"]["inner"] == 2.5)
//@ expect: "zstd" not in build or "compressed with zstd" in said
//@ expect: "zstd" in build or all(v == {"s_a": -1, "s_b": 2, "y": 33}.get(k, v) for k, v in one("over")["input"].items())
//@ expect: "clang" in build or "zstd" in build or "dwarf-2" in build or len(one("over")["input"]) == 10
struct in { char c; double x; };
struct job { int pad; long id; int b : 3; struct in in; };
volatile long sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
N long work(const struct job *job) { sink = job->id + job->b + (long)job->in.x; return sink; }
N long look(const short *p) { return sink = *p; }
struct over { int a; __attribute__((aligned(64))) short b; }; /* no attribute in DWARF 2 says so */
N long over(int a, int b, int c, int d, int e, int f, int g, struct over s, int y) { sink = look(&s.b) + a + b + c + d + e + f + g + s.a + s.b + y; return sink; }
struct job j = {1, 5, -2, {'c', 2.5}};
int main(void) { struct job *volatile p = &j; struct over s = {-1, 2}; return work(p) + over(1, 2, 3, 4, 5, 6, 7, s, 33) == 0; }
