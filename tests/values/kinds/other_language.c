// SPDX-License-Identifier: Apache-2.0
// A function whose debug information says that it is of Go, or of another
// language with a way of its own to pass parameters, has no values.
//@ build: gcc -O1 -g -dA -S p.c && sed -i '/byte.*DW_AT_language/s/0x[0-9a-f]*/0x16/' p.s && gcc -o p p.s
//@ build: gcc -O1 -g -dA -S p.c && sed -i '/byte.*DW_AT_language/s/0x[0-9a-f]*/0x1e/' p.s && gcc -o p p.s
//@ build: gcc -O1 -g -dA -S p.c && sed -i '/byte.*DW_AT_language/s/0x[0-9a-f]*/0x13/' p.s && gcc -o p p.s
//@ manifest: [[span]] f;
//@ expect: one("f")["input"] == ({"n": 42} if "0x13" in build else {})
//@ expect: "0x13" in build or "it is of a language whose way to pass parameters is not known here" in said
volatile long sink;
__attribute__((noipa, used)) int f(int n) { sink = n; return n; }
int main(void) { return f(42) != 42; }
