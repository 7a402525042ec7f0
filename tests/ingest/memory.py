#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resident memory of the sidecar and of what it starts (uploaders), whatever
the backlog: below 64 MB.

The figure is the kernel's peak of each process (ru_maxrss, the largest of
them), shared pages of lanes included: so it is an upper bound of what is ours.

usage: memory.py CASE WRITER SIDECAR [LIMIT_MB]
"""
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

LIMIT_MB = float(sys.argv[4]) if len(sys.argv) > 4 else 64
# writers one after another: how many, their options, spans that must come
CASES = {
    # left behind by programs that were killed: nobody says how they ended
    "sessions": (150, ["threads=3", "records=100", "values=5", "end=kill"],
                 150 * 300),
    "threads": (30, ["threads=200", "records=20", "open=1", "end=kill"],
                30 * 200 * 21),
    "lanes": (1, ["threads=250", "records=2000", "units=2000"], 500000),
    "captures": (1, ["threads=4", "records=300", "values=1", "bytes=50000",
                     "units=1000"], 1200),
    "open": (1, ["threads=100", "open=50", "records=10", "end=kill"], 6000),
    "sites": (1, ["threads=4", "records=25000", "sites=1000", "units=1000"],
              100000),
    "unsent": (1, ["threads=4", "records=250000", "units=2000"], 1000000),
}


def stored(store):
    db = sqlite3.connect(store, timeout=10)
    try:
        return db.execute("SELECT count(*) FROM spans WHERE status <> 'open'"
                          ).fetchone()[0]
    finally:
        db.close()


def wait_until(is_true, what):
    end = time.monotonic() + 300
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.02)  # waits for a state


def retries(store):
    """The sink was tried, and its error stands in the store."""
    db = sqlite3.connect(store, timeout=10)
    try:
        return db.execute("SELECT count(*) FROM sinks WHERE error IS NOT NULL"
                          ).fetchone()[0] == 1
    finally:
        db.close()


def main():
    case, writer, sidecar = sys.argv[1], *map(os.path.abspath, sys.argv[2:4])
    count, options, spans = CASES[case]
    base = os.environ.get("TEST_MEMORY")
    top = tempfile.mkdtemp(prefix="handspan-memory-", dir=base)
    store = top + "/store.db"
    try:
        for _ in range(count):
            subprocess.run([writer, top, *options], check=False,
                           stdout=subprocess.DEVNULL)
        argv = [sidecar, "--dir", top, "--store", store]
        env = dict(os.environ, HANDSPAN_UPLOAD_KEY="none",
                   HANDSPAN_CONFIG="/dev/null")
        if case == "unsent":  # nobody listens there
            argv += ["--stay", "--upload", "postgrest+http://127.0.0.1:1"]
        side = subprocess.Popen(argv, env=env)
        if case == "unsent":
            wait_until(lambda: not any(n.startswith("session-")
                                       for n in os.listdir(top)), "stored")
            wait_until(lambda: retries(store), "tried")
            side.terminate()
        usage = os.wait4(side.pid, 0)[2]
        got = stored(store)
        peak = usage.ru_maxrss / 1024
        print(f"{case}: {got} spans, at most {peak:.1f} MB, "
              f"{usage.ru_utime + usage.ru_stime:.2f} s CPU")
        if got != spans:
            raise AssertionError(f"{got} spans, not {spans}")
        if peak >= LIMIT_MB:
            raise AssertionError(f"{peak:.1f} MB, not below {LIMIT_MB}")
    finally:
        alive.remove(top)


main()
