#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lanes filled without a pause while the sidecar is killed: the program lives,
its output is its own, every call is stored or counted, none twice.

usage: stress.py BUILD_DIR SECONDS CALLS

Rounds of 1, 2, 8 and 64 threads, both policies, budgets of 1, 2 and 64 MiB in
turn until SECONDS are over; CALLS are those of a round, over all its threads
(four times as many where most are dropped: that is quick). In a round the sidecar
is killed and replaced after 50 ms of CPU, which are 50 ms where the machine has
nothing else to do, as long as the program runs.
"""
import collections
import itertools
import os
import pathlib
import random
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

MANIFEST = """[[object(main)]];
[[defaults(cap(51200))]];
[[span, capture("none")]] long plain(long number);
[[span, input(number, said), capture("named")]]
long text(long number, const char *said);
[[span, input(number, at[0:len]), output(return), capture("named")]]
long block(long number, const char *at, long len);
[[span, input(number), capture("named")]] long tick(long number);
"""
KILL_AFTER_S, KILL_AT_LAST_S = 0.05, 2
KILLS_MOST = 60  # in a round: a machine so slow that none gets far goes on, too
CHILDREN, TICK_US = 3, 2000
WAIT_MS = 10000
ROUNDS = list(itertools.product((1, 2, 8, 64), ("drop", "wait"), (1, 2, 64)))


def check(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


def units_given_back(path):
    """Of all lanes of a session, by their word `recycled` (docs/lane.md)."""
    with open(path, "rb") as file:
        header = file.read(4096)
        offset, size, _ = struct.unpack_from("<QII", header, 112 + 8 * 16)
        lanes, total = struct.unpack_from("<I", header, 412)[0], 0
        for lane in range(lanes):
            file.seek(offset + lane * size)
            total += max(struct.unpack_from("<Q", file.read(4096), 392)[0], 1) - 1
    return total


class Round:
    """One run of the program in a directory and a store of its own."""

    def __init__(self, build, temp, shape, calls):
        self.threads, self.policy, self.budget = shape
        self.temp, self.handspan = temp, str(build / "bin" / "handspan")
        calls *= 4 if self.policy == "drop" and self.budget <= 2 else 1
        self.argv = [str(build / "bin" / "stress_program"), str(self.threads),
                     str(calls // self.threads), str(CHILDREN), str(TICK_US)]
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith(("HANDSPAN", "LD_"))}
        self.env = dict(
            self.bare, HANDSPAN_DIR=str(temp / "d"), HANDSPAN_CONFIG="/dev/null",
            HANDSPAN_STORE=str(temp / "s.db"), HANDSPAN_SIDECAR="off",
            HANDSPAN_MANIFEST=str(temp / "m"),
            HANDSPAN_BUDGET_MB=str(self.budget),
            HANDSPAN_WAIT_MS=str(WAIT_MS if self.policy == "wait" else 0))
        self.traced = dict(self.env, LD_PRELOAD=str(build / "lib" /
                                                    "libhandspan.so"))
        (temp / "m").write_text(MANIFEST)
        (temp / "d").mkdir(mode=0o700)
        self.kills = 0

    def sidecar(self, *more):
        return subprocess.Popen([self.handspan, "sidecar", *more], env=self.env,
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL)

    def kill_sidecars(self, program):
        """As long as the program runs. It has not ended when it is a zombie."""
        while program.poll() is None:
            sidecar = self.sidecar("--stay")
            clock = ~sidecar.pid << 3 | 2  # its CPU time
            at_last = time.monotonic() + KILL_AT_LAST_S
            while (program.poll() is None and time.monotonic() < at_last and
                   time.clock_gettime(clock) < KILL_AFTER_S):
                time.sleep(0.002)  # waits for a state
            if self.kills == KILLS_MOST:
                program.wait()
            sidecar.kill()
            sidecar.wait()
            self.kills += 1

    def run(self):
        want = subprocess.run(self.argv, env=self.bare, text=True,
                              capture_output=True, check=True).stdout
        with subprocess.Popen(self.argv, env=self.traced, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as program:
            self.kill_sidecars(program)
            said, errors = program.communicate()
        self.units = sum(map(units_given_back,
                             (self.temp / "d").glob("session-*")))
        check((program.returncode, errors), (0, ""), "status and stderr")
        check(said.split(" tick ")[0], want.split(" tick ")[0], "stdout")
        check(self.sidecar().wait(), 0, "the last sidecar")
        check(list((self.temp / "d").glob("session-*")), [], "sessions left")
        words = said.split("\n")[1].split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def look(self, called):
        """What the store has of these calls."""
        store = sqlite3.connect(f"file:{self.temp / 's.db'}?mode=ro", uri=True)
        one = lambda query, *with_: store.execute(query, with_).fetchone()[0]
        lost = dict(store.execute("SELECT kind, sum(count) FROM losses "
                                  "GROUP BY kind"))
        seen = collections.Counter()
        for name, calls in called.items():
            of = ("FROM spans JOIN sites USING (session, site) "
                  "WHERE sites.name = ?1")
            total, dropped = store.execute(
                "SELECT coalesce(sum(calls), 0), coalesce(sum(dropped_calls), 0)"
                " FROM rollups JOIN sites USING (session, site) "
                "WHERE name = ?", (name,)).fetchone()
            stored = one(f"SELECT count(*) {of}", name)
            if name == "tick":  # what came while our own code ran
                total += lost.pop("lost_calls", 0)
            check(total, calls, f"calls of {name}, {dropped} without record")
            check(one(f"SELECT count(*) {of} AND status <> 'ok'", name), 0,
                  f"{name}: not ended")
            check(stored + dropped <= calls, True,
                  f"{name}: {stored} stored and {dropped} counted of {calls}")
            if name != "plain":
                check(one("SELECT count(*) - count(DISTINCT json_extract(input, "
                          f"'$.number')) - sum(input IS NULL) {of}", name) or 0,
                      0, f"{name}: stored twice")
            seen["records"] += stored
            seen["counted"] += dropped
        check(store.execute("PRAGMA integrity_check").fetchone()[0], "ok",
              "the store")
        for kind in ("lost_records", "lost_captures", "loose"):
            seen[kind] = lost.pop(kind, 0)
        for why in ("no_wait", "spool_full", "spool_no_room"):
            lost.pop(why, None)  # where one of these is
        check(lost, {}, "other losses")
        seen["units"] = self.units
        store.close()
        return seen


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    seconds, calls = float(sys.argv[2]), int(sys.argv[3])
    end = time.monotonic() + seconds
    seed = int(os.environ.get("HANDSPAN_SEED", random.randrange(1 << 30)))
    shapes = ROUNDS[:]
    random.Random(seed).shuffle(shapes)
    sums, rounds = collections.Counter(), 0
    for shape in itertools.cycle(shapes):
        if time.monotonic() > end:
            break
        temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-stress-",
                                             dir=os.environ.get("TEST_MEMORY")))
        try:
            one = Round(build, temp, shape, calls)
            begun = time.monotonic()
            seen = one.look(one.run())
            sums.update(seen, kills=one.kills)
            rounds += 1
            print(f"{one.threads} threads, {one.policy}, {one.budget} MiB: "
                  f"{one.kills} kills, " +
                  ", ".join(f"{v} {k}" for k, v in seen.items()) +
                  f", {time.monotonic() - begun:.1f} s", flush=True)
        except AssertionError as fault:
            print(f"seed {seed}, {shape}: {fault}")
            return 1
        finally:
            alive.remove(temp)
    print(f"{rounds} rounds, {sums['kills']} kills, {sums['records']} records "
          f"stored, {sums['counted']} lost and counted, {sums['units']} units "
          f"recycled, {sums['lost_captures']} values lost and counted; "
          f"seed {seed}")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{children.ru_utime + children.ru_stime:.0f} s of CPU")
    return 0


sys.exit(main())
