#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a traced call costs: the same program, unchanged, untraced, with the
floor in it (two rdtsc and a 64-byte record, by hand), under handspan (sidecar
draining) and, where installed, under uftrace. The variants take turns; each
figure is the minimum over all rounds, less that of the untraced program: on a
noisy machine the minimum is what the code costs.

usage: bench/peers.py [--rounds N] [--build DIR]
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def variants(build, scratch):
    work = os.path.join(build, "bin", "bench_work")
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("HANDSPAN_", "LD_"))}
    traced = dict(clean, LD_PRELOAD=os.path.join(build, "lib",
                                                 "libhandspan.so"),
                  HANDSPAN_MANIFEST=os.path.join(HERE, "work.manifest"),
                  HANDSPAN_DIR=os.path.join(scratch, "lanes"),
                  HANDSPAN_STORE=os.path.join(scratch, "store.db"))
    os.makedirs(traced["HANDSPAN_DIR"], mode=0o700, exist_ok=True)
    yield "untraced", "names", [work, "names"], clean
    yield "untraced", "values", [work, "values"], clean
    yield "floor", "names", [work, "floor"], clean
    yield "handspan", "names", [work, "names"], traced
    yield "handspan", "values", [work, "values"], traced
    uftrace = shutil.which("uftrace")
    if uftrace:
        data = os.path.join(scratch, "uftrace.data")
        base = [uftrace, "record", "-d", data, "--no-libcall", "-b", "64m"]
        yield "uftrace", "names", [*base, "-P", "names", work, "names"], clean
        yield "uftrace", "values", [
            *base, "-P", "values", "-A", "values@arg1/s,arg2", "-R",
            "values@retval", work, "values"], clean


def run_once(argv, env):
    r = subprocess.run(argv, env=env, capture_output=True, text=True,
                       timeout=120)
    for line in r.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    args = p.parse_args()
    build = os.path.abspath(args.build)
    best = {}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(args.rounds):
            for who, what, argv, env in variants(build, scratch):
                got = run_once(argv, env) or {}
                for key, value in got.items():
                    at = (who, what, key)
                    best[at] = min(best.get(at, 1e18), value)
    for (who, what, key), value in list(best.items()):
        if who != "untraced":
            best[who, what, key] = value - best["untraced", what, key]
    print("| ns a call over the untraced program | flat | spaced by 60 ns |")
    print("|---|---|---|")
    names = {"floor": "floor: two rdtsc + 64 bytes, by hand",
             "handspan": "handspan", "uftrace": "uftrace"}
    for who in names:
        for what in ("names", "values"):
            if (who, what, "flat_ns") not in best:
                continue
            label = names[who]
            if what == "values":
                label += ", text + length + return captured"
            print(f"| {label} | {best[who, what, 'flat_ns']:.1f} | "
                  f"{best[who, what, 'spaced_ns']:.1f} |")


if __name__ == "__main__":
    main()
