#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first call of a thread has its values: many threads that make one call
each, some in a signal handler, beside others that want the processors. What
found no room is marked; nothing is missing without a word.

usage: first_calls.py HANDSPAN PROGRAM THREADS OTHERS
"""
import collections
import json
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import Place  # noqa: E402

MANIFEST = ("[[span, input(text)]] long first(long id, double half, const char "
            "*text, long a, long b, long c, long d, long e);\n")
BUSY = "while True: pass"


def wanted(i):
    return {"id": i, "half": i / 2, "text": f"thread {i}", "a": 1, "b": 2,
            "c": 3, "d": 4, "e": i + 5}


def judge(rows, threads):
    """Figures, or what is wrong."""
    seen, said = collections.Counter(), collections.Counter()
    for given, result, marks in rows:
        lost = {k: m["lost"] for k, m in json.loads(marks or "{}").items()
                if "lost" in m}
        said.update(lost.values())
        given = json.loads(given or "{}")
        result = json.loads(result or "{}")
        if given:
            seen[given["id"]] += 1
            if given != wanted(given["id"]):
                return f"{given} is wrong"
        elif set(lost) < set(wanted(0)):
            return f"no inputs, and of these no word: {set(wanted(0)) - set(lost)}"
        if "return" not in result and "return" not in lost:
            return f"no result without a word: {given}"
        if given and result and result["return"] != -given["id"]:
            return f"{given} returned {result}"
    if any(n > 1 for n in seen.values()) or len(rows) > threads:
        return "calls twice"
    print(f"{len(rows)} spans of {threads} first calls, {len(seen)} with all "
          f"inputs; marks: {dict(said)}")
    return "" if len(seen) == threads else "not every call has its inputs"


def main():
    program, threads = os.path.abspath(sys.argv[2]), int(sys.argv[3])
    busy = [subprocess.Popen([sys.executable, "-c", BUSY])
            for _ in range(int(sys.argv[4]))]
    try:
        with Place() as p:
            p.env["HANDSPAN_WAIT_MS"] = "10000"
            p.write("m", MANIFEST)
            done = p.handspan("run", "-m", "m", program, str(threads))
            if done.returncode:
                print(done.returncode, done.stderr)
                return 1
            p.handspan("sidecar")
            db = sqlite3.connect(f"{p.at}/store.db")
            rows = db.execute("SELECT input, output, capture FROM spans")
            wrong = judge(rows.fetchall(), threads)
            db.close()
            print(wrong)
            return bool(wrong)
    finally:
        for b in busy:
            b.kill()
            b.wait()


if __name__ == "__main__":
    sys.exit(main())
