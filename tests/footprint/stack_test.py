#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a traced call needs of the program's stack: the numbers that
docs/footprint.md states, for F and Z, on stacks of 16 KiB to 1 MiB with an
inaccessible page below.

  stack_test.py PRELOAD NEEDS
"""
import os
import subprocess
import sys
import tempfile

# More than the function itself takes, and than the same call takes untraced.
KNOWN_BYTES = 128
FIRST_BYTES = 768
HANDLER_BYTES = 64
MANIFEST = "[[object(main)]];\n[[span]] int warm(int n);\n[[span]] take;\n"


def main():
    preload, needs = sys.argv[1:3]
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

        def works(env, first, stack, left):
            return subprocess.run(
                [needs, str(first), str(stack), str(left),
                 str(HANDLER_BYTES)], env=env, capture_output=True,
                timeout=300).stdout == b"ok\n"

        alone = HANDLER_BYTES + 16  # and its return address
        if not works(bare, 1, 16384, alone) or works(bare, 1, 16384, 16):
            print("the measure itself is wrong")
            return 1
        for shim in ("frame", "zero"):
            env = dict(traced, HANDSPAN_TEST_SHIM=shim)
            for stack in (16384, 65536, 1 << 20):
                for first, more in ((0, KNOWN_BYTES), (1, FIRST_BYTES)):
                    ok = works(env, first, stack, alone + more)
                    wrong += not ok
                    print(f"{'ok   ' if ok else 'WRONG'} {shim}, stack of "
                          f"{stack}, {'first' if first else 'a later'} call, "
                          f"{more} bytes more than untraced")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
