#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What check says of copies that the compiler made, before a run and after it.

usage: seen_test.py HANDSPAN
The truth is independent of debug information: each case is compiled so that
it must be inlined, cloned or whole, and the program prints how often each
function was entered by its source.
"""
import os
import subprocess

from common import CC, HANDSPAN, Place, expect, expect_in

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define NO __attribute__((noinline, noipa))
static int calls;
__attribute__((always_inline)) inline int extract(int n)
{
    calls++;
    return n * 7 + rand() % 3 + atoi("4");
}
int extract(int n);
int (*volatile pointer)(int) = extract;
__attribute__((always_inline)) static inline int only(int n)
{
    return n * 5 + rand();
}
__attribute__((noinline)) static int cloned(int a, int b)
{
    return printf("%d\n", a + b) + puts("x") + a;
}
NO int whole(int n) { return n * 3 + rand(); }
NO int idle(int n) { return n * 3 - rand(); }
int main(int argc, char **argv)
{
    int r = extract(argc) + extract(argc + 2) + pointer(3);
    r += only(r) + cloned(r, 3) + cloned(r + 1, 3) + whole(r);
    fprintf(stderr, "extract %d\n", calls);
    if (argc > 1 && argv[1][0] == 'w')
        pause();
    return r == 0 && idle(r);
}
"""
MANIFEST = """[[span]] int extract(int n);
[[span]] int only(int n);
[[span, match("cloned.*")]];
[[span]] int whole(int n);
[[span, match("who*")]];
[[span]] int idle(int n);
[[span]] int nowhere(int n);
"""


def check_before(p, program, what):
    rows = p.rows("-m", "m", program)
    expect(rows["extract"]["status"], "part", what)
    expect_in("2 inlined copies, prog.c:25 (DWARF)",
              rows["extract"]["remark"], what)
    expect(rows["only"]["status"], "none", what)
    expect_in("every call of it is inlined: 1 inlined copy, prog.c:26",
              rows["only"]["remark"], what)
    expect(rows["whole"]["status"], "ok", what)
    expect(rows["whole"]["remark"], None, what)
    return rows


def check_after(rows, what):
    expect(rows["extract"]["calls"], 1, what + ": one of three calls is seen")
    expect(rows["extract"]["status"], "part", what)
    expect_in("not seen: 2 inlined copies, prog.c:25", rows["extract"]
              ["remark"], what)
    expect(rows["whole"]["calls"], 1, what)
    expect(rows["whole"]["status"], "ok", what)
    expect(rows["idle"]["calls"], 0, what + ": not called is not 'not bound'")
    expect(rows["idle"]["status"], "ok", what)
    expect(rows["only"]["status"], "none", what)
    expect_in("every call of it is inlined: 1 inlined copy, prog.c:26",
              rows["only"]["remark"], what)
    expect(rows["nowhere"]["status"], "none", what)
    expect(rows["nowhere"]["calls"], None, what)
    expect(rows["who*"]["status"], "named twice", what)
    expect_in("line 4", rows["who*"]["remark"], what)


def case_debug_files(p):
    p.sh(f"{CC} -g -O2 -o prog prog.c")
    rows = check_before(p, "./prog", "debug information in the file")
    expect(rows["cloned.*"]["status"], "times", "a clone")
    expect(rows["who*"]["status"], "named twice", "a function named twice")
    p.sh("objcopy --only-keep-debug prog prog.debug &&"
         "objcopy --strip-debug --add-gnu-debuglink=prog.debug prog linked")
    check_before(p, "./linked", ".gnu_debuglink")
    p.sh("mkdir .debug && mv prog.debug .debug")
    check_before(p, "./linked", ".gnu_debuglink in .debug")
    # a debug file of another build is not believed
    p.sh(f"{CC} -g -O1 -o other prog.c && "
         "objcopy --only-keep-debug other .debug/prog.debug")
    out = p.handspan("check", "-m", "m", "./linked").stdout
    expect_in("No debug information", out, "debug file of another build")
    expect("inlined copies, prog.c" in out, False, "of another build")


def case_after(p):
    p.handspan("run", "-m", "m", "--", "./prog", status=0)
    # the session ends a moment after the command
    p.sh("for i in $(seq 500); do ls dir | grep -q ^session || exit 0; "
         "sleep 0.02; done; exit 1")
    check_after(p.rows("--trace", "latest"), "--trace")
    out = p.handspan("show", status=0).stdout
    expect_in("Partly seen: extract (2 inlined copies).", out, "show")
    expect_in("Not bound: only (only inlined copies), nowhere. Why: handspan check --trace ", out,
              "show")
    out = p.handspan("check", "--trace", "latest", status=1).stdout
    expect_in("0 calls", out, "check --trace")
    check_after(p.rows("-m", "m", "--run", "--", "./prog"), "--run")


def case_pid(p):
    done = subprocess.Popen([HANDSPAN, "run", "-m", "m", "--", "./prog", "w"],
                            cwd=p.at, env=p.env, stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, text=True)
    try:
        expect(done.stderr.readline(), "extract 3\n", "the program's own count")
        pid = int(p.sh(f"cat /proc/{done.pid}/task/*/children").stdout
                  .split()[0])
        for _ in range(500):
            rows = p.rows("--pid", str(pid))
            if (rows.get("whole", {}).get("calls") == 1
                    and "not seen" in (rows["extract"]["remark"] or "")):
                break
        check_after(rows, "--pid")
        os.kill(pid, 15)
    finally:
        done.wait(timeout=30)


def main():
    with Place() as p:
        p.write("prog.c", PROGRAM.lstrip("\n"))
        p.write("m", MANIFEST)
        case_debug_files(p)
        case_after(p)
        case_pid(p)


main()
