#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a traced call costs: the same program, unchanged, untraced, with the
floor in it (two rdtsc and a 64-byte record, by hand), under handspan (a sidecar
draining beside it) and, where installed, under uftrace. The variants take turns;
each figure is the minimum over all rounds, less that of the untraced program: on
a noisy machine the minimum is what the code costs.

First short bursts, the least of 300; then a program that keeps calling, all of
its time: what users feel. Each record is looked for in the store, and fewer
than calls is a failure: a bench that drops measures something else.

usage: bench/peers.py [--rounds N] [--calls N] [--build DIR] [--no-uftrace]
"""
import argparse
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LABELS = {"floor": "floor: two rdtsc + 64 bytes, by hand",
          "handspan": "handspan", "uftrace": "uftrace"}
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("HANDSPAN_", "LD_"))}


def said(argv, env):
    done = subprocess.run(argv, env=env, capture_output=True, text=True,
                          check=False)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    sys.exit(f"{argv[0]}: nothing measured\n{done.stderr}")


def handspan(build, argv, scratch):
    """As said(), and how many of its calls are in the store."""
    top = tempfile.mkdtemp(dir=scratch)
    lanes, store = top + "/lanes", top + "/store.db"
    os.mkdir(lanes, 0o700)
    env = dict(CLEAN, HANDSPAN_DIR=lanes, HANDSPAN_STORE=store,
               HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_MANIFEST=os.path.join(HERE, "work.manifest"))
    sidecar = subprocess.Popen(
        [os.path.join(build, "bin", "handspan"), "sidecar", "--stay"],
        env=dict(env, HANDSPAN_SIDECAR="off"), stderr=subprocess.DEVNULL)
    try:
        while not os.path.exists(lanes + "/sidecar.lock"):
            time.sleep(0.01)
        got = said(argv, dict(env, LD_PRELOAD=os.path.join(
            build, "lib", "libhandspan.so")))
        while glob.glob(lanes + "/session-*"):
            time.sleep(0.01)
    finally:
        sidecar.terminate()
        sidecar.wait()
    db = sqlite3.connect(store)
    got["kept"], = db.execute("SELECT count(*) FROM spans").fetchone()
    db.close()
    shutil.rmtree(top)
    return got


def uftrace(what, argv, scratch):
    data = os.path.join(scratch, "uftrace.data")
    more = ["-A", "values@arg1/s,arg2", "-R", "values@retval"]
    return said(["uftrace", "record", "-d", data, "--no-libcall", "-b", "64m",
                 "-P", what, *(more if what == "values" else []), *argv], CLEAN)


def round_of(args, count, scratch):
    """((who, what), figures) of each variant, once."""
    work = os.path.join(args.build, "bin", "bench_work")
    for what in ("names", "values"):
        argv = [work, what, str(count)]
        yield ("untraced", what), said(argv, CLEAN)
        yield ("handspan", what), handspan(args.build, argv, scratch)
        if args.uftrace:
            yield ("uftrace", what), uftrace(what, argv, scratch)
    yield ("floor", "names"), said([work, "floor", str(count)], CLEAN)


def measure(args, count):
    best, kept = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(args.rounds):
            for at, got in round_of(args, count, scratch):
                calls = got.pop("calls")
                if "kept" in got:
                    part = got.pop("kept") / calls
                    kept[at] = min(kept.get(at, part), part)
                for key, value in got.items():
                    best[at, key] = min(best.get((at, key), 1e18), value)
    return best, kept


def table(title, keys, best, kept):
    def over(who, what, key):
        return best[(who, what), key] - best[("untraced", what), key]

    print(f"\n| {title} | " + " | ".join(keys) + " | kept |")
    print("|---|" + "---|" * (len(keys) + 1))
    for who, what in (("floor", "names"), ("handspan", "names"),
                      ("handspan", "values"), ("uftrace", "names"),
                      ("uftrace", "values")):
        if ((who, what), "flat_ns") not in best:
            continue
        label = LABELS[who] + (", text + length + return captured"
                               if what == "values" else "")
        cells = []
        for key in keys.values():
            ns = over(who, what, key)
            cells.append(f"{ns:.1f}")
            if key.startswith("flat") and who != "floor":
                cells[-1] += f" (x{ns / over('floor', 'names', key):.2f})"
        part = kept.get((who, what))
        print(f"| {label} | " + " | ".join(cells) +
              (f" | {part:.1%} |" if part is not None else " | |"))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--calls", type=int, default=3000000)
    p.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    p.add_argument("--no-uftrace", action="store_true")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    args.uftrace = shutil.which("uftrace") and not args.no_uftrace
    is_whole = True
    cpu = {"flat": "flat_ns", "... CPU": "flat_cpu_ns", "spaced by 60 ns": "spaced_ns",
           "spaced, CPU": "spaced_cpu_ns"}
    short = {"flat": "flat_ns", "spaced by 60 ns": "spaced_ns"}
    for title, count, keys in (
            ("ns a call over the untraced program, short bursts", 0, short),
            (f"ns a call, {args.calls:,} calls in a row", args.calls, cpu)):
        best, kept = measure(args, count)
        table(title, keys, best, kept)
        is_whole &= all(part == 1 for part in kept.values())
    if not is_whole:
        print("\ncalls without a record: these figures are not of what was "
              "asked for", file=sys.stderr)
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
