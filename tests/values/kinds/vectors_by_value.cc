// Records with complex, vector and _Float128 members by value, and what stands
// beside them.
//@ build: g++ -std=gnu++17 -O1 -g -mavx -Wno-psabi -o p p.cc
//@ build: g++ -std=gnu++17 -O0 -g -mavx -Wno-psabi -o p p.cc
//@ build: clang++ -std=gnu++17 -O1 -g -mavx -Wno-psabi -o p p.cc
//@ manifest: [[span]] t::complexd; [[span]] t::complexf; [[span]] t::m128; [[span]] t::m256; [[span]] t::f128;
//@ manifest: [[span]] t::holds; [[span]] t::two; [[span]] t::wide; [[span]] t::over; [[span]] t::hides; [[span]] t::tail;
//@ expect: [one("t::" + n)["input"]["n"] for n in ("complexd", "complexf", "m128", "f128", "holds", "wide", "hides", "tail")] == [42] * 8
//@ expect: [one("t::" + n)["input"]["d"] for n in ("complexd", "complexf", "m128", "f128", "two", "wide", "over", "hides", "tail")] == [6.5] * 9
//@ expect: all(one("t::" + n)["input"].get("n", 42) == 42 and ("clang" in build or "n" in one("t::" + n)["input"]) for n in ("two", "over"))
//@ expect: one("t::holds")["input"].get("d") == (None if "clang" in build else 6.5)
//@ expect: one("t::m256")["input"].get("n") in (42, None) and one("t::m256")["input"].get("d") in (6.5, None)
//@ expect: one("t::m256")["input"].get("g") in (6, None)
#include <complex>
typedef float v4 __attribute__((vector_size(16)));
typedef double v4d __attribute__((vector_size(32)));
namespace t {
volatile double sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
struct V4 { v4 v; };
struct V8 { v4d v; };
struct Q { __float128 q; };
struct C2 { _Complex double a, b; };
struct Over { alignas(16) int a; };
struct Base { double x; };
struct Hides : Base { long x; };
union Tail { long double d; unsigned long w[2]; };
N int complexd(std::complex<double> z, int n, double d) { sink = d + z.real(); return n; }
N int complexf(std::complex<float> z, int n, double d) { sink = d + z.real(); return n; }
N int m128(V4 z, int n, double d, double e) { sink = d + e + z.v[0]; return n; }
N int m256(V8 z, int n, double d, int a, int b, int c, int e, int f, int g) { sink = d + g + z.v[0] + a + b + c + e + f; return n; }
N int f128(__float128 q, int n, double d) { sink = d + (double)q; return n; }
N int holds(Q q, int n, double d) { sink = d + (double)q.q; return n; }
N int two(long a, long b, long c, long e, long f, long g, long h, C2 z, int n, double d) { sink = d + a + b + c + e + f + g + h + __real__ z.a; return n; }
N int wide(unsigned __int128 w, int n, double d) { sink = d + (double)w; return n; }
N int over(long a, long b, long c, long e, long f, long g, long h, Over o, int n, double d) { sink = d + a + b + c + e + f + g + h + o.a; return n; }
N int hides(Hides h, int n, double d) { sink = d + h.x + h.Base::x; return n; }
N int tail(Tail u, int n, double d) { sink = d + u.w[0]; return n; }
}
using namespace t;
int main()
{
    V4 v; V8 w; Q q; C2 z; Over o; Hides h; Tail u;
    for (int i = 0; i < 4; i++) { v.v[i] = 3; w.v[i] = 3; }
    q.q = 2; z.a = 1; z.b = 2; o.a = 5; h.x = 7; h.Base::x = 2.5; u.w[0] = 1; u.w[1] = 2;
    complexd({1.5, 2.5}, 42, 6.5); complexf({1.5f, 2.5f}, 42, 6.5); m128(v, 42, 6.5, 7.5); m256(w, 42, 6.5, 1, 2, 3, 4, 5, 6);
    f128(2, 42, 6.5); holds(q, 42, 6.5); two(1, 2, 3, 4, 5, 6, 7, z, 42, 6.5); wide(77, 42, 6.5); over(1, 2, 3, 4, 5, 6, 7, o, 42, 6.5);
    hides(h, 42, 6.5); tail(u, 42, 6.5);
}
