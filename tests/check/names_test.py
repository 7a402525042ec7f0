#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which function a declaration means: check before the run, the run, and check
after it say the same, of each kind of name that compilers and linkers make.

usage: names_test.py HANDSPAN CASE
"""
import os
import shutil
import sys
import time

from common import CC, Place, expect, expect_in

CXX = shutil.which("c++") or shutil.which("g++")
KEYS = ("status", "functions", "bound", "binding", "frame", "zero_copy")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def stored(p):
    p.sh("for i in $(seq 1500); do ls dir | grep -q ^session || exit 0; "
         "sleep 0.02; done; exit 1")


def run(p, *command, status=0, summary="auto"):
    done = p.handspan("run", "--summary", summary, "-m", "m", "--", *command,
                      status=status)
    stored(p)
    return done


def agree(p, program, *args, but=()):
    """Rows before and after, equal in what both can know."""
    before = p.rows("-m", "m", program)
    run(p, program, *args)
    after = p.rows("--trace", "latest")
    for name, row in before.items():
        if name in but:
            continue
        expect({k: after[name][k] for k in KEYS}, {k: row[k] for k in KEYS},
               f"check and run of {name}\n{row}\n{after[name]}")
    return before, after


PLAIN = r"""
#include <stdio.h>
#define NO __attribute__((noinline, noipa))
NO static int stage_load(int n) { return n * 3 + getchar(); }
NO static int stage_save(int n) { return n * 5 - getchar(); }
NO int work(int n) { return stage_load(n) + stage_save(n); }
int main(void) { return work(1) == 77; }
"""
STAGES = "[[span]] int stage_load(int n);\n[[span]] int work(int n);\n" \
    "[[span, match(\"stage_s*\")]] int stage(int n);\n"


def case_no_build_id(p):
    """Without a build id the file is known by being the one that is mapped."""
    p.write("p.c", PLAIN)
    p.write("lib.c", "#include <stdio.h>\n__attribute__((noinline, noipa)) "
            "static int inner(int n) { return n + getchar(); }\n"
            "int outer(int n) { return inner(n); }\n")
    p.write("q.c", "int outer(int n); int main(void) { return outer(1) == 9; }")
    p.sh(f"{CC} -O1 -Wl,--build-id=none -o p p.c")
    p.sh(f"{CC} -O1 -shared -fPIC -Wl,--build-id=none -o lib.so lib.c")
    p.sh(f"{CC} -O1 -Wl,--build-id=none -o q q.c ./lib.so")
    p.write("m", STAGES)
    _, after = agree(p, "./p")
    expect([after[n]["calls"] for n in ("stage_load", "work", "stage_s*")],
           [1, 1, 1], "calls")
    p.write("m", '[[object("lib.so")]];\n[[span]] int inner(int n);\n')
    _, after = agree(p, "./q")
    expect(after["inner"]["calls"], 1, "of a library")


def case_debug_file(p):
    """Names of a stripped program's static functions are in its debug file."""
    p.write("p.c", PLAIN)
    p.write("m", STAGES)
    for build_id in ("sha1", "none"):
        p.sh(f"{CC} -O1 -g -Wl,--build-id={build_id} -o p p.c && "
             "objcopy --only-keep-debug p p.debug && strip -s p && "
             "objcopy --add-gnu-debuglink=p.debug p")
        _, after = agree(p, "./p")
        expect([after[n]["calls"] for n in ("stage_load", "stage_s*")], [1, 1],
               f"calls, build id {build_id}")
    # that of another build is not believed
    p.sh(f"{CC} -O2 -g -o q p.c && objcopy --only-keep-debug q p.debug")
    before, _ = agree(p, "./p", but=("work",))
    expect(before["stage_load"]["status"], "none", "another build's")
    p.sh("mkdir .debug && "
         f"{CC} -O1 -g -Wl,--build-id=none -o p p.c && "
         "objcopy --only-keep-debug p .debug/p.debug && rm p.debug && "
         "strip -s p && objcopy --add-gnu-debuglink=.debug/p.debug p")
    _, after = agree(p, "./p")
    expect(after["stage_load"]["calls"], 1, "in .debug")


# As the manual of gdb has it, "Debugging information in a special section".
PACK = r"""
nm -D $1 --format=posix --defined-only | awk '{ print $1 }' | sort > dynsyms
nm $1 --format=posix --defined-only |
    awk '{ if ($2 == "T" || $2 == "t" || $2 == "D") print $1 }' |
    sort > funcsyms
comm -13 dynsyms funcsyms > keep
objcopy --only-keep-debug $1 debug
objcopy -S --remove-section .gdb_index --remove-section .comment \
    --keep-symbols=keep debug mini
strip --strip-all -R .comment $1
rm -f mini.xz && xz mini && objcopy --add-section .gnu_debugdata=mini.xz $1
"""
FAILING = r"""
#include <stdlib.h>
#define NO __attribute__((noinline, noipa))
NO static int deeper(int n) { if (n > 1) abort(); return n; }
NO static int work(int n) { return deeper(n) + 1; }
int main(int argc, char **argv) { (void)argv; return work(argc + 1) - 3; }
"""


def case_packed(p):
    """Names that a distribution packed into the stripped file itself
    (MiniDebugInfo): of the program and of a library."""
    p.write("pack", PACK)
    p.write("p.c", PLAIN)
    p.write("lib.c", "#include <stdio.h>\n__attribute__((noinline, noipa)) "
            "static int inner(int n) { return n + getchar(); }\n"
            "int outer(int n) { return inner(n); }\n")
    p.write("q.c", "int outer(int n); int main(void) { return outer(1) == 9; }")
    p.sh(f"{CC} -O1 -o p p.c && sh -e pack p && {CC} -O1 -shared -fPIC "
         f"-o lib.so lib.c && {CC} -o q q.c ./lib.so && sh -e pack lib.so")
    expect(p.sh("nm p", check=False).stdout, "", "it is stripped")
    drafted = p.handspan("suggest", "./p").stdout
    expect("is stripped" in drafted, False, "suggest: " + drafted)
    expect_in("stage_load", drafted, "suggest")
    p.write("m", STAGES)
    _, after = agree(p, "./p", but=("work",))
    expect([after[n]["calls"] for n in ("stage_load", "stage_s*")], [1, 1],
           "calls")
    p.write("m", '[[object("lib.so")]];\n[[span]] int inner(int n);\n')
    _, after = agree(p, "./q")
    expect(after["inner"]["calls"], 1, "of a library")
    p.write("f.c", FAILING)
    p.sh(f"{CC} -O1 -o f f.c && sh -e pack f")
    p.write("m", "[[span]] int work(int n);\n")
    run(p, "./f", status=-6)
    expect_in("deeper", p.handspan("errors").stdout +
              p.handspan("show").stdout, "the stack")
    p.sh("head -c 60 mini.xz > cut && "  # damaged: as if it were not there
         "objcopy --update-section .gnu_debugdata=cut f && rm -r dir/symbols-*")
    before = p.rows("-m", "m", "./f")["work"]
    run(p, "./f", status=-6)
    expect_in("it is stripped", before["remark"], "damaged")
    expect(p.rows("--trace", "latest")["work"]["remark"], before["remark"],
           "damaged, after")


SPLIT = r"""
#include <stdio.h>
#include <stdexcept>
#include <string>
#include <vector>
namespace etl {
__attribute__((noinline)) int load_rows(int n)
{
    std::vector<int> v(10);
    if (n > 1000)
        throw std::runtime_error("too many: " + std::to_string(n));
    return v.at((unsigned)n) + n;
}
__attribute__((noinline)) int load_keys(int n)
{
    std::vector<int> v(7);
    if (n > 1000)
        throw std::runtime_error("no such: " + std::to_string(n));
    return v.at((unsigned)n) - n;
}
}
int main() { return etl::load_rows(3) + etl::load_keys(2) == 99; }
"""


def case_cold(p):
    """A function and its cold half are one function, wholly seen."""
    p.write("p.cc", SPLIT)
    p.sh(f"{CXX} -O2 -o p p.cc")
    expect(p.sh("nm p | grep -c 'etl.*[.]cold'").stdout, "2\n", "cold halves")
    p.write("m", '[[object(main)]];\n[[span, match("_ZN3etl*load_*")]];\n'
            '[[span, match("etl::load_k*")]];\n'
            '[[span("rows"), match("etl::load_rows")]];\n')
    before, _ = agree(p, "./p")
    expect((before["_ZN3etl*load_*"]["status"],
            before["_ZN3etl*load_*"]["functions"]), ("ok", 2), "of a glob")
    expect([before[n]["status"] for n in ("etl::load_k*", "etl::load_rows")],
           ["named twice"] * 2, "globs on readable names")
    expect("Partly seen" in p.handspan("show").stdout, False, "show")
    p.write("m", '[[object(main)]];\n[[span, match("etl::*")]];\n')
    _, after = agree(p, "./p")
    expect((after["etl::*"]["status"], after["etl::*"]["functions"],
            after["etl::*"]["calls"]), ("ok", 2, 2), "a readable glob")


def case_suffixes(p):
    """What compilers rename is the same function; what they change is not."""
    p.write("p.c", r"""
#include <stdio.h>
#define NAMED(name) __asm__(name) __attribute__((noinline, noipa))
static int promoted(int n) NAMED("promoted.llvm.1234567");
static int unique(int n) NAMED("unique.__uniq.98765432.llvm.42");
static int cloned(int n) NAMED("cloned.constprop.0.isra.1");
static int cold(int n) NAMED("cold.cold");
static int other(int n) NAMED("other.of_a_plugin");
static int promoted(int n) { return n + getchar(); }
static int unique(int n) { return n - getchar(); }
static int cloned(int n) { return n * getchar(); }
static int cold(int n) { return n ^ getchar(); }
static int other(int n) { return n & getchar(); }
int main(void)
{
    return promoted(1) + unique(2) + cloned(3) + cold(4) + other(5) == 99;
}
""")
    p.sh(f"{CC} -O1 -o p p.c")
    p.write("m", "".join(f"[[span]] int {n}(int n);\n" for n in
                         "promoted unique cloned cold other".split()))
    before, after = agree(p, "./p")
    expect({n: r["status"] for n, r in before.items()},
           {"promoted": "ok", "unique": "ok", "cloned": "times",
            "cold": "none", "other": "none"}, "status")
    expect([after[n]["calls"] for n in ("promoted", "unique", "cloned")],
           [1, 1, 1], "calls")


def case_folded(p):
    """Two names of one address: check and run name the other one."""
    p.write("p.s", ".globl write_row, parse_row, _write_row\n"
            ".type write_row, @function\n.type parse_row, @function\n"
            ".type _write_row, @function\nwrite_row: parse_row: _write_row:\n"
            ".cfi_startproc\n lea 3(%rdi), %eax\n add $7, %eax\n"
            " imul $5, %eax\n ret\n.cfi_endproc\n"
            ".size write_row, .-write_row\n.size parse_row, .-parse_row\n"
            '.section .note.GNU-stack,"",@progbits\n')
    p.write("q.c", "int write_row(int), parse_row(int); int main(void) "
            "{ return write_row(1) + parse_row(2) == 9; }")
    p.sh(f"{CC} -O1 -o p q.c p.s")
    p.write("m", "[[span]] int write_row(int n);\n")
    before, after = agree(p, "./p")
    for row in (before["write_row"], after["write_row"]):
        expect_in("parse_row has its address, too", row["remark"], "the other")
        expect("_write_row" in row["remark"], False, "no other")
    # of a library's exported one the exported ones, whether or not its file
    # is read for the sake of other names
    p.sh("sed 's/^.globl .*/.globl write_row, _write_row/' p.s > l.s && "
         f"{CC} -shared -o lib.so l.s")
    p.write("r.c", "int write_row(int); int main(void) "
            "{ return write_row(1) == 9; }")
    p.sh(f"{CC} -O1 -o r r.c ./lib.so")
    p.write("m", '[[object("lib.so")]];\n[[span]] int write_row(int n);\n')
    before, after = agree(p, "./r")
    expect(after["write_row"]["remark"], before["write_row"]["remark"], "lib")
    # of names that are longer than there is room for, heads and tails
    names = ["stage_" + c * 120 + "_row" for c in "abcde"]
    p.write("p.s", "".join(f".globl {n}\n.type {n}, @function\n"
                           for n in names) + ": ".join(names) +
            ":\n.cfi_startproc\n lea 3(%rdi), %eax\n add $7, %eax\n"
            " imul $5, %eax\n ret\n.cfi_endproc\n" +
            "".join(f".size {n}, .-{n}\n" for n in names) +
            '.section .note.GNU-stack,"",@progbits\n')
    p.write("q.c", f"int {names[0]}(int); int main(void) "
            f"{{ return {names[0]}(1) == 9; }}")
    p.sh(f"{CC} -O1 -o p q.c p.s")
    p.write("m", f"[[span]] int {names[0]}(int n);\n")
    before, after = agree(p, "./p")
    for row in (before[names[0]], after[names[0]]):
        expect(row["remark"].count("..."), 3, row["remark"])
        expect_in("their calls are told as its", row["remark"], "whole")


def case_refused(p):
    """A function that cannot be bound has no owner: who names it next, by
    another of its names, is told the same reason."""
    body = "".join(
        f".globl {n}\n.type {n}, @function\n" for n in ("tiny", "small"))
    p.write("p.s", body + "tiny: small: ret\n.size tiny, 1\n.size small, 1\n"
            '.section .note.GNU-stack,"",@progbits\n')
    p.write("q.c", "void tiny(void), small(void); int main(void) "
            "{ tiny(); small(); return 0; }")
    p.sh(f"{CC} -O1 -o p q.c p.s")
    p.write("m", "[[span]] void tiny(void);\n[[span]] void small(void);\n")
    before, after = agree(p, "./p")
    for row in (before["small"], after["small"]):
        expect(row["status"], "none", "the second one")
        expect(row["remark"], before["tiny"]["remark"], "as the first one")


def case_versions(p):
    """An import leads to the definition of its version, not to the first of
    its name: which trampoline carries who jumps there depends on it."""
    p.write("other.c", "#include <stdarg.h>\n__attribute__((noipa)) int work("
            "int n, ...) { va_list l; va_start(l, n); int sum = 0; "
            "while (n--) sum += va_arg(l, int); va_end(l); return sum; }")
    p.write("other.map", "OTHER_1 { global: work; };")
    p.write("low.c", "__attribute__((noipa)) int work(int n) "
            "{ return n * 3 + 1; }")
    p.write("low.map", "LOW_1 { global: work; };")
    p.write("high.c", "int work(int); int go(int n) { return work(n); }")
    p.write("p.c", "int work(int, ...), go(int); int main(void) "
            "{ return go(2) + work(2, 3, 4) != 14; }")
    for name in "other", "low":
        p.sh(f"{CC} -O2 -fPIC -shared -Wl,--version-script={name}.map "
             f"-Wl,-soname,lib{name}.so -o lib{name}.so {name}.c")
    p.sh(f"{CC} -O2 -fPIC -shared -Wl,-soname,libhigh.so -Wl,-z,now "
         "-o libhigh.so high.c -L. -llow -Wl,-rpath,$PWD")
    p.sh(f"{CC} -O1 -o p p.c -L. -lother -lhigh -llow -Wl,-rpath,$PWD")
    p.write("m", '[[object("libhigh.so")]];\n[[span]] go;\n')
    agree(p, "./p")


def case_chosen(p):
    """What jumps to an ifunc of libc is judged by what the ifunc chose."""
    p.write("p.c", r"""
#include <string.h>
#define NO __attribute__((noinline, noipa))
NO void *copied(void *to, const void *from, unsigned long n) { return memcpy(to, from, n); }
NO unsigned long measured(const char *text) { return strlen(text); }
NO int compared(const char *a, const char *b) { return strcmp(a, b); }
int main(int n, char **v)
{
    char to[40] = {0};
    copied(to, "a text that is copied", 21 + n);
    return measured(to) != 21 || compared(to, v[0]) == 0;
}
""")
    names = ["copied", "measured", "compared"]
    p.write("m", "".join(f"[[span]] {n};\n" for n in names))
    for flags in ("-O2 -fno-builtin", "-O2 -fno-builtin -fno-plt -Wl,-z,now"):
        p.sh(f"{CC} {flags} -o p p.c")
        _, after = agree(p, "./p")
        expect([after[n]["calls"] for n in names], [1, 1, 1], flags)
    expect([after[n]["frame"] for n in names], [1, 1, 1], "in a frame")


def case_plain_file(p):
    """A library need not be executable to be read."""
    p.write("plug.c", "__attribute__((noipa)) int work(int n) "
            "{ return n * 3 + 1; }")
    p.sh(f"{CC} -O1 -fPIC -shared -o plug.so plug.c && chmod 644 plug.so")
    p.write("m", '[[object("plug.so")]];\n[[span]] int work(int n);\n')
    expect(p.rows("-m", "m", "./plug.so")["work"]["status"], "ok", "check")
    expect_in("plug.so", p.handspan("suggest", "./plug.so").stdout, "suggest")
    p.sh("cp /bin/true prog && chmod 644 prog")
    for words in (["check", "-m", "m", "./prog"], ["suggest", "./prog"]):
        expect_in("prog: ", p.handspan(*words, status=2).stderr, words[0])


def case_reason(p):
    """The reason why nothing is bound is that of the end."""
    p.write("p.c", "#include <dlfcn.h>\nint main(void) { void *h = "
            'dlopen("./plug.so", RTLD_NOW); int (*f)(int) = (int (*)(int))'
            'dlsym(h, "run"); return f(1) == 99; }')
    p.write("plug.c", "__attribute__((visibility(\"hidden\"), noinline, noipa)) "
            "int inner(int n) { return n + 1; }\n"
            "int run(int n) { return inner(n); }\n")
    p.sh(f"{CC} -O1 -o p p.c -ldl && {CC} -O1 -fPIC -shared -s -o plug.so "
         "plug.c")
    p.write("m", '[[object("plug.so")]];\n[[span]] int run(int n);\n'
            '[[span]] int inner(int n);\n[[object("other.so")]];\n'
            '[[span]] int elsewhere(int n);\n')
    run(p, "./p")
    rows = p.rows("--trace", "latest")
    expect(rows["run"]["status"], "ok", "the one that is there")
    expect(rows["run"]["remark"], None, "and nothing else is said of it")
    expect(rows["inner"]["remark"],
           "no such symbol in plug.so (it is stripped: static functions have "
           "no names)", "the one that is not")
    expect(rows["elsewhere"]["remark"], "no object 'other.so' was loaded",
           "of an object that never came")


def case_labels(p):
    """A label is one, also if it is the prototype's name."""
    p.write("p.cc", "#include <stdio.h>\nnamespace etl { "
            "__attribute__((noinline)) int each(int n) { return n + "
            "getchar(); } } int main() { return etl::each(1) == 99; }")
    p.sh(f"{CXX} -O1 -o p p.cc")
    for label in ("each", "every"):
        p.write("m", f'[[span("{label}"), match("_ZN3etl4each*")]] '
                "int each(int n);\n")
        run(p, "./p")
        expect_in(f'"name":"{label}"', p.handspan("spans", "--json").stdout,
                  "the span")
    p.write("m", '[[span, match("_ZN3etl4each*")]] int each(int n);\n')
    run(p, "./p")
    expect_in('"name":"_ZN3etl4eachEi"', p.handspan("spans", "--json").stdout,
              "no label")


def case_include(p):
    """The including scope's object wins."""
    p.write("addon.c", "int f(int n) { return n + 1; }\n")
    p.write("p.c", "int f(int n); int main(void) { return f(1) != 2; }")
    p.sh(f"{CC} -O1 -fPIC -shared -o addon.so addon.c && "
         f"{CC} -O1 -o p p.c ./addon.so")
    p.write("shipped", '[[object("libf.so*")]];\n[[span]] int f(int n);\n')
    p.write("m", '[[include("shipped")]];\n')
    before, _ = agree(p, "./p", but=("f",))
    expect(before["f"]["status"], "later", "its own object")
    p.write("m", '[[object("addon.so")]];\n[[include("shipped")]];\n')
    _, after = agree(p, "./p")
    expect(after["f"]["calls"], 1, "aimed")


def case_quiet(p):
    """What can record nothing, or did not, says so and what to write."""
    p.write("p.c", r"""
#include <stdio.h>
#define NO __attribute__((noinline, noipa))
typedef int job_fn(int);
NO int work(int n) { return n + getchar(); }
NO int push(long job) { return job > 99 ? getchar() : (int)job; }
NO void add_handler(job_fn *f) { f(1); }
int main(int argc, char **argv)
{
    (void)argv;
    for (int i = 0; argc > 1 && i < 5; i++) {
        push(i);
        add_handler(work);
    }
    return 0;
}
""")
    p.sh(f"{CC} -O1 -o p p.c")
    p.write("m", "int work(const char *s, int n);\n")
    said = p.handspan("check", "-m", "m", "./p", status=1).stdout
    expect_in("'work' is declared but no handler: put [[span]] before it", said,
              "check")
    expect_in("No handler is declared", said, "check")
    expect_in("put [[span]] before it", run(p, "./p").stderr, "run")
    p.write("m", "int work(int n); int push(long job);\n[[span]] int f(int);\n")
    said = p.handspan("check", "-m", "m", "./p", status=1).stdout
    expect("put [[span]]" in said, False, "one is a handler")
    expect(run(p, "./p").stderr, "", "stderr is the command's")
    expect_in("the manifest's handler is not bound: handspan check --trace",
              run(p, "./p", summary="always").stderr, "run")
    p.write("m", "[[span]] int work(int n);\n")
    expect_in("the manifest's handler was not called: handspan check --trace",
              run(p, "./p", summary="always").stderr, "run")
    expect("manifest's" in run(p, "./p", "x", summary="always").stderr, False,
           "something was recorded")
    p.write("m", "[[carry(job)]] int push(long job);\n[[span]] typedef int "
            "job_fn(int n);\n[[callback(f, job_fn)]] void add_handler(job_fn "
            "*f);\n")
    run(p, "./p", "x")
    rows = p.rows("--trace", "latest")
    expect(rows["job_fn"]["calls"], 5, "the callback's")
    for name in ("push", "add_handler"):
        expect(rows[name]["calls"], None, f"calls of {name}")
        expect_in("makes no spans: its calls are not counted",
                  rows[name]["remark"], name)
    expect("0 calls" in p.handspan("check", "--trace", "latest").stdout, False,
           "0 calls")


def case_called(p):
    """The name that a program was called by counts, before and after."""
    p.write("p.c", "__attribute__((noinline, noipa)) int work(int n) { "
            "volatile int s = n; return s + 1; } int main(void) { return "
            "work(1) != 2; }")
    p.sh(f"{CC} -O1 -o real p.c && ln -s real tool")
    p.write("m", '[[program("tool")]];\n[[span]] int work(int n);\n')
    before, after = agree(p, "./tool")
    expect((before["work"]["status"], after["work"]["calls"]), ("ok", 1),
           "called by the link")
    expect(p.handspan("list", "--program", "tool", "--json").stdout.count(
        "trace_id"), 1, "list")
    expect(p.rows("-m", "m", "./real")["work"]["status"], "for other programs",
           "called by itself")
    p.write("m", '[[program("real")]];\n[[span]] int work(int n);\n')
    _, after = agree(p, "./tool")
    expect(after["work"]["calls"], 1, "the file's own name")
    expect_in('[[program("tool")]]', p.handspan("suggest", "./tool").stdout,
              "suggest")


def case_library(p):
    """suggest and check of a plugin."""
    p.write("plug.c", "#include <stdio.h>\nint plug_filter_block(int n) { "
            "return n * 3 + getchar(); }\n")
    p.sh(f"{CC} -O1 -g -shared -fPIC -o plug.so plug.c")
    done = p.handspan("suggest", "./plug.so", status=0)
    expect(done.stderr, "", "words")
    expect_in('[[object("plug.so', done.stdout, "scope")
    expect("program(" in done.stdout, False, "no program's")
    p.write("m", done.stdout)
    done = p.handspan("check", "-m", "m", "./plug.so", status=0)
    expect(done.stderr, "", "check's words")
    expect_in("1 ok", done.stdout, "check of the draft")


def case_own(p):
    """handspan's own functions are none of the program's."""
    p.write("few.c", "__attribute__((noinline, noipa)) int step(int n) { "
            "volatile int s = n; return s + 1; } int main(void) { return step(step(step(0))) != 3;"
            " }")
    p.sh(f"{CC} -O1 -g -o few few.c")
    p.write("m", "[[span]] int step(int n);\n")
    run(p, "sh", "-c", "./few; true")
    # what debug information says of copies comes after the spans
    end = time.monotonic() + 300
    while p.handspan("status").returncode > 1 and time.monotonic() < end:
        time.sleep(0.05)  # waits for a state
    row = p.rows("--trace", "latest")["step"]
    expect((row["status"], row["calls"], row["remark"]), ("ok", 3, None),
           "one of a program that is called by a shell")


def case_out(p):
    """Functions that come back through an out parameter become handlers."""
    p.write("p.c", r"""
#include <stddef.h>
#define NO __attribute__((noinline, noipa))
typedef int entry_fn(int);
struct table { int version; entry_fn *sign; };
NO static int first(int n) { volatile int s = n; return s + 1; }
NO static int second(int n) { volatile int s = n; return s + 2; }
NO static int third(int n) { volatile int s = n; return s + 3; }
NO static int stale(int n) { volatile int s = n; return s + 4; }
static struct table functions = {1, second};
NO int query(const char *name, entry_fn **out)
{
    if (!name)
        return -1;
    *out = first;
    return 0;
}
NO int get_list(struct table **list) { *list = &functions; return 0; }
NO int fill(struct table *t) { t->sign = third; return 0; }
int main(void)
{
    entry_fn *f = stale;
    struct table *list, t = {0};
    int sum = query(NULL, &f) + stale(1);
    f = NULL;
    sum += query("a", &f) + f(1) + get_list(&list) + list->sign(1);
    sum += fill(&t) + t.sign(1) + t.sign(2);
    return sum == 99;
}
""")
    p.sh(f"{CC} -O1 -o p p.c")
    p.write("m", "[[object(main)]];\n[[span]] typedef int entry_fn(int n);\n"
            "struct table { int version; entry_fn *sign; };\n"
            "[[callback(*out, entry_fn), fails(return < 0)]] int query(const "
            "char *name, entry_fn **out);\n"
            "[[callback((*list)->sign, entry_fn)]] int get_list(struct table "
            "**list);\n"
            "[[callback(t->sign, entry_fn)]] int fill(struct table *t);\n")
    run(p, "./p")
    said = p.handspan("spans", "--json").stdout
    count = {n: said.count(f'"symbol":"{n}"') for n in
             ("first", "second", "third", "stale")}
    expect(count, {"first": 1, "second": 1, "third": 2, "stale": 0},
           "calls of what was handed out")


def case_reload(p):
    """A plugin that comes and goes by a relative path has all of its calls."""
    p.write("plug.c", "int step(int n) { volatile int s = n; return s + 1; }\n")
    p.write("p.c", '#include <dlfcn.h>\nint main(void) { for (int i = 0; i < '
            '4200; i++) { void *h = dlopen("./plug.so", RTLD_NOW); int (*f)'
            '(int) = (int (*)(int))dlsym(h, "step"); if (f(i) != i + 1) return'
            " 1; dlclose(h); } return 0; }")
    p.sh(f"{CC} -O1 -shared -fPIC -o plug.so plug.c && {CC} -O1 -o p p.c -ldl")
    p.write("m", '[[object("plug.so")]];\n[[span]] int step(int n);\n')
    run(p, "./p")
    expect(p.rows("--trace", "latest")["step"]["calls"], 4200, "calls")


NAMESPACES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
static int call(void *h)
{
    return h ? ((int (*)(int))dlsym(h, "step"))(3) : 100;
}
int main(void)
{
    int here = call(dlopen("./plug.so", RTLD_NOW));
    return here + call(dlmopen(LM_ID_NEWLM, "./plug.so", RTLD_NOW)) != 8;
}
"""


PLAIN_CXX = r"""
#define NO __attribute__((noinline, noipa))
NO int load_row(int n) { volatile int k = n; return k * 3; }
static NO int load_key(int n) { volatile int k = n; return k * 5; }
NO int twice(int n) { volatile int k = n; return k * 2; }
NO int twice(const char *s) { volatile int k = s[0]; return k * 2; }
namespace etl { NO int save(int n) { volatile int k = n; return k * 7; } }
struct Row { int n; Row(int k) : n(k) {} Row(const Row &r) : n(r.n) {} };
NO Row make_row(int n) { return Row(n + 1); }
int main()
{
    return load_row(2) + load_key(3) + twice(1) + twice("a") +
           etl::save(4) + make_row(5).n == 3;
}
"""


def case_plain(p):
    """A prototype pasted from a source of C++ is the function of that name; of
    several none is guessed, and their names are told."""
    p.write("p.cc", PLAIN_CXX)
    p.sh(f"{CXX} -O1 -o p p.cc")
    p.write("m", "".join(f"[[span]] int {n}(int n);\n" for n in (
        "load_row", "load_key", "twice", "save")) +
            "struct Row { int n; };\n[[span]] struct Row make_row(int n);\n")
    before, after = agree(p, "./p")
    for line, is_it in (
            ("int load_row(int)", 1), ("long load_row(int n)", 1),
            ("int load_row(long n)", 0), ("int load_row(unsigned n)", 0),
            ("int load_row(const char *s)", 0), ("int load_row(void)", 0),
            ("int load_row(int a, int b)", 0), ("load_row", 1)):
        p.write("m", f"[[span]] {line};\n")
        (row,) = p.rows("-m", "m", "./p").values()
        expect(row["functions"], is_it, line)
    expect(after["make_row"]["calls"], None, "a class comes by a pointer")
    expect([after[n]["calls"] for n in ("load_row", "load_key", "twice",
                                        "save")], [1, 1, None, None], "calls")
    expect_in('"n":2', p.handspan("spans", "--json").stdout, "values")
    for name, told in (("twice", "twice(int)"), ("twice", "(char const*)"),
                       ("save", "in C++: etl::save(int); write the one"),
                       ("make_row", "in C++: make_row(int);")):
        expect_in(told, before[name]["remark"], "what it may be")


def case_namespace(p):
    """What dlmopen loads is not traced, and that is said."""
    if tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split("."))
             ) < (2, 35):
        skip("this libc does not tell of its namespaces")
    p.write("plug.c", "int step(int n) { volatile int s = n; return s + 1; }\n")
    p.write("p.c", NAMESPACES)
    p.sh(f"{CC} -O1 -shared -fPIC -o plug.so plug.c && {CC} -O1 -o p p.c -ldl")
    p.write("m", '[[object("plug.so")]];\n[[span]] int step(int n);\n')
    run(p, "./p")
    expect(p.rows("--trace", "latest")["step"]["calls"], 1, "calls")
    for command in ["show"], ["check", "--trace", "latest"]:
        said = " ".join(p.handspan(*command).stdout.split())
        expect_in("Note: objects: ./plug.so and what else is loaded into a "
                  "namespace of its own (dlmopen) is not traced", said, command)
        expect("traced?" in said, False, said)


def case_reserved(p):
    """A manifest that names execve does not break the tree, and is told."""
    p.write("p.c", r"""
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
__attribute__((noinline, noipa)) int work(int n)
{
    char *args[] = {"sh", "-c", "true", 0};
    if (!fork()) {
        execve("/bin/sh", args, environ);
        _exit(1);
    }
    wait(0);
    return n;
}
int main(void) { return work(0); }
""")
    p.sh(f"{CC} -O1 -o p p.c")
    p.write("m", '[[span]] int work(int n);\n[[object("libc.so*")]];\n'
            "[[span]] int execve(const char *, char *const *, char *const *);\n"
            "[[span]] int getpid(void);\n")
    before, after = agree(p, "./p")
    for row in (before["execve"], after["execve"]):
        expect_in("handspan itself watches it", row["remark"], "execve")
    expect((before["execve"]["status"], before["getpid"]["status"]),
           ("none", "ok"), "status")
    tree = p.handspan("show").stdout
    expect_in("\u2514 sh", tree.replace("\u2514 dash", "\u2514 sh"), "the child")


def case_tags(p):
    """A function that returns std::string can be written as people do."""
    p.write("p.cc", r"""
#include <string>
namespace io {
struct Saver {
    int width;
    std::string title(int n) const;
};
__attribute__((noinline)) std::string Saver::title(int n) const
{
    return std::string((size_t)(n + width), 'x');
}
__attribute__((noinline)) std::string label(int n)
{
    return std::string((size_t)n, 'y');
}
}
int main()
{
    io::Saver s = {4};
    return s.title(30).size() + io::label(20).size() == 99;
}
""")
    p.sh(f"{CXX} -g -O1 -o p p.cc")
    for line, name in (
            ('[[span("l"), symbol("io::label[abi:cxx11](int)")]];', "label"),
            ('[[span("l"), symbol("io::label(int)")]];', "label"),
            ("[[span]] std::string io::label(int n);", "label"),
            ("[[span]] io::label;", "label"),
            ('[[span("t"), symbol("io::Saver::title[abi:cxx11](int) const")]];',
             "title"),
            ("[[span]] std::string io::Saver::title(int n) const;", "title")):
        p.write("m", f"[[object(main)]];\n{line}\n")
        _, after = agree(p, "./p")
        (row,) = after.values()
        expect(row["calls"], 1, line)
        said = p.handspan("spans", "--json").stdout
        if "(int n)" in line:
            expect_in(f'"n":{20 if name == "label" else 30}', said, line)


READABLE = r"""
#include <string>
#include <vector>
#define NO __attribute__((noinline, noipa))
namespace etl {
enum class Kind { a, b };
struct Row {
    int n;
    NO int get() const { asm(""); return n; }
    NO int get() { asm(""); return n + 1; }
    NO int operator()(int k) const { asm(""); return n + k; }
    NO int operator[](int k) const { asm(""); return n * k; }
    NO bool operator<(const Row &o) const { asm(""); return n < o.n; }
    NO Row *operator->() { asm(""); return this; }
    NO explicit operator int() const { asm(""); return n; }
    NO Row &operator<<(int k) { asm(""); n += k; return *this; }
};
NO std::string label(int n) { return std::string((size_t)n, 'x'); }
NO int size_of(const std::string &s, unsigned long n) { asm(""); return (int)(s.size() + n); }
template <typename T> NO T twice(T v) { asm(""); return v + v; }
template <Kind K> NO std::vector<int> pick(int n) { return std::vector<int>((size_t)n, (int)K); }
template <typename T> struct Box { T v; NO T get(int n) const { asm(""); return v + (T)n; } };
namespace { NO int hidden(int n) { asm(""); return n + 7; } struct In { int n; NO int go() { asm(""); return n; } }; }
NO int each(int n) { auto f = [n](int k) NO { asm(""); return n + k; }; return f(n) + f(2); }
}
int main()
{
    using namespace etl;
    Row r = {3}; const Row c = {4}; In in = {2}; Box<int> b = {1};
    int s = r.get() + c.get() + c(1) + c[2] + (r < c) + r->n + (int)c;
    r << 2;
    s += (int)label(20).size() + size_of("a", 2) + twice(2) + (int)twice(2.5) +
         (int)pick<Kind::b>(3).size() + b.get(2) + hidden(1) + in.go() + each(2);
    return s == 1;
}
"""
# a glob, and how many functions it means
GLOBS = (
    ("etl::Row::get", 2), ("etl::Row::get()", 1), ("etl::Row::get() const", 1),
    ("etl::Row::operator()", 1), ("etl::Row::operator[]", 1),
    ("etl::Row::operator<", 1), ("etl::Row::operator<<", 1),
    ("etl::Row::operator->", 1), ("etl::Row::operator int", 1),
    ("etl::Row::operator*", 6), ("etl::Row::*", 8),
    ("etl::label", 1), ("etl::label[abi:cxx11]", 1), ("etl::label(int)", 1),
    ("etl::label[abi:cxx11](int)", 1),
    ("etl::size_of(std::string const&, unsigned long)", 1),
    ("etl::size_of(std::string const&,*)", 1),
    ("etl::twice<*>", 2), ("etl::twice<int>(int)", 1),
    ("int etl::twice<int>(int)", 1), ("etl::pick<*>", 1),
    ("etl::pick<(etl::Kind)1>", 1), ("etl::Box<*>::get", 1),
    ("etl::(anonymous namespace)::*", 2),
    ("etl::(anonymous namespace)::In::go", 1),
    ("etl::each", 1),  # and not the lambda in it
    ("etl::each(int)::*", 1), ("etl::*", 18))


def case_readable(p):
    """Globs on names as people read them."""
    p.write("p.cc", READABLE)
    p.sh(f"{CXX} -O1 -fno-inline -o p p.cc")
    for glob, functions in GLOBS:
        p.write("m", f'[[object(main)]];\n[[span, match("{glob}")]];\n')
        (row,) = p.rows("-m", "m", "./p").values()
        expect(row["functions"], functions, glob)
    p.write("m", "[[object(main)]];\n" + "".join(
        f'[[span, match("etl::{glob}")]];\n' for glob in (
            "Row::*", "label", "size_of(std::string const&,*)", "twice<*>",
            "pick<*>", "Box<*>::get", "each", "each(int)::*",
            "(anonymous namespace)::*")))
    _, after = agree(p, "./p")
    expect([after[f"etl::{n}"]["calls"] for n in ("label", "each")], [1, 1],
           "calls")


HEADER = r"""
namespace ns {
struct Row { int k; int sum(const char *text, int n) const; };
__attribute__((noinline, noipa)) int load(int n) { asm(""); return n * 3; }
__attribute__((noinline, noipa)) int load(const char *text)
{
    asm("");
    return text[0];
}
__attribute__((noinline, noipa)) int Row::sum(const char *text, int n) const
{
    asm("");
    return text[0] * n + k;
}
}
int main()
{
    ns::Row row = {3};
    return ns::load(4) + ns::load("a") + row.sum("b", 5) == 77;
}
"""


def case_header(p):
    """A function of C++ as its header has it, without debug information."""
    p.write("p.cc", HEADER)
    p.sh(f"{CXX} -O0 -o p p.cc")
    for line, status, values in (
            ("int ns::load(int)", "times", ""),
            ("int ns::load(int n)", "times", ""),
            ("int ns::load(char const*)", "times", ""),
            ("int ns::load(const char *text)", "times", ""),
            ("int ns::Row::sum(const char *text, int n) const", "ok",
             '"n":5},"output":{"return":493}')):
        p.write("m", f"[[object(main)]];\n[[span]] {line};\n")
        before, after = agree(p, "./p")
        (row,) = after.values()
        expect((row["calls"], row["status"]), (1, status), line)
        expect_in(values, p.handspan("spans", "--json").stdout, line)
    p.write("m", "[[object(main)]];\n[[span]] int ns::load(const char *s);\n")
    expect_in('symbol("ns::load(char const*)")', " ".join(p.handspan(
        "check", "-m", "m", "./p").stdout.split()), "what to write")


QUALIFIED = r"""
#define NO __attribute__((noinline, noipa))
struct S {
    int k = 1;
    NO int r(int n) &;
    NO int r(int n) &&;
    NO int c(int n) const;
    NO int c(int n) volatile;
    NO int v(int n) const volatile &;
    NO int e(int n) noexcept;
    NO int q(int n);
    NO int q(double n);
    NO int one(int n);
    NO ~S();
};
S::~S() { asm(""); }
struct Top { virtual ~Top() {} };
struct Dog : Top { NO ~Dog(); };
Dog::~Dog() { asm(""); }
struct Below : virtual S { NO Below(); NO virtual ~Below(); };
Below::Below() { asm(""); }
Below::~Below() { asm(""); }
int S::r(int n) & { asm(""); return k + n; }
int S::r(int n) && { asm(""); return k + n; }
int S::c(int n) const { asm(""); return k + n; }
int S::c(int n) volatile { asm(""); return k + n; }
int S::v(int n) const volatile & { asm(""); return k + n; }
int S::e(int n) noexcept { asm(""); return k + n; }
int S::q(int n) { asm(""); return k + n; }
int S::q(double n) { asm(""); return k + (int)n; }
int S::one(int n) { asm(""); return k + n; }
template <class T> NO T gen(T n) { asm(""); return n + 1; }
template <class T> struct Box { NO static T get(T n); };
template <class T> T Box<T>::get(T n) { asm(""); return n + 2; }
int main()
{
    S s;
    const S c;
    volatile S v;
    int r = s.r(5) + S().r(6) + S().r(6) + c.c(7) + v.c(8) + v.c(8) + v.v(9);
    Dog dog;
    Below *below = new Below;
    delete below;
    r += s.e(1) + s.q(2) + s.q(2.5) + s.one(3);
    return r + gen<int>(4) + gen<long>(5) + gen<long>(5) + Box<int>::get(6) == 7;
}
"""


QUALIFIED_LINES = (
    ("int S::r(int) &", 1), ("int S::r(int n) &&", 2),
    ("int S::c(int) const", 1), ("int S::c(int) volatile", 2),
    ("int S::v(int n) const volatile&", 1), ("int S::e(int) noexcept", 1),
    ("S::one", 1), ("gen<int>", 1), ("gen< long >", 2), ("Box<int>::get", 1),
    ("Below::Below", 1), ("S::~S", 6), ("Below::~Below", 1),
    ("Dog::~Dog", 1))


def case_qualified(p):
    """What stands behind the parameters is a part of the name, and a name that
    is one function's needs no parameters."""
    p.write("p.cc", QUALIFIED)
    p.write("m", "[[object(main)]];\n[[span]] S::q;\n" + "".join(
        f"[[span]] {line};\n" for line, _ in QUALIFIED_LINES))
    for option in ("-g", "-g0"):
        p.sh(f"{CXX} -O0 {option} -o p p.cc")
        before, after = agree(p, "./p")
        rows = {row["line"]: row for row in after.values()}
        for at, (line, calls) in enumerate(QUALIFIED_LINES):
            row = rows[at + 3]
            expect((row["calls"], row["functions"] > 0), (calls, True),
                   f"{line} {option} {row}")
            if option == "-g" or "::r" in line:
                expect(row["status"], "ok", f"{line} {option}")
        for row in (before["S::q"], after["S::q"]):
            expect_in("with its parameters, as nm -C prints it", row["remark"],
                      option)
        told = before["S::q"]["remark"].split("in C++: ")[-1]
        expect(sorted(told.split(", ")), ["S::q(double)", "S::q(int)"], option)


MEMBERS = r"""
struct S { int k = 1; int twice(int n) { return k + n; } };
namespace ns {
__attribute__((noinline, noipa)) int member(int S::*p, int n)
{
    S s;
    return s.*p + n;
}
}
__attribute__((noinline, noipa)) int method(int (S::*p)(int), int n)
{
    S s;
    return (s.*p)(n);
}
int main() { return ns::member(&S::k, 5) + method(&S::twice, 6) == 77; }
"""


def case_members(p):
    """Pointers to members have no values, and what stands behind them has."""
    p.write("p.cc", MEMBERS)
    for option in ("-g", "-g0"):
        p.sh(f"{CXX} -O0 {option} -o p p.cc")
        p.write("m", "[[object(main)]];\n"
                '[[span, symbol("ns::member(int S::*, int)")]] '
                "int member(int S::*p, int n);\n"
                "[[span]] int method(int (S::*p)(int), int n);\n")
        said = p.handspan("check", "-m", "m", "./p").stdout
        for name in ("member", "method"):
            expect_in(f"'p' of '{name}' is a pointer to a member", said, option)
        expect("record" in said, False, said)
        agree(p, "./p")
        spans = p.handspan("spans", "--json").stdout
        for value in ('"n":5},"output":{"return":6}',
                      '"n":6},"output":{"return":7}'):
            expect_in(value, spans, option)
        p.write("m", "[[object(main)]];\n"
                "[[span]] int ns::member(int S::*p, int n);\n")
        agree(p, "./p")
        expect(p.rows("--trace", "latest").popitem()[1]["calls"], 1, option)


ALIKE_OWN = """struct below { %s n; struct job *up; };
struct job { int id; const char *name; double w[%s]; struct below *to;
             struct { int a, b : 3; } in; int (*fn)(struct below *, %s); };
"""
ALIKE_MAIN = r"""
__attribute__((noinline, noipa)) int first(struct job *j) { return j->id; }
int second(void *);
int main(void)
{
    struct below below = {6, 0};
    struct job job = {5, "name", {1}, &below, {1, 2}, 0};
    return first(&job) + second(&job) == 77;
}
"""
ALIKE_OTHER = """
__attribute__((noinline, noipa)) int second(struct job *j) { return j->id; }
"""


def case_alike(p):
    """A structure that each of two files has for itself is one type if it is
    made of the same, down to where its pointers lead."""
    manifest = "[[span, input(id = j->id, n = j->to->n)]] " \
        "int first(struct job *j);\n" \
        "[[span, input(id = j->id, n = j->to->n)]] int second(struct job *j);\n"
    plain = ("int", "3", "int")
    p.write("a.c", ALIKE_OWN % plain + ALIKE_MAIN)
    for other in (plain, ("unsigned", "3", "int"), ("int", "4", "int"),
                  ("int", "3", "char *")):
        p.write("b.c", "// elsewhere\n\n" + ALIKE_OWN % other + ALIKE_OTHER)
        p.sh(f"{CC} -g -O0 -o p a.c b.c")
        for own in ("", ALIKE_OWN % plain):
            p.write("m", own + manifest)
            said = p.handspan("check", "-m", "m", "./p").stdout
            expect("2 types" in said, other != plain, f"{other} {own}\n{said}")
            if other == plain:
                expect("not yet" in said, False, said)
    p.write("b.c", "// elsewhere\n\n" + ALIKE_OWN % plain + ALIKE_OTHER)
    p.sh(f"{CC} -g -O0 -o p a.c b.c")
    p.write("m", manifest)
    agree(p, "./p")
    expect(p.handspan("spans", "--json").stdout.count('"id":5,"n":6'), 2,
           "values")


CASES = {n[5:]: f for n, f in globals().items() if n.startswith("case_")}


def main():
    if not CXX:
        skip("no C++ compiler")
    with Place() as p:
        CASES[sys.argv[2]](p)
    print(sys.argv[2], "agrees")


main()
