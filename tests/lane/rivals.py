#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two sidecars at one directory: each call is stored once.

usage: rivals.py BUILD_DIR unlinked|unlocked
unlinked: the lock file is removed and a second sidecar started
unlocked: the file system's locks do not hold at all
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

CALLS = 60000
MANIFEST = "[[object(main)]];\n[[span]] int task(int depth);\n"


def check(got, want, what):
    if got != want:
        print(f"{what}: {got!r} instead of {want!r}")
        sys.exit(1)


def wait_for(what, condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    check("never", "", what)


class Place:
    def __init__(self, build, temp, way):
        self.build, self.dir = build, temp / "d"
        self.dir.mkdir(mode=0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_"))}
        self.env.update(HANDSPAN_DIR=str(self.dir), HANDSPAN_CONFIG="/dev/null",
                        HANDSPAN_STORE=str(temp / "s.db"))
        self.sidecar_env = dict(self.env)
        if way == "unlocked":
            self.sidecar_env["LD_PRELOAD"] = str(build / "bin" / "no_flock.so")
        self.store, self.manifest = temp / "s.db", temp / "m"
        self.manifest.write_text(MANIFEST)

    def sidecar(self):
        return subprocess.Popen(
            [self.build / "bin" / "handspan", "sidecar", "--stay"],
            env=self.sidecar_env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def program(self):
        env = dict(self.env, HANDSPAN_MANIFEST=str(self.manifest),
                   HANDSPAN_SIDECAR="off",
                   LD_PRELOAD=str(self.build / "lib" / "libhandspan.so"))
        return subprocess.Popen([self.build / "bin" / "rivals_program",
                                 str(CALLS)], env=env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)

    def rivals(self):
        log = (self.dir / "log").read_text()
        return log.count("drained by another sidecar")

    def calls(self):
        try:
            store = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
            return store.execute("SELECT sum(calls), sum(dropped_calls) "
                                 "FROM rollups").fetchone()
        except sqlite3.Error:
            return (None, None)


def run(place, way, running):
    """The program stands still after each tenth of its calls, so that both
    sidecars have something to take."""
    running.append(place.sidecar())
    program = place.program()
    running.append(program)
    for tenth in range(10):
        program.stdin.write(b"x")
        program.stdin.flush()
        check(program.stdout.read(1), b"x", "the program")
        if tenth == 2:
            wait_for("calls", lambda: (place.calls()[0] or 0) > 0)
            if way == "unlinked":
                (place.dir / "sidecar.lock").unlink()
            running.append(place.sidecar())
            if way == "unlocked":
                wait_for("that they meet", lambda: place.rivals() > 0)
    program.stdin.close()
    check(program.wait(), 0, "the program's end")
    wait_for("the end of the session",
             lambda: not list(place.dir.glob("session-*")))


def main():
    build, way = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handspan-rivals-",
                                     dir=memory) as temp:
        place = Place(build, pathlib.Path(temp), way)
        running = []
        try:
            run(place, way, running)
        finally:
            for process in running:
                process.terminate()
                process.wait()
        check(place.calls(), (CALLS, 0), "calls, of them without record")
        store = sqlite3.connect(f"file:{place.store}?mode=ro", uri=True)
        check(store.execute("SELECT count(*) FROM spans").fetchone()[0], CALLS,
              "spans")
        check(store.execute("SELECT group_concat(kind) FROM losses")
              .fetchone()[0], None, "losses")
        met = place.rivals()
        print(f"{CALLS} calls, rivals met {met} times")
        check(met > 0, way == "unlocked", "rivals met")


main()
