#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random C functions whose truth is known by construction, for the proof.

fN_S   has stack arguments and reads one or takes its address
fN_N   has none
fN_M   has some and leaves them alone

The prover may never prove an S; of the N it should prove most. The functions
are dressed with what makes that hard: alloca, aligned frames, big frames,
loops, switches, setjmp, calls with stack arguments of their own.

usage: random_programs.py CHECK_PROOF WORK_DIR SEED FUNCTIONS BUILD...
BUILD is COMPILER:LEVEL[,FLAG...], as gcc:O3,-mavx2
"""
import os
import random
import subprocess
import sys

HEAD = """
#include <alloca.h>
#include <setjmp.h>
#include <stdarg.h>
typedef struct { long a[3]; } S3;
typedef struct { long a[8]; } S8;
typedef struct { int a[32]; } I32;
typedef struct { long x, y; } S2;
typedef double V2 __attribute__((vector_size(16)));
extern long sink(void *, ...);
extern long ext1(long);
extern void use(void *);
extern long ext9(long, long, long, long, long, long, long, long, long);
extern S8 mks8(long);
extern void takes8(S8);
extern long g[];
static jmp_buf jb;
"""

FEATURES = [
    "{ char *q = alloca(idx & 255); use(q); acc += q[0]; }",
    "{ long vla[(idx & 31) + 1]; use(vla); acc += vla[idx & 3]; }",
    "{ long al[8] __attribute__((aligned(64))); use(al); acc += al[idx & 7]; }",
    "{ char big[70000]; use(big); acc += big[idx]; }",
    "{ long loc[6]; for (int i = 0; i < 6; i++) loc[i] = ext1(i);"
    " use(loc); acc += loc[2]; }",
    "{ long loc[10]; use(loc); for (int i = 0; i < 10; i++)"
    " acc += loc[i] * 3; }",
    "if (setjmp(jb)) acc++;",
    "acc += ext9(acc, 1, 2, 3, 4, 5, 6, 7, 8);",
    "{ S8 s = mks8(acc); acc += s.a[3]; takes8(s); }",
    "switch (idx) { case 1: acc += ext1(3); break; case 2: acc *= 7; break;"
    " case 3: acc -= g[2]; break; case 4: acc ^= 5; use(0); break;"
    " case 5: acc += g[9]; break; case 6: acc = ext1(acc); break; }",
    "acc += ext1(acc);",
    "for (int i = 0; i < 20; i++) acc += g[i] * acc;",
]
ARRAYS = {"S3": 3, "S8": 8, "I32": 32}


class Arguments:
    """A random parameter list, sorted into registers and stack as the psABI
    (3.2.3) does."""

    def __init__(self, hidden_result):
        self.all, self.stack, self.registers = [], [], []
        self.general, self.vector = (1 if hidden_result else 0), 0
        for i in range(random.randint(0, 12)):
            self.add(self.pick_type(), f"p{i}")

    @staticmethod
    def pick_type():
        if random.random() < 0.6:
            return random.choice(["long", "long", "long", "int", "double",
                                  "S3", "S8", "I32", "S2", "V2"])
        return random.choice(["long", "int", "double"])

    def add(self, kind, name):
        if kind in ("long", "int"):
            on_stack = self.general >= 6
            self.general += not on_stack
        elif kind in ("double", "V2"):
            on_stack = self.vector >= 8
            self.vector += not on_stack
        elif kind == "S2":
            on_stack = self.general > 4
            self.general += 0 if on_stack else 2
        else:
            on_stack = True
        self.all.append((kind, name))
        (self.stack if on_stack else self.registers).append((kind, name))

    def index(self):
        """An expression that no compiler can know."""
        for kind, name in self.registers:
            if kind in ("long", "int"):
                return f"(long){name}"
        return "g[0]"


def read(kind, name):
    """An expression that uses the argument."""
    if kind in ("long", "int", "double"):
        return f"(long){name}"
    if kind == "V2":
        return f"(long){name}[0]"
    if kind == "S2":
        return f"{name}.y"
    way = random.random()
    if way < 0.3:
        return f"{name}.a[{random.randrange(ARRAYS[kind])}]"
    if way < 0.5:
        return f"{name}.a[idx]"
    if way < 0.75:
        return f"{name}.a[idx - {random.randint(1, 12)}]"
    return f"sink(&{name}.a[idx - {random.randint(0, 9)}])"


def use_stack_arguments(body, stack):
    for kind, name in random.sample(stack, random.randint(1, min(2,
                                                          len(stack)))):
        body.insert(random.randint(1, len(body)),
                    f"acc += {read(kind, name)};")
        if kind in ARRAYS and random.random() < 0.3:
            body.append(f"for (int i = 0; i < 3; i++)"
                        f" acc += ext1({name}.a[i]);")


def use_variadic(body, last):
    more = random.choice(["acc += va_arg(ap, double);", "acc += sink(ap);",
                          ""])
    body.append(f"va_list ap; va_start(ap, {last});"
                f" acc += va_arg(ap, long); {more} va_end(ap);")


def function(number):
    result = random.choice(["long", "long", "long", "double", "S8"])
    arguments = Arguments(result == "S8")
    variadic = bool(arguments.all) and random.random() < 0.15
    body = [f"long acc = 0, idx = {arguments.index()};"]
    for kind, name in arguments.registers:
        if random.random() < 0.7:
            body.append(f"acc += {read(kind, name)};")
    for _ in range(random.randint(0, 3)):
        body.append(random.choice(FEATURES))
    uses = bool(arguments.stack) and random.random() < 0.6
    uses_variadic = variadic and random.random() < 0.6
    if uses:
        use_stack_arguments(body, arguments.stack)
    if uses_variadic:
        use_variadic(body, arguments.all[-1][1])
    if result == "S8":
        body.append("{ S8 r = mks8(acc); r.a[1] = acc; return r; }")
    elif random.random() < 0.25:
        body.append("return ext1(acc);")
    else:
        body.append("return acc;")
    truth = "S" if uses or uses_variadic else (
        "M" if arguments.stack or variadic else "N")
    listed = ", ".join(f"{kind} {name}" for kind, name in arguments.all)
    if variadic:
        listed += ", ..."
    lines = "\n".join("    " + line for line in body)
    return (f"__attribute__((noinline)) {result} "
            f"f{number}_{truth}({listed or 'void'})\n{{\n{lines}\n}}\n")


def main():
    check, work, seed, count = sys.argv[1:5]
    os.makedirs(work, exist_ok=True)
    random.seed(int(seed))
    source = os.path.join(work, f"random_{seed}.c")
    with open(source, "w", encoding="ascii") as out:
        out.write(HEAD)
        for number in range(int(count)):
            out.write(function(number))
    failed = 0
    for build in sys.argv[5:]:
        compiler, flags = build.split(":", 1)
        name = os.path.basename(compiler) + "_" + flags.replace(",", "_")
        target = os.path.join(work, f"random_{seed}_{name}.so")
        subprocess.run([compiler, *("-" + flags).split(","), "-w", "-shared",
                        "-fPIC", "-o", target, source], check=True)
        print(f"{build}:", flush=True)
        failed |= subprocess.run([check, "--truth", target],
                                 check=False).returncode
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
