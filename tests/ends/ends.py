#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How processes end, also those that cannot say so themselves.

usage: ends.py BUILD_DIR CASE
"""
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "process"))
import process  # noqa: E402
from process import check  # noqa: E402

process.MANIFEST = """%s
[[object(main)]];
[[span]] int work(int how);
[[span]] int serve(int ready);
"""


class Run(process.Run):
    def __init__(self, build, scope=""):
        super().__init__(build, scope)
        self.step = (self.build / "bin" / "ends_step").resolve()

    def start(self, *command):
        return self.handspan("run", "--summary=never", "-m",
                             str(self.dir / "m"), "--", *command)

    def sql(self, query, *values):
        db = sqlite3.connect(f"file:{self.dir}/s.db?mode=ro", uri=True)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()


# ---- cases -----------------------------------------------------------------

def raw(run):
    """Without libc's exit, or by SIGKILL: the end is that of the process."""
    for how, status in (("exit", 0), ("kill", -9)):
        other, took = Run(run.build), []
        for _ in range(5):
            begun = time.monotonic_ns()
            done = other.start(str(run.step), "raw", how)
            took.append(time.monotonic_ns() - begun)
            check(done.returncode, status, how)
        other.drain()
        lasted = other.sql("SELECT duration_ns FROM processes")
        check(len(lasted), 5, "processes")
        for (ns,), most in zip(lasted, took):
            if not 21_000_000 <= ns <= most:
                raise SystemExit(f"{how}: {ns} ns of 21 ms to {most} ns")


def children(run):
    """The parent waited: each has the signal that killed it."""
    done = run.run(str(run.step), "children")
    check(done.returncode, 0, done.stderr)
    ends = run.sql("""SELECT coalesce(signal, 0), ended_by, count(*)
        FROM processes WHERE parent_idx IS NOT NULL OR NOT is_root
        GROUP BY 1, 2 ORDER BY 1""")
    check(ends, [(0, "exit", 2), (6, "signal", 2), (9, "signal", 2),
                 (11, "signal", 2), (15, "signal", 2)], "ends of children")
    longer = run.sql("""SELECT k.duration_ns, r.duration_ns
        FROM processes k, processes r
        WHERE r.is_root AND k.duration_ns > r.duration_ns""")
    check(longer, [], "children that outlived who waited for them")


def open_calls(run):
    """A call that its process's end cut short lasted until then."""
    done = run.run(str(run.step), "server")
    check(done.returncode, 0, done.stderr)
    (row,) = [r for r in run.rows("stats") if r["name"] == "work"]
    check((row["calls"], row["errors"]), (3, 1), "calls and errors in stats")
    beyond = run.sql("""SELECT s.status, s.duration_ns, p.duration_ns
        FROM spans s JOIN processes p
          ON p.session = s.session AND p.idx = s.process_idx
        WHERE s.start_unix_ns + s.duration_ns >
              p.start_unix_ns + p.duration_ns + 100 OR s.duration_ns IS NULL""")
    check(beyond, [], "calls that outlive their process")
    check(run.sql("SELECT count(*) FROM spans WHERE status <> 'ok'"), [(2,)],
          "calls that were cut short")
    (shown,) = [r for r in run.rows("show") if r.get("name") == "work"]
    (server,) = run.sql("SELECT duration_ns FROM processes WHERE is_root")
    if row["max_ns"] >= server[0] // 2 or shown["max_ns"] != row["max_ns"]:
        raise SystemExit(f"{row['max_ns']}, {shown['max_ns']} of {server[0]}")


def pool(run):
    """Who ends its own workers has not failed; who loses them has."""
    done = run.run(str(run.step), "pool")
    check(done.returncode, 0, done.stderr)
    ends = "SELECT status, ended_by, signal FROM processes WHERE NOT is_root"
    check(run.sql(ends), [("ok", "signal", 15)] * 3, "the workers")
    check(run.sql("SELECT status, count(*) FROM spans GROUP BY 1"),
          [("unfinished", 3)], "their calls")
    check(run.handspan("errors").returncode, 1, "errors finds nothing")

    other = Run(run.build)
    child = subprocess.Popen(
        [other.build / "bin" / "handspan", "run", "--summary=never", "-m",
         other.dir / "m", "--", str(run.step), "alone"],
        env=other.env, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        os.kill(int(child.stdout.readline()), signal.SIGTERM)
    check(child.wait(300), 0, "the pool")
    child.stdout.close()
    other.drain()
    check(other.sql(ends), [("error", "signal", 15)] * 3, "ended by others")


if __name__ == "__main__":
    globals()[sys.argv[2]](Run(sys.argv[1]))
