// SPDX-License-Identifier: Apache-2.0
// Constructors, operators and instances of templates as nm -C, gdb and c++filt
// print them, pasted as declarations: with the names of parameters or without,
// with the type of the result or without, overloads told apart. Without debug
// information `this` is known of what has one in any case; where it cannot be
// known whether there is one, there are times only, and check says so.
//@ build: g++ -O2 -g -fPIC -o p p.cc
//@ build: clang++ -O1 -g -gdwarf-5 -fstandalone-debug -o p p.cc
//@ build: g++ -O1 -o p p.cc
//@ build: clang++ -O0 -o p p.cc
//@ manifest: [[span("c1")]] ns::Type::Type(int n); [[span("c2")]] ns::Type::Type(int, long); [[span("c3")]] ns::Type::Type(const std::string &s);
//@ manifest: [[span("dtor"), fails(self == 0)]] ns::Type::~Type(); [[span("assign")]] ns::Type::operator=(ns::Type const& other);
//@ manifest: [[span("call"), input(k), fails(return == 8)]] int ns::Type::operator()(int k) const; [[span("index")]] ns::Type::operator[](int);
//@ manifest: [[span("text"), input(key)]] ns::Type::operator[](char const* key); [[span("int")]] ns::Type::operator int() const;
//@ manifest: [[span("string")]] ns::Type::operator std::string() const; [[span("arrow")]] ns::Type::operator->();
//@ manifest: [[span("new")]] ns::Type::operator new(unsigned long size); [[span("delete")]] ns::Type::operator delete(void*);
//@ manifest: [[span("less")]] bool ns::Type::operator<(ns::Type const&) const; [[span("shift")]] ns::Type::operator<<(int by) const;
//@ manifest: [[span("post")]] ns::Type::operator++(int); [[span("plus"), input(a.x, b.y), output(sum = return.x)]] ns::operator+(ns::P a, ns::P b);
//@ manifest: [[span("km")]] long double ns::operator"" _km(long double v);
//@ manifest: [[span("vec")]] void ns::f<int, std::vector<int>>(int a, std::vector<int> const& b);
//@ manifest: [[span("str"), input(b)]] void ns::f<long, std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > >(long, std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const& b);
//@ manifest: [[span("g3")]] int ns::g<3, true>(int); [[span("g4")]] int ns::g<-4, false>(int a); [[span("box")]] ns::Box<int>::Box(int x);
//@ manifest: [[span("put")]] ns::Box<int>::put(int, int n); [[span("mix")]] int ns::Box<int>::mix<unsigned char>(unsigned char, int);
//@ manifest: [[span("e")]] int ns::e<(ns::K)1>(int); [[span("lambda")]] int ns::call<ns::run(int)::{lambda(int)#1}>(ns::run(int)::{lambda(int)#1}, int n);
//@ manifest: [[span("fp")]] int ns::fp<&(inc(int))>(int a); [[span("hid")]] (anonymous namespace)::hid(int a);
//@ manifest: [[span("z")]] (anonymous namespace)::Z::Z(int q); [[span("free")]] outside(int a, long); [[span("pack")]] int ns::var<int, int, double, char>(int, int, double, char);
//@ expect: one("c1")["input"].get("n") == 41 and one("c1")["input"]["self"]
//@ expect: list(one("c2")["input"].values())[1:] == [1, 2] and len(one("c3")["input"]) == 2
//@ expect: len(of("dtor")) == 3 and all(list(c["input"]) == ["self"] and c["status"] == "ok" for c in of("dtor"))
//@ expect: one("int")["output"] == {"return": 3} and list(one("new")["input"].values()) == [4]
//@ expect: len(one("delete")["input"]) == 1 and one("assign")["input"].get("other", "-g" not in build)
//@ expect: one("call")["input"]["k"] == 5 and one("call")["status"] == "error" and one("shift")["input"].get("by", 3) == 3
//@ expect: list(one("z")["input"].values())[1:] == ([] if "clang" in build and "-g" not in build else [26]) and list(one("free")["input"].values()) == ([30, 31] if "-g" in build else [])
//@ expect: "clang" not in build or "-g" in build or "added parameters, for virtual bases" in said
//@ expect: status == 0 if "-g" in build else "without debug information" in said and status == 0
//@ expect: "-g" not in build or (one("text")["input"]["key"] == "k" and list(one("index")["input"].values())[1:] == [7])
//@ expect: "-g" not in build or (one("plus")["input"] == {"a_x": 1, "b_y": 4} and one("plus")["output"] == {"sum": 4})
//@ expect: "-g" not in build or (one("km")["input"].get("v", 1.5) == 1.5 and one("km")["output"] == {"return": 1500})
//@ expect: "-g" not in build or (one("vec")["input"]["a"] == 6 and one("str")["input"]["b"] == "hello" and one("e")["output"] == {"return": 20})
//@ expect: "-g" not in build or ([one(n)["output"].get("return", r) for n, r in (("g3", 12), ("g4", 5), ("put", 12), ("mix", 15), ("lambda", 24), ("fp", 25), ("hid", 25))] == [12, 5, 12, 15, 24, 25, 25])
//@ expect: "-g" not in build or (list(one("put")["input"].values())[1:] == [11, 12] and list(one("mix")["input"].values())[1:] == [15, 16])
//@ expect: "-g" not in build or (one("lambda")["input"]["n"] == 21 and list(one("pack")["input"].values()) == [23, 1, 2, 99])
//@ expect: "-g" in build or all(not one(n)["input"] and not one(n)["output"] for n in ("index", "put", "hid", "vec", "g3", "plus", "mix"))
#include <cstdlib>
#include <string>
#include <vector>
namespace ns {
volatile long sink;
#define SOME for (int i = 0; i < 30; i++) ns::sink = ns::sink * 3 + i;
#ifdef __clang__
#define N __attribute__((noinline))
#else
#define N __attribute__((noipa))
#endif
struct P { int x, y; };
struct Type {
    int v;
    Type(int n); Type(int a, long b); explicit Type(const std::string &s); ~Type();
    Type &operator=(const Type &o);
    int operator()(int k) const;
    int operator[](int k);
    int operator[](const char *k);
    operator int() const;
    explicit operator std::string() const;
    Type *operator->();
    static void *operator new(size_t n);
    static void operator delete(void *p);
    bool operator<(const Type &o) const;
    bool operator<<(int k) const;
    int operator++(int);
};
N Type::Type(int n) : v(n) { SOME }
N Type::Type(int a, long b) : v(int(a + b)) { SOME }
N Type::Type(const std::string &s) : v(int(s.size())) { SOME }
N Type::~Type() { SOME sink += v; }
N Type &Type::operator=(const Type &o) { v = o.v; SOME return *this; }
N int Type::operator()(int k) const { SOME return v + k; }
N int Type::operator[](int k) { SOME return v + k; }
N int Type::operator[](const char *k) { SOME return v + k[0]; }
N Type::operator int() const { SOME return v; }
N Type::operator std::string() const { SOME return std::string("x"); }
N Type *Type::operator->() { SOME return this; }
N void *Type::operator new(size_t n) { SOME return malloc(n); }
N void Type::operator delete(void *p) { SOME free(p); }
N bool Type::operator<(const Type &o) const { SOME return v < o.v; }
N bool Type::operator<<(int k) const { SOME return v << k; }
N int Type::operator++(int) { SOME return v++; }
N P operator+(P a, P b) { SOME return {a.x + b.x, a.y + b.y}; }
template <class T, class U> N void f(T a, const U &b) { SOME sink += a + b.size(); }
template <int I, bool B> N int g(int a) { SOME sink += a; return a + I + B; }
template <class T> struct Box { T t; Box(T x); int put(T x, int n); template <class U> int mix(U u, T x); };
template <class T> N Box<T>::Box(T x) : t(x) { SOME }
template <class T> N int Box<T>::put(T x, int n) { SOME t = x; return n; }
template <class T> template <class U> N int Box<T>::mix(U u, T x) { SOME t = x; return (int)u; }
long double operator"" _km(long double v) N;
long double operator"" _km(long double v) { SOME return v * 1000; }
enum class K { a, b };
template <K k> N int e(int z) { SOME sink += z; return z; }
template <class F> N int call(F f, int n) { SOME return f(n); }
inline N int run(int cap) { return call([cap](int m) { SOME return m + cap; }, 21 + cap * 0); }
template <class T, class... A> N int var(T a, A... r) { SOME return int(a + (0 + ... + r)); }
template <int (*Fn)(int)> N int fp(int a) { SOME sink += a; return Fn(a); }
}
N static int inc(int a) { ns::sink += a; return a + 1; }
N int outside(int a, long b) { SOME ns::sink += a + b; return a; }
namespace {
N int hid(int a) { SOME ns::sink += a; return a; }
struct Z { int k; Z(int q); };
N Z::Z(int q) : k(q) { SOME ns::sink += q; }
}
int main()
{
    using namespace ns;
    Type *t = new Type(41), u(1, 2L), w(std::string("abc"));
    volatile int n = 0;
    *t = u;
    sink += (*t)(5) + (*t)[7] + (*t)["k"] + (int)*t + (long)((std::string)*t).size();
    (*t)->v++;
    sink += (*t < u) + (*t << 3);
    (*t)++;
    P p{1, 2}, q{3, 4}, r = p + q;
    std::vector<int> vi{1, 2, 3};
    f<int, std::vector<int>>(6 + n, vi);
    f<long, std::string>(7, "hello");
    sink += g<3, true>(8 + n) + g<-4, false>(9 + n) + r.x;
    Box<int> b(10 + n);
    b.put(11 + n, 12 + n);
    b.mix<unsigned char>((unsigned char)(15 + n), 16 + n);
    sink += (long)(2.0L * 1.5_km) + e<K::b>(20 + n);
    sink += run(3 + n);
    sink += fp<inc>(24 + n) + hid(25 + n) + Z(26 + n).k + outside(30 + n, 31 + n);
    sink += var(23 + n, 1 + n, 2.0 + n, (char)('c' + n));
    delete t;
}
