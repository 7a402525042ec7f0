#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sidecar against the synthetic writer; one case per call.

usage: cases.py CASE WRITER SIDECAR
"""
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

WRITER, SIDECAR = None, None


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


class Place:
    """A directory of sessions, and a store."""

    def __init__(self):
        base = os.environ.get("TEST_MEMORY")
        self.dir = tempfile.mkdtemp(prefix="handspan-test-", dir=base)
        self.store = os.path.join(self.dir, "store.db")

    def write(self, *args, **kw):
        return subprocess.Popen([WRITER, self.dir, *args], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                **kw)

    def wrote(self, *args):
        """Run a writer to its end; (records, dropped, file)."""
        out = self.write(*args).communicate(timeout=300)[0].split()
        return int(out[3]), int(out[5]), out[1]

    def sidecar(self, *args, **kw):
        return subprocess.Popen(
            [SIDECAR, "--dir", self.dir, "--store", self.store, *args],
            stderr=subprocess.PIPE, text=True, **kw)

    def drain(self, *args, status=0, **kw):
        p = self.sidecar(*args, **kw)
        err = p.communicate(timeout=300)[1]
        expect(p.returncode, status, f"sidecar's status ({err})")
        return err

    def rows(self, sql, *args):
        db = sqlite3.connect(self.store, timeout=10)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def sessions(self):
        return sorted(n for n in os.listdir(self.dir)
                      if n.startswith("session-"))

    def until(self, what, test, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.005)  # waits for a state
        raise AssertionError(f"never came: {what}")

    def done(self):
        shutil.rmtree(self.dir)


def check_exact(p, session, records, dropped=0):
    """What was written is there, each once, totals included."""
    refs = [r for r, in p.rows("SELECT ref FROM spans WHERE session = ? "
                               "AND status = 'ok'", session)]
    expect(len(refs), records, "spans")
    by_lane = {}
    for ref in refs:
        by_lane.setdefault(ref >> 48, []).append(ref & (1 << 48) - 1)
    if not dropped:
        for lane, counters in by_lane.items():
            expect(sorted(counters), list(range(1, len(counters) + 1)),
                   f"lane {lane}: counters without a gap")
    ((calls, drop),) = p.rows("SELECT SUM(calls), SUM(dropped_calls) FROM "
                              "rollups WHERE session = ?", session)
    expect((calls, drop), (records + dropped, dropped), "totals")
    sums = 0
    for (text,) in p.rows("SELECT histogram FROM rollups WHERE session = ?",
                          session):
        sums += sum(json.loads(text).values())
    expect(sums, records + dropped, "histogram")
    spans = p.rows("SELECT ref, parent_ref, duration_ns, self_ns FROM spans "
                   "WHERE session = ? AND status = 'ok'", session)
    children = {}
    for ref, parent, dur, _ in spans:
        children[parent] = children.get(parent, 0) + dur
    wrong = [ref for ref, _, dur, own in spans
             if own != max(0, dur - children.get(ref, 0))]
    expect(wrong, [], "self time of each span")
    self_ns = sum(own for _, _, _, own in spans)
    ((r_self,),) = p.rows("SELECT SUM(self_ns) FROM rollups WHERE session = ?",
                          session)
    expect(r_self, self_ns, "self time of rollups and spans")
    expect(p.rows("SELECT * FROM open_frames"), [], "nothing waits")
    expect(p.rows("SELECT * FROM losses WHERE kind = 'corrupt_items'"), [],
           "nothing is corrupt")


def case_roundtrip():
    p = Place()
    records, _, _ = p.wrote("threads=4", "records=5000", "nest=5", "values=3")
    p.drain()
    expect(p.sessions(), [], "session files")
    check_exact(p, 1, records)
    ((name, status, command, cpu),) = p.rows(
        "SELECT name, status, command, cpu_ns FROM processes")
    expect((name, status, json.loads(command), cpu),
           ("etl", "ok", ["etl", "--day", "1"], 12345), "process")
    ((span, parent),) = p.rows(
        "SELECT s.input, o.site FROM spans s JOIN spans o ON o.session = "
        "s.session AND o.ref = s.parent_ref WHERE s.input IS NOT NULL "
        "ORDER BY s.ref LIMIT 1")
    expect((json.loads(span), parent), ({"path": "/data/0/0", "n": 0}, 2),
           "input and parent")
    bad = p.rows("SELECT c.ref FROM spans c JOIN spans o ON o.session = "
                 "c.session AND o.ref = c.parent_ref WHERE c.start_unix_ns < "
                 "o.start_unix_ns OR c.start_unix_ns + c.duration_ns > "
                 "o.start_unix_ns + o.duration_ns + 1")
    expect(bad, [], "children within their parents")
    ((dur, own),) = p.rows("SELECT duration_ns, status FROM traces")
    expect((dur > 0, own), (True, "ok"), "trace")
    p.done()


def case_recursion():
    """total counts outermost activations, self none twice."""
    p = Place()
    w = p.write("threads=2", "records=6000", "deep=9")
    out = w.communicate(timeout=300)[0].split()
    # batches end in mid-call: kill one on the way
    side = p.sidecar()
    p.until("some are stored", lambda: os.path.exists(p.store))
    side.kill()
    side.communicate()
    p.drain()
    check_exact(p, 1, int(out[3]))
    for site in (1, 2):
        ((want,),) = p.rows(
            "WITH RECURSIVE up (ref, at, hit) AS (SELECT ref, parent_ref, 0 "
            "FROM spans WHERE site = ?1 UNION ALL SELECT up.ref, "
            "s.parent_ref, s.site = ?1 FROM up JOIN spans s ON s.ref = up.at "
            "AND s.session = 1 WHERE up.at > 0 AND NOT up.hit) "
            "SELECT SUM(duration_ns) FROM spans WHERE site = ?1 AND ref NOT IN "
            "(SELECT ref FROM up WHERE hit)", site)
        ((got,),) = p.rows("SELECT total_ns FROM rollups WHERE site = ?", site)
        expect(got, want, f"total of site {site}")
    p.done()


def case_recycling():
    """Far more than the budget flows through while the sidecar drains."""
    p = Place()
    side = p.sidecar("--stay")
    w = p.write("threads=2", "records=120000", "units=4", "values=50")
    out = w.communicate(timeout=300)[0].split()
    expect(int(out[5]), 0, "dropped")
    p.until("session stored", lambda: not p.sessions(), 300)
    side.terminate()
    side.communicate(timeout=300)
    check_exact(p, 1, int(out[3]))
    p.done()


def case_budget():
    """No sidecar, four units: what has no room is counted, all of it."""
    p = Place()
    records, dropped, _ = p.wrote("threads=3", "records=60000", "units=4",
                                  "drop=1")
    expect(records + dropped, 180000, "calls")
    if dropped == 0:
        raise AssertionError("nothing was dropped: the case tests nothing")
    p.drain()
    check_exact(p, 1, records, dropped)
    expect(p.rows("SELECT SUM(count) FROM losses WHERE kind = "
                  "'lost_records'"), [(dropped,)], "losses")
    p.done()


def case_kill9():
    """The sidecar is killed at random moments; each span is stored once."""
    p = Place()
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print("seed", seed)
    rng = random.Random(seed)
    w = p.write("threads=3", "records=60000", "nest=40", "values=7", "units=3",
                "pause=1")
    kills = 0
    end = time.monotonic() + float(os.environ.get("SECONDS_OF_KILLS", "8"))
    while time.monotonic() < end:
        side = p.sidecar()
        try:
            side.wait(timeout=rng.choice((0.004, 0.02, 0.05, 0.15)) *
                      (0.5 + rng.random()))
            expect(side.returncode, 0, "sidecar " + side.stderr.read())
            break
        except subprocess.TimeoutExpired:
            side.kill()
            side.wait()
            kills += 1
        side.stderr.close()
    side = p.sidecar()
    out = w.communicate("\n", timeout=300)[0].split()
    side.communicate(timeout=300)
    print("kills", kills)
    expect(p.sessions(), [], "session files")
    expect(int(out[5]), 0, "dropped")
    check_exact(p, 1, int(out[3]))
    expect(p.rows("SELECT COUNT(*) FROM spans WHERE input IS NOT NULL"),
           [(int(out[7]),)], "inputs")
    p.done()


def case_killed():
    """SIGKILL under a live sidecar: finished spans, and the open ones."""
    p = Place()
    w = p.write("threads=2", "records=50", "open=3", "pause=1")
    w.stdout.readline(), w.stdout.readline()
    side = p.sidecar()
    p.until("open spans shown", lambda: os.path.exists(p.store) and
            p.rows("SELECT COUNT(*) FROM sqlite_master WHERE name = 'spans'")
            == [(1,)] and
            p.rows("SELECT COUNT(*) FROM spans WHERE status = 'open'")
            == [(6,)])
    ((inputs,),) = p.rows("SELECT COUNT(input) FROM spans WHERE "
                          "status = 'open'")
    expect(inputs, 6, "inputs of open spans")
    expect(p.rows("SELECT status, duration_ns FROM traces"), [("open", None)],
           "trace while it runs")
    w.kill()
    w.wait()
    side.communicate(timeout=300)
    expect(p.rows("SELECT status, ended_by, COUNT(*) FROM spans GROUP BY 1, 2 "
                  "ORDER BY 1"),
           [("ok", "return", 100), ("unfinished", "killed", 6)], "spans")
    expect(p.rows("SELECT status, ended_by, signal FROM processes"),
           [("error", "signal", 9)], "process")
    expect(p.sessions(), [], "session files")
    p.done()


def case_cut():
    """Killed as its threads were writing: no call that returned is missing;
    where they went on after half an item, one is."""
    for cut, ok, lost in ("1", 300, []), ("2", 303, [("corrupt_items", 3)]):
        p = Place()
        w = p.write("threads=3", "records=100", "end=kill", "cut=" + cut)
        w.wait(timeout=300)
        p.drain()
        expect(p.rows("SELECT status, COUNT(*) FROM spans GROUP BY 1"),
               [("ok", ok)], "spans")
        expect(p.rows("SELECT kind, SUM(count) FROM losses GROUP BY 1"), lost,
               "losses")
        p.done()


def case_reaped():
    """The sidecar comes late; the reaper left its word."""
    p = Place()
    w = p.write("records=5", "open=1", "end=kill")
    name = w.stdout.readline().split()[1]
    status = os.waitpid(w.pid, 0)[1]
    pid, start = name.split("-")[1:3]
    with open(os.path.join(p.dir, f"reaped-{pid}-{start}"), "w") as f:
        f.write(f"status {status}\ncpu_ns 5000\npeak_bytes 4096\n"
                "end_unix_ns 1\n")
    p.drain()
    expect(p.rows("SELECT status, ended_by, signal, end_source, cpu_ns, "
                  "peak_bytes, peak_is_lower_bound FROM processes"),
           [("error", "signal", 9, "reaper", 5000, 4096, 0)], "process")
    expect(p.rows("SELECT ended_by FROM spans WHERE status = 'unfinished'"),
           [("killed",)], "open span")
    p.done()


def case_unknown():
    """Nobody saw it die: that is what is said."""
    p = Place()
    p.wrote("records=5", "open=1", "end=none")
    p.drain()
    expect(p.rows("SELECT status, ended_by FROM processes"),
           [("unfinished", "unknown")], "process")
    p.done()


def case_child():
    """A forked child that is in no table keeps the session alive."""
    p = Place()
    w = p.write("records=5", "fork=1")
    out = w.stdout.readline(), w.stdout.readline()
    os.waitpid(w.pid, 0)
    side = p.sidecar()
    p.until("stored", lambda: os.path.exists(p.store) and
            p.rows("SELECT COUNT(*) FROM sqlite_master WHERE name = "
                   "'processes'") == [(1,)] and
            p.rows("SELECT status FROM processes") == [("ok",)])
    expect(len(p.sessions()), 1, "the file is kept")
    w.stdin.write("\n")
    w.stdin.flush()
    side.communicate(timeout=300)
    expect(p.sessions(), [], "session files")
    expect(p.rows("SELECT COUNT(*) FROM spans"), [(6,)],
           "with the child's span")
    expect(p.rows("SELECT idx, status, parent_idx FROM processes ORDER BY 1"),
           [(0, "ok", None), (1, "ok", 0)], "processes")
    del out
    p.done()


def case_store_full():
    """The store takes no more: said, nothing lost, stored later."""
    p = Place()
    records, _, _ = p.wrote("records=20000")

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))

    err = p.drain(status=2, preexec_fn=small)
    if "store.db" not in err:
        raise AssertionError(f"no message names the store: {err}")
    expect(len(p.sessions()), 1, "the session is kept")
    p.drain()
    check_exact(p, 1, records)
    p.done()


def case_store_other():
    """A store of a later version, a store that is none: left as they are."""
    p = Place()
    p.wrote("records=5")
    db = sqlite3.connect(p.store)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with open(p.store, "rb") as f:
        before = f.read()
    err = p.drain(status=2)
    if "version 99" not in err or p.store not in err:
        raise AssertionError(f"message: {err}")
    with open(p.store, "wb") as f:
        f.write(b"no database " * 1000)
    err = p.drain(status=2)
    if "not a database" not in err:
        raise AssertionError(f"message: {err}")
    with open(p.store, "rb") as f:
        expect(f.read(), b"no database " * 1000, "file that is no store")
    with open(p.store, "wb") as f:
        f.write(before)
    expect(len(p.sessions()), 1, "the session waits")
    p.done()


def case_bad_sessions():
    """Truncated, noise, another version: named and left; good ones stored."""
    p = Place()
    _, _, whole = p.wrote("records=500", "values=2")
    path = os.path.join(p.dir, whole)
    with open(path, "rb") as f:
        data = f.read(40 << 20)
    size = os.path.getsize(path)
    os.remove(path)
    rng = random.Random(5)
    for cut in (0, 1, 63, 100, 4095, 4096, 70000, len(data)):
        name = f"session-cut-{cut}"
        with open(os.path.join(p.dir, name), "wb") as f:
            f.write(data[:cut])
        err = p.drain(status=1)
        if name not in err:
            raise AssertionError(f"{name} is not named: {err}")
        expect(p.sessions(), [name], "left in place")
        os.remove(os.path.join(p.dir, name))
    with open(os.path.join(p.dir, "session-noise"), "wb") as f:
        f.write(rng.randbytes(200000))
    other = bytearray(data[:8192])
    other[8] = 77
    with open(os.path.join(p.dir, "session-other"), "wb") as f:
        f.write(other)
        f.truncate(size)
    _, _, _ = p.wrote("records=7")
    err = p.drain(status=1)
    for name, why in (("session-noise", "whole"), ("session-other", "version")):
        if not any(name in line and why in line for line in err.split("\n")):
            raise AssertionError(f"{name}: {err}")
    expect(p.sessions(), ["session-noise", "session-other"], "left in place")
    expect(p.rows("SELECT COUNT(*) FROM spans"), [(7,)], "the good one")
    p.done()


def case_older():
    """A session of the major version before is read, whole."""
    p = Place()
    _, _, whole = p.wrote("records=500", "values=2")
    with open(os.path.join(p.dir, whole), "r+b") as f:
        f.seek(8)
        expect(f.read(2), b"\3\0", "major version")
        f.seek(8)
        f.write(b"\2\0")
    p.drain()
    expect(p.sessions(), [], "session files")
    check_exact(p, 1, 500)
    p.done()


def stillborn(pids, *how, status):
    """Files without anything in them, as of these processes; what is left."""
    place = Place()
    names = [f"session-{pid}-1-{key:016x}.lane"
             for key, pid in enumerate(pids, 1)]
    for size, name in enumerate(names):
        with open(os.path.join(place.dir, name), "wb") as f:
            f.truncate(size << 20)
    place.drain(*how, status=status)
    left = place.sessions()
    place.done()
    return [names.index(name) for name in left]


def dead_pid():
    gone = subprocess.Popen(["true"])
    gone.wait()
    return gone.pid


def case_stillborn():
    """A process that died before its session was made leaves a file without
    anything in it: it goes. One whose process lives stays."""
    expect(stillborn([dead_pid(), dead_pid()], status=0), [], "of the dead")
    expect(stillborn([os.getpid()], "--once", status=0), [0], "of the living")


def case_stillborn_slow():
    """A sidecar that stays gives one whose process lives a minute."""
    begun = time.monotonic()
    expect(stillborn([dead_pid(), os.getpid()], status=1), [1], "what is left")
    if time.monotonic() - begun < 60:
        raise AssertionError("it gave up before its minute was over")


def case_truncated_live():
    """A session is cut short while it is drained."""
    p = Place()
    w = p.write("threads=2", "records=200000", "units=4", "gap_us=0",
                "drop=1", "pause=1")
    name = w.stdout.readline().split()[1]
    side = p.sidecar()
    p.until("draining", lambda: os.path.exists(p.store) and
            p.rows("SELECT COUNT(*) FROM sqlite_master WHERE name = 'spans'")
            == [(1,)] and p.rows("SELECT COUNT(*) FROM spans") > [(100,)])
    w.send_signal(signal.SIGSTOP)
    os.truncate(os.path.join(p.dir, name), 5000)
    err = side.communicate(timeout=300)[1]
    expect(side.returncode, 1, f"status ({err})")
    if name not in err:
        raise AssertionError(f"not named: {err}")
    w.kill()
    w.wait()
    p.done()


def case_noise_inside():
    """Noise over parts of a session: an end, no crash, what is whole stays."""
    p = Place()
    _, _, whole = p.wrote("threads=3", "records=3000", "nest=3", "values=2")
    path = os.path.join(p.dir, whole)
    os.rename(path, os.path.join(p.dir, "whole"))
    rng = random.Random(int(os.environ.get("SEED", "7")))
    for turn in range(int(os.environ.get("TURNS", "25"))):
        subprocess.run(["cp", "--sparse=always", os.path.join(p.dir, "whole"),
                        path], check=True)
        with open(path, "r+b") as f:
            header = f.read(4096)
            tables = [int.from_bytes(header[112 + 16 * i:120 + 16 * i],
                                     "little") for i in range(10)]
            for _ in range(rng.choice((1, 3, 40))):
                at = rng.choice(tables + [0]) + rng.randrange(70000)
                f.seek(at)
                f.write(rng.randbytes(rng.choice((1, 4, 8, 64))))
        side = p.sidecar("--once")
        err = side.communicate(timeout=300)[1]
        if side.returncode not in (0, 1, 2) or "Sanitizer" in err or \
                "runtime error" in err:
            raise AssertionError(f"turn {turn}: {side.returncode} {err}")
        for name in (whole, "store.db", "store.db-wal", "store.db-shm"):
            if os.path.exists(os.path.join(p.dir, name)):
                os.remove(os.path.join(p.dir, name))
    p.done()


def case_parent_damaged():
    """A record whose parent is the number that stands for NULL here: it is
    stored without one, and does not hold the others up for ever."""
    p = Place()
    records, _, name = p.wrote("records=300", "nest=3")
    path = os.path.join(p.dir, name)
    shutil.copy(path, os.path.join(p.dir, "whole"))
    p.drain()
    parents = {ref for ref, in p.rows("SELECT DISTINCT parent_ref FROM spans "
                                      "WHERE parent_ref > 0")}
    os.rename(os.path.join(p.dir, "whole"), path)
    damaged = 0
    with open(path, "r+b") as f:
        words = memoryview(bytearray(f.read())).cast("Q")
        for at in range(3, len(words), 8):
            if words[at] in parents and words[at - 1]:
                f.seek(at * 8)
                f.write((1 << 63).to_bytes(8, "little"))
                damaged += 1
    expect(damaged > 0, True, "records were found")
    for end in "", "-wal", "-shm":
        if os.path.exists(p.store + end):
            os.remove(p.store + end)
    side = p.sidecar("--once")
    err = side.communicate(timeout=300)[1]
    expect((side.returncode, "constraint" in err), (0, False), err)
    ((count, orphans),) = p.rows("SELECT count(*), sum(parent_ref = 0) FROM "
                                 "spans WHERE status = 'ok'")
    expect((count, orphans), (records, damaged), "spans")
    p.done()


def case_kept_damaged():
    """A record beside the log whose place the log never comes to: counted, and
    the sidecar ends."""
    p = Place()
    w = p.write("records=300", "open=1", "pause=1")
    w.stdout.readline(), w.stdout.readline()
    w.kill()
    w.wait()
    name, records = p.sessions()[0], 300
    with open(os.path.join(p.dir, name), "r+b") as f:
        words = memoryview(bytearray(f.read())).cast("Q")
        lane = words[(112 + 8 * 16) // 8]  # docs/lane.md: the table of lanes
        record = next(words[at:at + 8] for at in range(0, len(words), 8)
                      if words[at + 7] >> 48 == 1 and words[at + 7] & 63 == 1)
        f.seek(lane + 69632)  # kept[0]
        f.write(bytes(record[:7]) + (1 << 48 | 1 << 40 | 1).to_bytes(8, "little"))
        f.seek(lane + 2512)  # kept_next
        f.write((1).to_bytes(8, "little"))
    side = p.sidecar("--once")
    err = side.communicate(timeout=300)[1]
    expect(side.returncode, 0, err)
    ((count,),) = p.rows("SELECT count(*) FROM spans WHERE status = 'ok'")
    expect(count, records, "spans")
    expect(p.rows("SELECT count FROM losses WHERE kind = 'corrupt_items'"),
           [(1,)], "what is corrupt")
    p.done()


def case_held():
    """A thread that is held up keeps its inputs: of an event, and of a call
    that is not open yet."""
    p = Place()
    side = p.sidecar("--stay")
    out = p.wrote("records=0", "held=1")
    p.until("session stored", lambda: not p.sessions())
    side.terminate()
    side.communicate(timeout=300)
    expect(out[0], 2, "records")
    expect([json.loads(i)["n"] for i, in
            p.rows("SELECT input FROM spans ORDER BY ref")], [1, 2], "inputs")
    expect(p.rows("SELECT capture FROM spans WHERE capture IS NOT NULL"), [],
           "marks")
    p.done()


def case_lost():
    """What a record promises and no frame brings is marked, each value."""
    p = Place()
    p.wrote("records=0", "lost=1")
    p.drain()

    def mark(why, *keys):
        return {key: {"lost": why} for key in keys}

    expect([c and json.loads(c) for c, in
            p.rows("SELECT capture FROM spans ORDER BY ref")],
           [mark("not found", "path", "n"),
            mark("no room", "path", "n") | mark("not found", "return"),
            mark("no room", "path", "n", "return"), None,
            mark("not found", "path", "n"), None], "marks")
    expect([o and json.loads(o) for o, in
            p.rows("SELECT output FROM spans ORDER BY ref")],
           [None] * 4 + [{"return": -35}, {"return": 1}],
           "values that stand in records")
    p.done()


def case_race():
    """Programs that end while the sidecar is about to: none is left behind."""
    p = Place()
    total = 0
    for i in range(12):
        # started for no store in particular: it has the directory
        side = subprocess.Popen([SIDECAR, "--dir", p.dir, "--auto"],
                                stderr=subprocess.PIPE, text=True,
                                env=dict(os.environ, HANDSPAN_STORE=p.store))
        total += p.wrote("records=20")[0]
        if i % 3 == 0:
            side.wait(timeout=300)
        side.stderr.close()
    p.until("all stored", lambda: not p.sessions())
    expect(p.rows("SELECT COUNT(*) FROM spans"), [(total,)], "spans")
    p.until("sidecars end", lambda: p.drain() is not None)
    p.done()


def main():
    global WRITER, SIDECAR
    case, WRITER, SIDECAR = sys.argv[1], *map(os.path.abspath, sys.argv[2:4])
    globals()["case_" + case]()
    print("ok")


main()
