#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions of a call on the plain way, as valgrind counts them, within 3 %
of what they were when somebody last looked. More: say why, or cure it. Fewer:
write the new figure here and into docs/bench.md.

  path_test.py PRELOAD PROGRAM COMPILER     PROGRAM is path.c
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

MANIFEST = """[[object(main)]];
[[span, capture("none")]] long names(long n);
[[span, input(text, n), output(return)]] long values(const char *text, long n);
[[carry(item)]] long give(long item);
[[adopt(return)]] long take(long item);
"""
CALLS, MOST = 1000, 0.03
# more than untraced; valgrind is told of each text that is read, 56 of these
EXPECTED = {"GNU 12": {"names": 262, "values": 726, "carry": 1070}}


def count(what, env, top):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--vgdb=no", "--smc-check=all",
         "--toggle-collect=measured", "--callgrind-out-file=/dev/null",
         PROGRAM, what], env=env, cwd=top, capture_output=True, text=True,
        check=False, timeout=300)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if not found or done.returncode != 0:
        sys.exit(f"{what}: {done.returncode}\n{done.stderr[-2000:]}")
    return int(found.group(1)) / CALLS


def has_ticks(top):
    """Did the processes that wrote here take rdtsc for their clock?"""
    with open(glob.glob(top + "/dir/session-*")[0], "rb") as f:
        return f.read(80)[76] == 1


def main():
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return 77
    expected = EXPECTED.get(COMPILER)
    if not expected:
        print(f"skipped: nobody counted what {COMPILER} makes of it")
        return 77
    bad = 0
    top = tempfile.mkdtemp(prefix="handspan-cost-",
                           dir=os.environ.get("TEST_MEMORY"))
    with open(top + "/m", "w", encoding="utf-8") as f:
        f.write(MANIFEST)
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    traced = dict(bare, LD_PRELOAD=PRELOAD, HANDSPAN_TEST_CPU="assumed",
                  HANDSPAN_TEST_ERRORS="off", HANDSPAN_SIDECAR="off",
                  HANDSPAN_DIR=top + "/dir", HANDSPAN_MANIFEST=top + "/m")
    try:
        for what, then in expected.items():
            more = count(what, traced, top) - count(what, bare, top)
            if not has_ticks(top):
                print("skipped: another clock than rdtsc here")
                return 77
            is_same = abs(more - then) <= MOST * then
            print(f"{what}: {more:.1f} instructions, {then} expected" +
                  ("" if is_same else ": that is more than 3 % off"))
            bad += not is_same
    finally:
        shutil.rmtree(top)
    return 1 if bad else 0


PRELOAD, PROGRAM = (os.path.abspath(a) for a in sys.argv[1:3])
COMPILER = sys.argv[3]
sys.exit(main())
