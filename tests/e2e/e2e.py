#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One unmodified program end to end: e2e.py BUILD PROGRAM.

Runs examples/PROGRAM/run untraced (twice, to know what the program itself
changes from run to run), under a bare LD_PRELOAD, under `handspan run`, and
under gdb. Files, standard output, standard error and exit status of the
traced runs must be those of the untraced one, byte for byte; the calls of
every handler and the handler above each call must be those that gdb saw
(count_calls.py). What is expected of a program stands in
programs/PROGRAM.toml; nothing that could be counted is written down.
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import tomllib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
STORED_WITHIN_S = 300


class Failures:
    def __init__(self):
        self.lines = []

    def check(self, good, text):
        if not good:
            self.lines.append(text)
            print(f"FAILED  {text}", flush=True)
        return good


class Program:
    """One program of examples/ and the ways to run it."""

    def __init__(self, build, name, work):
        self.name = name
        self.work = work
        self.build = build
        self.handspan = str(build / "bin" / "handspan")
        self.preload = str(build / "lib" / "libhandspan.so")
        self.manifest = str(TOP / "examples" / name / "handlers.manifest")
        with open(HERE / "programs" / f"{name}.toml", "rb") as spec:
            self.spec = tomllib.load(spec)

    def environment(self, mode, wrap):
        """The private world of one run; the store of a mode is its own."""
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("HANDSPAN", "EXAMPLE", "LD_", "OTEL"))
               and k not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        base = self.work / mode
        env.update(HANDSPAN_DIR=str(base / "lanes"),
                   HANDSPAN_STORE=str(base / "store.db"),
                   HANDSPAN=self.handspan, EXAMPLE_DIR=str(base / "files"),
                   EXAMPLE_WRAP=wrap, SHELL="/bin/sh")
        if "size" in self.spec:
            env["EXAMPLE_SIZE"] = str(self.spec["size"])
        return env

    def run(self, mode, wrap="", **more):
        """Status, stdout, stderr and the files that it left."""
        env = self.environment(mode, wrap)
        env.update(more)
        files = pathlib.Path(env["EXAMPLE_DIR"])
        files.mkdir(parents=True)
        os.mkdir(env["HANDSPAN_DIR"], 0o700)
        done = subprocess.run(
            [str(TOP / "examples" / self.name / "run"),
             *self.spec.get("args", [])],
            env=env, capture_output=True, timeout=300, check=False,
            stdin=subprocess.DEVNULL)
        left = {n: (files / n).read_bytes() if (files / n).exists() else None
                for n in self.spec.get("outputs", [])}
        return {"status": done.returncode, "stdout": self.mask(done.stdout),
                "stderr": self.mask(done.stderr), **left}

    def mask(self, text):
        for pattern in self.spec.get("mask", []):
            text = re.sub(pattern.encode(), b"", text)
        return text

    def ask(self, mode, *words):
        """The objects of `handspan WORDS --json`, without the schema line."""
        done = subprocess.run([self.handspan, *words, "--json"],
                              env=self.environment(mode, ""),
                              capture_output=True, text=True, check=False)
        rows = []
        for line in done.stdout.splitlines():
            row = json.loads(line)
            if "schema" not in row:
                rows.append(row)
        return rows, done.stderr


def count_with_gdb(program, failures):
    handlers = program.spec["handlers"]
    out = program.work / "count.json"
    program.run("gdb", "gdb -q -batch -nx -x "
                f"{HERE / 'count_calls.py'} --args",
                COUNT_SYMBOLS=json.dumps(handlers), COUNT_OUT=str(out))
    if not failures.check(out.exists(), "gdb gave no count"):
        return None
    counted = json.loads(out.read_text())
    print("gdb:", json.dumps(counted), flush=True)
    failures.check(counted["calls"], "gdb saw no call at all")
    return counted


def calls_in_stats(program, mode):
    rows, _ = program.ask(mode, "stats", "latest")
    return {r["name"]: r["calls"] for r in rows if r.get("calls") is not None}


def wait_until_stored(program, mode, failures):
    """A session that is stored is gone from the directory."""
    env = program.environment(mode, "")
    lanes, store = pathlib.Path(env["HANDSPAN_DIR"]), env["HANDSPAN_STORE"]
    end = time.monotonic() + STORED_WITHIN_S
    while time.monotonic() < end:
        left = list(lanes.glob("session-*"))
        if not left and os.path.exists(store):
            return True
        time.sleep(0.05)  # waits for a state: the sidecar's commit
    log = lanes / "log"
    return failures.check(False, f"{mode}: not stored: {left}; log: "
                          f"{log.read_text() if log.exists() else 'none'}")


def edges_of(spans, handlers):
    """(handler, handler above it on the same thread or None) -> calls."""
    by_id = {s["span_id"]: s for s in spans}
    edges = collections.Counter()
    for span in spans:
        if span["name"] not in handlers:
            continue
        above = by_id.get(span["parent_span_id"])
        if (above is None or above["name"] not in handlers
                or above["tid"] != span["tid"]):
            edges[span["name"], None] += 1
        else:
            edges[span["name"], above["name"]] += 1
    return edges


def check_spans(program, mode, status, counted, failures):
    spans, stderr = program.ask(mode, "spans", "latest")
    failures.check(spans, f"{mode}: `spans --json` shows nothing: {stderr}")
    check_complete(program, mode, failures)
    ids = {s["span_id"] for s in spans}
    lost = [s["name"] for s in spans
            if s["parent_span_id"] and s["parent_span_id"] not in ids]
    failures.check(not lost, f"{mode}: parent not in the trace: {lost[:5]}")
    seen = edges_of(spans, counted["calls"])
    wanted = {(a, b): n for a, b, n in counted["edges"]}
    for edge in sorted(set(seen) | set(wanted), key=str):
        failures.check(
            seen.get(edge, 0) == wanted.get(edge, 0),
            f"{mode}: {edge[0]} under {edge[1]}: {seen.get(edge, 0)} spans, "
            f"gdb saw {wanted.get(edge, 0)}")
    check_status(program, mode, status, spans, failures)


def check_complete(program, mode, failures):
    """Nothing dropped or lost; every declaration bound, if not at the start
    then when its object was loaded."""
    rows, stderr = program.ask(mode, "show", "latest")
    trace = next((r for r in rows if r.get("kind") == "trace"), None)
    if not failures.check(trace, f"{mode}: `show --json`: {stderr}"):
        return
    for key in ("dropped_calls", "losses", "not_bound"):
        failures.check(not trace[key], f"{mode}: {key}: {trace[key]}")


def check_status(program, mode, status, spans, failures):
    """Only the handlers that the case names may have failed, and these must
    have, and the process if its exit status says so; no span of a program that ended may be open."""
    failed = collections.Counter(
        s["name"] for s in spans if s["status"] == "error")
    if status != 0:
        failures.check(failed.pop(program.spec.get("process", program.name), 0) == 1,
                       f"{mode}: exit status {status}, but the process is "
                       "no error")
    for name in program.spec.get("failing", []):
        failures.check(failed.pop(name, 0) > 0, f"{mode}: {name} did not fail")
    failures.check(not failed, f"{mode}: failed, but did not: {dict(failed)}")
    still = {s["name"] for s in spans if s["status"] in ("open", "unfinished")}
    failures.check(not still, f"{mode}: left open: {still}")
    for name, key, pattern in program.spec.get("values", []):
        texts = [str({**s["input"], **s["output"]}.get(key))
                 for s in spans if s["name"] == name]
        failures.check(any(re.search(pattern, t) for t in texts),
                       f"{mode}: no {name} with {key} like {pattern}: "
                       f"{texts[:3]}")


def check_same(mode, plain, traced, failures):
    for what, value in plain.items():
        if value == traced[what]:
            continue
        failures.check(False, f"{mode}: {what} differs from the untraced run: "
                       f"{str(traced[what])[:400]} instead of "
                       f"{str(value)[:400]}")


def check_program(program, failures):
    plain = program.run("untraced")
    again = program.run("untraced-again")
    check_same("untraced again", plain, again, failures)
    for name in program.spec.get("outputs", []):
        failures.check(plain[name], f"untraced: no output file {name}")
    counted = count_with_gdb(program, failures)
    if counted is None:
        return
    wraps = {
        "preload": f"env LD_PRELOAD={program.preload} "
                   f"HANDSPAN_MANIFEST={program.manifest}",
        "run": f"{program.handspan} run --summary=never "
               f"-m {program.manifest} --",
    }
    for mode, wrap in wraps.items():
        check_same(mode, plain, program.run(mode, wrap), failures)
        if not wait_until_stored(program, mode, failures):
            continue
        found = calls_in_stats(program, mode)
        for name, calls in counted["calls"].items():
            failures.check(found.get(name) == calls,
                           f"{mode}: {name}: {found.get(name)} calls, "
                           f"gdb counted {calls}")
        check_spans(program, mode, plain["status"], counted, failures)


def main():
    build, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    failures = Failures()
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"e2e-{name}-"))
    try:
        check_program(Program(build, name, work), failures)
    finally:
        if os.environ.get("E2E_KEEP"):
            print("kept:", work)
        else:
            alive.remove(work)
    print(f"{name}: {len(failures.lines)} differences")
    return 1 if failures.lines else 0


if __name__ == "__main__":
    sys.exit(main())
