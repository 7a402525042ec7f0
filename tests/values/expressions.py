#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random expressions of the manifest against the same expressions in compiled
C: one program computes all of them of random arguments and writes the results
down; handspan captures them as `attr(e0 = ...)`.

usage: expressions.py HANDSPAN COUNT
HANDSPAN_SEED=N repeats a run; else each run has a seed of its own, printed.
"""
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import CC, Place  # noqa: E402

TYPES = ["signed char", "unsigned char", "short", "unsigned short", "int",
         "unsigned", "long", "unsigned long", "_Bool", "char"]
RECORD = """struct rec { signed char c; unsigned char uc; short s;
  unsigned short us; int i; unsigned u; long l; unsigned long ul; _Bool b;
  unsigned b7 : 7; int s5 : 5; unsigned full : 32; unsigned long w20 : 20;
  short t3 : 3; int nums[4]; struct rec *next; };
enum { MINUS = -3, ZERO, BIG = 100000 };
"""
MEMBERS = ["c", "uc", "s", "us", "i", "u", "l", "ul", "b", "b7", "s5", "full",
           "w20", "t3", "nums[1]", "nums[2]", "nums[b7 % 4]"]
FUNCTIONS, EXPRESSIONS, CALLS = 100, 20, 6


def leaf(r):
    x = r.random()
    if x < 0.3:
        return f"a{r.randrange(6)}"
    if x < 0.65:
        member = r.choice(MEMBERS).replace("b7 %", "p->b7 %")
        return r.choice([f"p->{member}", f"p->next->{member}"])
    if x < 0.8:
        return str(r.choice([0, 1, 2, 3, 7, 127, 128, 255, 32768, 65536,
                             2147483647, 4294967295, "5u", "3l", "0x80u",
                             "10ul", "2147483648"]))
    if x < 0.87:
        return r.choice(["MINUS", "BIG", "ZERO"])
    if x < 0.93:
        return r.choice(["(p == 0)", "!p", "(p->next != p)"])
    return r.choice(["'a'", "'\\n'", "*q", "q[1]", "q[-1]"])


def tree(r, depth):
    """The expression, and the same for C: there a division by 0, and one that
    overflows, is undefined, and the compiler makes of it what it likes."""
    if depth == 0 or r.random() < 0.15:
        text = leaf(r)
        return text, text
    x = r.random()
    a, ca = tree(r, depth - 1)
    if x < 0.16:
        op = "-" if x < 0.08 else "!"
        return f"({op}{a})", f"({op}{ca})"
    b, cb = tree(r, depth - 1)
    op = r.choice(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=",
                   "&&", "||", "+", "-", "<", "=="])
    if op in "/%":
        return f"({a} {op} {b})", f"DIVIDE({ca}, {cb}, {op})"
    return f"({a} {op} {b})", f"({ca} {op} {cb})"


DIVIDE = """#define DIVIDE(a, b, op) ({ __auto_type a_ = (a) + 0; \
    __auto_type b_ = (b) + 0; __typeof__(a_ + b_) x_ = a_, y_ = b_; \
    if (y_ == 0) siglongjmp(back, 1); \
    (__typeof__(y_))-1 < 0 && y_ == (__typeof__(y_))-1 ? \
    (__typeof__(x_))((1 op 2) ? x_ - x_ : 0 - x_) : x_ op y_; })"""


def source(r, functions):
    lines = ["#include <stdio.h>", "#include <setjmp.h>",
             "#include <signal.h>", "#include <string.h>", RECORD,
             "static sigjmp_buf back;", DIVIDE,
             "static void trap(int n) { siglongjmp(back, n); }",
             f"static unsigned long state = {r.getrandbits(62) | 1}ul;",
             "static unsigned long next(void) { static const unsigned long "
             "edge[] = {0, 1, -1ul, 127, 128, 255, 32767, 65535, 2147483647, "
             "2147483648ul, 4294967295ul, 1ul << 63, 2, 3};"
             "state ^= state << 13; state ^= state >> 7; state ^= state << 17;"
             "return state % 2 ? state : edge[state / 2 % 14]; }",
             "static void fill(struct rec *r) { "
             + "".join(f"r->{m} = next();" for m in MEMBERS[:14])
             + "for (int i = 0; i < 4; i++) r->nums[i] = (int)next(); }",
             "volatile long sink;"]
    for n, (types, expressions) in enumerate(functions):
        params = ", ".join(f"{t} a{i}" for i, t in enumerate(types))
        lines.append(
            f"__attribute__((noinline)) int f{n}({params}, struct rec *p, "
            f"short *q) {{ sink = p->i; return 0; }}")
        lines.append(f"static void c{n}(FILE *out, {params}, struct rec *p, "
                     f"short *q) {{")
        for k, (_, e) in enumerate(expressions):
            lines.append(
                f"if (sigsetjmp(back, 1) == 0) {{ __auto_type v = {e} + 0;"
                f"if ((__typeof__(v))-1 < (__typeof__(v))1) "
                f"fprintf(out, \"{n} {k} %ld\\n\", (long)v); else "
                f"fprintf(out, \"{n} {k} %lu\\n\", (unsigned long)v); }} else "
                f"fprintf(out, \"{n} {k} trap\\n\");")
        lines.append("}")
    lines.append("int main(int argc, char **argv) { FILE *out = "
                 "fopen(argv[1], \"w\"); struct rec r, s; short h[4]; "
                 "(void)argc; signal(SIGFPE, trap); memset(&r, 0, sizeof r);"
                 "memset(&s, 0, sizeof s);")
    for n, (types, _) in enumerate(functions):
        args = "".join(f"{t} a{i} = ({t})next();"
                       for i, t in enumerate(types))
        names = ", ".join(f"a{i}" for i in range(len(types)))
        lines.append(f"for (int i = 0; i < {CALLS}; i++) {{ fill(&r); fill(&s);"
                     f"r.next = &s; s.next = &r; for (int j = 0; j < 4; j++) "
                     f"h[j] = (short)next(); {args}"
                     f"c{n}(out, {names}, &r, h + 1);"
                     f"f{n}({names}, &r, h + 1); }}")
    lines.append("return fclose(out) != 0; }")
    return "\n".join(lines) + "\n"


def manifest(functions):
    out = [RECORD]
    for n, (types, expressions) in enumerate(functions):
        params = ", ".join(f"{t} a{i}" for i, t in enumerate(types))
        items = ", ".join(f"e{k} = {e}"
                          for k, (e, _) in enumerate(expressions))
        out.append(f"[[span, capture(\"none\"), attr({items})]] int f{n}"
                   f"({params}, struct rec *p, short *q);")
    return "\n".join(out) + "\n"


def read_truth(path):
    calls = {}
    for line in open(path, encoding="ascii"):
        n, k, value = line.split()
        rows = calls.setdefault(int(n), [])
        if k == "0":
            rows.append({})
        rows[-1][f"e{k}"] = value
    return calls


def compare(p, functions):
    truth = read_truth(f"{p.at}/truth")
    spans = {}
    for line in p.handspan("spans", "--json").stdout.splitlines():
        o = json.loads(line)
        if "span_id" in o:
            spans.setdefault(o["name"], []).append(o["attributes"])
    count = 0
    for n, (_, expressions) in enumerate(functions):
        calls = spans.get(f"f{n}", [])
        if len(calls) != len(truth[n]):
            print(f"f{n}: {len(calls)} spans of {len(truth[n])} calls")
            return -1
        for want, got in zip(truth[n], calls):
            for k, (e, _) in enumerate(expressions):
                value = got.get(f"e{k}", "missing")
                expected = want[f"e{k}"]
                if value is None and expected == "trap":
                    value = "trap"
                if isinstance(value, bool):
                    value = int(value)
                count += 1
                if str(value) != expected:
                    print(f"f{n}.e{k}: {e} is {expected} in C, {value} here\n"
                          f"{want}")
                    return -1
    return count


def run(r):
    functions = []
    for _ in range(FUNCTIONS):
        types = [r.choice(TYPES) for _ in range(6)]
        functions.append((types, [tree(r, 3) for _ in range(EXPRESSIONS)]))
    with Place() as p:
        p.write("p.c", source(r, functions))
        p.write("m", manifest(functions))
        done = p.sh(f"{CC} -O0 -fwrapv -w -fnon-call-exceptions -o p p.c",
                    check=False)
        if done.returncode:
            print(done.stderr[:3000])
            return -1
        done = p.handspan("run", "-m", "m", "./p", f"{p.at}/truth")
        if done.returncode or "error" in done.stderr:
            print(f"run: {done.returncode} {done.stderr[:3000]}")
            return -1
        return compare(p, functions)


def main():
    wanted = int(sys.argv[2])
    seed = int(os.environ.get("HANDSPAN_SEED")
               or int.from_bytes(os.urandom(4), "little"))
    print(f"HANDSPAN_SEED={seed}")
    r = random.Random(seed)
    expressions = values = 0
    while expressions < wanted:
        count = run(r)
        if count < 0:
            print(f"HANDSPAN_SEED={seed}")
            return 1
        expressions += FUNCTIONS * EXPRESSIONS
        values += count
    print(f"{expressions} expressions, {values} values, none different")
    return 0


if __name__ == "__main__":
    sys.exit(main())
