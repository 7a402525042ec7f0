#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A span without error executes the same instructions with and without the
stack context of errors: valgrind counts those of 2,000 spans.

  cost_test.py PRELOAD PROGRAM     PROGRAM is plain.c
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MANIFEST = """[[object(main)]];
[[span]] int plain(int n);
[[span, fails(return < 0)]] int ruled(int n, const char *name);
"""
SPANS, MOST_EACH = 2000, 1000


def count(env, top):
    said = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
         "--callgrind-out-file=/dev/null", PROGRAM], env=env, cwd=top,
        capture_output=True, text=True, check=True, timeout=300).stderr
    return int(re.search(r"Collected : (\d+)", said).group(1))


def main():
    if not shutil.which("valgrind"):
        print("no valgrind")
        return 77
    shm = os.environ.get("TEST_MEMORY")
    top = tempfile.mkdtemp(prefix="handspan-cost-", dir=shm)
    with open(top + "/m", "w", encoding="utf-8") as f:
        f.write(MANIFEST)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HANDSPAN_")}
    env.update(LD_PRELOAD=PRELOAD, HANDSPAN_DIR=top + "/dir",
               HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=top + "/m")
    try:
        watched = count(env, top)
        plain = count(dict(env, HANDSPAN_TEST_ERRORS="off"), top)
    finally:
        shutil.rmtree(top)
    print(f"{watched / SPANS:.1f} instructions a span, {plain / SPANS:.1f} "
          "without")
    # 0 spans would be the same as well
    return 0 if watched == plain and plain > 100 * SPANS and \
        plain < MOST_EACH * SPANS else 1


PRELOAD, PROGRAM = (os.path.abspath(a) for a in sys.argv[1:3])
sys.exit(main())
