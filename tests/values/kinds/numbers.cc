// What a number means: enumerators beyond the sign of their byte, of unsigned
// 64 bits, inside of templates; signed and plain char; NULL containers.
//@ build: g++ -std=gnu++17 -O1 -g -o p p.cc
//@ build: g++ -std=gnu++17 -O1 -g -gdwarf-4 -funsigned-char -o p p.cc
//@ build: clang++ -std=gnu++17 -O1 -g -o p p.cc
//@ manifest: [[span, fails(return == t::Http::unavailable)]] t::answer;
//@ manifest: [[span, fails(return == t::Wide::top)]] t::wide; [[span]] t::small; [[span]] t::inside; [[span]] t::ucharge;
//@ manifest: [[span, input(samples = p->samples, name = p->name, bytes = p->bytes)]] t::arrays;
//@ manifest: [[span, input(text = *s, bytes = *v, view = *w)]] t::containers;
//@ manifest: [[span, fails(a > 3)]] t::real; [[span, fails(a > 3)]] t::address;
//@ expect: [(c["input"]["a"], c["status"]) for c in of("t::answer")] == [("t::Http::ok", "ok"), ("t::Http::big", "ok"), ("t::Http::unavailable", "error"), ("-56", "ok")]
//@ expect: [(c["input"]["a"], c["status"]) for c in of("t::wide")] == [("t::Wide::top", "error"), ("t::Wide::one", "ok"), ("18446744073709551614", "ok")]
//@ expect: [c["input"]["a"] for c in of("t::small")] == ["t::Small::low", "t::Small::high", "-100"]
//@ expect: [c["input"]["a"] for c in of("t::ucharge")] == ["t::Byte::full", "128"]
//@ expect: one("t::inside")["input"] == {"a": "t::parser<int>::done", "n": 3}
//@ expect: one("t::arrays")["input"]["samples"] == "BQD/fw==" and one("t::arrays")["input"]["name"] == "abc" and one("t::arrays")["input"]["bytes"] == "BQD/fw=="
//@ expect: [tuple(c["input"][k] for k in ("text", "bytes", "view")) for c in of("t::containers")] == [("", "", ""), (None, None, None)]
//@ expect: one("t::real")["error"]["return_value"] in (None, 1.5) and "return 0" not in errors
//@ expect: one("t::address")["error"]["return_value"] == 18446744073709551615 and "return -1" not in errors and "return 18446744073709551615 (-1)" in errors
#include <string>
#include <string_view>
#include <vector>
namespace t {
enum class Http { ok = 200, big = 40000, unavailable = 255 };
enum class Wide : unsigned long { one = 1, top = 18446744073709551615ul };
enum class Small : signed char { low = -128, high = 127 };
enum class Byte : unsigned char { none, full = 255 };
template <class T> struct parser { enum state { idle, done = sizeof(T) + 6 }; };
struct block { int n; signed char samples[4]; char name[4]; unsigned char bytes[4]; };
volatile long sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
N Http answer(Http a) { sink = (int)a; return a; }
N Wide wide(Wide a) { sink = (long)a; return a; }
N Small small(Small a) { sink = (long)a; return a; }
N Byte ucharge(Byte a) { sink = (long)a; return a; }
N int inside(parser<int>::state a, int n) { sink = a; sink = n; return 0; }
N int arrays(block *p) { sink = p->n; sink = p->samples[0]; return 0; }
N int containers(std::string *s, std::vector<int> *v, std::string_view *w) { sink = (long)s + (long)v + (long)w; sink = 2; return 0; }
N double real(int a) { sink = a; return 1.5; }
N unsigned long address(int a) { sink = a; return -1ul; }
}
using namespace t;
int main()
{
    answer(Http::ok); answer(Http::big); answer(Http::unavailable); answer((Http)-56);
    wide(Wide::top); wide(Wide::one); wide((Wide)-2ul);
    small(Small::low); small(Small::high); small((Small)-100);
    ucharge(Byte::full); ucharge((Byte)128);
    inside(parser<int>::done, 3);
    block b = {4, {5, 0, -1, 127}, "abc", {5, 0, 255, 127}};
    arrays(&b);
    std::string s; std::vector<int> v; std::string_view w;
    containers(&s, &v, &w); containers(nullptr, nullptr, nullptr);
    real(5); address(5);
}
