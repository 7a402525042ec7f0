// A static function that link-time optimization gives a name of its own
// (.lto_priv.0), since another unit of its calls it: its arguments are as
// written.
//@ build: gcc -O2 -g -flto -flto-partition=max -o p p.c
//@ manifest: [[span, input(s, n), fails(return < 0)]] int work(const char *s, int n);
//@ expect: one("work")["symbol"] == "work.lto_priv.0"
//@ expect: one("work")["input"] == {"s": "text", "n": 7}
//@ expect: one("work")["status"] == "error"
#include <stdio.h>
#define N __attribute__((noipa))
N static int work(const char *s, int n)
{
    __asm__ volatile("" : : "r"(s) : "memory");
    return printf("%s %d\n", s, n) > 100 ? n : -n;
}
N static int other(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n ? work("text", n) : 0;
}
int main(int argc, char **argv)
{
    (void)argv;
    return other(argc + 6) > 0;
}
