#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the pass over an object costs that finds who branches where, now and at
a commit, in turn; the least of each.

  branches.py [--commit C] [--rounds N] FILE...     (of a git checkout)
"""
import argparse
import pathlib
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent


def build(tree, out, large_pages):
    subprocess.run(["cc", "-O2", "-w", f"-DUSE_LARGE_PAGES={large_pages}", "-I",
                    tree, "-o", out, *sorted(tree.glob("shim/plan/**/*.c")),
                    SOURCE / "bench/branches.c", "-lZydis"], check=True)


def measure(tool, files, least):
    out = subprocess.run([tool, *files], stdout=subprocess.PIPE, text=True,
                         check=False).stdout
    for line in out.splitlines():
        path, size, ms = line.split("\t")
        least[path] = (size, min(float(ms), least.get(path, (0, 1e9))[1]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commit", default="94e14ee")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="handspan-branches-") as top:
        old = pathlib.Path(top) / "tree"
        old.mkdir()
        archive = subprocess.run(["git", "-C", SOURCE, "archive", args.commit,
                                  "shim/plan"], stdout=subprocess.PIPE,
                                 check=True)
        subprocess.run(["tar", "-x", "-C", old], input=archive.stdout,
                       check=True)
        build(old, f"{top}/before", 0)
        build(SOURCE, f"{top}/now", 1)
        before, now = {}, {}
        for _ in range(args.rounds):
            measure(f"{top}/before", args.files, before)
            measure(f"{top}/now", args.files, now)
    for path, (size, ms) in now.items():
        print(f"{path}: {size} MB, {args.commit} {before[path][1]:.2f} ms, now "
              f"{ms:.2f} ms, x{ms / before[path][1]:.2f}")


if __name__ == "__main__":
    main()
