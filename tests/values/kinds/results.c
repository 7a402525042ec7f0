// What comes out of a call stands in its record where it is one number alone, in
// a frame else: each width and sign, beside inputs or without, with rules that
// fire or not, of an item that waited in a queue, of a parameter.
//@ build: gcc -O1 -g -rdynamic -o p p.c
//@ build: clang -O1 -g -rdynamic -o p p.c
//@ manifest: enum state { IDLE = -1, BUSY = 2 }; typedef _Bool flag;
//@ manifest: [[span]] int whole(int n); [[span]] signed char small(void); [[span]] unsigned char byte(void);
//@ manifest: [[span, input(text, n)]] short half(const char *text, int n); [[span]] unsigned word(void); [[span]] flag yes(void);
//@ manifest: [[span]] enum state state(int n); [[span]] void *pointer(long n); [[span]] unsigned long most(void);
//@ manifest: [[span, input(text, n), fails(return < 0)]] long ruled(const char *text, long n);
//@ manifest: [[span, output(n)]] void parameter(int n); [[span, output(return, n)]] int both(int n);
//@ manifest: [[span, output(return)]] const char *text(int n); [[span, output(return, *out)]] int filled(int *out);
//@ manifest: [[carry(item)]] void push(long item); [[span, adopt(item)]] int work(long item); [[adopt(return)]] long pop(long item); [[span]] int idle(void); [[span]] int nested(int n);
//@ expect: [(c["input"]["n"], c["output"]["return"]) for c in of("whole")] == [(i, -i) for i in range(-2, 3)]
//@ expect: [one(n)["output"] for n in ("small", "byte", "word", "yes", "most")] == [{"return": r} for r in (-5, 251, 4294967291, True, 18446744073709551611)]
//@ expect: [(c["input"]["text"], c["input"]["n"], c["output"]["return"]) for c in of("half")] == [("short", 1, 1), ("x" * 1000, 2, -2), (None, 3, 3)]
//@ expect: [c["output"]["return"] for c in of("state")] == ["IDLE", "BUSY", "7"]
//@ expect: [c["output"]["return"] for c in of("pointer")] == [None, "0xfffffffffffffff0"]
//@ expect: [(c["status"], c["input"]["text"], c["output"]["return"]) for c in of("ruled")] == [("ok", "a", 5), ("error", "b", -5), ("ok", "c", 0)]
//@ expect: one("parameter")["output"] == {"n": 9} and one("both")["output"] == {"return": 10, "n": 9}
//@ expect: [c["output"]["return"] for c in of("text")] == ["negative", None] and one("filled")["output"] == {"return": 3, "out": 77}
//@ expect: [(c["input"]["item"], c["output"]["return"]) for c in of("work")] == [(1, -1), (2, -2)] and all(c["queue_ns"] is not None for c in of("work"))
//@ expect: [(c["input"], c["output"]["return"], c["queue_ns"] is not None) for c in of("idle")] == [({}, 4, True), ({}, 4, True)]
//@ expect: sorted((c["input"]["n"], c["output"]["return"]) for c in of("nested")) == [(i, i * (i + 1) // 2) for i in range(300)]
//@ expect: not any(c["capture"] for n in ("whole", "ruled", "nested", "work") for c in of(n))
#include <string.h>
volatile long sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
enum state { IDLE = -1, BUSY = 2 };
N int whole(int n) { sink = n; return -n; }
N signed char small(void) { sink = 1; return -5; }
N unsigned char byte(void) { sink = 1; return 251; }
N short half(const char *text, int n) { sink = (long)text; return (short)(n & 1 ? n : -n); }
N unsigned word(void) { sink = 1; return -5u; }
N _Bool yes(void) { sink = 1; return 1; }
N enum state state(int n) { sink = n; return (enum state)n; }
N void *pointer(long n) { sink = n; return (void *)n; }
N unsigned long most(void) { sink = 1; return -5ul; }
N long ruled(const char *text, long n) { sink = *text; return n; }
N void parameter(int n) { sink = n; }
N int both(int n) { sink = n; return n + 1; }
N const char *text(int n) { sink = n; return n < 0 ? "negative" : 0; }
N int filled(int *out) { sink = 1; *out = 77; return 3; }
N void push(long item) { sink = item; }
N int work(long item) { sink = item; return (int)-item; }
N long pop(long item) { sink = item; return item; }
N int idle(void) { sink = 1; return 4; }
N int serve(long item) { return (int)pop(item) + idle(); }
N int nested(int n) { sink = n; return n ? n + nested(n - 1) : 0; }
int main(void)
{
    char long_text[1001];
    int out;
    memset(long_text, 'x', 1000);
    long_text[1000] = 0;
    for (int i = -2; i < 3; i++)
        whole(i);
    small(), byte(), word(), yes(), most();
    half("short", 1), half(long_text, 2), half(0, 3);
    state(-1), state(2), state(7);
    pointer(0), pointer(-16);
    ruled("a", 5), ruled("b", -5), ruled("c", 0);
    parameter(9), both(9), text(-1), text(1), filled(&out);
    push(1), push(2), work(1), work(2);
    push(3), push(4), serve(3), serve(4);
    nested(299);
    return 0;
}
