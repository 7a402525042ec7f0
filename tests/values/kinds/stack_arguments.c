// Parameters on the stack belong to the callee, which counts them down or
// passes on others in their place; those in vector registers are overwritten.
// Outputs and rules see them as they were passed.
//@ build: gcc -O2 -o p p.c
//@ build: gcc -O0 -g -o p p.c
//@ build: clang -O2 -g -o p p.c
//@ manifest: struct big { long v[4]; char name[8]; };
//@ manifest: [[span, output(m = n, text = buf[0:n]), fails(n == 3)]] long tail(long a, long b, long c, long d, long e, long f, long n, char *buf);
//@ manifest: [[span, output(left = n), fails(n == 40)]] long count(long a, long b, long c, long d, long e, long f, long n);
//@ manifest: [[span, output(x, y, z = b.v[2], name = b.name), fails(b.v[3] == 14)]] double mixed(double x, float y, struct big b);
//@ expect: "clang" in build or (one("tail")["output"]["m"] == 3 and one("tail")["output"]["text"] == "YWJj")
//@ expect: "clang" in build or (one("tail")["status"] == "error" and one("tail")["input"]["n"] == 3)
//@ expect: one("tail")["output"].get("m", 3) == 3 and one("tail")["input"].get("n", 3) == 3
//@ expect: "clang" in build or [c["output"]["left"] for c in of("count")] == [40, 7]
//@ expect: "clang" in build or [c["status"] for c in of("count")] == ["error", "ok"]
//@ expect: "clang" in build or one("mixed")["output"] == {"x": 1.5, "y": 2.5, "z": 13, "name": "bigname", "return": 9.0}
//@ expect: "clang" in build or one("mixed")["status"] == "error"
//@ expect: "clang" not in build or "which clang does not fill where the function does not read it" in said
//@ expect: "clang" not in build or (one("mixed")["output"]["x"], one("mixed")["output"]["y"]) == (1.5, 2.5)
#define N __attribute__((noinline, noipa, used))
#ifdef __clang__
#undef N
#define N __attribute__((noinline, used))
#endif
struct big { long v[4]; char name[8]; };
volatile long sink;
N long other(long a, long b, long c, long d, long e, long f, long n, long h) { sink += a + n * h + b + c + d + e + f; return sink; }
N long tail(long a, long b, long c, long d, long e, long f, long n, char *buf) { sink += n + a + b + c + d + e + f; return other(a, b, c, d, e, f, n * 3, (long)buf + 5); }
N long count(long a, long b, long c, long d, long e, long f, long n) { sink = a + b + c + d + e + f; for (; n > 0; n--) sink += n; *(volatile long *)&n = 99; return n; }
N double mixed(double x, float y, struct big b) { sink = x + y + b.v[1]; *(volatile long *)&b.v[2] = 1; *(volatile long *)&b.v[3] = 2; *(volatile char *)b.name = 'X'; sink = b.v[2]; return x * 4 + y + 0.5; }
int main(void)
{
    char text[16] = "abcdefgh";
    struct big b = {{11, 12, 13, 14}, "bigname"};
    tail(1, 2, 3, 4, 5, 6, 3, text);
    count(1, 2, 3, 4, 5, 6, 40);
    count(1, 2, 3, 4, 5, 6, 7);
    mixed(1.5, 2.5f, b);
    return 0;
}
