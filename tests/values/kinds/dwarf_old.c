// DWARF 2, whose members are placed by an expression, and 3; sections that
// cannot be read are named.
//@ build: gcc -O1 -gdwarf-2 -gstrict-dwarf -o p p.c
//@ build: gcc -O1 -gdwarf-3 -o p p.c
//@ build: clang -O1 -gdwarf-2 -o p p.c
//@ build: gcc -O1 -g -Wl,--compress-debug-sections=zlib -o p p.c
//@ build: gcc -O1 -g -Wl,--compress-debug-sections=zstd -o p p.c
//@ manifest: [[span, input(id = job->id, b = job->b, inner = job->in.x)]] work;
//@ expect: "zstd" in build or (one("work")["input"]["id"] == 5 and one("work")["input"]["b"] == -2 and one("work")["input"]["inner"] == 2.5)
//@ expect: "zstd" not in build or "compressed with zstd" in said
struct in { char c; double x; };
struct job { int pad; long id; int b : 3; struct in in; };
volatile long sink;
__attribute__((noinline, used)) long work(const struct job *job) { sink = job->id + job->b + (long)job->in.x; return sink; }
struct job j = {1, 5, -2, {'c', 2.5}};
int main(void) { struct job *volatile p = &j; return work(p) == 0; }
