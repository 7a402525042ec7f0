#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Into SQLite: the sidecar against a bare prepared-statement insert of the same
rows into the same schema, in one run, in turn.

  ingest.py BUILD_FOLDER [--spans 500000] [--rounds 3]

A synthetic writer fills the lanes of a session; a sidecar drains it (its time
is that of the whole process, from start to end); then bench_ingest inserts the
rows of the resulting store into an empty one. Plain spans, and spans of which
each has a small capture. Figures are the least of the rounds; the ratio is of
those. Nothing else writes meanwhile, so on a busy machine look at CPU.
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

BATCH = 32768  # items, as tools/sidecar/drain/session.c; a capture is one, too
KINDS = {"plain": (BATCH, []), "a capture each": (BATCH // 2, ["values=1"]),
         "nested by 5, 1 of 10 captured": (BATCH, ["nest=5", "values=10"])}


def run(*argv):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime - before.ru_utime -
                  before.ru_stime)


def remove(path):
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.remove(path + end)


def once(binaries, top, spans, batch, options):
    """(wall, CPU) of the sidecar and of the bare insert; rows."""
    lanes, store, bare = top + "/lanes", top + "/store.db", top + "/bare.db"
    remove(store), remove(bare)
    side = [binaries + "/handspan", "sidecar", "--dir", lanes, "--store"]
    subprocess.run([*side, bare, "--once"], check=True)
    subprocess.run([binaries + "/sidecar_writer", lanes, "threads=4",
                    f"records={spans // 4}", f"units={spans // 100 + 64}",
                    *options], check=True, stdout=subprocess.DEVNULL)
    ours = run(*side, store)
    out = subprocess.run([binaries + "/bench_ingest", store, bare, str(batch)],
                         check=True, stdout=subprocess.PIPE, text=True)
    words = out.stdout.split()
    return ours, (int(words[3]) / 1e9, int(words[5]) / 1e9), int(words[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--spans", type=int, default=500000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binaries = os.path.abspath(args.build) + "/bin"
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = tempfile.mkdtemp(prefix="handspan-ingest-", dir=shm)
    try:
        for name, (batch, options) in KINDS.items():
            side, bare = [], []
            for _ in range(args.rounds):
                a, b, rows = once(binaries, top, args.spans, batch,
                                     options)
                side.append(a), bare.append(b)
            wall, cpu = (min(x[i] for x in side) for i in (0, 1))
            bare_wall, bare_cpu = (min(x[i] for x in bare) for i in (0, 1))
            print(f"{name}: {rows} spans; sidecar {rows / wall / 1e3:.0f} k/s, "
                  f"{cpu:.2f} s CPU; bare {rows / bare_wall / 1e3:.0f} k/s, "
                  f"{bare_cpu:.2f} s CPU; rate x{bare_wall / wall:.2f}, "
                  f"CPU x{cpu / bare_cpu:.2f}", flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
