#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A signal handler that forks while its thread takes a lane, or room for one:
both processes go on in the middle of that, and each call of both is stored
once.

usage: forked.py BUILD_DIR claim|grow

strace sends the signal in the system call that either has (a look at the
thread's stack; the pages of a unit): where it could come as well.
"""
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CALLS = 20000
WAYS = {"claim": ("openat", 0), "grow": ("madvise", 10)}
MANIFEST = "[[object(main)]];\n[[span]] long step(long number);\n"


def run(build, temp, way):
    call, before = WAYS[way]
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_"))}
    (temp / "m").write_text(MANIFEST)
    (temp / "d").mkdir(mode=0o700)
    trace = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(temp / "trace"), "-e",
         f"trace={call}", "-e", f"inject={call}:signal=SIGURG",
         "-E", f"LD_PRELOAD={build}/lib/libhandspan.so",
         str(build / "bin" / "forked_program"), str(CALLS), str(before)],
        env=dict(env, HANDSPAN_DIR=str(temp / "d"), HANDSPAN_SIDECAR="off",
                 HANDSPAN_CONFIG="/dev/null", HANDSPAN_MANIFEST=str(temp / "m"),
                 HANDSPAN_STORE=str(temp / "s.db")),
        capture_output=True, text=True, timeout=300, check=False)
    if "ptrace" in trace.stderr or "Operation not permitted" in trace.stderr:
        print("skipped: strace may not trace here:", trace.stderr.strip())
        sys.exit(77)
    told = re.fullmatch(r"forked in (\d+), status 0\n", trace.stdout)
    assert trace.returncode == 0 and told, trace
    subprocess.run([build / "bin" / "handspan", "sidecar", "--once", "--dir",
                    temp / "d", "--store", temp / "s.db"], check=True,
                   env=dict(env, HANDSPAN_CONFIG="/dev/null"), timeout=300)
    return int(told.group(1))


def look(store):
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as base:
        calls = base.execute("SELECT sum(calls) FROM rollups JOIN sites USING "
                             "(session, site) WHERE name = 'step'").fetchone()
        losses = base.execute("SELECT kind, count FROM losses").fetchall()
        processes = base.execute("SELECT count(*) FROM processes").fetchone()
    return calls + processes, losses


def main():
    build, way = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    if not shutil.which("strace"):
        print("skipped: no strace")
        return 77
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-forked-",
                                         dir=os.environ.get("TEST_MEMORY")))
    try:
        number = run(build, temp, way)
        got, losses = look(temp / "s.db")
        # the call that the fork came into is the child's, too, where it had
        # not begun; where it ended just then it is the parent's alone
        want = (2 * CALLS - number - (way == "grow"), 2)
        print(f"forked in call {number}: {got}, should be {want}, {losses}")
        return 0 if (got, losses) == (want, []) else 1
    finally:
        alive.remove(temp)


sys.exit(main())
