#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a session takes of memory before the first traced call: so much that
10,000 short processes at once fit into half a GiB.

usage: size.py BUILD_DIR
"""
import os
import pathlib
import subprocess
import sys
import tempfile

MOST_BYTES = 52 << 10
MANIFEST = """[[object(main)]];
[[span]] long plain(long number);
"""


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="handspan-size-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        temp = pathlib.Path(top)
        (temp / "m").write_text(MANIFEST)
        (temp / "d").mkdir(mode=0o700)
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("HANDSPAN", "LD_"))}
        env.update(HANDSPAN_DIR=str(temp / "d"), HANDSPAN_CONFIG="/dev/null",
                   HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=str(temp / "m"),
                   LD_PRELOAD=str(build / "lib" / "libhandspan.so"))
        # it calls nothing, and no failure is told
        done = subprocess.run(["true"], env=env, check=False)
        (session,) = (temp / "d").glob("session-*")
        taken = session.stat().st_blocks * 512
        print(f"status {done.returncode}, a session of {taken >> 10} KiB, at "
              f"most {MOST_BYTES >> 10}")
        return done.returncode != 0 or not 4096 < taken <= MOST_BYTES


sys.exit(main())
