#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan off` and `on` that no sidecar was there to see: who drains the session
later tells them all the same, with their times.

usage: pauses.py BUILD_DIR
"""
import atexit
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

tests = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(tests / "process"), str(tests / "common")]
import lock  # noqa: E402
import process  # noqa: E402
from process import check  # noqa: E402

RING = 64  # LANE_SWITCH_RING
MINOR_AT = 10  # of struct lane_session


class Run(process.Run):
    """A program that waits for us, and nobody who looks at its session."""

    def __init__(self, build):
        super().__init__(build)
        env = dict(self.env, HANDSPAN_SIDECAR="off",
                   HANDSPAN_MANIFEST=str(self.dir / "m"),
                   LD_PRELOAD=str(self.build / "lib" / "libhandspan.so"))
        self.program = subprocess.Popen(
            ["/bin/cat"], env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.program.stdin.write("runs\n")
        self.program.stdin.flush()
        check(self.program.stdout.readline(), "runs\n", "the program")
        self.pid = str(self.program.pid)
        self.at = []  # around each switch

    def switch(self, *words):
        before = time.time_ns()
        done = self.handspan(*words)
        check(done.returncode, 0, done.stderr)
        self.at.append((before, time.time_ns()))

    def end(self):
        self.program.communicate(timeout=300)
        self.drain()

    def pauses(self):
        db = sqlite3.connect(f"file:{self.dir}/s.db?mode=ro", uri=True)
        try:
            return db.execute("""SELECT process_idx, from_unix_ns,
                until_unix_ns FROM pauses ORDER BY from_unix_ns""").fetchall()
        finally:
            db.close()

    def said(self, *expected, missing=()):
        done = self.handspan("show")
        shown = " ".join((done.stdout + done.stderr).split())
        for words in ("Incomplete: ", *expected):
            if words not in shown:
                raise SystemExit(f"no '{words}': {shown}")
        for words in ("Complete: ", *missing):
            if words in shown:
                raise SystemExit(f"'{words}': {shown}")


def within(got, around, what):
    """The store's clock is the program's: to 5 ms."""
    if got is None or not around[0] - 5e6 <= got <= around[1] + 5e6:
        raise SystemExit(f"{what}: {got}, {around}")


def compare(run, *expected):
    """(whose, number of the switch that began it, and that ended it)"""
    rows = run.pauses()
    check([r[0] for r in rows], [e[0] for e in expected], rows)
    for (_, begin, end), (_, off, on) in zip(rows, expected):
        within(begin, run.at[off], f"off {off}: {rows}")
        if on is None:
            check(end, None, f"goes on: {rows}")
        else:
            within(end, run.at[on], f"on {on}: {rows}")


def over(build):
    """Off and on again, twice, all of it and one process; nothing said twice
    is told twice."""
    run = Run(build)
    for words in (("off",), ("off",), ("on",), ("on",), ("off", run.pid),
                  ("off", run.pid), ("on", run.pid)):
        run.switch(*words)
    run.end()
    compare(run, (None, 0, 2), (0, 4, 6))
    run.said("Recording was off for", f"off in process {run.pid} for")
    (trace,) = [r for r in run.rows("show") if r["kind"] == "trace"]
    check(trace["pauses"], 2, "show --json")


def until_the_end(build):
    """Off while it ends, then nobody looks; on comes too late to matter."""
    for whose in ((), None):
        run = Run(build)
        run.switch("off", *(whose if whose is not None else (run.pid,)))
        run.end()
        compare(run, (None if whose is not None else 0, 0, None))
        run.said("Recording was off")
    run = Run(build)
    run.switch("off")
    run.program.communicate(timeout=300)
    run.switch("on")
    run.drain()
    compare(run, (None, 0, 1))
    run.said("Recording was off for")


def one_then_all(build):
    """`on` ends all that was off; of all, it is told as of all."""
    run = Run(build)
    for words in (("off", run.pid), ("off",), ("on", run.pid),
                  ("off", run.pid), ("on",)):
        run.switch(*words)
    run.end()
    compare(run, (0, 0, 1), (None, 1, 2), (0, 3, 4))


def wait_until(is_so):
    end = time.monotonic() + 300
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.005)


def begin_sidecar(run):
    sidecar = subprocess.Popen(
        [run.build / "bin" / "handspan", "sidecar", "--stay"], env=run.env,
        stderr=subprocess.DEVNULL)
    atexit.register(sidecar.kill)  # also where the test fails
    wait_until(lambda: lock.is_held(run.dir / "d"))
    wait_until(lambda: run.handspan("list").returncode == 0)
    return sidecar


def two_sidecars(build):
    """One saw the beginning and was killed; the next one sees what came after,
    and tells nothing again."""
    run = Run(build)
    for words in (("off",), ("on",), ("off",)):
        run.switch(*words)
    sidecar = begin_sidecar(run)
    wait_until(lambda: len(run.pauses()) == 2)
    sidecar.send_signal(signal.SIGKILL)
    sidecar.wait(300)
    seen = run.pauses()
    for words in (("on",), ("off",), ("on",)):
        run.switch(*words)
    run.end()
    compare(run, (None, 0, 1), (None, 2, 3), (None, 4, 5))
    check([r[1] for r in run.pauses()[:2]], [r[1] for r in seen], "the same")


def too_many(build):
    """More than are kept: that is said, with their number."""
    run = Run(build)
    more = 3
    for _ in range(RING // 2 + more):
        run.switch("off")
        run.switch("on")
    run.end()
    compare(run, *((None, 2 * i, 2 * i + 1)
                   for i in range(more, RING // 2 + more)))
    run.said(f"Lost: {2 * more} times that recording was switched off or on")


def an_earlier_library(build):
    """Its sessions have no such list: it is what the sidecar sees of the gate."""
    run = Run(build)
    (session,) = (run.dir / "d").glob("session-*")
    with open(session, "r+b") as f:
        f.seek(MINOR_AT)
        f.write((8).to_bytes(2, "little"))
    sidecar = begin_sidecar(run)
    run.handspan("off")
    wait_until(lambda: [r for r in run.pauses() if r[2] is None])
    run.handspan("on")
    wait_until(lambda: [r for r in run.pauses() if r[2] is not None])
    sidecar.terminate()
    sidecar.wait(300)
    run.end()
    check(len(run.pauses()), 1, "pauses")
    run.said("Recording was off for")


if __name__ == "__main__":
    for case in (over, until_the_end, one_then_all, two_sidecars, too_many,
                 an_earlier_library):
        case(os.path.abspath(sys.argv[1]))
