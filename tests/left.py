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
import time

PATIENCE_S = 20  # a sidecar that has stored all and goes


def files(place, memory):
    """What is no cache of the programs that were run."""
    left = [p for top in (place / "tmp", place / "run", memory)
            if top.is_dir() for p in top.iterdir()]
    return left + [p for p in (place / "home").rglob("*handspan*")]


def processes(words):
    """pid: what it is. Told by its environment, its arguments or its folder;
    who is above us is none."""
    above, pid = set(), os.getpid()
    while pid > 1:
        above.add(pid)
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            pid = int(f.read().rsplit(")", 1)[1].split()[1])
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        at = f"/proc/{name}/"
        try:
            with open(at + "cmdline", "rb") as f:
                said = f.read()
            with open(at + "environ", "rb") as f:
                known = said + f.read() + os.fsencode(os.readlink(at + "cwd"))
        except OSError:
            continue
        if int(name) not in above and any(w in known for w in words):
            found[int(name)] = said.replace(b"\0", b" ").decode(errors="replace")
    return found


def look(place, memory):
    """Lines of what is left, after some time for what is just going."""
    words = [os.fsencode(f"{p}/") for p in (place, memory)]
    end = time.monotonic() + PATIENCE_S
    while (alive := processes(words)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return ([f"process {pid}: {what}" for pid, what in alive.items()] +
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
            word = [os.fsencode(f"{memory}/")]
            seen = processes(word), len(files(place, memory))
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
