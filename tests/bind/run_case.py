#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One case: run a program untraced and traced, compare everything a caller
sees, then compare what stands in the session with what is expected.

  run_case.py PRELOAD DUMP PROGRAM CASE MODE [--update]

CASE is the path of the case without ending (CASE.manifest, CASE.expect). MODE:
auto, or a trampoline to force (frame, zero), or slots (no decoder).
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

# tmpfs where there is one: making pages real on a disk takes milliseconds
SHM = os.environ.get("TEST_MEMORY")
TIME_LIMIT_S = 20


def run(program, env):
    done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIME_LIMIT_S)
    return done.returncode, done.stdout, done.stderr


def canonical(text):
    """The lines that do not depend on machine or trampoline."""
    lines = []
    for line in text.splitlines():
        if line == "notes":
            break
        if line.startswith(("process ", "span ")):
            lines.append(line)
        elif line.startswith("site "):
            got = re.fullmatch(r"site (.+) binding=(\S+) shim=\S+ "
                               r"symbol=.* object=\S* reason=(.*)", line)
            name, binding, reason = got.groups()
            lines.append(f"site {name} {binding}" +
                         (f": {reason}" if binding == "none" else ""))
        elif line.startswith("losses "):
            if re.search(r"=[1-9]", line):
                lines.append(line)
        elif not line.startswith(("internal ", "trace ", "errors 0", "items ",
                                  "service ")):
            lines.append(line)
    return sorted(lines)


def main():
    preload, dump, program, case, mode = sys.argv[1:6]
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    bare.pop("TRACEPARENT", None)
    with tempfile.TemporaryDirectory(prefix="handspan-bind-", dir=SHM) as top:
        where = os.path.join(top, "dir")
        env = dict(bare, LD_PRELOAD=preload, HANDSPAN_DIR=where,
                   HANDSPAN_MANIFEST=case + ".manifest",
                   HANDSPAN_SIDECAR="off")
        if mode in ("frame", "zero"):
            env["HANDSPAN_TEST_SHIM"] = mode
        if mode == "slots":
            env["HANDSPAN_TEST_DECODER"] = "off"
        plain, traced = run(program, bare), run(program, env)
        if plain != traced:
            print("untraced", plain, "\ntraced  ", traced, sep="\n")
            return 1
        sessions = glob.glob(where + "/session-*.lane")
        if len(sessions) != 1:
            print("sessions:", sessions)
            return 1
        text = subprocess.run([dump, sessions[0]], capture_output=True,
                              text=True, check=True).stdout
    got = canonical(text)
    path = case + (".slots" if mode == "slots" else "") + ".expect"
    if "--update" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(got) + "\n")
        return 0
    with open(path, encoding="utf-8") as f:
        want = sorted(f.read().splitlines())
    if got == want:
        return 0
    for line in sorted(set(got) | set(want)):
        mark = " " if line in got and line in want else \
            "+" if line in got else "-"
        print(mark, line)
    print("\nall of it:", text, sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
