// Two static functions of one name: each its own prototype, or no values of
// those that differ, and check says it; by file or object they are told apart.
//@ build: gcc -O1 -g -o p p.c a.c b.c
//@ build: clang -O1 -g -o p p.c a.c b.c
//@ manifest: [[span("both")]] static int init(int a);
//@ manifest: [[span("first"), file("a.c")]] only;
//@ manifest: [[span("second"), file("b.c")]] only;
//@ expect: sorted(str(c["input"]) for c in of("both")) == ["{'a': 42}", "{}"]
//@ expect: one("first")["input"] == {"n": 5} and one("second")["input"].get("x") == 1.5
//@ expect: "its parameters differ from this prototype" in said and status == 0
int a_init(void), b_init(void);
int main(void) { a_init(); b_init(); return 0; }
//@ file: a.c
volatile int a_sink;
static __attribute__((noinline, used)) int init(int a) { a_sink = a; a_sink = 2; return a; }
static __attribute__((noinline, used)) int only(int n) { a_sink = n; a_sink = 2; return n; }
int a_init(void) { return init(42) + only(5); }
//@ file: b.c
volatile int b_sink;
static __attribute__((noinline, used)) int init(const char *name, double d) { b_sink = d; b_sink = *name; return 7; }
static __attribute__((noinline, used)) int only(const char *name, double x) { b_sink = x; b_sink = *name; return 7; }
int b_init(void) { return init("database", 2.5) + only("n", 1.5); }
