#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan diff` names the changed handler first, and says where nothing changed.

usage: pairs_test.py HANDSPAN SOURCE [FIRST_SEED LAST_SEED]

Thirty pairs of sets of runs: in odd ones one handler takes 10 % or more longer or
less (its calls, or their number), in even ones none does. All have noise: of each
run, of each handler in a run, and a run in which a handler was held up. Stores are
written with the store's own migrations; what is in them follows from the seed.
"""
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HANDSPAN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.argv = sys.argv[:1] + [SOURCE + "/sql/sqlite"] + sys.argv[3:]
sys.path.insert(0, os.path.join(SOURCE, "tests/cli"))
import fixture  # noqa: E402

S = fixture.S
NAMES = ["load", "parse", "decode", "validate", "merge", "sort", "encode",
         "compress", "write_out", "checksum", "index", "plan"]


class Pair:
    def __init__(self, seed):
        r = self.random = random.Random(seed * 7919)
        self.names = r.sample(NAMES, r.randint(6, 12))
        self.base = {n: math.exp(r.uniform(math.log(20e6), math.log(2e9))) for n in self.names}
        self.calls = {n: r.randint(5, 30) for n in self.names}
        self.runs = r.randint(5, 9), r.randint(5, 9)
        self.noise = r.uniform(0.005, 0.025)
        self.changed, self.factor, self.by_calls = None, 1, False
        if seed % 2:
            total = sum(self.base.values())
            self.changed = r.choice([n for n in self.names if self.base[n] > 0.05 * total])
            self.factor = 1 + r.uniform(0.10, 0.60)
            if r.random() < 0.3:
                self.factor = 1 / self.factor
            self.by_calls = r.random() < 0.3
            if self.by_calls:  # whole calls
                n = max(round(self.calls[self.changed] * self.factor), 1)
                if abs(n / self.calls[self.changed] - 1) < 0.1:
                    self.by_calls = False

    def times(self, side, name, held):
        """Of one run: the time of each call."""
        r = self.random
        calls, each = self.calls[name], self.base[name] / self.calls[name]
        if side and name == self.changed:
            if self.by_calls:
                calls = max(round(calls * self.factor), 1)
            else:
                each *= self.factor
        whole = calls * each * math.exp(r.gauss(0, self.noise)) * self.common * held
        parts = [math.exp(r.gauss(0, 0.4)) for _ in range(calls)]
        return [max(int(whole * p / sum(parts)), 1) for p in parts]

    def write(self, path):
        st = opened(path)
        at = fixture.BASE
        for side in 0, 1:
            outlier = self.random.randrange(self.runs[side]) if self.random.random() < 0.5 else -1
            for i in range(self.runs[side]):
                self.common = math.exp(self.random.gauss(0, self.noise))
                held = self.random.choice(self.names) if i == outlier else None
                at += self.write_run(st, side, at, i, held) + 60 * S
        st.db.commit()

    def write_run(self, st, side, start, i, held):
        s = st.session(side * 1000 + i + 1, resource=f"service.version=1.{side}")
        spans, at = [], 1000000
        for site, name in enumerate(self.names, 1):
            for ns in self.times(side, name, 3 if name == held else 1):
                spans.append((site, at, ns))
                at += ns
        t = st.trace(s, f"{side:02x}{i:02x}" * 8, name="pipeline", start_unix_ns=start,
                     duration_ns=at + 1000000, status="ok")
        st.put("processes", session=s, idx=0, trace=t, pid=100 + i, name="pipeline",
               program="/usr/bin/pipeline", command='["pipeline"]', start_unix_ns=start,
               duration_ns=at + 1000000, cpu_ns=at, status="ok", ended_by="exit", exit_code=0)
        st.put("threads", session=s, lane=0, generation=1, process_idx=0, tid=100, name="main")
        for site, name in enumerate(self.names, 1):
            st.put("sites", session=s, site=site, name=name, symbol=name, binding="entry",
                   object="/usr/lib/libpipe.so.1", build_id=f"{side + 10:040x}",
                   address=4096 * site, declaration=site)
        for n, (site, offset, ns) in enumerate(spans, 1):
            st.put("spans", session=s, ref=fixture.ref(0, n), trace=t, depth=2,
                   parent_ref=fixture.process_ref(0), site=site, process_idx=0, generation=1,
                   start_unix_ns=start + offset, duration_ns=ns, self_ns=ns, cpu_ns=ns // 2,
                   status="ok", ended_by="return")
        st.rollups(t)
        return at


def opened(path):
    """A new store: the tables are made once."""
    empty = os.path.join(os.path.dirname(path), "empty.db")
    if not os.path.exists(empty):
        fixture.Store(SOURCE + "/sql/sqlite", empty).db.close()
    shutil.copy(empty, path)
    store = fixture.Store.__new__(fixture.Store)
    store.db = sqlite3.connect(path)
    store.db.execute("PRAGMA synchronous = off")
    store.sessions = store.traces = 0
    return store


def diff(store, *args):
    done = subprocess.run([HANDSPAN, "diff", "--store", store, "service.version=1.0",
                           "service.version=1.1", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, LC_ALL="C.UTF-8", COLUMNS="80"), timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return done


def judge(pair, seed, store):
    rows = [json.loads(line) for line in diff(store, "--json").stdout.splitlines()[1:]]
    handlers = [r for r in rows if r["kind"] == "handler"]
    changed = [r["name"] for r in handlers if r["verdict"] != "noise"]
    text = diff(store, "--fail-over=5%")
    if pair.changed is None:
        good = not changed and "No handler changed" in text.stdout and text.returncode == 0
    else:
        slower = pair.factor > 1
        good = (handlers[0]["name"] == pair.changed and changed == [pair.changed]
                and (handlers[0]["change_ns"] > 0) == slower
                and f"\n{pair.changed}: self " in text.stdout
                and text.returncode == slower)
    others = [r for r in rows if r["kind"] == "object" and r["is_changed"]]
    good = good and [o["object"] for o in others] == ["/usr/lib/libpipe.so.1"]
    good = good and "libpipe.so.1 changed (build id 00000000" in text.stdout
    if not good:
        print(f"seed {seed}: {pair.changed} x {pair.factor:.2f}, noise {pair.noise:.3f}, "
              f"runs {pair.runs}; said {changed}, exit {text.returncode}\n{text.stdout}")
    return good


def main():
    first, last = (int(a) for a in sys.argv[2:4]) if len(sys.argv) > 2 else (1, 30)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last + 1):
            pair = Pair(seed)
            store = f"{folder}/{seed}.db"
            pair.write(store)
            wrong += not judge(pair, seed, store)
            os.unlink(store)
    print(f"{last - first + 1 - wrong} of {last - first + 1} pairs right")
    sys.exit(wrong > 0)


main()
