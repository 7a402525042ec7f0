#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is told of a failure that no return value explains: exits inside and
outside of handlers, crashes outside of them and in the first bytes of one, which
failed library call is a cause, where an exception of a plugin comes from and
what it says, why programs abort, panics of Rust.

  told_test.py HANDSPAN [NAME...]
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from common import alive  # noqa: E402
from world import World, same  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "told"


class Told(World):
    def manifest(self, *lines):
        path = self.work / f"m{self.count}.manifest"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return path

    def build(self, *words):
        subprocess.run(words, cwd=self.work, check=True,
                       stderr=subprocess.DEVNULL)

    def cc(self, name, *flags):
        self.build(os.environ.get("CC", "cc"), "-g", "-O1", "-w",
                   str(HERE / f"{name}.c"), "-o", name, *flags)

    def flat(self, env, *words):
        return " ".join(self.screen(env, "errors", "--trace", "latest",
                                    *words).split())

    def groups(self, env):
        text = self.screen(env, "errors", "--json")
        return [g for g in map(json.loads, text.splitlines()) if "group" in g]


def has(text, wanted):
    if wanted not in text:
        raise AssertionError(f"no {wanted!r} in {text}")


def has_not(text, unwanted):
    if unwanted in text:
        raise AssertionError(f"{unwanted!r} in {text}")


def exits(w):
    w.cc("exits")
    manifest = w.manifest("[[object(main)]];",
                          "[[span, input(f)]] int load(const char *f);")
    _, env = w.run(["./exits", "handler"], manifest)
    line, full = w.flat(env), w.flat(env, "--full")
    has(line, 'exits: exit 3 in load; first cause open("/data/none.csv") = '
        "ENOENT")
    has(line, "it wrote: exits: cannot open /data/none.csv")
    has(full, 'Open load input f = "/data/none.csv"')
    has(full, "die exits.c:10")
    has(full, "Stderr exits: cannot open /data/none.csv")
    has_not(full, "no debug file")  # of _start, whose file has some
    _, env = w.run(["./exits", "early"], manifest)  # no handler was open
    has(w.flat(env), "exits: exit 3, in die at exits.c:10; it wrote: exits: "
        "cannot open the manual")
    _, env = w.run(["./exits", "crash"], manifest)
    has(w.flat(env), "exits: SIGSEGV at 0x0, in outside at exits.c:22")
    has(w.flat(env, "--full"), "Stderr exits: going to fail")
    _, env = w.run(["./exits", "child"], manifest)
    has(w.flat(env), "exits: exit 3 in load")


def first(w):
    w.cc("first")
    spans, env = w.run(["./first"], w.manifest(
        "[[span]] int list_sum(struct list *l);"))
    error, = [s["error"] for s in spans if s["error"]]
    same([(f["function"], f["line"], f.get("handler"))
          for f in error["stack"]][:2],
         [("list_sum", 10, "list_sum"), ("main", 15, None)], "frames")
    has(w.flat(env), "list_sum: SIGSEGV")


def causes(w):
    w.cc("cause")
    manifest = w.manifest("[[object(main)]];", "[[span, input(in), "
                          "fails(return < 0)]] int job(const char *in);")

    def error(*words):
        spans, env = w.run(["./cause", *words], manifest)
        found, = [s["error"] for s in spans
                  if s["name"] == "job" and s["error"]]
        return found, env
    missing, _ = error("read", "/data/none.csv")
    same(missing["cause"]["args"][0], "/data/none.csv", "the cause")
    same(missing["type"], "ENOENT", "the errno")
    bad, env = error("read", "/etc/passwd")
    same((bad["cause"], bad["type"]), (None, None), "of a bad header")
    has(w.flat(env), "job: return -1, called from main at cause.c:62; it wrote: "
        "cause: bad header")
    has_not(w.flat(env), "optional-cause")
    assert missing["fingerprint"] != bad["fingerprint"]
    full, _ = error("full", "12345")
    same((full["cause"]["call"], full["cause"]["error"]), ("write", "ENOSPC"),
         "the cause of a full disk")
    wide, env = error("wide", "/none/x")
    same(wide["cause"]["args"][0], "/none/x", "the cause")
    same(wide["stack"][0]["function"], "main", "what called it")
    assert wide["origin_ended"], wide
    has(w.flat(env, "--full"), "the stack is " + wide["origin_ended"])


def often(w):
    """More failures than stacks are copied: one group."""
    w.cc("cause")
    _, env = w.run(["./cause", "often"], w.manifest(
        "[[object(main)]];", "[[span, fails(return < 0)]] int often(int n);"))
    groups = [g for g in w.groups(env) if g["of"] == "handler"]
    same([g["count"] for g in groups], [2000], "calls by group")


def host(w):
    w.cc("host", "-fno-inline", "-ldl")
    w.build(os.environ.get("CXX", "c++"), "-O1", "-fPIC", "-shared", "-s",
            str(HERE / "plug.cc"), "-o", "plug.so")
    spans, env = w.run(["./host"], w.manifest(
        '[[object("plug.so")]];', "[[span, input(n)]] int load_rows(int n);",
        "[[span, input(n)]] int read_table(int n);"))
    line = w.flat(env)
    has(line, "no such customer: 7, in load_rows of plug.so")
    has_not(line, "host.c")
    same([s["error"]["message"] for s in spans if s["name"] == "read_table"],
         ["short", "couldn't deserialize thrift: no more data"], "messages")


def aborts(w):
    """Why it aborted is in the headline of the call, of the process and of the
    trace: what glibc says by itself, an exception that nobody catches."""
    w.build(os.environ.get("CXX", "c++"), "-g", "-O1", "-w",
            str(HERE / "aborts.cc"), "-o", "aborts")
    manifest = w.manifest("[[object(main)]];", "[[span]] int load(int n);",
                          "[[span]] int fixed(int n);",
                          "[[span]] int text(int n);",
                          "[[span]] int keep(const char *how);")
    uncaught = "SIGABRT: uncaught std::out_of_range: no row 6 of 5"
    damaged = "; it wrote: aborts: table 3 is damaged"
    for how, wanted in (
            ("uncaught", f"load: {uncaught}, in load at aborts.cc:17"),
            ("uncaught", f"aborts: {uncaught}"),
            ("fixed", f"fixed: {uncaught}"),
            ("text", "text: SIGABRT: uncaught std::"),
            ("heap", "keep: SIGABRT, in keep at aborts.cc:34; it wrote: "
             "free(): invalid pointer"),
            ("assert", "aborts.cc:35: int keep(const char*): Assertion "
             "`strcmp(how, \"assert\") != 0' failed."),
            ("own", "keep: SIGABRT, in keep at aborts.cc:39" + damaged),
            ("outside", "aborts: SIGABRT, in main at aborts.cc:51; it wrote: "
             "free(): invalid pointer")):
        _, env = w.run(["./aborts", how], manifest)
        has(w.flat(env), wanted)
        words = wanted.split("; it wrote: ")[-1].split(", in ")[0]
        if how == "fixed":  # there the throw comes first
            continue
        has(" ".join(w.screen(env, "list").split()), words.split(": ", 1)[-1])
    _, env = w.run(["./aborts", "sent"], manifest)
    has(w.flat(env), "keep: SIGABRT, in keep at aborts.cc:38 1 of 1")


def judged(w):
    """The headline names what the rule judged; different codes are different
    failures, whatever the function returns."""
    w.cc("judged")
    manifest = w.manifest(
        "[[object(main)]];",
        "[[span, fails(rc >= 400)]] void finish(int rc, const char *why);",
        "[[span, fails(level > 2)]] int note(int level);",
        "[[span, fails(return != 0)]] int step(int n);",
        "[[span, fails(return < n)]] int part(int n);",
        "[[span, fails(return < 0, errno)]] int look(const char *path);")
    _, env = w.run(["./judged"], manifest)
    line = w.flat(env)
    for wanted in ("finish: rule rc >= 400 with rc = 404", "rc = 502",
                   "note: rule level > 2 with level = 3",
                   "step: return 5", "step: return -3",
                   'look: return -1; first cause open("/data/none") = ENOENT'):
        has(line, wanted)
    has_not(line, "note: return 0")
    has_not(line, "(0)")
    counts = {}
    for group in w.groups(env):
        counts.setdefault(group["name"], []).append(group["count"])
    same({n: sorted(c) for n, c in counts.items()},
         {"finish": [1, 2], "note": [1], "step": [1, 2], "part": [4],
          "look": [1]}, "the groups")


def panic(w):
    rustc = shutil.which("rustc", path="/usr/bin") or shutil.which("rustc")
    if rustc is None:
        print("panic: skipped, no rustc")
        return
    w.build(rustc, "-g", "-O", str(HERE / "app.rs"), "-o", "app")
    manifest = w.manifest("[[object(main)]];", "[[span]] int stage(int n);")
    seen = []
    for trace in "01":
        w.plain["RUST_BACKTRACE"] = trace
        spans, env = w.run(["./app"], manifest)
        error, = [s["error"] for s in spans
                  if s["name"] == "stage" and s["error"]]
        same((error["type"], error["cause"]), ("panic", None), "the panic")
        # behind a backtrace it is not among the last bytes of stderr any more
        if trace == "0":
            same(error["message"], "row 7 has no customer", "its message")
            has(w.flat(env), "stage: panic: row 7 has no customer, in stage at "
                "app.rs:6")
        has(w.flat(env), "in stage at app.rs:6")
        frames = [f["function"] or "" for f in error["stack"]]
        assert not any(f.startswith("_R") or "::h" in f for f in frames), frames
        seen.append(error["fingerprint"])
    same(seen[0], seen[1], "its group with and without a backtrace")
    del w.plain["RUST_BACKTRACE"]
    w.build(rustc, "-g", "-O", "-C", "panic=abort", str(HERE / "app.rs"),
            "-o", "app_abort")
    _, env = w.run(["./app_abort"], manifest)
    # where it stands depends on the unwind tables of that library
    has(w.flat(env), "stage: SIGABRT: panic: row 7 has no customer, in ")
    w.plain["RUST_BACKTRACE"] = "1"  # its printer looks for files
    _, env = w.run(["./app_abort"], manifest)
    has(w.flat(env), "stage: SIGABRT")
    has_not(w.flat(env), "first cause")
    del w.plain["RUST_BACKTRACE"]


def main():
    chosen = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        told = Told(os.path.abspath(sys.argv[1]), pathlib.Path(folder))
        for test in (exits, first, causes, often, host, aborts, judged,
                     panic):
            if not chosen or test.__name__ in chosen:
                test(told)
                print(f"{test.__name__}: right", flush=True)
        left = alive.wait_for_none(folder)
        assert not left, left


main()
