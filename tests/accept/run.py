#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run one case: the program untraced, then with LD_PRELOAD alone, then under
`handspan run`; each time everything the outside sees must be the same. Then
check.py's check(case) looks at what the store says of both traced runs.

usage: run.py CASE_FOLDER PROGRAM BUILD_FOLDER
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402


class Run:
    """One traced run: what it printed, and its trace."""

    def __init__(self, case, how):
        self.case = case
        self.how = how
        self.dir = tempfile.mkdtemp(prefix="lane-", dir=case.scratch)
        self.store = os.path.join(self.dir, "store.db")
        self.env = dict(case.env)
        self.env["HANDSPAN_DIR"] = os.path.join(self.dir, "d")
        self.env["HANDSPAN_STORE"] = self.store
        os.mkdir(self.env["HANDSPAN_DIR"], 0o700)

    def start(self):
        argv = [self.case.program, *self.case.args]
        env = dict(self.env)
        if self.how == "preload":
            env["LD_PRELOAD"] = self.case.preload
            env["HANDSPAN_MANIFEST"] = self.case.manifest
        else:
            argv = [self.case.handspan, "run", "-m", self.case.manifest,
                    "--summary=never", "--", *argv]
        self.result = subprocess.run(argv, env=env, capture_output=True,
                                     stdin=subprocess.DEVNULL, timeout=300)
        return self

    def handspan(self, *args, check=True):
        r = subprocess.run([self.case.handspan, *args], env=self.env,
                           capture_output=True, text=True, timeout=300)
        if check and r.returncode != 0:
            raise AssertionError(f"handspan {' '.join(args)}: exit "
                                 f"{r.returncode}\n{r.stderr}{r.stdout}")
        return r

    def rows(self, *args):
        out = self.handspan(*args, "--json", check=False).stdout
        return [json.loads(line) for line in out.splitlines()][1:]

    def stored(self):
        """Wait until every session of the directory is in the store."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            left = [n for n in os.listdir(self.env["HANDSPAN_DIR"])
                    if n.startswith("session-")]
            if not left and os.path.exists(self.store):
                break
            time.sleep(0.02)
        else:
            log = os.path.join(self.env["HANDSPAN_DIR"], "log")
            text = open(log).read() if os.path.exists(log) else "(no log)"
            raise AssertionError(f"still not stored: {left}\nlog:\n{text}")
        return self

    def traces(self):
        return self.rows("list")

    def spans(self, trace=None, name=None):
        if trace is None:
            traces = sorted(self.traces(), key=lambda t: t["started_at"])
            rows = [s for t in traces for s in self.spans(t["trace_id"])]
        else:
            rows = self.rows("spans", trace)
        return [r for r in rows if name is None or r["name"] == name]


class Case:
    def __init__(self, folder, program, build):
        self.folder, self.program, self.build = folder, program, build
        self.handspan = os.path.join(build, "bin", "handspan")
        self.preload = os.path.join(build, "lib", "libhandspan.so")
        self.manifest = os.path.join(folder, "handlers.manifest")
        # lanes are meant to lie in memory
        memory = os.environ.get("TEST_MEMORY")
        self.scratch = tempfile.mkdtemp(prefix="handspan-accept-", dir=memory)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN_", "LD_"))
                    and k not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        self.args = []
        self.same_output = True

    def run(self, how):
        return Run(self, how).start()


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def main():
    folder, program, build = map(os.path.abspath, sys.argv[1:4])
    spec = importlib.util.spec_from_file_location(
        "check", os.path.join(folder, "check.py"))
    check = importlib.util.module_from_spec(spec)
    check.expect = expect
    spec.loader.exec_module(check)
    case = Case(folder, program, build)
    if hasattr(check, "prepare"):
        check.prepare(case)
    try:
        bare = subprocess.run([program, *case.args], env=case.env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=300)
        for how in getattr(check, "HOW", ("preload", "run")):
            run = case.run(how)
            expect(run.result.returncode, bare.returncode, f"{how}: status")
            if case.same_output:
                expect(run.result.stdout, bare.stdout, f"{how}: stdout")
                expect(run.result.stderr, bare.stderr, f"{how}: stderr")
            run.stored()
            check.check(run)
            print(f"{how}: ok")
    finally:
        alive.remove(case.scratch)


if __name__ == "__main__":
    main()
