#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A session outlives its threads and children: their lanes and their places in
the table of processes are used again, and whose a call is stays exact.

usage: reuse.py BUILD_DIR threads|children|fibers AT_ONCE COUNT
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

MANIFEST = """[[object(main)]];
[[span, input(depth)]] int task(int depth);
[[span]] int hold(int number);
"""
# of each span: is it below the one that called it, in its own process?
WRONG_PARENTS = """
SELECT count(*) FROM spans s LEFT JOIN spans p
  ON p.session = s.session AND p.ref = s.parent_ref
WHERE json_extract(s.input, '$.depth') IS NOT NULL AND
  CASE json_extract(s.input, '$.depth')
  WHEN 2 THEN s.parent_ref >= 0 AND ?1 <> 'fibers' OR
    (s.parent_ref & 0xffffffffffff) - 1 <> s.process_idx AND ?1 = 'children'
  ELSE p.process_idx IS NOT s.process_idx OR
    json_extract(p.input, '$.depth') <> json_extract(s.input, '$.depth') + 1
  END"""


def check(got, want, what):
    if got != want:
        print(f"{what}: {got!r} instead of {want!r}")
        sys.exit(1)


def environment(build, temp):
    env = {k: v for k, v in os.environ.items() if not k.startswith("HANDSPAN")}
    env.update(HANDSPAN_DIR=str(temp / "d"), HANDSPAN_STORE=str(temp / "s.db"),
               HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_SIDECAR=str(build / "bin" / "handspan"))
    return env


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    way, at_once, count = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handspan-reuse-",
                                     dir=memory) as where:
        temp = pathlib.Path(where)
        (temp / "d").mkdir(mode=0o700)
        (temp / "m").write_text(MANIFEST)
        env = environment(build, temp)
        handspan = str(build / "bin" / "handspan")
        done = subprocess.run(
            [handspan, "run", "--summary", "never", "-m", str(temp / "m"), "--",
             str(build / "bin" / "reuse_program"), way, str(at_once),
             str(count)], env=env, text=True, capture_output=True, check=False)
        check((done.returncode, done.stderr), (0, ""), "the program")
        subprocess.run([handspan, "sidecar"], env=env, check=True)
        check([p.name for p in (temp / "d").glob("session-*")], [], "sessions")
        look(temp / "s.db", way, count, done.stdout)


def look(path, way, count, said):
    killed = int(said.split()[1]) if way == "children" else 0
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    one = lambda query, *with_: store.execute(query, with_).fetchone()[0]
    check(one("SELECT group_concat(kind || ' ' || count, ', ') FROM losses"),
          None, "losses")
    # what a killed one had open is unfinished, but was called
    each = 4 if way == "fibers" else 3
    check(one("SELECT sum(calls) FROM rollups"), count * each, "calls")
    check(dict(store.execute("SELECT status, count(*) FROM spans GROUP BY 1")),
          {k: v for k, v in (("ok", (count - killed) * each),
                             ("unfinished", killed * 3)) if v}, "spans")
    check(one("SELECT count(*) FROM processes"),
          1 + (count if way == "children" else 0), "processes")
    check(one("SELECT count(*) FROM processes WHERE idx > 0 AND "
              "parent_idx <> 0"), 0, "processes below another than their own")
    check(one(WRONG_PARENTS, way), 0, "wrong parents")
    threads = one("SELECT max(g) FROM (SELECT count(*) g FROM threads "
                  "GROUP BY lane)")
    print(f"{count} {way}, {killed} killed, a lane had up to {threads} threads")
    check(threads > 1 or way == "fibers", True, "lanes are used again")


main()
