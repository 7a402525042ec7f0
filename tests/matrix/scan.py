#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All ELF objects of this machine: of how many functions the planner's verdict
is another one than it was at a commit, and the branch that each new refusal is
for. Nightly; by hand.

  scan.py SOURCE COMMIT [FOLDER...]   (FOLDER: /usr/lib /usr/bin ...)
"""
import collections
import os
import pathlib
import subprocess
import sys
import tempfile

FOLDERS = ["/usr/lib", "/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/local",
           "/opt"]
MOST_BYTES = 200 << 20
PATCHED = "it can be patched"


def build(source, commit, top):
    old = pathlib.Path(top) / "old"
    old.mkdir()
    archive = subprocess.run(["git", "-C", source, "archive", commit,
                              "shim/plan"], capture_output=True, check=False)
    if archive.returncode:
        print(f"skipped: no commit {commit} here to compare with")
        sys.exit(77)
    subprocess.run(["tar", "-x", "-C", old], input=archive.stdout, check=True)
    tools = []
    for tree, name, flags in ((old, "before", ["-DWITHOUT_BRANCHES"]),
                              (pathlib.Path(source), "now", [])):
        tool = f"{top}/{name}"
        subprocess.run(["cc", "-O2", "-w", *flags, "-I", tree, "-o", tool,
                        *tree.glob("shim/plan/**/*.c"),
                        f"{source}/tests/matrix/verdicts.c", "-lZydis"],
                       check=True)
        tools.append(tool)
    return tools


def objects(folders):
    seen = set()
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(root, name)
                try:
                    st = os.lstat(path)
                    if not os.path.isfile(path) or os.path.islink(path) or \
                       st.st_size > MOST_BYTES or \
                       (st.st_dev, st.st_ino) in seen:
                        continue
                    with open(path, "rb") as f:
                        head = f.read(20)
                except OSError:
                    continue
                seen.add((st.st_dev, st.st_ino))
                if head[:5] == b"\x7fELF\x02" and head[16] in (2, 3) and \
                   head[18] == 62:
                    yield path


def verdicts(tool, path):
    try:
        out = subprocess.run([tool, path], capture_output=True, timeout=600,
                             check=False)
    except subprocess.TimeoutExpired:
        return None
    if out.returncode != 0:
        return None
    rows = {}
    for line in out.stdout.decode(errors="replace").splitlines():
        parts = line.split("\t", 3)
        if len(parts) == 4:
            rows[parts[0]] = parts[1:]
    return rows


def name_of(path, place):
    out = subprocess.run(["addr2line", "-f", "-e", path, "0x" + place],
                         capture_output=True, text=True, check=False).stdout
    return out.split("\n")[0] if place != "0" else ""


def main():
    source, commit = sys.argv[1:3]
    files = functions = slow = 0
    changes, refusals = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="handspan-scan-") as top:
        before, now = build(source, commit, top)
        for path in objects(sys.argv[3:] or FOLDERS):
            old, new = verdicts(before, path), verdicts(now, path)
            if old is None or new is None:
                slow += old is not None or new is not None
                continue
            files += 1
            functions += len(new)
            for at, (verdict, place, name) in new.items():
                was = old.get(at, ("-",))[0]
                if was == verdict:
                    continue
                changes[was == PATCHED, verdict == PATCHED] += 1
                if was == PATCHED:
                    refusals[verdict] += 1
                    if place == "0": # by its registers, its name, its length
                        continue
                    print(f"refused now: {path}: {name}: {verdict}, from "
                          f"0x{place} {name_of(path, place)}")
                elif verdict == PATCHED:
                    print(f"patched now: {path}: {name}: was: {was}")
    print(f"{files} objects, {functions} functions ({slow} objects took too "
          "long for one of the two)")
    print(f"refused now: {changes[True, False]}, patched now: "
          f"{changes[False, True]}, another reason: {changes[False, False]}")
    for verdict, n in refusals.most_common():
        print(f"{n:6} {verdict}")


if __name__ == "__main__":
    main()
