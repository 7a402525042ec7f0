#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function of an object traced that can be: the program says and returns
what it does untraced. How many functions are patched, why the others are not,
and how many calls were recorded is printed.

  run.py PRELOAD DUMP LABEL [PATTERN]

LABEL: `ci` or `nightly` (all). programs.txt has the objects and command lines,
modules.txt the modules of Debian's libpython3.11-testsuite.
"""
import collections
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import fixture  # noqa: E402

PYTHON, TIMEOUT_S = "/usr/bin/python3", 1500
MOST = "3968"  # functions that one process has room for
# What differs from run to run: addresses, times, pids.
VARYING = re.compile(rb"\ntest_\w+ passed in .*|\d+:\d\d:\d\d(?= (?:Run|load))|"
                     rb"0x[0-9a-f]+|\d+(\.\d+)? ?(ms|sec|min|s)\b|"
                     rb"Total duration: .*|test_python_\w+|\[\d+/\d+\]|load avg: [\d.]+ *")

Line = collections.namedtuple("Line", "is_ci object globs command")


def modules():
    with open(os.path.join(HERE, "modules.txt"), encoding="utf-8") as f:
        return [(line.startswith("ci "), line.split()[-1]) for line in f
                if line.strip() and not line.startswith("#")]


def lines():
    with open(os.path.join(HERE, "programs.txt"), encoding="utf-8") as f:
        for row in f:
            if row.strip() and not row.startswith("#"):
                when, name, globs, command = row.split(None, 3)
                yield Line(when == "ci", name, globs.split(","),
                           ["sh", "-c", command.strip()])
    if os.path.exists("/usr/lib/python3.11/test/test_int.py"):
        test = [PYTHON, "-m", "test", "-q"]
        yield Line(True, "main", ["*"],
                   test + [name for is_ci, name in modules() if is_ci])
        for is_ci, name in modules():
            if not is_ci:
                yield Line(False, "main", ["*"], test + [name])
    else:
        print("skipped: no libpython3.11-testsuite")


class Everything:
    def __init__(self, preload, dump, top, sessions):
        self.dump, self.sessions = dump, sessions
        self.made, self.work = os.path.join(top, "made"), top + "/work"
        self.manifest = top + "/m.manifest"
        os.mkdir(self.made)
        fixture.make(self.made)
        self.bare = {"PATH": "/usr/bin:/bin", "HOME": self.work, "TZ": "UTC",
                     "LC_ALL": "C.UTF-8", "TMPDIR": self.work,
                     "PYTHONHASHSEED": "0", "TERM": "dumb"}
        self.traced = dict(self.bare, LD_PRELOAD=preload,
                           HANDSPAN_DIR=sessions, HANDSPAN_SIDECAR="off",
                           HANDSPAN_MANIFEST=self.manifest,
                           HANDSPAN_MATCH_MAX=MOST)
        self.patched = self.spans = 0
        self.refused = collections.Counter()

    def run(self, row, env):
        fixture.copy(self.made, self.work)
        done = subprocess.run(row.command, env=env, cwd=self.work,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT_S)
        return (done.returncode, VARYING.sub(b"", done.stdout),
                VARYING.sub(b"", done.stderr))

    def count(self):
        """Functions by verdict, once each; all calls."""
        verdicts, spans = {}, 0
        for name in os.listdir(self.sessions):
            path = os.path.join(self.sessions, name)
            if name.startswith("session-"):
                said = subprocess.run([self.dump, path], capture_output=True,
                                      text=True, errors="replace").stdout
                verdicts.update({(m[2], m[0]): (m[1], m[3]) for m in re.findall(
                    r"^site (\S+) binding=(\S+) .*object=(\S+) reason=(.*)$",
                    said, re.M)})
                spans += sum(map(int, re.findall(r"^span .* x(\d+)$", said,
                                                 re.M)))
            if os.path.isfile(path):
                os.unlink(path)
        patched = sum(v[0] != "none" for v in verdicts.values())
        for how, reason in verdicts.values():
            if how == "none":
                self.refused[re.split(", from|;", reason)[0]] += 1
        self.patched += patched
        self.spans += spans
        return patched, len(verdicts) - patched, spans

    def faults(self, row):
        want, found = self.run(row, self.bare), []
        for glob in row.globs:
            scope = "main" if row.object == "main" else f'"{row.object}"'
            with open(self.manifest, "w", encoding="utf-8") as f:
                f.write(f"[[object({scope})]];\n"
                        f'[[span, match("{glob}")]];\n')
            got = self.run(row, self.traced)
            patched, refused, spans = self.count()
            what = f"{row.object} {glob}: {' '.join(row.command)[:60]}"
            print(f"{what}: {patched} patched, {refused} refused, "
                  f"{spans} spans", flush=True)
            if got != want:
                found.append(f"{what}: {str(got)[-900:]}, untraced "
                             f"{str(want)[-300:]}")
            if patched == 0 or spans == 0:
                found.append(f"{what}: nothing was traced")
        return found


def main():
    preload, dump, label = sys.argv[1:4]
    pattern = sys.argv[4] if len(sys.argv) > 4 else "*"
    same = wrong = 0
    with tempfile.TemporaryDirectory(prefix="handspan-all-") as top, \
            tempfile.TemporaryDirectory(
                prefix="handspan-all-",
                dir=os.environ.get("TEST_MEMORY")) as sessions:
        every = Everything(os.path.realpath(preload), dump, top, sessions)
        for row in lines():
            if not fnmatch.fnmatch(" ".join(row.command), pattern) or \
                    not (row.is_ci or label == "nightly"):
                continue
            found = every.faults(row)
            same += not found
            wrong += bool(found)
            for text in found:
                print("WRONG", text)
    for reason, n in every.refused.most_common():
        print(f"{n:6} refused: {reason}")
    print(f"{same} command lines the same, {wrong} different; "
          f"{every.patched} functions patched, {sum(every.refused.values())} "
          f"refused, {every.spans} spans")
    return 1 if wrong or same == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
