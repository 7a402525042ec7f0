#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A C and a C++ program that know how often each of their functions is called,
built in every way: traced they print and return the same, each function that is
bound was called as often as they say, and `check` says before the run what the
run says afterwards. Refusals are printed with their reasons.

  matrix.py PRELOAD HANDSPAN DUMP COUNT [PART]   (PART of four: 0..3)
  matrix.py PRELOAD HANDSPAN DUMP entries        (assembly: entries.S)
"""
import collections
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from ways import ENTRIES, ways

HERE = pathlib.Path(__file__).parent
PRELOAD, HANDSPAN, DUMP = sys.argv[1:4]
BARE = {k: v for k, v in os.environ.items()
        if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}


def run(command, env, cwd):
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True,
                          timeout=300, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def build(compiler, flags, source, top):
    if source.endswith(".cc"):
        compiler = {"gcc": "g++", "clang": "clang++"}[compiler]
    done = subprocess.run([compiler, *flags.split(), "-w", "-o",
                           f"{top}/program",
                           *(HERE / name for name in source.split())],
                          capture_output=True, text=True, cwd=top, check=False)
    return done.stderr if done.returncode else None


def check(top):
    """name: (is bound, reason without the names that only files have)"""
    out = run([HANDSPAN, "check", "-m", "m.manifest", "./program", "--json"],
              BARE, top)[1]
    found = {}
    for line in out.splitlines():
        row = json.loads(line)
        if row.get("kind") == "declaration":
            found[row["name"]] = (row["status"] in ("ok", "times", "part"),
                                  re.sub(r" \(\S+\+0x[0-9a-f]+\)", "",
                                         row["remark"] or ""))
    return found


def dump(top):
    found = glob.glob(top + "/dir/session-*.lane")
    if len(found) != 1:
        raise AssertionError(f"{len(found)} sessions")
    text = subprocess.run([DUMP, found[0]], capture_output=True, text=True,
                          check=True).stdout
    calls = collections.Counter()
    for name, n in re.findall(r"^span (\S+) in .* x(\d+)$", text, re.M):
        calls[name] += int(n)
    sites = {m[0]: (m[1] != "none", m[2]) for m in re.findall(
        r"^site (\S+) binding=(\S+) .*reason=(.*)$", text, re.M)}
    return sites, calls


def compare(top, names, counts):
    before, (sites, calls) = check(top), dump(top)
    wrong, refused = [], []
    for name in names:
        is_bound, reason = sites.get(name, (False, "no site"))
        if before[name][0] != is_bound:
            wrong.append(f"{name}: check says {before[name]}, the run "
                         f"{sites.get(name)}")
        if is_bound and calls[name] != counts[name]:
            wrong.append(f"{name}: {calls[name]} calls of {counts[name]}")
        if not is_bound:
            refused.append(f"{name}: {reason.split(';')[0]}")
            if reason.split(",")[0].split(";")[0] not in before[name][1]:
                wrong.append(f"{name}: {reason} / {before[name][1]}")
    return wrong, refused


def one(compiler, flags, source):
    with tempfile.TemporaryDirectory(prefix="handspan-matrix-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        why = build(compiler, flags, source, top)
        if why is not None:
            return None, [why.strip().splitlines()[-1]]
        want = run(["./program"], BARE, top)
        counts = {n: int(c) for n, c in
                  re.findall(r"^count (\S+) (\d+)$", want[1], re.M)}
        if want[0] == 127 and not counts:  # the loader refuses it
            return None, [want[2].strip()]
        with open(top + "/m.manifest", "w", encoding="utf-8") as f:
            f.write("[[object(main)]];\n" +
                    "".join(f"[[span]] {n};\n" for n in counts))
        env = dict(BARE, LD_PRELOAD=PRELOAD, HANDSPAN_DIR=top + "/dir",
                   HANDSPAN_SIDECAR="off",
                   HANDSPAN_MANIFEST=top + "/m.manifest")
        got = run(["./program"], env, top)
        if got != want:
            return [f"untraced {want[0]} {want[1][:60]!r}, traced {got[0]} "
                    f"{got[1][:60]!r} {got[2][:200]!r}"], []
        return compare(top, counts, counts)


def programs():
    """compiler, flags, source"""
    if sys.argv[4] == "entries":
        for flags in ENTRIES:
            yield "gcc", flags, "entries.c entries.S"
        return
    part = int(sys.argv[5]) if len(sys.argv) > 5 else None
    for i, (compiler, flags) in enumerate(ways(int(sys.argv[4]))):
        if part is None or i % 4 == part:
            yield compiler, flags, "program.c"
            yield compiler, flags, "program.cc"


def main():
    reasons, faults, built = collections.Counter(), 0, 0
    for compiler, flags, source in programs():
        if not shutil.which(compiler):
            continue
        wrong, notes = one(compiler, flags, source)
        if wrong is None:
            print(f"not built: {compiler} {flags} {source}: {notes[0]}")
            continue
        built += 1
        for text in wrong:
            print(f"WRONG {compiler} {flags} {source}: {text}")
        for text in notes:
            print(f"  {compiler} {flags}: {text}")
            reasons[text.split(": ", 1)[1].split(", from")[0]] += 1
        faults += len(wrong)
    for reason, n in reasons.most_common():
        print(f"{n:5} {reason}")
    print(f"{built} programs, {faults} faults")
    sys.exit(1 if faults or built == 0 else 0)


if __name__ == "__main__":
    main()
