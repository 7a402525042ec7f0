#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Odd things that programs do (odd/), one at a time: each says, returns and
leaves what it does untraced, with calls of handlers open around it, and beside a
thread that calls handlers.

  odd.py PRELOAD PROGRAM [all] [PATTERN [PLACE,...]]

Beside a thread with kind Z alone; all: with F, too.
"""
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import tempfile

MANIFEST = """[[object(main)]];
[[span, input(n), output(return), fails(return < 0)]] int work(int n);
[[span, input(text), output(return)]] int look(const char *text);
[[span, input(x), output(return), fails(return > 10.25)]] double mean(double x);
[[span, input(n)]] int deep(int n);
[[span, input(n), output(return)]] int wide(int n, int (*fn)(int));
"""
PLACES = ("plain", "below", "beside")
SHIMS = ("frame", "zero")
CANNOT = 77
SECONDS = 120


class Table:
    def __init__(self, preload, program, is_all, top):
        self.is_all = is_all
        self.program, self.work, self.dir = program, top + "/w", top + "/d"
        os.mkdir(self.work)
        os.chmod(top, 0o755)
        os.chmod(self.work, 0o777)
        manifest = top + "/m.manifest"
        with open(manifest, "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith(("HANDSPAN_", "LD_", "TRACE"))}
        self.traced = dict(self.bare, LD_PRELOAD=preload,
                           HANDSPAN_DIR=self.dir, HANDSPAN_SIDECAR="off",
                           HANDSPAN_MANIFEST=manifest)
        self.same = self.runs = self.skipped = self.sessions = 0
        self.wrong = []

    def run(self, name, place, env):
        """(status, stdout, stderr, what it left); a group of its own"""
        process = subprocess.Popen(
            [self.program, name, place], env=env, cwd=self.work,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = process.communicate(timeout=SECONDS)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            status = f"not done after {SECONDS} s"
        left = sorted(os.listdir(self.work))
        for one in left:
            path = os.path.join(self.work, one)
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
        return status, out, err, left

    def take_sessions(self):
        found = os.listdir(self.dir) if os.path.isdir(self.dir) else ()
        for one in found:
            self.sessions += one.startswith("session-")
            path = os.path.join(self.dir, one)
            if os.path.isfile(path):
                os.unlink(path)

    def case(self, name, place):
        want = self.run(name, place, self.bare)
        if want[0] == CANNOT:
            print("skipped", name, place)
            self.skipped += 1
            return
        differences = []
        few = place == "beside" and not self.is_all
        for shim in SHIMS[few:]:
            self.runs += 1
            got = self.run(name, place,
                           dict(self.traced, HANDSPAN_TEST_SHIM=shim))
            self.take_sessions()
            if got != want:
                differences.append(f"{name} {place}, {shim}: "
                                   f"{str(got)[:500]}, untraced "
                                   f"{str(want)[:500]}")
        self.same += not differences
        for text in differences:
            print("WRONG", text, flush=True)
        self.wrong += differences


def main():
    preload, program, *rest = sys.argv[1:]
    is_all = rest[:1] == ["all"]
    rest = rest[is_all:]
    pattern = rest[0] if rest else "*"
    places = rest[1].split(",") if len(rest) > 1 else PLACES
    names = subprocess.run([program], capture_output=True, text=True,
                           check=True).stdout.split()
    with tempfile.TemporaryDirectory(prefix="handspan-odd-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        table = Table(preload, program, is_all, top)
        for name in names:
            if not fnmatch.fnmatch(name, pattern):
                continue
            for place in places:
                table.case(name, place)
    print(f"{len(names)} odd ways, {table.same} cases equal in {table.runs} "
          f"runs, {len(table.wrong)} runs different, {table.skipped} cases "
          f"skipped; {table.sessions} sessions")
    return 1 if table.wrong or not table.same or not table.sessions else 0


if __name__ == "__main__":
    sys.exit(main())
