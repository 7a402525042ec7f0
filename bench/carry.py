#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to follow a work item from who hands it over to who takes it
up, as a share of the floor: builds and runs carry.c under handspan.

  carry.py PRELOAD [--rounds 60]
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

MANIFEST = """[[object(main)]];
[[span]] unsigned long span_give(unsigned long item);
[[span]] unsigned long span_work(unsigned long item);
[[span, carry(item)]] unsigned long followed_give(unsigned long item);
[[span, adopt(item)]] unsigned long followed_work(unsigned long item);
[[carry(item)]] unsigned long bare_give(unsigned long item);
[[adopt(return)]] unsigned long bare_work(unsigned long item);
"""


def measure(preload, rounds):
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handspan-carry-",
                                     dir=shm) as top:
        top = pathlib.Path(top)
        (top / "carry.manifest").write_text(MANIFEST)
        subprocess.run(
            ["gcc", "-std=gnu17", "-O2", "-rdynamic", "-pthread", "-o",
             top / "carry", pathlib.Path(__file__).with_name("carry.c")],
            check=True)
        bare = {k: v for k, v in os.environ.items()
                if not k.startswith("HANDSPAN_")}
        out = subprocess.run(
            [top / "carry", str(rounds)], check=True, text=True,
            stdout=subprocess.PIPE,
            env=dict(bare, LD_PRELOAD=os.path.abspath(preload),
                     HANDSPAN_DIR=str(top / "dir"), HANDSPAN_CAPTURE="none", HANDSPAN_STORE=str(top / "store.db"),
                     HANDSPAN_MANIFEST=str(top / "carry.manifest"))).stdout
    rows = (line.split() for line in out.splitlines())
    return {name: (float(least), float(median))
            for name, least, median in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preload")
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    ns = measure(args.preload, args.rounds)
    floor = ns["one.floor"][0] - ns["one.untraced"][0]
    print(f"the floor is {floor:.1f} ns; a cache line takes "
          f"{ns['two.line'][0]:.0f} ns to the other processor")
    print(f"{'ns an item, least (median)':34}{'one thread':>16}"
          f"{'two threads':>20}")
    for name in ("untraced", "spans", "followed", "bare"):
        print(f"{name:34}" + "".join(
            f"{ns[f'{kind}.{name}'][0]:12.1f} ({ns[f'{kind}.{name}'][1]:.1f})"
            for kind in ("one", "two")))
    for kind, less in (("one", 0), ("two", ns["two.line"][0])):
        extra = ns[f"{kind}.followed"][0] - ns[f"{kind}.spans"][0]
        bare = ns[f"{kind}.bare"][0] - ns[f"{kind}.untraced"][0]
        print(f"{kind}: carry + adopt at spans {extra:.1f} ns, "
              f"{(extra - less) / floor:.2f} of the floor; at functions that "
              f"are no spans {bare:.1f} ns, {(bare - less) / floor:.2f}"
              + (" (each less a cache line)" if less else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
