#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a start costs that is not the first of its kind, in instructions: a
program of which nothing is traced, and the same for 4 and for 64 functions of a
library, whose plans and names were kept. Each is held to within a few percent:
what makes it larger is to be known.

  start_test.py PRELOAD
"""
import os
import sys
import time

from base import Place

# instructions more than untraced, measured 2026-11-30 (gcc 12 and clang 14)
NOTHING = 0.82e6
A_FUNCTION = 51200  # two thirds of it are its line of the manifest
ABOVE = 1.15  # other kernels, other libraries of C
FIRST = 4      # times that a start costs at least which knows nothing
COUNTS = (4, 64)


def main():
    preload = os.path.abspath(sys.argv[1])
    with Place() as p:
        text = "".join(f"int work_{i}(int n) {{ int a[8]; for (int k = 0; k < 8; "
                       f"k++) a[k] = n * {i} + k; return a[n & 7]; }}\n"
                       for i in range(max(COUNTS)))
        library = p.library("work", text)
        program = p.program("main.c", "int main(void) { return 0; }\n",
                            "-Wl,--no-as-needed", library)
        manifests = {0: '[[object("nothing.so")]];\n[[span]] int other(int i);\n'}
        for count in COUNTS:
            manifests[count] = '[[object("work.so")]];\n' + "".join(
                f"[[span]] int work_{i}(int n);\n" for i in range(count))
        while time.time() < os.stat(library).st_ctime + 3:
            time.sleep(0.1)  # a file that changed just now is not kept
        plain, _ = p.collected(program, preload="")
        more = {}
        for count, lines in manifests.items():
            manifest = p.write(f"{count}.manifest", lines)
            env = dict(HANDSPAN_DIR=f"{p.at}/dir-{count}",
                       HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=manifest)
            more[count] = [p.collected(program, preload=preload, **env)[0] -
                           plain for _ in range(2)]
    few, many = COUNTS
    each = (more[many][1] - more[few][1]) / (many - few)
    print(f"instructions more than untraced ({plain}), first and then: {more}, "
          f"{each:.0f} a function")
    bad = [what for what, is_so in (
        ("nothing is traced", more[0][1] <= NOTHING * ABOVE),
        ("a function", each <= A_FUNCTION * ABOVE),
        ("it was known", more[many][0] > FIRST * more[many][1])) if not is_so]
    if bad:
        print("too much:", ", ".join(bad))
    return bool(bad)


sys.exit(main())
