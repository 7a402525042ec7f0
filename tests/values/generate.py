#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random programs against their own word: functions with parameters and results
of every kind are called with random values, which the program writes down
before it passes them; what handspan captured is compared with that. No value
may be wrong, and each that is missing needs a reason in `check`.

usage: generate.py HANDSPAN VALUES [CALLS [SEED]]
CALLS of each function, 60; fewer make more programs of as many values. SEED is
a number, or `commit`: that of the commit that is checked out, 77 where there is
none. HANDSPAN_SEED is before it; without both each run has one of its own. It
is printed, and repeats the run.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import Place  # noqa: E402

INTS = [("signed char", 8, 1), ("unsigned char", 8, 0), ("short", 16, 1),
        ("unsigned short", 16, 0), ("int", 32, 1), ("unsigned", 32, 0),
        ("long", 64, 1), ("unsigned long", 64, 0), ("char", 8, 1)]
BUILDS = [("gcc", "-O0 -g"), ("gcc", "-O1 -g"), ("gcc", "-O2 -g -gdwarf-4"),
          ("gcc", "-O3 -g"), ("gcc", "-O2 -g -gdwarf-2 -gstrict-dwarf"),
          ("gcc", "-O2 -g -flto"), ("gcc", "-O2 -g -gdwarf-3"),
          ("clang", "-O0 -g"), ("clang", "-O1 -g"), ("clang", "-O2 -g"),
          ("clang", "-O3 -g -gdwarf-4"), ("clang", "-O2 -g -gdwarf-2"),
          ("g++", "-O0 -g"), ("g++", "-O2 -g"), ("g++", "-O1 -g -gdwarf-4"),
          ("clang++", "-O1 -g"), ("clang++", "-O2 -g"),
          ("gcc", "-O2"), ("clang", "-O1"), ("gcc", "-Os -g")]
PRELUDE = """#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#define N __attribute__((noinline))
#define X __attribute__((noinline, externally_visible))
#ifdef __clang__
#undef X
#define X __attribute__((noinline, used))
#endif
typedef float v4 __attribute__((vector_size(16)));
static volatile long sink;
static FILE *truth;
static unsigned long state = SEED;
static unsigned long next(void)
{
    static const unsigned long edge[] = {0, 1, -1ul, 127, 128, 255, 32767,
        32768, 65535, 2147483647, 2147483648ul, 4294967295ul, -128ul,
        -32768ul, 1ul << 63, ~(1ul << 63), 200, -56ul};
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return state % 3 ? state : edge[state / 3 % (sizeof edge / 8)];
}
static void use(const void *p, unsigned long n)
{
    const volatile unsigned char *c = (const volatile unsigned char *)p;
    for (unsigned long i = 0; i < n; i++) sink += c[i];
}
static void call(const char *f) { fprintf(truth, "C\\t%s\\n", f); }
static void put_i(const char *k, long v) { fprintf(truth, "V\\t%s\\t%ld\\n", k, v); }
static void put_u(const char *k, unsigned long v) { fprintf(truth, "V\\t%s\\t%lu\\n", k, v); }
static void put_f(const char *k, double v) { fprintf(truth, "F\\t%s\\t%.17g\\n", k, v); }
static void put_b(const char *k, bool v) { fprintf(truth, "B\\t%s\\t%d\\n", k, v); }
static void put_p(const char *k, const void *v) { fprintf(truth, "P\\t%s\\t%lu\\n", k, (unsigned long)v); }
static void put_e(const char *k, long v) { fprintf(truth, "E\\t%s\\t%ld\\n", k, v); }
"""


class Type:
    """One type: how it is written, made up, and written down."""

    def __init__(self, name, fill, put):
        self.name, self.fill, self.put = name, fill, put


def scalar(r, cxx, debug):
    kind = r.choice(["int"] * 8 + ["float", "double", "bool", "ptr", "enum"])
    if kind == "int":
        name, bits, sign = r.choice(INTS)
        del bits
        return Type(name, lambda v: f"{v} = ({name})next();",
                    lambda v, k: f"put_{'i' if sign else 'u'}(\"{k}\", {v});")
    if kind == "float":
        return Type("float", lambda v: f"{v} = (float)(short)next() / 8;",
                    lambda v, k: f"put_f(\"{k}\", {v});")
    if kind == "double":
        return Type("double", lambda v: f"{v} = (double)(int)next() / 16;",
                    lambda v, k: f"put_f(\"{k}\", {v});")
    if kind == "bool":
        return Type("bool", lambda v: f"{v} = next() & 1;",
                    lambda v, k: f"put_b(\"{k}\", {v});")
    if kind == "ptr":
        return Type("void *", lambda v: f"{v} = (void *)next();",
                    lambda v, k: f"put_p(\"{k}\", {v});")
    n = r.randrange(3)
    names = ["enum small", "enum sign", "enum wide"]
    values = ["{ S0, S1 = 200 }", "{ G0 = -1, G1 = 200, G2 = 40000 }",
              "{ W0, W1 = 70000 }"]
    del values, cxx, debug
    pick = [["S0", "S1"], ["G0", "G1", "G2"], ["W0", "W1"]][n]
    return Type(names[n],
                lambda v: f"{{ static const {names[n]} all[] = "
                f"{{ {', '.join(pick)} }}; {v} = all[next() % {len(pick)}]; }}",
                lambda v, k: f"put_e(\"{k}\", {v});")


def odd(r, cxx):
    """No value is made of these, but they have a place."""
    kinds = [("long double", "3"), ("__int128", "(__int128)next()"),
             ("v4", "(v4){1, 2, 3, 4}"), ("_Complex double", "2.5")]
    if cxx:
        kinds = kinds[:3]
    name, value = r.choice(kinds)
    if name == "long double":
        return Type(name, lambda v: f"{v} = (long double)(short)next() / 8;",
                    lambda v, k: f"put_f(\"{k}\", (double){v});")
    return Type(name, lambda v: f"{v} = {value};", lambda v, k: "")


class Record(Type):
    """A struct by value of scalars, arrays, bit fields and odd members."""

    def __init__(self, r, number, cxx, debug):
        self.tag = f"rec{number}"
        self.members, lines = [], []
        for i in range(r.randint(1, 4)):
            t = scalar(r, cxx, debug)
            if r.random() < 0.15:
                width = r.randint(1, 7)
                lines.append(f"unsigned m{i} : {width};")
                self.members.append((f"m{i}", Type(
                    "", lambda v: f"{v} = next();",
                    lambda v, k: f"put_u(\"{k}\", {v});")))
            elif r.random() < 0.12:
                lines.append(f"{t.name} m{i}[{r.randint(1, 3)}];")
                self.members.append((f"m{i}", None))
            elif r.random() < 0.1:
                o = odd(r, cxx)
                lines.append(f"{o.name} m{i};")
                self.members.append((f"m{i}", o))
            else:
                lines.append(f"{t.name} m{i};")
                self.members.append((f"m{i}", t))
        self.text = f"struct {self.tag} {{ {' '.join(lines)} }};"
        super().__init__(f"struct {self.tag}", self.fill_all, self.put_all)

    def parts(self):
        """What an address can be taken of, beside the whole."""
        return [f".{m}" for m, t in self.members if not t or t.name] or [""]

    def fill_all(self, v):
        return f"memset(&{v}, 0, sizeof {v});" + "".join(
            t.fill(f"{v}.{m}") for m, t in self.members if t)

    def put_all(self, v, k):
        return "".join(t.put(f"{v}.{m}", f"{k}_{m}")
                       for m, t in self.members if t)


class Function:
    def __init__(self, r, number, records, cxx, debug, is_clang):
        self.name = f"f{number}"
        self.is_static = r.random() < 0.3
        self.params = []
        for _ in range(r.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 10])):
            x = r.random()
            self.params.append(
                r.choice(records) if x < 0.2 else odd(r, cxx) if x < 0.27
                else scalar(r, cxx, debug))
        x = r.random()
        self.result = (r.choice(records) if x < 0.1 else odd(r, cxx)
                       if x < 0.15 else scalar(r, cxx, debug))
        # without debug information nobody knows what clang left away
        is_blind = not debug and is_clang
        self.is_static &= not is_blind
        self.used = [is_blind or r.random() < 0.9 for _ in self.params]
        # of a struct perhaps one member alone
        self.reads = ["" if is_blind or not isinstance(t, Record)
                      or r.random() < 0.5 else r.choice(t.parts())
                      for t in self.params]
        self.uses_result = r.random() < 0.85

    def prototype(self):
        return (f"{self.result.name} {self.name}(" + (", ".join(
            f"{t.name} a{i}" for i, t in enumerate(self.params)) or "void")
                + ")")

    def body(self):
        read = [f"a{i}{part}" for i, part in enumerate(self.reads)]
        uses = "".join(f"use(&{a}, sizeof {a});"
                       for i, a in enumerate(read) if self.used[i])
        attribute = "static N" if self.is_static else "X"
        return (f"static {self.result.name} r_{self.name};\n"
                f"{attribute} {self.prototype()} {{ {uses} sink++; "
                f"return r_{self.name}; }}\n")

    def calls(self, count):
        args = ", ".join(f"a{i}" for i in range(len(self.params)))
        declared = "".join(f"{t.name} a{i}; {t.fill(f'a{i}')} "
                           for i, t in enumerate(self.params))
        puts = "".join(t.put(f"a{i}", f"a{i}")
                       for i, t in enumerate(self.params))
        keep = (f"{self.result.name} r = {self.name}({args}); "
                f"use(&r, sizeof r); {self.result.put('r', 'return')}"
                if self.uses_result else f"{self.name}({args}); "
                + self.result.put(f"r_{self.name}", "return"))
        return (f"static void call_{self.name}(void) {{\n"
                f"for (int i = 0; i < {count}; i++) {{\n {declared}\n"
                f" {self.result.fill(f'r_{self.name}')}\n"
                f" call(\"{self.name}\"); {puts}\n {keep} }} }}\n")

    def declaration(self, bare):
        items = [f"a{i}" for i, t in enumerate(self.params)
                 if isinstance(t, Record)]
        out = ["return"] if isinstance(self.result, Record) else []
        attributes = "span" + (f", input({', '.join(items)})" if items else "")
        attributes += f", output({', '.join(out)})" if out else ""
        return (f"[[{attributes}]] "
                + (self.name if bare else self.prototype()) + ";")


ENUMS = ("enum small { S0, S1 = 200 };\n"
         "enum sign { G0 = -1, G1 = 200, G2 = 40000 };\n"
         "enum wide { W0, W1 = 70000 };\n")
ENUM_NAMES = {"S0": 0, "S1": 200, "G0": -1, "G1": 200, "G2": 40000, "W0": 0,
              "W1": 70000}


class Program:
    def __init__(self, r, build, functions, calls):
        self.compiler, self.flags = build
        cxx = "++" in self.compiler
        debug = "-g" in self.flags.split()
        self.suffix = ".cc" if cxx else ".c"
        self.records = [Record(r, i, cxx, debug) for i in range(8)]
        self.functions = [Function(r, i, self.records, cxx, debug,
                                   "clang" in self.compiler)
                          for i in range(functions)]
        bare = debug and r.random() < 0.6
        seed = r.getrandbits(63) | 1
        self.source = (
            f"#define SEED {seed}ul\n" + PRELUDE + ENUMS
            + "\n".join(x.text for x in self.records) + "\n"
            + "".join(f.body() for f in self.functions)
            + "".join(f.calls(calls) for f in self.functions)
            + "int main(int argc, char **argv) { truth = fopen(argv[1], \"w\");"
            + " if (!truth) return 9; (void)argc;\n"
            + "".join(f"call_{f.name}();\n" for f in self.functions)
            + "return fclose(truth) != 0; }\n")
        types = "" if bare else (
            "typedef float v4 __attribute__((vector_size(16)));\n" + ENUMS
            + "\n".join(x.text for x in self.records) + "\n")
        self.manifest = types + "".join(
            (f"[[span]] {f.name};\n" if cxx and not f.params and bare
             else f.declaration(bare) + "\n") for f in self.functions)
        self.lines = {f.name: self.manifest[:self.manifest.index(
            f"{f.name};" if bare else f"{f.name}(")].count("\n") + 1
                      for f in self.functions}
        if cxx:  # one name, as the linker has it
            self.source = self.source.replace(
                "#define SEED", "#define SEED", 1).replace(
                    "\nX ", "\nextern \"C\" X ").replace(
                        "\nstatic N ", "\nextern \"C\" { static N ")
            self.source = "\n".join(
                line + " }" if line.startswith('extern "C" { static N ')
                else line for line in self.source.split("\n"))


def is_same(kind, want, got):
    if kind == "B":
        return got is (want == "1")
    if kind == "P":
        return got is None if want == "0" else got == f"0x{int(want):x}"
    if kind == "F":
        return isinstance(got, (int, float)) and float(got) == float(want)
    if kind == "E":
        return ENUM_NAMES.get(got, got) in (int(want), want)
    return got == int(want)


def read_truth(path):
    calls, now = {}, None
    for line in open(path, encoding="ascii"):
        part = line.rstrip("\n").split("\t")
        if part[0] == "C":
            now = {}
            calls.setdefault(part[1], []).append(now)
        else:
            now[part[1]] = (part[0], part[2])
    return calls


class Reasons:
    """What check says of each line of the manifest that is left out."""

    def __init__(self, p):
        self.whole, self.parts, said = {}, {}, []
        for line in p.handspan("check", "-m", "m", "--json",
                               "./p").stdout.split("\n"):
            o = json.loads(line) if line.startswith("{") else {}
            if o.get("kind") == "message" and o["severity"] != "note":
                self.parts.setdefault(o["line"], []).append(o["text"])
            if o.get("kind") == "declaration" and (o["status"] != "ok"
                                                   or o.get("remark")):
                self.whole[o["line"]] = o.get("remark") or o["status"]
            said.append(line)
        self.said = "\n".join(said)

    def of(self, line, key):
        """Why this value is not there, or None: nobody says."""
        name = key.split("_")[0]
        for text in self.parts.get(line, []):
            named = re.findall(r"\b(?:a\d+|return|result)\b", text)
            if "all its values" in text or "times only" in text or (
                    "result" if name == "return" else name) in named:
                return text
            if name in named or ("stand behind" in text and named and
                                 named[0] < name):
                return text
        return self.whole.get(line)


def compare(p, program, figures):
    truth = read_truth(f"{p.at}/truth")
    spans = {}
    for line in p.handspan("spans", "--json").stdout.splitlines():
        o = json.loads(line)
        if "span_id" in o:
            spans.setdefault(o["name"], []).append(o)
    told = Reasons(p)
    for name, calls in truth.items():
        got = spans.get(name, [])
        if len(got) != len(calls):
            if program.lines[name] in told.whole:
                figures["missing"] += sum(map(len, calls))
                continue
            print(f"{name}: {len(got)} spans of {len(calls)} calls")
            return False
        for want, span in zip(calls, got):
            for key, (kind, value) in want.items():
                part = "output" if key.startswith("return") else "input"
                if key not in span[part]:
                    if "lost" in span["capture"].get(key, {}):
                        figures["lost"] += 1
                        continue
                    figures["missing"] += 1
                    if not told.of(program.lines[name], key):
                        print(f"{name}.{key}: missing without a reason\n"
                              f"{program.manifest.splitlines()[program.lines[name] - 1]}")
                        return False
                    continue
                figures["values"] += 1
                if not is_same(kind, value, span[part][key]):
                    print(f"{name}.{key}: {span[part][key]!r}, but it was "
                          f"{value} ({kind})\n"
                          f"{program.manifest.splitlines()[program.lines[name] - 1]}"
                          f"\n{told.said[:2000]}")
                    return False
    return True


def run(r, build, functions, calls, figures, is_packed):
    program = Program(r, build, functions, calls)
    with Place() as p:
        p.write("p" + program.suffix, program.source)
        p.write("m", program.manifest)
        done = p.sh(f"{build[0]} {build[1]} -w -o p p{program.suffix}",
                    check=False)
        if done.returncode:
            print(f"left out, {' '.join(build)}: {done.stderr[:600]}")
            return "-flto" in build[1]
        # debug information as Debian's packages have it; what dwz cannot
        # read it leaves as it is
        if is_packed and p.sh("dwz p", check=False).returncode == 0:
            figures["packed"] += 1
        done = p.handspan("run", "-m", "m", "./p", f"{p.at}/truth")
        if done.returncode:
            print(f"run: {done.returncode} {done.stderr[:2000]}")
            return False
        ok = compare(p, program, figures)
        if not ok:
            keep = os.environ.get("HANDSPAN_KEEP")
            if keep:
                shutil.copytree(p.at, keep, dirs_exist_ok=True)
        return ok


def choose_seed(said):
    if said != "commit":
        return int(said or int.from_bytes(os.urandom(4), "little"))
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"],
                          capture_output=True, check=False)
    return zlib.crc32(done.stdout) if done.returncode == 0 else 77


def main():
    wanted = int(sys.argv[2])
    calls = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    seed = choose_seed(os.environ.get("HANDSPAN_SEED")
                       or (sys.argv[4] if len(sys.argv) > 4 else ""))
    print(f"HANDSPAN_SEED={seed}")
    r = random.Random(seed)
    builds = [b for b in BUILDS if shutil.which(b[0])]
    r.shuffle(builds)
    figures = {"values": 0, "missing": 0, "lost": 0, "packed": 0}
    has_dwz = shutil.which("dwz") is not None
    rounds = 0
    while figures["values"] < wanted:
        build = builds[rounds % len(builds)]
        before = dict(figures)
        if not run(r, build, 40, calls, figures, has_dwz and rounds % 3 == 1):
            print(f"wrong with {' '.join(build)}, HANDSPAN_SEED={seed}")
            return 1
        rounds += 1
        print(f"{' '.join(build)}: {figures['values'] - before['values']} "
              f"values, {figures['missing'] - before['missing']} missing")
    print(f"{rounds} programs ({figures['packed']} packed by dwz), "
          f"{figures['values']} values, none wrong; "
          f"{figures['missing']} missing, each with its reason; "
          f"{figures['lost']} lost and marked so")
    return 0


if __name__ == "__main__":
    sys.exit(main())
