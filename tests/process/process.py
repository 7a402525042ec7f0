#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One trace over many processes: every span at its place.

usage: process.py BUILD_DIR CASE

Each case runs a command and says the tree of spans that must come of it:
lines of names, children below. Processes that traced nothing of their own are
left out; a span's parent is then the next one above.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MANIFEST = """%s
[[object(main)]];
[[span, input(name)]] int step(const char *name, char **rest);
[[span, input(name)]] int inner(const char *name);
"""


class Run:
    def __init__(self, build, scope=""):
        self.build = pathlib.Path(build)
        # lanes are meant to lie in memory: 500 sessions on a disk take 30 s
        memory = os.environ.get("TEST_MEMORY")
        self.temp = tempfile.TemporaryDirectory(prefix="handspan-context-",
                                                dir=memory)
        self.dir = pathlib.Path(self.temp.name)
        (self.dir / "m").write_text(MANIFEST % scope)
        (self.dir / "d").mkdir(mode=0o700)
        self.step = self.build / "bin" / "process_step"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "TRACE", "BAGGAGE"))}
        self.env.update(HANDSPAN_DIR=str(self.dir / "d"),
                        HANDSPAN_STORE=str(self.dir / "s.db"),
                        S=str(self.step), PATH="/usr/bin:/bin")

    def handspan(self, *args, wait_s=300):
        return subprocess.run([self.build / "bin" / "handspan", *args],
                              env=self.env, text=True, capture_output=True,
                              timeout=wait_s, check=False)

    def run(self, *command):
        done = self.handspan("run", "--summary", "never", "-m",
                             str(self.dir / "m"), "--", *command)
        self.drain()
        return done

    def drain(self, timeout_s=300):
        self.handspan("sidecar", wait_s=timeout_s)  # or wait for that which runs
        for _ in range(600):
            if not list((self.dir / "d").glob("session-*")):
                return
            time.sleep(0.1)
        raise SystemExit("sessions are left")

    def spans(self, trace="latest"):
        out = self.handspan("spans", trace, "--json").stdout
        rows = [json.loads(line) for line in out.splitlines()]
        return {r["span_id"]: r for r in rows if "span_id" in r}

    def rows(self, *args):
        out = self.handspan(*args, "--json").stdout
        return [json.loads(line) for line in out.splitlines()[1:]]

    def traces(self):
        out = self.handspan("list", "--json").stdout
        rows = [json.loads(line) for line in out.splitlines()]
        return [r for r in rows if "trace_id" in r]


def name_of(row):
    return (row["input"] or {}).get("name")


def tree(spans):
    """(name, [children]) of the calls; processes are left out."""
    children = {}
    for row in spans.values():
        if name_of(row) is None:
            continue
        at = row
        while True:
            parent = at["parent_span_id"]
            at = spans.get(parent)
            if at is None or name_of(at) is not None:
                break
        children.setdefault(at["span_id"] if at else None, []).append(row)

    def below(span):
        return sorted((name_of(r), below(r["span_id"]))
                      for r in children.get(span, []))
    return below(None)


def show(nodes, depth=0):
    return "".join("  " * depth + name + "\n" + show(below, depth + 1)
                   for name, below in nodes)


def check(got, expected, what):
    if got != expected:
        raise SystemExit(f"{what}\n--- expected\n{expected}--- got\n{got}")


def one_trace(run, expected):
    traces = run.traces()
    check(len(traces), 1, f"traces: {traces}")
    spans = run.spans()
    loose = [r for r in spans.values()
             if r["parent_span_id"] and r["parent_span_id"] not in spans]
    check(loose, [], "parents that are nowhere")
    check(show(tree(spans)), expected, "the tree")
    return spans


# ---- cases -----------------------------------------------------------------

def ways(run):
    """Each way to start a process, from under a span."""
    for way in ("fork", "vfork", "spawn", "system", "popen", "exec"):
        other = Run(run.build)
        done = other.run(run.step, "a", way, run.step, "b", way, run.step, "c")
        check((done.returncode, done.stdout), (0, "a\nb\nc\n"), way)
        one_trace(other, "a\n  b\n    c\n")


def bare(run):
    """Without a descriptor and, further down, without an environment."""
    done = run.run(run.step, "a", "bare", run.step, "b", "cleared", run.step,
                   "c")
    check(done.stdout, "a\n", done.stderr)
    one_trace(run, "a\n  b\n")
    shown = run.handspan("show").stdout
    check("aced: cleared)" in shown, True, shown)


def threads(run):
    run.run("sh", "-c", "$S a thread x; $S b c11 y; $S c forkonly z")
    one_trace(run, "a\n  x\nb\n  y\nc\n  z\n")


def openmp(run):
    """A team's threads are kept: they work for whose region it is now."""
    run.run(run.step, "a", "omp", "x", "b", "region", "y")
    one_trace(run, "a\n  b\n" + "    y\n" * 4 + "  x\n" * 4)


def hostile(run):
    """Fork among 50 threads, raw clones, all descriptors closed."""
    done = run.run(run.step, "a", "crowd", "k")
    check((done.returncode, done.stdout), (0, "a\n"), done.stderr)
    # a raw clone is below its process: nobody saw what was open
    spans = one_trace(run, "a\n" + "  k\n" * 60 + "k\n" * 10)
    forked = [r for r in spans.values() if name_of(r) is None]
    check(len(forked), 21, "processes")


def children(run, count=500):
    """So many children at once, each with a call and an exec. What has no room
    in the session is counted; nothing hangs."""
    start = time.monotonic()
    done = run.handspan("run", "--summary", "never", "-m", str(run.dir / "m"),
                        "--", run.step, "a", "children", str(count), "k")
    ran = time.monotonic() - start
    check((done.returncode, done.stdout), (0, "a\n"), done.stderr)
    used = 0
    for file in (run.dir / "d").glob("session-*"):
        with contextlib.suppress(FileNotFoundError):  # stored meanwhile
            used += file.stat().st_blocks * 512
    start = time.monotonic()
    run.drain(1800)
    stored = time.monotonic() - start
    check(len(run.traces()), 1, "traces")
    start = time.monotonic()
    shown = run.handspan("show").stdout
    check("true" in shown, True, shown)
    print(f"{count} children: {ran:.1f} s, {used >> 20} MiB of sessions left "
          f"at the end, stored {stored:.1f} s later, show "
          f"{time.monotonic() - start:.1f} s")
    spans = run.spans()
    calls = [r for r in spans.values() if name_of(r) == "k"]
    row = next(r for r in run.rows("check", "--trace", "latest")
               if r["name"] == "inner")
    check(row["calls"], count, f"calls: {row}")
    a = next(r for r in spans.values() if name_of(r) == "a")
    above = {spans[r["parent_span_id"]]["parent_span_id"] for r in calls}
    check(above, {a["span_id"]}, "whose children they are")
    losses = re.search("Lost: ([^.]*)", shown.replace("\n", " "))
    print(len(calls), "of their calls have a span;",
          losses.group(1) if losses else "nothing lost")
    if count < 1000:
        check(len(calls), count, "spans")
    else:  # every call is counted, who has no room is told
        check(losses is not None and "processes" in losses.group(1), True,
              shown)


def children_5000(run):
    children(run, 5000)


PIPELINE = "$S a | $S b | cat; $S c spawn $S d; $S e & $S f exec $S g; wait"
PIPELINE_TREE = "a\nb\nc\n  d\ne\nf\n  g\n"


def shell(run):
    done = run.run("sh", "-c", PIPELINE)
    check(done.returncode, 0, done.stderr)
    spans = one_trace(run, PIPELINE_TREE)
    roots = [r for r in spans.values() if r["parent_span_id"] is None]
    check(len(roots), 1, f"roots: {roots}")


def untraced_shell(run):
    """The shell and cat are outside of the scope; the context goes through."""
    run = Run(run.build, '[[program("process_*")]];')
    run.run("sh", "-c", "sh -c 'sh -c \"$S a\"' | cat; $S b; " + PIPELINE)
    spans = one_trace(run, "a\na\nb\nb\nc\n  d\ne\nf\n  g\n")
    check({r["pid"] for r in spans.values() if name_of(r) is None} !=
          set(), True, "processes")
    trace = run.traces()[0]
    check(trace["status"], "ok", "status")
    last = max(r["start_unix_ns"] + (r["duration_ns"] or 0)
               for r in spans.values())
    check(trace["duration_ns"] >= last - trace["start_unix_ns"], True,
          f"the trace lasts until its last process: {trace}")


def any_order(run):
    """Whichever session comes in last: the trace ends with its last process."""
    run = Run(run.build, '[[program("process_*")]];')  # not the shell
    env = dict(run.env, HANDSPAN_SIDECAR="off",
               HANDSPAN_MANIFEST=str(run.dir / "m"),
               TRACEPARENT=run.handspan("traceparent").stdout.strip(),
               LD_PRELOAD=str(run.build.absolute() / "lib/libhandspan.so"))
    subprocess.run(["sh", "-c", "$S e; $S f exec $S g"], env=env, check=True,
                   capture_output=True)
    files = sorted((run.dir / "d").glob("session-*"))
    kept = run.dir / "kept"
    (run.dir / "d").rename(kept)
    for late in files:
        (run.dir / "d").mkdir(mode=0o700)
        for part in ([f for f in files if f != late], [late]):
            for file in part:
                subprocess.run(["cp", "--sparse=always", kept / file.name,
                                run.dir / "d"], check=True)
            run.drain()
        spans = one_trace(run, "e\nf\n  g\n")
        ends = max(r["start_unix_ns"] + (r["duration_ns"] or 0)
                   for r in spans.values())
        trace = run.traces()[0]
        check(trace["start_unix_ns"] + trace["duration_ns"] >= ends, True,
              f"{late.name} came last: {trace}")
        for file in [*(run.dir / "d").iterdir(), *run.dir.glob("s.db*")]:
            file.unlink()
        (run.dir / "d").rmdir()


def make(run):
    (run.dir / "Makefile").write_text(
        "all: a1 b1 c1 d1 e1\n%1:\n\t@$(S) $@ spawn $(S) $*2\n")
    run.run("make", "-s", "-j3", "-C", str(run.dir))
    one_trace(run, "".join(f"{n}1\n  {n}2\n" for n in "abcde"))


def xargs(run):
    run.run("sh", "-c", "printf '%s\\n' a b c d e | xargs -P 3 -n 1 $S")
    one_trace(run, "a\nb\nc\nd\ne\n")


def first_dies(run):
    """The parent is gone before its child starts anything."""
    run.run("sh", "-c", "($S a exec sh -c \"(sleep 0.3; $S b) &\") ; sleep 1")
    one_trace(run, "a\n  b\n")


def steps(run):
    """Separately started, one trace by a TRACEPARENT of ours."""
    run.env["TRACEPARENT"] = run.handspan("traceparent").stdout.strip()
    for name in "abc":
        run.run(run.step, name)
    spans = one_trace(run, "a\nb\nc\n")
    roots = [r for r in spans.values() if r["parent_span_id"] is None]
    check(len(roots), 3, f"roots: {roots}")


def cleared(run):
    """A cleared environment stays clear, and the trace says where it ends."""
    done = run.run(run.step, "a", "cleared", "/usr/bin/env")
    check((done.returncode, done.stdout), (0, "a\n"), "the output")
    shown = run.handspan("show").stdout
    check("env (untraced" in shown, True, shown)


def another_user(run):
    """Who became somebody else and execs cannot take the trace with him, but
    the trace says so."""
    if os.geteuid() != 0:
        print("only root can become another user")
        sys.exit(77)
    bare = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534",
            "--clear-groups", "/bin/sh", "-c", "id -u; exit 3"]
    for way in ([], ["/bin/sh", "-c", '"$@"; exit 4', "sh"],
                [run.step, "a", "spawn"]):
        plain = subprocess.run([*way, *bare], env=run.env, capture_output=True,
                               text=True)
        done = run.run(*way, *bare)
        check((done.returncode, done.stdout, done.stderr),
              (plain.returncode, plain.stdout, plain.stderr), "as untraced")
        shown = run.handspan("show").stdout
        check("sh (untraced: another user)" in shown, True, shown)
    done = run.run("/usr/bin/setpriv", "--reuid", "0", "/bin/true")
    shown = run.handspan("show").stdout
    check((done.returncode, "untraced" in shown), (0, False), shown)


def ask(run):
    """include/handspan.h: the program knows its place; else it is as empty."""
    plain = subprocess.run([run.step, "a", "ask"], capture_output=True,
                           text=True, env=run.env)
    check(plain.stdout, "a\n0 \n", "untraced")
    done = run.run(run.step, "a", "ask")
    spans = one_trace(run, "a\n")
    a = next(r for r in spans.values() if name_of(r) == "a")
    check(done.stdout, f"a\n1 00-{a['trace_id']}-{a['span_id']}-01\n", "asked")


def ask_late(run):
    """The same in a library that is opened later."""
    (run.dir / "late.c").write_text('''
#include "include/handspan.h"
#include <stdio.h>
void tell(void)
{
    char id[HANDSPAN_TRACEPARENT_BYTES];
    printf("%d %s\\n", handspan_traceparent(id), id);
}''')
    (run.dir / "main.c").write_text('''
#include <dlfcn.h>
__attribute__((noipa)) int step(const char *name, char **rest)
{
    void *late = dlopen(name, RTLD_NOW);
    ((void (*)(void))dlsym(late, "tell"))();
    dlclose(late);
    return rest != 0;
}
int main(int argc, char **argv)
{
    return argc < 2 || step(argv[1], 0);
}''')
    source = pathlib.Path(__file__).resolve().parents[2]
    late, main_ = run.dir / "late.so", run.dir / "main"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", f"-I{source}", "-o",
                    late, run.dir / "late.c"], check=True)
    subprocess.run(["gcc", "-O2", "-rdynamic", "-o", main_,
                    run.dir / "main.c"], check=True)
    done = run.run(main_, late)
    step = next(r for r in run.spans().values() if r["name"] == "step")
    check(done.stdout, f"1 00-{step['trace_id']}-{step['span_id']}-01\n",
          "asked by a plugin")


def compile_env(run, name, *flags):
    """A program that tells its environment."""
    source = run.dir / "env.c"
    source.write_text("#include <stdio.h>\nextern char **environ;\n"
                      "int main(void) { for (char **e = environ; *e; e++)"
                      " puts(*e); return 0; }\n")
    program = run.dir / name
    subprocess.run(["gcc", "-O1", "-o", program, source, *flags], check=True)
    return program


def lost(run):
    """Children that cannot be traced: harmless, and the tree says why."""
    loader = run.dir / "loader.so"
    shutil.copy("/lib64/ld-linux-x86-64.so.2", loader)
    programs = {"static": compile_env(run, "unlinked", "-static"),
                "foreign": compile_env(run, "strange",
                                       f"-Wl,--dynamic-linker={loader}")}
    if os.geteuid() == 0:
        programs["privileged"] = compile_env(run, "powerful")
        os.chown(programs["privileged"], 65534, 65534)
        os.chmod(programs["privileged"], 0o4755)
        run.dir.chmod(0o755)
    words = {"static": "static", "foreign": "foreign",
             "privileged": "setuid"}
    for why, program in programs.items():
        for way in ("fork", "spawn"):
            done = run.run(run.step, "a", way, program)
            check((done.returncode, done.stderr), (0, ""), why)
            given = dict(line.split("=", 1)
                         for line in done.stdout.splitlines()[1:])
            check("LD_PRELOAD" in given, why == "static", f"{why} {given}")
            a = next(r for r in run.spans().values() if name_of(r) == "a")
            if way == "spawn":
                check(given["TRACEPARENT"][36:52], a["span_id"], why)
            shown = run.handspan("show").stdout
            check(f"(untraced: {words[why]}" in shown, True, shown)


def environment(run):
    """The program's own environ is as it was; a TRACEPARENT of its own wins."""
    own = "00-" + "12" * 16 + "-" + "34" * 8 + "-01"
    run.env["TRACESTATE"] = "a=b"
    run.env["BAGGAGE"] = "k=v"
    run.env["TRACEPARENT"] = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    script = ("import os, subprocess\n"
              "before = os.environ['TRACEPARENT']\n"
              "show = ['/usr/bin/env']\n"
              "def child(env): return dict(line.split('=', 1) for line in\n"
              "  subprocess.run(show, env=env, capture_output=True, text=True)"
              ".stdout.splitlines())\n"
              "got = child(None)\n"
              "assert got['TRACEPARENT'][:35] == before[:35], got\n"
              "assert got['TRACEPARENT'] != before, got\n"
              "assert (got['TRACESTATE'], got['BAGGAGE']) == ('a=b', 'k=v')\n"
              "got.pop('TRACEPARENT')\n"
              "mine = dict(os.environ); mine.pop('TRACEPARENT')\n"
              "assert got == mine, (got, mine)\n"
              # its own directory and store: not those of who runs the test
              "small = {k: v for k, v in os.environ.items()\n"
              "  if k == 'LD_PRELOAD' or k.startswith('HANDSPAN')}\n"
              "got = child(small)\n"
              "assert got['BAGGAGE'] == 'k=v' and got['TRACESTATE'] == 'a=b'\n"
              f"own = '{own}'\n"
              "assert child(dict(os.environ, TRACEPARENT=own))"
              "['TRACEPARENT'] == own\n"
              "assert child({}) == {}, child({})\n"
              "assert os.environ['TRACEPARENT'] == before\n"
              "print('fine')\n")
    done = run.run("/usr/bin/python3", "-c", script)
    check((done.stdout, done.returncode), ("fine\n", 0), done.stderr)
    shown = run.handspan("show").stdout
    check("1 process hangs from a span that is not in" in shown, True, shown)


def main():
    build, case = sys.argv[1:3]
    globals()[case](Run(build))


if __name__ == "__main__":
    main()
