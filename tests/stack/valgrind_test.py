#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program under valgrind's tools: what they report of it is what they report
of the untraced one, and none of it names our code.

  valgrind_test.py PRELOAD PROGRAM     PROGRAM is fails.cpp
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Threads that die together: the faults are the program's own, and which of two
# ends valgrind makes of it is a race, untraced as well.
TOGETHER = (1, -11)
RUNS = [("memcheck", ["rules"]), ("memcheck", ["throws"]),
        ("helgrind", ["throws"]), ("helgrind", ["together", "5"]),
        ("helgrind", ["turns", "3"]),
        ("drd", ["crowd", "3"]),
        ("drd", ["throws"]), ("drd", ["together", "5"]),
        ("dhat", ["throws"])]
TIMEOUT_S = 300


def run(tool, args, env, top):
    """Its status, valgrind's errors by kind, and what else valgrind said."""
    done = subprocess.run(
        ["valgrind", f"--tool={tool}", "--log-file=" + top + "/said", PROGRAM,
         *args], env=env, cwd=top, timeout=TIMEOUT_S, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(top + "/said", encoding="utf-8", errors="replace") as f:
        said = f.read()
    counted = re.search(r"ERROR SUMMARY: (\d+)", said)
    assert counted or tool == "dhat", said[-3000:]
    errors = int(counted[1]) if counted else said.count("Warning:")
    return (done.returncode, done.stdout, done.stderr), errors, said


def main():
    if not shutil.which("valgrind"):
        print("no valgrind")
        return 77
    if not os.path.exists("/usr/include/valgrind/drd.h"):
        print("built without valgrind's headers")
        return 77
    failed = []
    with tempfile.TemporaryDirectory(prefix="handspan-valgrind-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        plain = {k: v for k, v in os.environ.items()
                 if not k.startswith("HANDSPAN_")}
        traced = dict(plain, LD_PRELOAD=PRELOAD, HANDSPAN_DIR=top + "/dir",
                      HANDSPAN_SIDECAR="off",
                      HANDSPAN_MANIFEST=HERE + "/fails.manifest")
        for tool, args in RUNS:
            what = f"{tool} {' '.join(args)}"
            meant, theirs, _ = run(tool, args, plain, top)
            got, found, said = run(tool, args, traced, top)
            print(f"{what}: {found} errors, {theirs} untraced")
            if "together" in args:
                same = got[0] in TOGETHER and meant[0] in TOGETHER
                same = same and got[1:] == meant[1:]
            else:
                same = got == meant
            if not same:
                failed.append(f"{what}: {got}, untraced {meant}")
            if found != theirs or "switching stacks" in said:
                failed.append(f"{what}: {said[-4000:]}")
        # and it was traced: a tool that saw none of our code proves nothing
        assert any(n.startswith("session-") for n in os.listdir(top + "/dir"))
    for text in failed:
        print("FAILED", text)
    return 1 if failed else 0


PRELOAD, PROGRAM = (os.path.abspath(a) for a in sys.argv[1:3])
sys.exit(main())
