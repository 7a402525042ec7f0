#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A record beside a full log is counted once, also where the sidecar is killed
after it stored it and before it gave its slot back.

usage: kept.py BUILD_DIR

The first sidecar stores all and is killed; then the slots have again what they
had before it came, as if it had been killed that moment earlier.
"""
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CALLS = 40000  # 64 bytes each: more than a megabyte
LANE_BYTES, KEPT_AT, KEPT_BYTES = 86016, 69632, 256 * 64
MANIFEST = """[[object(main)]];
[[span]] long inner(long number);
[[span]] long outer(long calls);
"""


def lane_at(file):
    """Where the first lane stands (docs/lane.md)."""
    file.seek(112 + 8 * 16)
    offset, size, _ = struct.unpack("<QII", file.read(16))
    assert size == LANE_BYTES, size
    return offset


def kept_read(session):
    with open(session, "rb") as file:
        file.seek(lane_at(file) + KEPT_AT)
        return file.read(KEPT_BYTES)


def kept_write(session, kept):
    with open(session, "r+b") as file:
        file.seek(lane_at(file) + KEPT_AT)
        file.write(kept)


def words(kept):
    return [w for w in struct.unpack_from("<" + "56xQ" * 256, kept) if w]


def wait(what):
    end = time.monotonic() + 300
    while not what():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.01)  # for a state


def calls(store, name):
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as base:
        return base.execute(
            "SELECT coalesce(sum(calls), 0) FROM rollups JOIN sites USING "
            "(session, site) WHERE name = ?", (name,)).fetchone()[0], \
            base.execute("SELECT count(*) FROM losses WHERE kind = "
                         "'corrupt_items'").fetchone()[0]


def run(build, temp):
    (temp / "m").write_text(MANIFEST)
    (temp / "d").mkdir(mode=0o700)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_"))}
    env |= {"HANDSPAN_DIR": str(temp / "d"), "HANDSPAN_CONFIG": "/dev/null",
            "HANDSPAN_STORE": str(temp / "s.db"), "HANDSPAN_SIDECAR": "off",
            "HANDSPAN_MANIFEST": str(temp / "m"), "HANDSPAN_BUDGET_MB": "1"}
    handspan = str(build / "bin" / "handspan")
    sidecar = lambda *more: subprocess.Popen(
        [handspan, "sidecar", *more], env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL)
    with subprocess.Popen(
            [str(build / "bin" / "kept_program"), str(CALLS)], text=True,
            env=env | {"LD_PRELOAD": str(build / "lib" / "libhandspan.so")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout.readline().strip() == \
            str(3 * CALLS * (CALLS - 1) // 2)
        session = next((temp / "d").glob("session-*"))
        before = kept_read(session)
        assert words(before), "nothing was kept"
        first = sidecar("--stay")
        try:
            wait(lambda: not words(kept_read(session)))
        finally:
            first.kill()
            first.wait()
        assert calls(temp / "s.db", "outer") == (1, 0)
        kept_write(session, before)
        program.communicate("go on\n")
        assert program.returncode == 0
    assert sidecar().wait() == 0
    got = {name: calls(temp / "s.db", name) for name in ("outer", "inner")}
    assert got == {"outer": (1, 0), "inner": (CALLS, 0)}, got
    assert not list((temp / "d").glob("session-*"))


def main():
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-kept-",
                                         dir=os.environ.get("TEST_MEMORY")))
    try:
        run(pathlib.Path(sys.argv[1]).resolve(), temp)
    finally:
        alive.remove(temp)
    return 0


sys.exit(main())
