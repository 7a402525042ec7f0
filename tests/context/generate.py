#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random programs whose true tree is known: what handspan stored must be it.

  generate.py BUILD PROGRAM [--count N] [--seed S] [--without]

Each program is a random tree of nodes: a traced call, and how the node above
started it (called, through a queue, a fiber, a coroutine, a fork, a program
that is spawned, ...); random.cpp runs it. A span's parent must be the node above. `silent` nodes go
through a queue of which the manifest says nothing: they may hang from their
process, and from nobody else. --without: no carry and no adopt; then the
comparison must fail.
"""
import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

SHM = os.environ.get("TEST_MEMORY")
BATCH = 20  # programs whose sessions are stored together
MANIFEST = """
[[object(main)]];
struct item { long id; };
[[carry(item)]] void push(struct queue *q, struct item *item);
[[adopt(return)]] struct item *pop(struct queue *q);
[[carry(fn, item)]] void call_later(void *fn, struct item *item);
[[carry(handle)]] void push_handle(void *handle);
[[adopt(return)]] void *pop_handle(void);
[[span]] long h0(long id);
[[span]] long h1(long id);
[[span]] long h2(long a, long b, long c, long d, long e, long f, long id);
[[span, adopt(item), input(id = item->id)]] long ha(struct item *item);
[[span, input(id = item->id)]] void hp(void *unused, struct item *item);
"""
# how often a node is started in which way
KINDS = {"call": 6, "below": 3, "pop": 5, "adopt": 4, "later": 3, "fiber": 6,
         "coroutine": 3, "silent": 1, "fork": 1}
PROCESSES = {"spawn": .3, "vfork": .3, "forkexec": .3, "system": .2,
             "popen": .2}
THREADS = {"thread": 2, "detached": 2}
IN_CHILD = {"call": 4, "below": 2, "fiber": 2, "fork": 1, "spawn": .5,
            "forkexec": .5, "system": .3}
# their children belong to who started them
NO_SPAN = ("fork", "coroutine", *PROCESSES)
PROCESSES_MAX = 6  # of one program


class Program:
    def __init__(self, seed, kinds):
        self.random = random.Random(seed)
        self.kinds = kinds
        self.lines = []
        self.truth = {}  # id: parent with a span, 0 the process
        self.kind = {}
        self.processes = 0
        self.left = self.random.randint(10, 70)
        while self.left > 0:
            self.add(0, 0, False, 0)

    def add(self, above, span, in_child, depth, home=0):
        """A node below `above`; `span`: who its parent truly is; `home`: what
        its program was started by."""
        self.left -= 1
        table = IN_CHILD if in_child else self.kinds
        kind = self.random.choices(list(table), list(table.values()))[0]
        if kind in PROCESSES:
            self.processes += 1
            if self.processes > PROCESSES_MAX:
                kind = "call"
        self.lines.append(f"{above} {kind} {self.random.randint(0, 7)}")
        me = len(self.lines)
        self.kind[me] = kind
        mine = me
        if kind in NO_SPAN:
            mine = span
        else:
            self.truth[me] = home if kind == "silent" else span
        if kind in PROCESSES:
            home = mine
        most = 6 if kind == "coroutine" else 4
        for _ in range(self.random.randint(0, most)):
            if self.left <= 0 or depth > 12:
                break
            if kind == "coroutine":
                self.add_step(me, mine, home)
            else:
                self.add(me, mine, kind == "fork" or
                         in_child and kind not in PROCESSES, depth + 1, home)

    def add_step(self, above, span, home):
        """Of a coroutine: called between two suspensions."""
        self.left -= 1
        self.lines.append(f"{above} call 0")
        me = len(self.lines)
        self.kind[me] = "call"
        self.truth[me] = span
        for _ in range(self.random.randint(0, 2)):
            if self.left > 0:
                self.add(me, me, False, 11, home)


def run(program, path, env):
    done = subprocess.run([program, path], env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def mix64(x):
    """lane/format/ids.h"""
    mask = (1 << 64) - 1
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9 & mask
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb & mask
    return x ^ (x >> 31)


def tree_of(db, service):
    """id: (parent's id, 0 the process; orphan) of one run, over all of its
    processes."""
    number_of, above, orphan_of, process = {}, {}, {}, {}
    rows = db.execute("SELECT session, key FROM sessions WHERE service = ?",
                      (service,)).fetchall()
    for session, blob in rows:
        key = int.from_bytes(blob, "big")

        def span_id(ref, key=key):
            return mix64((ref ^ key) % (1 << 64)) if ref else 0

        remote = db.execute("SELECT remote_parent FROM contexts WHERE "
                            "session = ? AND context = 0",
                            (session,)).fetchone()[0]
        for idx, parent in db.execute(
                "SELECT idx, parent_ref FROM processes WHERE session = ?",
                (session,)):
            process[span_id(0xffff << 48 | idx + 1)] = \
                span_id(parent) or int.from_bytes(remote or b"", "big")
        for ref, parent, text, orphan in db.execute(
                "SELECT ref, parent_ref, input, orphan FROM spans "
                "WHERE session = ?", (session,)):
            me = span_id(ref)
            number_of[me] = json.loads(text or "{}").get("id")
            above[me], orphan_of[me] = span_id(parent), orphan
    tree = {}
    for me, number in number_of.items():
        parent = above[me]
        while process.get(parent):
            parent = process[parent]
        if number in tree:
            raise AssertionError(f"{service}: node {number} twice")
        tree[number] = (0 if parent in process else number_of[parent],
                        orphan_of[me])
    return tree


def compare(program, tree):
    """(wrong parents, orphans that need not be, missing)"""
    wrong, orphans, missing = [], [], []
    for node, parent in program.truth.items():
        if node not in tree:
            missing.append(node)
        elif tree[node][0] == parent:
            continue
        elif tree[node][1] or tree[node][0] == 0:
            orphans.append((node, program.kind[node], parent, tree[node]))
        else:
            wrong.append((node, program.kind[node], parent, tree[node]))
    return wrong, orphans, missing


class Batch:
    def __init__(self, args, manifest):
        self.args = args
        self.top = tempfile.mkdtemp(prefix="handspan-random-", dir=SHM)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN_", "LD_"))
                    and k not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        self.env.update(HANDSPAN_DIR=self.top + "/d",
                        HANDSPAN_STORE=self.top + "/store.db",
                        HANDSPAN_SIDECAR="off", HANDSPAN_BUDGET_MB="4",
                        HANDSPAN_MANIFEST=self.top + "/m.manifest")
        with open(self.top + "/m.manifest", "w", encoding="utf-8") as f:
            f.write(manifest)

    def run(self, programs):
        preload = os.path.join(self.args.build, "lib", "libhandspan.so")
        for seed, program in programs.items():
            path = f"{self.top}/{seed}.txt"
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(program.lines) + "\n")
            env = dict(self.env, LD_PRELOAD=preload,
                       OTEL_SERVICE_NAME=f"seed-{seed}")
            code, out, err = run(self.args.program, path, env)
            if (code, out, err) != (0, f"{len(program.lines)} nodes\n", ""):
                raise AssertionError(f"seed {seed}: {code} {out!r} {err!r}")
        subprocess.run([os.path.join(self.args.build, "bin", "handspan"),
                        "sidecar"], env=self.env, check=True, timeout=300,
                       capture_output=True)

    def compare(self, programs):
        db = sqlite3.connect(self.top + "/store.db")
        found = [[], [], []]
        for seed, program in programs.items():
            for into, some in zip(found, compare(
                    program, tree_of(db, f"seed-{seed}"))):
                into += [(seed, one) for one in some]
        losses = db.execute("SELECT kind, sum(count) FROM losses "
                            "GROUP BY kind").fetchall()
        db.close()
        return found, dict(losses)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--processes", action="store_true")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    manifest = MANIFEST
    if args.without:
        lines = [line.replace("adopt(item), ", "") for line in
                 manifest.splitlines()
                 if not line.startswith(("[[carry", "[[adopt"))]
        manifest = "\n".join(lines)
    kinds = dict(KINDS, **(THREADS if args.threads else {}),
                 **(PROCESSES if args.processes else {}))
    total, nodes, started, losses = [0, 0, 0], 0, 0, {}
    for first in range(args.seed, args.seed + args.count, BATCH):
        last = min(first + BATCH, args.seed + args.count)
        programs = {s: Program(s, kinds) for s in range(first, last)}
        batch = Batch(args, manifest)
        try:
            batch.run(programs)
            found, lost = batch.compare(programs)
        finally:
            alive.remove(batch.top)
        for i, what in enumerate(("wrong parent", "orphan", "missing")):
            total[i] += len(found[i])
            for seed, one in found[i][:0 if args.without else 10]:
                print(f"seed {seed}: {what}: {one}")
        nodes += sum(len(p.truth) for p in programs.values())
        started += sum(kind in PROCESSES for p in programs.values()
                       for kind in p.kind.values())
        for kind, count in lost.items():
            losses[kind] = losses.get(kind, 0) + count
    print(f"{args.count} programs, {started} started by others, {nodes} spans: {total[0]} wrong parents, "
          f"{total[1]} orphans that need not be, {total[2]} missing; "
          f"losses {losses}")
    failed = sum(total) != 0
    return 0 if failed == args.without else 1


if __name__ == "__main__":
    sys.exit(main())
