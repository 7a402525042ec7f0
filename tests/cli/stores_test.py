#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs that name different stores in one session directory: each trace is where
its run said, one after the other and at once, and what names no store is for
whoever has the directory.

usage: stores_test.py HANDSPAN PRELOAD
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402
import lock  # noqa: E402

HANDSPAN, PRELOAD = map(os.path.abspath, sys.argv[1:3])
SOURCE = "__attribute__((noinline, noipa)) int step(int n) { volatile int s = " \
    "n; return s + 1; } int main(int c, char **v) { (void)v; return step(c) " \
    "!= c + 1; }\n"
AT_ONCE = 6


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


class Place:
    def __init__(self, top):
        self.top = top
        os.mkdir(f"{top}/dir", 0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("HANDSPAN_")}
        self.env.update(HANDSPAN_DIR=f"{top}/dir", HOME=top, LC_ALL="C.UTF-8",
                        XDG_DATA_HOME=f"{top}/data",
                        HANDSPAN_CONFIG="/dev/null")
        for name in ("TRACEPARENT", "LD_PRELOAD"):
            self.env.pop(name, None)
        os.mkdir(f"{top}/data", 0o700)
        with open(f"{top}/p.c", "w", encoding="utf-8") as f:
            f.write(SOURCE)
        with open(f"{top}/m", "w", encoding="utf-8") as f:
            f.write("[[span]] int step(int n);\n")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-o", "p", "p.c"],
                       cwd=top, check=True)

    def start(self, *command, **env):
        return subprocess.Popen(command, cwd=self.top, text=True,
                                env=dict(self.env, **env),
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def end(self, started):
        out, err = started.communicate(timeout=300)
        expect((started.returncode, err), (0, ""), f"end of {started.args}")
        return out

    def run(self, *command, **env):
        return self.end(self.start(*command, **env))

    def traced(self, **env):
        return self.start(HANDSPAN, "run", "-m", "m", "--", "./p", **env)

    def preloaded(self, **env):
        self.run("./p", LD_PRELOAD=PRELOAD,
                 HANDSPAN_MANIFEST=f"{self.top}/m", **env)

    def sessions(self):
        return [n for n in os.listdir(f"{self.top}/dir")
                if n.startswith("session-")]

    def stored(self, left=0):
        end = time.monotonic() + 300
        while len(self.sessions()) > left and time.monotonic() < end:
            time.sleep(0.02)  # waits for a state
        expect(len(self.sessions()), left, "sessions that are left")

    def quiet(self):
        """No sidecar is there any more that would take what comes."""
        end = time.monotonic() + 300
        while lock.is_held(f"{self.top}/dir") and time.monotonic() < end:
            time.sleep(0.02)  # waits for a state

    def traces(self, store):
        done = subprocess.run([HANDSPAN, "list", "--json", "--store", store],
                              env=self.env, capture_output=True, text=True,
                              check=False)
        return sum("trace_id" in json.loads(line)
                   for line in done.stdout.splitlines())


def in_turn(p):
    """The sidecar of the first run is still there when the second begins."""
    a, b = f"{p.top}/a.db", f"{p.top}/b.db"
    p.end(p.traced(HANDSPAN_STORE=a))
    p.end(p.traced(HANDSPAN_STORE=b))
    p.end(p.start(HANDSPAN, "run", "--store", "a.db", "-m", "m", "--", "./p"))
    p.preloaded(HANDSPAN_STORE=b)
    p.preloaded(HANDSPAN_STORE="./b.db")  # relative, and another spelling
    p.stored()
    expect((p.traces(a), p.traces(b)), (2, 3), "one after the other")


def named_otherwise(p):
    """Relative in another folder, through a link, on another file system,
    anew after it was removed: while the sidecar of a third is there."""
    kept, away = f"{p.top}/kept.db", f"{p.top}/away"
    os.mkdir(away)
    os.symlink("../kept.db", f"{away}/link.db")
    far = tempfile.mkdtemp(prefix="handspan-stores-")
    p.end(p.traced(HANDSPAN_STORE=kept))
    p.end(p.traced(HANDSPAN_STORE="same.db"))
    p.end(p.start("sh", "-c", f"cd away && exec {HANDSPAN} run -m ../m -- ../p",
                  HANDSPAN_STORE="same.db"))
    p.end(p.traced(HANDSPAN_STORE=f"{away}/link.db"))
    p.end(p.traced(HANDSPAN_STORE=f"{far}/far.db"))
    p.stored()
    names = (kept, f"{away}/link.db", f"{p.top}/same.db", f"{away}/same.db",
             f"{far}/far.db")
    expect([p.traces(n) for n in names], [2, 2, 1, 1, 1], "named otherwise")
    for end in "", "-wal", "-shm":
        if os.path.exists(f"{away}/same.db{end}"):
            os.unlink(f"{away}/same.db{end}")
    p.end(p.traced(HANDSPAN_STORE=f"{away}/same.db"))
    p.stored()
    expect(p.traces(f"{away}/same.db"), 1, "anew after it was removed")
    alive.end(p.top)  # before its folder goes
    shutil.rmtree(far)


def at_once(p):
    stores = [f"{p.top}/s{i % 3}.db" for i in range(AT_ONCE)]
    for started in [p.traced(HANDSPAN_STORE=s) for s in stores]:
        p.end(started)
    p.stored()
    expect([p.traces(f"{p.top}/s{i}.db") for i in range(3)],
           [AT_ONCE // 3] * 3, "at once")


def unnamed(p):
    """A program that names no store is none of a named store's sidecar."""
    c, default = f"{p.top}/c.db", f"{p.top}/data/handspan/handspan.db"
    p.end(p.traced(HANDSPAN_STORE=c))
    p.preloaded()
    p.stored()
    expect((p.traces(c), p.traces(default)), (1, 1), "one without a name")


def by_hand(p):
    """Without a sidecar of its own it is for the one that somebody types."""
    d, e = f"{p.top}/d.db", f"{p.top}/e.db"
    p.quiet()
    p.preloaded(HANDSPAN_STORE=d, HANDSPAN_SIDECAR="off")
    p.run(HANDSPAN, "sidecar", "--once", "--store", e)
    expect((p.traces(d), p.traces(e)), (0, 1), "HANDSPAN_SIDECAR=off")


def left_behind(p):
    """Of a run whose sidecar could not be started: named, and brought in."""
    f = f"{p.top}/f.db"
    p.preloaded(HANDSPAN_STORE=f, HANDSPAN_SIDECAR="/bin/true")
    expect(len(p.sessions()), 1, "it waits")
    done = subprocess.run([HANDSPAN, "status"], env=p.env, text=True,
                          capture_output=True, check=False)
    expect(f"for the store {f}" in done.stdout, True, done.stdout)
    p.preloaded()
    p.run(HANDSPAN, "sidecar", "--auto", "--store", f"{p.top}/g.db")
    expect(len(p.sessions()), 1, "another store's sidecar leaves it")
    p.quiet()
    p.run(HANDSPAN, "sidecar", "--once")
    p.stored()
    expect((p.traces(f), p.traces(f"{p.top}/g.db")), (1, 0), "brought in")


def into_another(p):
    """Who types --store wants it there, whatever the run named."""
    h = f"{p.top}/h.db"
    p.preloaded(HANDSPAN_STORE="/nowhere/x.db", HANDSPAN_SIDECAR="/bin/true")
    end = time.monotonic() + 300
    while p.sessions() and time.monotonic() < end:
        p.run(HANDSPAN, "sidecar", "--once", "--store", h)
    expect(p.traces(h), 1, "into the one that was typed")


def main():
    top = tempfile.mkdtemp(prefix="handspan-stores-",
                           dir=os.environ.get("TEST_MEMORY"))
    try:
        p = Place(os.path.realpath(top))
        for case in (in_turn, named_otherwise, at_once, unnamed, by_hand, left_behind,
                     into_another):
            case(p)
            print(case.__name__, "holds")
    finally:
        alive.end(top)
        alive.remove(top)


main()
