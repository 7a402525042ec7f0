#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A record beside its lane's log whose sidecar was killed after it was stored
and before its slot was free: the next one finds it again, and counts it once.

usage: kept.py BUILD_DIR
"""
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CALLS = 60000
LANE_BYTES, KEPT_AT, KEPT_BYTES = 86016, 69632, 256 * 64  # docs/lane.md


def check(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


def wait_for(condition, what):
    end = time.monotonic() + 300
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)  # waits for a state


def kept(path):
    """Of its first lane: where, and the bytes."""
    with open(path, "rb") as file:
        at = struct.unpack_from("<Q", file.read(4096), 112 + 8 * 16)[0] + KEPT_AT
        file.seek(at)
        return at, file.read(KEPT_BYTES)


def words(path):
    slots = kept(path)[1]
    return [w for w, in struct.iter_unpack("<56xQ", slots) if w]


def look(path):
    """(calls, rows, losses but those for want of room)"""
    store = None
    try:
        store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        one = lambda query: store.execute(query).fetchall()
        return (one("SELECT sum(calls) FROM rollups")[0][0],
                one("SELECT count(*) FROM spans")[0][0],
                one("SELECT kind, count FROM losses WHERE kind NOT IN "
                    "('lost_records', 'lost_captures')"))
    except sqlite3.Error:
        return None  # not made yet
    finally:
        if store:
            store.close()


def run(build, temp):
    (temp / "m").write_text("[[span]] long step(long number);\n"
                            "[[span]] long whole(long count);\n")
    (temp / "d").mkdir(mode=0o700)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_"))}
    env.update(HANDSPAN_DIR=str(temp / "d"), HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_STORE=str(temp / "s.db"), HANDSPAN_SIDECAR="off",
               HANDSPAN_BUDGET_MB="1", HANDSPAN_MANIFEST=str(temp / "m"))
    sidecar = lambda *more: subprocess.Popen(
        [build / "bin" / "handspan", "sidecar", *more], env=env)
    program = subprocess.Popen(
        [build / "bin" / "kept_program", str(CALLS)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=dict(
            env, LD_PRELOAD=str(build / "lib" / "libhandspan.so")))
    check(program.stdout.readline(), b"called\n", "the program")
    session, = (temp / "d").glob("session-*")
    at, slots = kept(session)
    check(len(words(session)) > 0, True, "a record beside the log")
    first = sidecar("--stay")
    wait_for(lambda: (look(temp / "s.db") or [0])[0] == CALLS + 1 and
             not words(session), "all in the store, each slot free")
    first.kill()
    first.wait()
    before = look(temp / "s.db")
    with open(session, "r+b") as file:  # as if it had been killed before that
        file.seek(at)
        file.write(slots)
    program.communicate()
    check(sidecar().wait(), 0, "the next sidecar")
    check(look(temp / "s.db"), before, "calls, rows and losses")
    check(before[0::2], (CALLS + 1, []), "calls and losses")


def main():
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-kept-"))
    try:
        run(pathlib.Path(sys.argv[1]).resolve(), temp)
    except AssertionError as fault:
        print(fault)
        return 1
    finally:
        alive.end(temp)
        shutil.rmtree(temp)
    return 0


sys.exit(main())
