#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check and reality agree: for an unmodified Debian program, no declaration
that check calls fully seen has a call that was missed. The independent count
is gdb's (tests/e2e/count_calls.py), which shares nothing with handspan. It follows the first process
alone, so handspan may have seen more (gst-inspect-1.0 starts a scanner).

usage: agree_test.py HANDSPAN PROGRAM
The handlers are the first of what `suggest` finds, in each object.
"""
import json
import os
import re
import subprocess
import sys

from common import HERE, Place, expect

MOST = 6  # of an object: gdb stops at each call
COMMANDS = {
    "samtools": ["samtools", "view", "-c", "in.sam"],
    "sqlite3": ["sqlite3", ":memory:", "create table t(x); insert into t "
                "values(1),(2); select sum(x) from t;"],
    "curl": ["curl", "-s", "file:///etc/debian_version"],
    "git": ["git", "hash-object", "in.sam"],
    "gst-inspect-1.0": ["gst-inspect-1.0", "fakesink"],
    "ffprobe": ["ffprobe", "-v", "error", "-f", "lavfi",
                "testsrc=size=32x32:duration=0.1"],
    "ffmpeg": ["ffmpeg", "-v", "error", "-threads", "1", "-filter_threads",
               "1", "-f", "lavfi", "-i", "testsrc=size=32x32:duration=0.1",
               "-f", "null", "-"],
    "tesseract": ["tesseract", "--list-langs"],
    "xz": ["xz", "-k", "-T1", "in.sam"],
    "pdftoppm": ["pdftoppm", "-v"],
}


def handlers(draft):
    """[object's glob, name], at most MOST of an object."""
    scope, found = "", []
    for line in draft.splitlines():
        where = re.match(r'\[\[object\("?([^")]+)', line)
        scope = where.group(1) if where else scope
        name = re.match(r"\[\[span\]\] (\w+);", line)
        if name and sum(f[0] == scope for f in found) < MOST:
            found.append((scope, name.group(1)))
    return found


def main():
    program = sys.argv[2]
    command = COMMANDS[program]
    with Place() as p:
        p.sh("printf '@SQ\\tSN:a\\tLN:9\\nr\\t0\\ta\\t1\\t9\\t2M\\t*\\t0\\t0"
             "\\tAC\\tII\\n' > in.sam")
        draft = p.handspan("suggest", command[0], status=0).stdout
        chosen = handlers(draft)
        path = p.sh(f"readlink -f $(command -v {command[0]})").stdout.strip()
        p.write("m", "".join(
            f"[[object({'main' if o == 'main' else json.dumps(o)})]];\n"
            f"[[span]] {n};\n" for o, n in chosen))
        before = p.rows("-m", "m", command[0])
        after = p.rows("-m", "m", "--run", "--", *command)
        p.sh("rm -f in.sam.xz")
        symbols = [[n, os.path.basename(path) if o == "main" else o, n]
                   for o, n in chosen]
        env = dict(p.env, COUNT_SYMBOLS=json.dumps(symbols),
                   COUNT_OUT=f"{p.at}/count.json")
        subprocess.run(["gdb", "-batch", "-nx", "-x",
                        os.path.join(HERE, "../e2e/count_calls.py"), "--args",
                        path, *command[1:]], cwd=p.at, env=env, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
        with open(f"{p.at}/count.json", encoding="utf-8") as f:
            counted = json.load(f)["calls"]
        wrong = {n: (r["calls"], counted.get(n, 0)) for n, r in after.items()
                 if before[n]["status"] == "ok"
                 and r["calls"] < counted.get(n, 0)}
        silent = [n for n, r in before.items()
                  if r["status"] != "ok" and not r["remark"]]
        expect(wrong, {}, f"{program}: fully seen, but (seen, made)")
        expect(silent, [], f"{program}: partly seen without saying why")
        if program in ("samtools", "sqlite3", "xz", "curl"):
            expect(sum(counted.values()) > 0, True, "calls to compare")
        print(f"{program}: {len(after)} declarations, "
              f"{sum(counted.values())} calls agree")


main()
