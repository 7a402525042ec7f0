#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What check says of copies that the compiler made, before a run and after it.

usage: seen_test.py HANDSPAN
The truth is independent of debug information: each case is compiled so that
it must be inlined, cloned or whole, and the program prints how often each
function was entered by its source.
"""
import os
import sqlite3
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
        done.wait(timeout=300)


FORKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
pid_t fork(void)
{
    int fd = open(getenv("FORKS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    (void)!write(fd, "f", 1);
    close(fd);
    return ((pid_t (*)(void))dlsym(RTLD_NEXT, "fork"))();
}
"""


def case_many(p):
    """Twenty sessions of two programs: what debug information says of one is
    not looked for again, and not said of the other."""
    preload = os.path.join(os.path.dirname(HANDSPAN), "../lib/libhandspan.so")
    p.write("forks.c", FORKS)
    p.write("later.c", "\n" + PROGRAM.lstrip("\n"))
    p.sh(f"{CC} -shared -fPIC -o forks.so forks.c && "
         f"{CC} -g -O2 -o later later.c && mkdir -m 700 many")
    p.env.update(HANDSPAN_DIR=f"{p.at}/many", HANDSPAN_STORE=f"{p.at}/many.db")
    for program in ("./prog", "./later") * 10:
        p.sh(f"HANDSPAN_SIDECAR=off HANDSPAN_MANIFEST={p.at}/m "
             f"LD_PRELOAD={preload} {program}")
    p.sh(f"LD_PRELOAD=./forks.so FORKS={p.at}/forks {HANDSPAN} sidecar --once")
    db = sqlite3.connect(p.at + "/many.db")
    said = db.execute("SELECT unseen, count(*) FROM sites WHERE name = "
                      "'extract' GROUP BY unseen ORDER BY unseen").fetchall()
    expect([(text.split(" (")[0], n) for text, n in said],
           [("2 inlined copies, later.c:26", 10),
            ("2 inlined copies, prog.c:25", 10)], "what is not seen")
    forks = os.path.getsize(p.at + "/forks")
    expect(0 < forks <= 10, True, f"readers of debug information: {forks}")


def main():
    with Place() as p:
        p.write("prog.c", PROGRAM.lstrip("\n"))
        p.write("m", MANIFEST)
        case_debug_files(p)
        case_after(p)
        case_pid(p)
        case_many(p)


main()
