// Debug information in less usual forms: split off, type units, names without
// template arguments, functions in several pieces; the values are the same.
//@ build: g++ -O1 -g -o p p.cc
//@ build: g++ -O1 -g -gsplit-dwarf -o p p.cc
//@ build: clang++ -O1 -g -gsplit-dwarf -o p p.cc
//@ build: g++ -O1 -g -fdebug-types-section -o p p.cc
//@ build: clang++ -O1 -g -Xclang -gsimple-template-names=simple -o p p.cc
//@ build: g++ -O1 -g -gdwarf-4 -gsplit-dwarf -o p p.cc
//@ manifest: [[span, input(j->id, j->name, j->state), fails(return < 0, -return)]] int etl::work(const etl::job &j, int n);
//@ manifest: [[span, input(p->first, p->second)]] int etl::both(const etl::pair<int, long> *p);
//@ manifest: [[span, input(path, k)]] etl::Loader::load;
//@ expect: one("etl::work")["input"] | {"j": 0} == {"j_id": 7, "j_name": "/nonexistent/x.csv", "j_state": "etl::job::st::busy", "n": 3, "j": 0}
//@ expect: one("etl::both")["input"] | {"p": 0} == {"p_first": 5, "p_second": 6, "p": 0}
//@ expect: one("etl::Loader::load")["input"]["k"] == 1 and one("etl::Loader::load")["input"]["path"] == "x"
#include <cstdio>
#include <stdexcept>
#include <string>
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
namespace etl {
struct job { int id; std::string name; enum class st { idle, busy = 7 } state; };
template <class A, class B> struct pair { A first; B second; };
struct Loader { int n; int load(const std::string &path, int k); };
volatile long sink;
N int work(const job &j, int n) { sink = j.id + n; return j.name.empty() ? 0 : -2; }
N int both(const pair<int, long> *p) { sink = p->first + p->second; return 0; }
N int Loader::load(const std::string &path, int k)
{
    if (path.size() > 5) throw std::runtime_error("too long " + path);
    n += k;
    return n;
}
}
int main(int argc, char **argv)
{
    etl::job j{7, "/nonexistent/x.csv", etl::job::st::busy};
    etl::pair<int, long> p{5, 6};
    etl::Loader l{argc};
    etl::work(j, 3); etl::both(&p); l.load("x", argc);
    return 0;
}
