# SPDX-License-Identifier: Apache-2.0
"""A referee: random programs (trees.c) keep an account of their own calls, and
what the store holds and the screens print is compared with it. The store is read
here by plain SQL of its tables; nothing is shared with the views.

What must be the same to the last digit: calls, errors, which figures are there at
all, and the sums: of a thread's calls, self adds up to the time of the outermost
ones, whatever has no record. What a clock says twice: our times lie around the
program's own and within those that it measured around its outermost calls.

    referee.py BUILD PROGRAM [--count N] [--seed N]
"""
import argparse
import collections
import csv
import glob
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "common"))
import alive  # noqa: E402

HANDLERS, THREADS, PROCESSES = 6, 8, 4
WORDS = 5 * HANDLERS + 1 + (HANDLERS + 1) * HANDLERS
MANIFEST = "[[object(main)]];\n" + "".join(
    f"[[span{extra}]] int handler_{i}(struct state *s, long depth, long dive);\n"
    for i, extra in enumerate([", fails(return < 0)"] * 4 + [""] * 2))
JUDGED = 4  # handlers whose failures a rule tells
BATCH, SCREENS_EVERY = 50, 5


class Wrong(Exception):
    pass


def check(is_right, what, *seen):
    if not is_right:
        raise Wrong(f"{what}: {seen}")


class Account:
    """What the program says: by handler, sums over all threads."""

    def __init__(self, path):
        with open(path, "rb") as f:
            words = struct.unpack(
                f"<{(PROCESSES * THREADS + 1) * WORDS}Q", f.read())
        rows = [words[i:i + WORDS] for i in range(0, len(words), WORDS)]
        self.unseen = sum(rows.pop()[:HANDLERS])  # calls while it was off
        names = ("begun", "ended", "failed", "inside_ns", "cpu_ns")
        for at, name in enumerate(names):
            setattr(self, name, [sum(r[at * HANDLERS + h] for r in rows)
                                 for h in range(HANDLERS)])
        self.around_ns = sum(r[5 * HANDLERS] for r in rows)
        self.below = collections.Counter()  # (caller or None, handler)
        for r in rows:
            pairs = r[5 * HANDLERS + 1:]
            for at, n in enumerate(pairs):
                caller = at // HANDLERS
                self.below[caller if caller < HANDLERS else None,
                           at % HANDLERS] += n
        self.below = +self.below


class Case:
    """One program: how it is run, and what it left."""

    def __init__(self, top, build, program, seed):
        choose = random.Random(seed)
        self.top, self.build, self.program = top, build, program
        self.seed = seed
        self.kill = choose.random() < 0.15
        self.processes = 1 if self.kill else choose.choice([1, 1, 1, 2, 3])
        self.threads = 1 if self.kill else choose.choice([1, 1, 1, 2, 4])
        self.calls = choose.choice([10, 300, 2000, 12000])
        self.deepest = choose.choice([0, 20, 200, 300, 900])
        # without a sidecar and with 1 MiB for all, most have no record
        self.budget = choose.choice([None, "1"])
        self.is_alone = choose.random() < 0.7
        self.pause = self.threads * self.processes == 1 and not self.kill and \
            choose.random() < 0.3
        self.service = f"seed-{seed}"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN_", "LD_"))
                    and k not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        self.env.update(HANDSPAN_DIR=top + "/d", HANDSPAN_STORE=top + "/store.db",
                        HANDSPAN_MANIFEST=top + "/m.manifest",
                        OTEL_SERVICE_NAME=self.service)
        if self.budget:
            self.env["HANDSPAN_BUDGET_MB"] = self.budget

    def __str__(self):
        return (f"seed {self.seed}: {self.threads} threads, {self.calls} calls, "
                f"{self.deepest} deep, {self.processes} processes, budget "
                f"{self.budget}, {'alone' if self.is_alone else 'a sidecar'}"
                f"{', killed' if self.kill else ''}"
                f"{', off and on' if self.pause else ''}")

    def run(self):
        path = f"{self.top}/{self.seed}.truth"
        env = dict(self.env, LD_PRELOAD=self.build + "/lib/libhandspan.so")
        if self.is_alone:
            env["HANDSPAN_SIDECAR"] = "off"
        kill_at = self.calls // 2 if self.kill else 0
        program = subprocess.Popen(
            [self.program, path] + [str(n) for n in (
                self.seed, self.threads, self.calls, self.deepest, kill_at,
                self.processes, int(self.pause))], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.is_paused = False
        for word in ("off", "on") * self.pause:
            if program.stdout.readline():
                self.is_paused = True
                self.handspan(word)
                program.stdin.write("\n")
                program.stdin.flush()
        said = program.communicate(timeout=300)
        check(program.returncode == (-9 if self.kill else 0) and
              not said[1], "the program", program.returncode, said)
        self.account = Account(path)
        os.unlink(path)

    def handspan(self, *words):
        done = subprocess.run([self.build + "/bin/handspan", *words],
                              env=self.env, timeout=300, capture_output=True,
                              text=True)
        check(done.returncode == 0, words, done)
        return done.stdout

    def rows(self, *words):
        lines = self.handspan(*words, "--json").splitlines()[1:]
        return [json.loads(line) for line in lines]


def fetch(db, sql, *values):
    at = db.execute(sql, values)
    return [dict(zip([c[0] for c in at.description], row)) for row in at]


def stored(db, case):
    """By handler what the store has, and the trace."""
    trace, = fetch(db, "SELECT t.* FROM traces t JOIN sessions s USING (session)"
                       " WHERE s.service = ?", case.service)
    rows = {r["name"]: r for r in fetch(db, """
        SELECT i.name, r.*,
          (SELECT count(*) FROM span_rows n WHERE n.session = i.session
           AND n.site = i.site) AS spans,
          (SELECT count(*) FROM span_rows n WHERE n.session = i.session
           AND n.site = i.site AND n.status <> 'open'
           AND n.duration_ns IS NULL) AS unfinished
        FROM sites i LEFT JOIN rollups r USING (session, site)
        JOIN sessions s USING (session)
        WHERE s.service = ? AND i.binding <> 'none'""", case.service)}
    losses = {r["kind"]: r["n"] for r in fetch(db, """
        SELECT kind, sum(count) AS n FROM losses JOIN sessions s USING (session)
        WHERE s.service = ? GROUP BY kind""", case.service)}
    return trace, rows, losses


def number(row, key):
    return row[key] or 0


def compare_store(case, rows, losses):
    a = case.account
    for h in range(HANDLERS):
        r = rows[f"handler_{h}"]
        check(number(r, "calls") + number(r, "unfinished") == a.begun[h],
              "calls", h, r, a.begun[h])
        check(number(r, "dropped_calls") == a.begun[h] - number(r, "spans"),
              "calls without a span", h, r, a.begun[h])
        if h < JUDGED and not case.kill:
            check(number(r, "errors") == a.failed[h], "errors", h, r)
        if case.kill:
            continue
        check(number(r, "cpu_ns") <= number(r, "total_ns") * 1.001 + 1000000,
              "CPU time is at most the time", h, r)
        check(number(r, "self_ns") <= number(r, "total_ns") + 1000,
              "self <= total", h, r)
        check(number(r, "total_ns") * 1.001 + 1000 >= a.inside_ns[h],
              "total is at least what was measured inside", h, r,
              a.inside_ns[h])
    if case.kill:
        return
    calls = sum(a.begun)
    own = sum(number(r, "self_ns") for r in rows.values())
    top = sum(number(r, "top_ns") for r in rows.values())
    check(abs(own - top) <= 2 * calls + 1000 or losses.get("untimed") or
          (losses.get("loose") and own > top), "self adds up to the outermost", own, top,
          calls, losses)
    check(top <= a.around_ns * 1.001 + 1000000,
          "the outermost lie within what was measured around", top,
          a.around_ns)


def compare_screens(case, trace, rows, losses):
    prefix = trace["trace_id"].hex()
    spans = sum(number(r, "spans") for r in rows.values())
    calls = sum(case.account.begun)
    stats = {r["name"]: r for r in case.rows("stats", prefix)}
    for h in range(HANDLERS):
        name, r = f"handler_{h}", rows[f"handler_{h}"]
        if case.account.begun[h] == 0:
            continue
        seen = stats[name]
        check(seen["calls"] == case.account.begun[h], "stats: calls", seen)
        check(seen["errors"] == number(r, "errors"), "stats: errors", seen, r)
        check(seen["self_ns"] <= seen["total_ns"], "stats: self", seen)
        check(seen["estimate"] == bool(number(r, "untimed_calls") or
                                       number(r, "loose_calls")),
              "stats: estimates are marked", seen, r)
        if not case.kill:
            check(seen["total_ns"] == max(number(r, "total_ns"),
                                          number(r, "self_ns")),
                  "stats: total", seen, r)
            check(seen["self_ns"] == max(0, number(r, "self_ns")),
                  "stats: self", seen, r)
    listed, = case.rows("list", "--where", f"service={case.service}")
    check(listed["spans"] == calls, "list: calls", listed, calls)
    check(listed["dropped_calls"] == calls - spans, "list: without", listed)
    said = case.handspan("show", prefix)
    is_whole = calls == spans and not losses.get("over_deep") and \
        not losses.get("lost_captures") and not case.is_paused
    check(("Recording was off" in said) == case.is_paused,
          "show: recording was off", said)
    check(("Complete: " in said) == is_whole, "show: complete or not", said,
          calls, spans, losses)
    check(is_whole or case.is_paused or f"{spans:,} of {calls:,} spans" in said,
          "show: the share of detail", said, calls, spans)
    no_room = calls - spans > losses.get("over_deep", 0)
    check(not no_room or cure_of(losses) in " ".join(said.split()),
          "show: the cure", said, losses)
    check(len(case.rows("spans", prefix)) == spans + case.processes, "spans")
    compare_exports(case, prefix, rows, losses)


def compare_exports(case, prefix, rows, losses):
    """Each read back here: as many calls of each handler as there are spans, and
    where none is missing each below the handler that called it."""
    spans = {name: number(r, "spans") for name, r in rows.items()
             if number(r, "spans")}
    is_whole = sum(spans.values()) == sum(case.account.begun) and not losses
    for kind, read in (("csv", of_csv), ("otlp", of_otlp),
                       ("chrome", of_chrome)):
        calls = read(case.handspan("export", "-f", kind, prefix))
        names = {id: name for id, _, name in calls}
        got = collections.Counter(n for n in names.values() if n in rows)
        check(len(names) == len(calls), kind, "ids are told twice")
        check(dict(got) == spans, kind, "calls", got, spans)
        if not is_whole or kind == "chrome":
            continue
        pairs = collections.Counter()
        for _, parent, name in calls:
            if name in rows:
                caller = names.get(parent)
                pairs[int(caller[-1]) if caller in rows else None,
                      int(name[-1])] += 1
        check(pairs == case.account.below, kind, "who called whom", pairs,
              case.account.below)


def of_csv(text):
    return [(r["span_id"], r["parent_span_id"], r["name"])
            for r in csv.DictReader(text.splitlines())]


def of_otlp(text):
    return [(s["spanId"], s.get("parentSpanId"), s["name"])
            for line in text.splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"] for s in scope["spans"]]


def of_chrome(text):
    """A call is a complete event, one without an end, or (what does not lie within
    the one that is open on its thread) a pair of its own."""
    return [(at, None, e["name"])
            for at, e in enumerate(json.loads(text)["traceEvents"])
            if e["ph"] in "XBb"]


def cure_of(losses):
    """Of records without room."""
    for kind, cure in (("no_wait", "leave it unset"),
                       ("spool_off", "HANDSPAN_SPOOL_SIZE=2GB"),
                       ("spool_unwritable", "log say why"),
                       ("spool_no_room", "HANDSPAN_SPOOL_FREE=64MiB"),
                       ("spool_full", "HANDSPAN_SPOOL_SIZE=")):
        if losses.get(kind):
            return cure
    return "HANDSPAN_BUDGET_MB="


def judge(case):
    db = sqlite3.connect(case.top + "/store.db")
    try:
        trace, rows, losses = stored(db, case)
        compare_store(case, rows, losses)
        if case.seed % SCREENS_EVERY == 0:
            compare_screens(case, trace, rows, losses)
        return sum(number(r, "dropped_calls") for r in rows.values()), losses
    finally:
        db.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    # lanes are meant to lie in memory; a store on a disk waits for it
    top = tempfile.mkdtemp(prefix="handspan-numbers-",
                           dir=os.environ.get("TEST_MEMORY"))
    with open(top + "/m.manifest", "w", encoding="utf-8") as f:
        f.write(MANIFEST)
    calls = dropped = deep = wrong = 0
    try:
        for first in range(args.seed, args.seed + args.count, BATCH):
            last = min(first + BATCH, args.seed + args.count)
            cases = [Case(top, os.path.abspath(args.build), args.program, seed)
                     for seed in range(first, last)]
            for case in cases:
                case.run()
            while glob.glob(top + "/d/session-*"):
                cases[0].handspan("sidecar")
            for case in cases:
                try:
                    lost, losses = judge(case)
                    dropped += lost
                    deep += losses.get("over_deep", 0)
                    calls += sum(case.account.begun)
                except Wrong as what:
                    wrong += 1
                    print(f"{case}: {what}")
    finally:
        alive.end(top)
        alive.remove(top)
    print(f"{args.count} programs, {calls} calls, {dropped} without a span, "
          f"{deep} beyond the deepest level, {wrong} programs wrong")
    return 1 if wrong or not dropped or not deep else 0


if __name__ == "__main__":
    sys.exit(main())
