// SPDX-License-Identifier: Apache-2.0
// What names a parameter of a function of which gcc kept only a clone is right:
// there are times, and check says why no values.
//@ build: gcc -O2 -g -o p p.c
//@ manifest: [[span, input(text), fails(return == 3)]] work;
//@ expect: len(of("work")) == 2 and all(s["input"] == {} and s["output"] == {} for s in of("work"))
//@ expect: "error" not in said.replace("times and errors", "") and "the compiler changed its arguments" in said
static volatile long sink;
static __attribute__((noinline)) int work(int unused, const char *text, long n)
{
    sink += n + text[0];
    return (int)n;
}
int main(void)
{
    return work(1, "a", 3) + work(2, "b", 4) - 7;
}
