#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the start costs: user and system CPU of a program that does nothing,
untraced and with 0, 1, 10 and 50 handlers of one of its libraries. CPU time of
many runs, taken in turn, so that a busy machine changes all alike; the least
of each is what it costs, the median what the machine was like.

  start.py PRELOAD [--runs 200] [--limit MS] [PROGRAM [OBJECT_GLOB NAME...]]

PROGRAM defaults to true. With an OBJECT_GLOB and NAMEs the manifest declares
the first 1, 10 and 50 of them. --limit: fail if 50 handlers (or the most there
are) cost more than so many milliseconds.
"""
import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

COUNTS = (1, 10, 50)


def spent(command, env):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime -
            before.ru_utime - before.ru_stime) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preload")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--limit", type=float)
    parser.add_argument("program", nargs="?", default="/bin/true")
    parser.add_argument("object", nargs="?", default="no-such-object")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = tempfile.mkdtemp(prefix="handspan-start-", dir=shm)
    try:
        kinds = {"untraced": bare}
        counts = [0] + [n for n in COUNTS if n <= len(args.names)]
        for count in counts:
            path = f"{top}/{count}.manifest"
            with open(path, "w", encoding="utf-8") as f:
                f.write(f'[[object("{args.object}")]];\n' + "".join(
                    f"[[span]] {name};\n" for name in args.names[:count]))
            kinds[f"{count} handlers"] = dict(
                bare, LD_PRELOAD=os.path.abspath(args.preload),
                HANDSPAN_DIR=top + "/dir", HANDSPAN_SIDECAR="off",
                HANDSPAN_MANIFEST=path)
        spans = {kind: [] for kind in kinds}
        for _ in range(args.runs):
            for kind, env in kinds.items():
                spans[kind].append(spent([args.program], env))
            shutil.rmtree(top + "/dir", ignore_errors=True)
        least = {kind: min(ms) for kind, ms in spans.items()}
        for kind, ms in spans.items():
            print(f"{kind:12} least {min(ms):6.2f} ms CPU  "
                  f"+{min(ms) - least['untraced']:5.2f} ms   "
                  f"median {statistics.median(ms):6.2f} ms")
        extra = least[f"{counts[-1]} handlers"] - least["untraced"]
        return args.limit is not None and extra > args.limit
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
