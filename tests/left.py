#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests left behind: files in the place that tests/environment.cmake gave
them, a store or settings in their home, a directory in the default place,
processes that are still alive. Says it, removes it, and fails.

  left.py     as ctest runs it: TMPDIR and TEST_MEMORY say where
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "common"))
import alive  # noqa: E402

PATIENCE_S = 20  # a sidecar that has stored all and goes


def files(place, memory):
    """What is no cache of the programs that were run."""
    left = [p for top in (place / "tmp", place / "run", memory)
            if top.is_dir() for p in top.iterdir()]
    return left + [p for p in (place / "home").rglob("*handspan*")]


def look(place, memory):
    """Lines of what is left, after some time for what is just going."""
    left = alive.wait_for_none(place, memory, seconds=PATIENCE_S)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return ([f"process {pid}: {what}" for pid, what in left.items()] +
            [f"{'folder' if p.is_dir() else 'file'} {p}: "
             f"{sorted(os.listdir(p))[:5] if p.is_dir() else p.stat().st_size}"
             for p in files(place, memory)])


def sees_what_is_left():
    """A check that cannot fail is none."""
    with tempfile.TemporaryDirectory() as top:
        place, memory = pathlib.Path(top, "p"), pathlib.Path(top, "m")
        for path in (place / "tmp" / "x", place / "run" / "y", memory / "z",
                     place / "home" / ".local" / "share" / "handspan",
                     place / "home" / ".cache" / "other"):
            path.mkdir(parents=True)
        with subprocess.Popen(["sleep", "100"], cwd=memory / "z") as child:
            seen = alive.processes(memory), len(files(place, memory))
            child.kill()
        assert list(seen[0]) == [child.pid] and seen[1] == 4, seen


def main():
    place = pathlib.Path(os.environ["TMPDIR"]).parent
    memory = pathlib.Path(os.environ["TEST_MEMORY"])
    sees_what_is_left()
    left = look(place, memory)
    for line in left:
        print("left behind:", line)
    for top in place, memory:
        shutil.rmtree(top, ignore_errors=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
