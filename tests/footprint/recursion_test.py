#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A handler that fills its stack comes as deep traced as untraced, whatever
the stack's size and whoever made it.

  recursion_test.py PRELOAD RECURSION
"""
import os
import resource
import subprocess
import sys
import tempfile

KIB = 1024
SIZES = (16 * KIB, 24 * KIB, 32 * KIB, 64 * KIB, 128 * KIB, 1024 * KIB,
         8192 * KIB)
MANIFEST = "[[object(main)]];\n[[span]] int down(int n);\n"


def cases():
    for kind in ("thread", "own", "fiber", "signal"):
        for size in SIZES:
            yield kind, size, 60
    for size in (128 * KIB, 1024 * KIB, 8192 * KIB):
        yield "main", size, 70


def run(program, kind, size, percent, env):
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if kind == "main":
            hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
            resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
    done = subprocess.run([program, kind, str(size), str(percent)], env=env,
                          capture_output=True, timeout=300, preexec_fn=limit)
    return done.returncode, done.stdout, done.stderr


def main():
    preload, program = sys.argv[1:3]
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_"))}
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="handspan-stack-") as top:
        manifest = os.path.join(top, "m.manifest")
        with open(manifest, "w") as out:
            out.write(MANIFEST)
        traced = dict(bare, LD_PRELOAD=preload, HANDSPAN_MANIFEST=manifest,
                      HANDSPAN_DIR=os.path.join(top, "dir"),
                      HANDSPAN_SIDECAR="off")
        for kind, size, percent in cases():
            plain = run(program, kind, size, percent, bare)
            for shim in ("frame", "zero"):
                got = run(program, kind, size, percent,
                          dict(traced, HANDSPAN_TEST_SHIM=shim))
                wrong += got != plain
                if got != plain or plain[0] != 0:
                    print(f"WRONG {kind} of {size}, {shim}: {got}, untraced "
                          f"{plain}")
        print(f"{wrong} wrong of {2 * len(list(cases()))}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
