// Debug information that tells no parameters (lines alone, assembler) does not
// contradict a prototype.
//@ build: gcc -O2 -g1 -o p p.c f.S
//@ build: gcc -O2 -g -o p p.c f.S
//@ build: clang -O2 -gline-tables-only -o p p.c f.S
//@ manifest: [[span, input(n, path), fails(return < 0)]] int work(int n, const char *path);
//@ manifest: [[span]] long add3(long a, long b, long c);
//@ expect: status == 0 and "parameters here" not in said
//@ expect: one("work")["input"] == {"n": 3, "path": "x"} and one("add3")["input"] == {"a": 1, "b": 2, "c": 3}
//@ expect: one("add3")["output"]["return"] == 6
#include <stdio.h>
long add3(long a, long b, long c);
volatile int sink;
#ifdef __clang__
#define N __attribute__((noinline, used))
#else
#define N __attribute__((noipa, used))
#endif
N int work(int n, const char *path) { sink = *path; return n + sink; }
int main(void) { return work(3, "x") < 0 || add3(1, 2, 3) != 6; }
//@ file: f.S
        .text
        .globl add3
        .type add3, @function
add3:   lea (%rdi,%rsi), %rax
        add %rdx, %rax
        add $0, %rax
        ret
        .size add3, .-add3
        .section .note.GNU-stack,"",@progbits
