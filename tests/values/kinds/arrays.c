// SPDX-License-Identifier: Apache-2.0
// Arrays of several dimensions, as members and behind pointers: a row is a row,
// not the element of its number. A bit field over nine bytes, an empty struct
// and a flexible array cost nothing but themselves.
//@ build: gcc -O1 -g -o p p.c
//@ build: gcc -O1 -gdwarf-2 -gstrict-dwarf -o p p.c
//@ build: clang -O1 -g -o p p.c
//@ manifest: [[span, input(row = g->m[1], one = g->m[1][2], name = g->names[1], text = g->argv[1], last = g->cube[1][0][1])]] grid;
//@ manifest: [[span, input(a = q[1][2], b = r[1][2], c = t[1][2], d = q[0:1])]] far;
//@ manifest: [[span, input(*p, e, f->n, third = f->d[2])]] odd;
//@ expect: one("grid")["input"] | {"g": 0} == {"row": "BAAFAAYA", "one": 6, "name": "cd", "text": "y", "last": -7, "g": 0}
//@ expect: one("far")["input"] | {"q": 0, "r": 0, "t": 0} == {"a": 6, "b": 6, "c": 6, "d": "AQACAAMA", "q": 0, "r": 0, "t": 0}
//@ expect: one("odd")["input"] | {"p": 0, "f": 0} == {"p_a": 5, "p_c": -9, "n": 7, "f_n": 3, "third": 108, "p": 0, "f": 0}
//@ expect: "'b' of '*p' is left out: it is a packed bit field over 9 bytes" in said and "'e' is left out: it is empty" in said
//@ expect: "error" not in said
typedef signed char line[2];
struct grid { short m[2][3]; char names[2][8]; const char *argv[3]; line cube[2][2]; };
struct __attribute__((packed)) bits { unsigned long a : 7, b : 63; long c : 58; };
struct flexible { int n; char d[]; };
struct none { };
typedef short row[3];
volatile long sink;
#define N __attribute__((noinline, used))
N int grid(struct grid *g) { sink = g->m[1][2]; return g->cube[1][0][1]; }
N int far(short (*q)[3], row *r, short t[][3]) { sink = q[1][2] + r[1][1]; return t[1][0]; }
N int odd(struct bits *p, struct none e, int n, struct flexible *f) { sink = p->a + p->b + p->c + n; return f->n; }
struct grid g = {{{1, 2, 3}, {4, 5, 6}}, {"ab", "cd"}, {"x", "y", "z"}, {{{0}}, {{1, -7}}}};
struct flexible f = {3, "hel"};
int main(void)
{
    struct bits b = {5, 1ul << 62, -9};
    struct none e;
    sink = grid(&g) + far(g.m, g.m, g.m) + odd(&b, e, 7, &f);
    return 0;
}
