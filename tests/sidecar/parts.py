#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a dead process left is stored in parts: a sidecar that is killed half way
has stored some of it, and the next one goes on there.

usage: parts.py BUILD_DIR

How many writes to the log of the store there are is counted first, with another
run of the same program.
"""
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CALLS = 60000
MANIFEST = "[[object(main)]];\n[[span]] long inner(long number);\n"


class Place:
    """A session whose only process is dead."""

    def __init__(self, build, temp):
        self.build, self.temp = build, temp
        temp.mkdir()
        (temp / "d").mkdir(mode=0o700)
        (temp / "m").write_text(MANIFEST)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_"))}
        self.env |= {"HANDSPAN_DIR": str(temp / "d"),
                     "HANDSPAN_STORE": str(temp / "s.db"),
                     "HANDSPAN_CONFIG": "/dev/null", "HANDSPAN_SIDECAR": "off",
                     "HANDSPAN_MANIFEST": str(temp / "m")}
        done = subprocess.run(
            [build / "bin" / "kept_program", str(CALLS)], input=b"go on\n",
            stdout=subprocess.DEVNULL, env=self.env | {
                "LD_PRELOAD": str(build / "lib" / "libhandspan.so")})
        assert done.returncode == 0, done

    def sidecar(self, **faults):
        return subprocess.run(
            [self.build / "bin" / "handspan", "sidecar"],
            stdin=subprocess.DEVNULL, env=self.env | faults | {
                "LD_PRELOAD": str(self.build / "lib" / "libops_faulty.so"),
                "FAULT_BELOW": str(self.temp / "s.db-wal")}).returncode

    def stored(self):
        """(rows, calls, losses)"""
        with contextlib.closing(sqlite3.connect(
                f"file:{self.temp}/s.db?mode=ro", uri=True)) as store:
            return store.execute(
                "SELECT (SELECT count(*) FROM spans), (SELECT sum(calls) FROM "
                "rollups), (SELECT count(*) FROM losses)").fetchone()


def run(build, temp):
    counted = Place(build, temp / "counted")
    log = temp / "log"
    assert counted.sidecar(FAULT_LOG=str(log)) == 0
    assert counted.stored() == (CALLS, CALLS, 0), counted.stored()
    writes = len(log.read_text().splitlines())
    killed = Place(build, temp / "killed")
    status = killed.sidecar(FAULT_KIND="kill", FAULT_AT=str(writes // 2))
    assert status == -signal.SIGKILL, status
    rows = killed.stored()[0]
    assert 0 < rows < CALLS, f"{rows} rows at half of {writes} writes"
    assert killed.sidecar() == 0
    assert killed.stored() == (CALLS, CALLS, 0), killed.stored()
    print(f"killed at {rows} rows of {CALLS}; each call is stored once")


def main():
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-parts-",
                                         dir=os.environ.get("TEST_MEMORY")))
    try:
        run(pathlib.Path(sys.argv[1]).resolve(), temp)
    finally:
        alive.remove(temp)
    return 0


sys.exit(main())
