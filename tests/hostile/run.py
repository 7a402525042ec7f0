#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three programs (C, C++ with exceptions, threads) in hostile surroundings, one
line of cases.txt each: they say and return what they do untraced.

  run.py PRELOAD BUILT THREADS [PATTERN]

BUILT: the folder of hostile_arrange, hostile_c and hostile_cxx. What cannot be
arranged here is skipped, by name.
"""
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MANIFEST = ("[[object(main)]];\n[[span, input(n), output(return), "
            "fails(return < 0)]] int work(int n);\n")
CANNOT = 77


def numbers():
    """{name of a system call: its number}"""
    text = subprocess.run(
        ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c",
         "/dev/null"], capture_output=True, text=True, check=True).stdout
    return {m[0]: m[1] for m in
            re.findall(r"#define __NR_(\w+) (\d+)$", text, re.M)}


def cases(arrange):
    known = numbers()
    with open(os.path.join(HERE, "cases.txt"), encoding="utf-8") as f:
        for row in f:
            if not row.strip() or row.startswith("#"):
                continue
            name, way = row.rstrip("\n").split(None, 1)
            if way.startswith("!"):
                yield name, shlex.split(way[1:])
                continue
            way = re.sub(r"(kill|refuse|nosys):(\w+)",
                         lambda m: f"{m[1]}={known[m[2]]}", way)
            yield name, [arrange, way]


def run(command, env, cwd):
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=200)
    return (done.returncode, done.stdout,
            re.sub(rb"==\d+==|pid \d+", b"", done.stderr))


def main():
    preload, built, threads = sys.argv[1:4]
    pattern = sys.argv[4] if len(sys.argv) > 4 else "*"
    programs = [os.path.join(built, "hostile_c"),
                os.path.join(built, "hostile_cxx"), threads]
    same = wrong = skipped = sessions = kept_out = told = 0
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_", "TRACE"))}
    with tempfile.TemporaryDirectory(prefix="handspan-hostile-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        manifest, work = top + "/m.manifest", top + "/work"
        directory = top + "/dir"
        os.mkdir(work)
        os.chmod(top, 0o755)
        os.chmod(work, 0o777)
        with open(manifest, "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        for name, way in cases(os.path.join(built, "hostile_arrange")):
            if not fnmatch.fnmatch(name, pattern):
                continue
            differences = []
            for program in programs:
                if not shutil.which(way[0]):
                    break
                want = run(way + [program], bare, work)
                if want[0] == CANNOT or "unshare" in way and \
                        b"Operation not permitted" in want[2]:
                    break
                for shim in ("frame", "zero"):
                    env = dict(bare, HANDSPAN_MANIFEST=manifest,
                               HANDSPAN_DIR=directory, HANDSPAN_SIDECAR="off",
                               HANDSPAN_TEST_SHIM=shim)
                    key = "LD_PRELOAD" if way[0][0] != "/" or \
                        "arrange" not in way[0] else "ARRANGE_PRELOAD"
                    env[key] = preload
                    got = run(way + [program], env, work)
                    if got != want:
                        differences.append(
                            f"{os.path.basename(program)}, {shim}: "
                            f"{str(got)[:300]}, untraced {str(want)[:200]}")
                    kept_out += "kill" in way[-1]
                    for left in os.listdir(directory) if os.path.isdir(
                            directory) else ():
                        has_session = left.startswith("session-")
                        sessions += has_session
                        kept_out -= has_session and "kill" in way[-1]
                        path = os.path.join(directory, left)
                        if left == "log":
                            with open(path, encoding="utf-8") as f:
                                told += "below a seccomp filter" in f.read()
                        if os.path.isfile(path):
                            os.unlink(path)
            else:
                same += not differences
                wrong += bool(differences)
                for text in differences:
                    print(f"WRONG {name}: {text}")
                continue
            print("skipped", name)
            skipped += 1
    print(f"{same} surroundings equal, {wrong} different, {skipped} skipped; "
          f"{sessions} sessions; a filter kept us out of {kept_out} runs, "
          f"the log says so of {told}")
    return 1 if wrong or same == 0 or sessions == 0 or \
        kept_out != told else 0


if __name__ == "__main__":
    sys.exit(main())
