#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every system call that the preload makes fails once, each in a run of its
own: the program says and returns what it does untraced.

  nth_test.py PRELOAD NTH PROGRAM [STEP]

STEP: of so many calls one (1: all).
"""
import collections
import os
import subprocess
import sys
import tempfile

MANIFEST = ("[[object(main)]];\n"
            "[[span, input(n), output(return), fails(return < 0)]] "
            "int work(int n);\n")


def main():
    preload, nth, program = sys.argv[1:4]
    step = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_"))}
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handspan-nth-", dir=shm) as top:
        manifest = os.path.join(top, "m.manifest")
        said = os.path.join(top, "count")
        with open(manifest, "w") as out:
            out.write(MANIFEST)
        env = dict(bare, NTH_PRELOAD=preload, HANDSPAN_MANIFEST=manifest,
                   HANDSPAN_DIR=os.path.join(top, "dir"),
                   HANDSPAN_SIDECAR="off")
        plain = subprocess.run([program], env=bare, capture_output=True,
                               timeout=300)
        plain = plain.returncode, plain.stdout, plain.stderr

        def run(number):
            done = subprocess.run(
                [nth, os.path.basename(preload), str(number), said, program],
                env=env, capture_output=True, timeout=300)
            with open(said) as counted:
                count, failed = map(int, counted.read().split())
            for name in os.listdir(env["HANDSPAN_DIR"]):
                path = os.path.join(env["HANDSPAN_DIR"], name)
                if os.path.isfile(path):
                    os.unlink(path)
            return (done.returncode, done.stdout, done.stderr), count, failed

        got, count, _ = run(0)
        if got != plain or count < 20:
            print(f"WRONG {count} calls, none failing: {got}, untraced {plain}")
            return 1
        wrong, failures = 0, collections.Counter()
        for number in range(1, count + 1, step):
            got, _, failed = run(number)
            failures[failed] += 1
            if got != plain:
                wrong += 1
                print(f"WRONG call {number} (system call {failed}) fails: "
                      f"{got}, untraced {plain}")
        print(f"{count} system calls of the preload, {sum(failures.values())} "
              f"failed in turn ({len(failures)} kinds), {wrong} wrong")
        return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
