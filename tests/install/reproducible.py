#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packages are the same bytes from the same sources: made twice, in two
folders whose names differ in text and length, at different times.

usage: reproducible.py SOURCE
"""
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(sys.argv[1])


def copied_to(at):
    shutil.copytree(SOURCE, at, symlinks=True, ignore=lambda folder, names: [
        n for n in names if n == ".git" or n.startswith("build")
        and folder == SOURCE])
    return at


def made_in(at):
    """The packages of a copy of the sources."""
    subprocess.run([os.path.join(at, "share/make-package")], check=True,
                   stdout=subprocess.DEVNULL,
                   env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))
    return glob.glob(at + "/build/package/handspan_*.deb") + \
        glob.glob(at + "/build/package/handspan_*.tar.gz")


def files_of(package, into):
    """{path: hash} of what it installs, to say what differs."""
    os.mkdir(into)
    if package.endswith(".deb"):
        subprocess.run(["dpkg-deb", "-R", package, into], check=True)
    else:
        subprocess.run(["tar", "-xf", package, "-C", into], check=True)
    found = {}
    for folder, _, names in os.walk(into):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, into)] = hashlib.sha256(
                    f.read()).hexdigest()
    return found


def main():
    failed = False
    with tempfile.TemporaryDirectory(prefix="reproducible-") as top:
        places = [copied_to(os.path.join(top, name))
                  for name in ("a", "another-longer-name")]
        first, second = map(made_in, places)
        assert len(first) == len(second) == 2, (first, second)
        for i, (one, two) in enumerate(zip(first, second)):
            with open(one, "rb") as x, open(two, "rb") as y:
                same = x.read() == y.read()
            print(f"{os.path.basename(one)}: "
                  f"{'the same' if same else 'they differ'}", flush=True)
            if same:
                continue
            failed = True
            a, b = files_of(one, f"{top}/x{i}"), files_of(two, f"{top}/y{i}")
            for path in sorted(set(a) | set(b)):
                if a.get(path) != b.get(path):
                    print("  " + path)
            if a == b:
                print("  the files are the same: times, order or owners")
    sys.exit(failed)


if __name__ == "__main__":
    main()
