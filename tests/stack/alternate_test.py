#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals on alternate stacks of all sizes: the program prints and ends as it
does untraced.

  alternate_test.py PRELOAD PROGRAM

PROGRAM is alternate.c. Prints what untraced programs make of it: which sizes
the processor leaves room in differs.
"""
import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_S = 300
# min: what sysconf(_SC_MINSIGSTKSZ) says; the kernel's frame takes about that
SIZES = ["2048", "min-800", "min", "min+128", "min+512", "min+1024",
         "min+2048", "8192", "65536"]
# nothing of ours on the stack
ENTRIES = ["fault", "abort", "thread", "child", "told", "leaves", "jumps",
           "registers", "overflow", "full"]
# handlers that call what we watch: at least 512 bytes of room
CALLS = ["aborts", "raises", "resets", "kills"]
ROOM_FOR_CALLS = SIZES.index("min+512")


def run(program, size, way, env):
    done = subprocess.run([program, size, way], env=env, capture_output=True,
                          timeout=TIMEOUT_S, check=False)
    return done.returncode, done.stdout, done.stderr


def name(status):
    return signal.Signals(-status).name if status < 0 else f"exit {status}"


def main(preload, program):
    top = tempfile.mkdtemp(prefix="handspan-alternate-")
    plain = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    traced = {**plain, "LD_PRELOAD": preload, "HANDSPAN_DIR": top,
              "HANDSPAN_SIDECAR": "off",
              "HANDSPAN_MANIFEST": HERE + "/alternate.manifest"}
    seen, wrong = collections.Counter(), []
    for i, size in enumerate(SIZES):
        for way in ENTRIES + CALLS:
            if way in CALLS and i < ROOM_FOR_CALLS and size != "2048":
                continue
            meant = run(program, size, way, plain)
            got = run(program, size, way, traced)
            seen[way, name(meant[0])] += 1
            if got != meant:
                wrong.append(f"{size} {way}: {got}, untraced {meant}")
    shutil.rmtree(top)
    for (way, end), count in sorted(seen.items()):
        print(f"{way:10} {count} x {end}")
    for line in wrong:
        print("WRONG", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
