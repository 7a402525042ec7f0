#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real work in a library of Debian with every function bound that can be: the
program prints and returns what it does untraced, and of each function that is
not patched the reason is printed. Libraries with more functions than a process
has room for are bound a part a run. Once as handspan chooses; where that is
cheap once more with every call carried by the other trampoline (Z).

  suite.py PRELOAD HANDSPAN DUMP LIBRARY COMMAND...
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

PRELOAD, HANDSPAN, DUMP, LIBRARY = sys.argv[1:5]
COMMAND = sys.argv[5:]
ROOM = 3900 # of PLAN_HANDLERS_MAX
BARE = {k: v for k, v in os.environ.items()
        if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}


def run(env, top):
    stdin = open(COMMAND[-1], "rb") if COMMAND[-1].endswith(".sql") else \
        subprocess.DEVNULL
    command = COMMAND[:-1] if COMMAND[-1].endswith(".sql") else COMMAND
    done = subprocess.run(command, env=env, cwd=top, stdin=stdin,
                          capture_output=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def path_of(library):
    for line in subprocess.run(["ldconfig", "-p"], capture_output=True,
                               text=True, env=dict(BARE, PATH="/sbin:/usr/sbin"),
                               check=True).stdout.splitlines():
        if line.split() and line.split()[0] == library and "x86-64" in line:
            return os.path.realpath(line.split("=> ")[1])
    sys.exit(f"no {library} here")


def functions(path):
    out = subprocess.run(["nm", "-D", "--defined-only", path],
                         capture_output=True, text=True, check=True).stdout
    return sorted({m[1] for m in re.findall(
        r"^\S+ ([TWi]) ([A-Za-z_]\w*)(?:@\S+)?$", out, re.M)})


def manifests(names):
    """One glob for all of them, or some after some."""
    if len(names) <= ROOM:
        return ['[[span, match("*")]];\n']
    return ["".join(f"[[span]] {n};\n" for n in names[i:i + ROOM])
            for i in range(0, len(names), ROOM)]


def bound_by_check(top):
    out = subprocess.run([HANDSPAN, "check", "-m", "m.manifest", COMMAND[0],
                          "--json"], env=dict(BARE, HANDSPAN_MATCH_MAX="4000"),
                         cwd=top, capture_output=True, text=True, timeout=300,
                         check=False).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return sum(row["bound"] for row in rows if row.get("kind") == "declaration")


def look(top, reasons):
    """Functions bound, by their entries, calls; the reasons of the others."""
    sessions = glob.glob(top + "/dir/session-*.lane")
    text = "".join(subprocess.run([DUMP, s], capture_output=True, text=True,
                                  check=True).stdout for s in sessions)
    sites = re.findall(r"^site (\S+) binding=(\S+) .*reason=(.*)$", text, re.M)
    calls = sum(int(n) for n in re.findall(r"^span .* x(\d+)$", text, re.M))
    for name, binding, reason in sites:
        if binding != "entry":
            short = re.split(r", from 0x|[;,] so ", reason)[0]
            reasons[f"{binding}: {short}"].append(name)
    return (sum(s[1] != "none" for s in sites),
            sum(s[1] == "entry" for s in sites), calls)


def one(top, text, shim, want, reasons):
    """How many functions were patched, calls seen; the faults."""
    with open(top + "/m.manifest", "w", encoding="utf-8") as f:
        f.write(f'[[object("{LIBRARY}")]];\n' + text)
    env = dict(BARE, LD_PRELOAD=PRELOAD, HANDSPAN_DIR=top + "/dir",
               HANDSPAN_SIDECAR="off", HANDSPAN_MATCH_MAX="4000",
               HANDSPAN_MANIFEST=top + "/m.manifest", **shim)
    got = run(env, top)
    bound, patched, calls = look(top, reasons)
    subprocess.run(["rm", "-rf", top + "/dir"], check=True)
    faults = []
    if got != want:
        faults.append(f"untraced {want[0]} {want[1][-200:]!r} {want[2]!r}, "
                      f"traced {got[0]} {got[1][-200:]!r} {got[2]!r}")
    said = bound if shim else bound_by_check(top)
    if said != bound:
        faults.append(f"check says that {said} are bound, the run {bound}")
    return patched, calls, faults


def main():
    names = functions(path_of(LIBRARY))
    faults = []
    for shim in ({}, {"HANDSPAN_TEST_SHIM": "zero"})[:1 + (len(names) < 6000)]:
        patched, calls, reasons = 0, 0, collections.defaultdict(list)
        with tempfile.TemporaryDirectory(prefix="handspan-suite-",
                                         dir=os.environ.get("TEST_MEMORY")) \
             as top:
            want = run(BARE, top)
            if want[0] < 0 or not want[1] or b"wrong" in want[1]:
                sys.exit(f"untraced: {want}")
            for text in manifests(names):
                more = one(top, text, shim, want, reasons)
                patched += more[0]
                calls += more[1]
                faults += more[2]
        print(f"{LIBRARY}: {patched} of {len(names)} functions patched "
              f"{shim or ''}, {calls} calls seen")
        for reason, which in sorted(reasons.items()):
            print(f"{len(which):5} {reason}: {' '.join(sorted(which)[:8])} ...")
        if calls == 0 or patched < len(names) / 2:
            faults.append(f"{patched} functions patched, {calls} calls")
    for fault in faults:
        print("WRONG", fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
