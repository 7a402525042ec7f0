// clang drops and moves parameters of functions that nobody else can call, and
// passes nothing for what an exported one does not use. The debug information
// says so: no value, and check says why. gcc renames such functions.
//@ build: clang -O2 -g -o p p.c
//@ build: clang -O1 -gdwarf-4 -o p p.c
//@ build: clang -O3 -g -fno-omit-frame-pointer -o p p.c
//@ build: gcc -O2 -g -o p p.c
//@ build: clang -O0 -g -o p p.c
//@ manifest: struct job { int id; int kind; };
//@ manifest: [[span, fails(unused < 0)]] static int dropped(int unused, int n);
//@ manifest: [[span, input(kind = j->kind)]] static int promoted(struct job *j, int n);
//@ manifest: [[span, input(name)]] int exported(const char *name, int n);
//@ manifest: [[span, match("glob_*")]] int glob(int first, int second);
//@ manifest: [[span]] middle;
//@ expect: all(v == {"unused": 5, "n": 42}.get(k) for k, v in one("dropped")["input"].items())
//@ expect: all(v == {"kind": 9, "j_": 0, "n": 5}.get(k, v) for k, v in one("promoted")["input"].items())
//@ expect: one("exported")["input"].get("n") in (42, None) and one("exported")["input"].get("name") in ("text", None)
//@ expect: "O0" in build or "gcc" in build or one("exported")["input"] == {"n": 42}
//@ expect: "O0" in build or "gcc" in build or one("dropped")["input"] == {}
//@ expect: "O0" in build or "gcc" in build or "not passed, says the debug information" in said
//@ expect: "gcc" in build or ("O0" in build) != ("'unused < 0' can never be judged: it reads what has no value" in said)
//@ expect: "O0" not in build or (one("dropped")["input"] == {"unused": 5, "n": 42} and one("exported")["input"] == {"name": "text", "n": 42})
//@ expect: all(v == {"first": 1, "second": 2}.get(k) for s in of("glob_a") + of("glob_b") for k, v in s["input"].items())
//@ expect: all(v == {"a": 3, "b": 4, "c": 5, "d": 6.5}.get(k) for k, v in one("middle")["input"].items())
//@ expect: "clang" not in build or "O0" in build or "return" not in one("dropped")["output"]
//@ expect: "clang" not in build or "O0" in build or "the compiler may have left it away" in said
struct job { int id; int kind; };
volatile int sink, five = 5;
#define N __attribute__((noinline))
static N int dropped(int unused, int n) { for (int i = 0; i < 3; i++) sink += n; return sink; }
static N int promoted(struct job *j, int n) { for (int i = 0; i < 3; i++) sink += j->kind; return sink + n; }
N int exported(const char *name, int n) { for (int i = 0; i < 3; i++) sink += n; return sink; }
static N int glob_a(int first, int second) { for (int i = 0; i < 3; i++) sink -= second; return sink; }
static N int glob_b(int first, int second) { for (int i = 0; i < 3; i++) sink += second + first; return sink; }
static N long middle(long a, long b, long c, double d) { for (int i = 0; i < 3; i++) sink += a + c; return sink; }
int main(int argc, char **argv)
{
    struct job j = {7, 8 + argc};
    dropped(five, 41 + argc);
    promoted(&j, 4 + argc);
    exported("text", 41 + argc);
    glob_a(argc, 1 + argc);
    glob_b(argc, 1 + argc);
    middle(2 + argc, 3 + argc, 4 + argc, 5.5 + argc);
    return 0;
}
