#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bursts that the store cannot keep up with, and the spool that takes them.

usage: spool.py BUILD_DIR CASE [COUNT]
burst      COUNT calls with values, back to back: each is in the store at the end
many       the same of 200 threads
free       the same of one, while the sidecar decodes
run        `handspan run` of that: when it ends, each is in the store
killed     the sidecar is killed again and again while there is a spool
full       a spool of 1 MB: what finds no room is counted, and nothing else
room       a file system that has less free than the spool leaves: the same
trouble    a store that takes nothing for a while: calls wait, as room comes
unwritable a limit on the size of files: the same, and it is said
left       what nobody needs any more goes, what is not ours stays
hostile    a spool that somebody else wrote over: no harm, nothing twice
"""
import contextlib
import glob
import json
import os
import pathlib
import random
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402
import lock  # noqa: E402

MANIFEST = """[[span, input(number, text)]] long step(long number, const char *text);
[[span]] void *work(void *part);
"""
SEGMENT, HEAD = 128 << 10, 4096
LIMIT_S = 300


def check(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


def wait_for(condition, what):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.002)  # waits for a state
    raise AssertionError(f"never came: {what}")


class Case:
    def __init__(self, build, temp, **settings):
        self.temp, self.bin = temp, build / "bin"
        self.handspan = str(build / "bin" / "handspan")
        self.store = temp / "s.db"
        (temp / "m").write_text(MANIFEST)
        (temp / "d").mkdir(mode=0o700)
        bare = {k: v for k, v in os.environ.items()
                if not k.startswith(("HANDSPAN", "LD_"))}
        self.env = dict(bare, HANDSPAN_DIR=str(temp / "d"),
                        HANDSPAN_CONFIG="/dev/null", HANDSPAN_SIDECAR="off",
                        HANDSPAN_STORE=str(self.store), **settings)
        self.traced = dict(self.env, HANDSPAN_MANIFEST=str(temp / "m"),
                           LD_PRELOAD=str(build / "lib" / "libhandspan.so"))

    def spools(self):
        return [pathlib.Path(p) for p in glob.glob(f"{self.store}-spool-*")]

    def spooled(self):
        """Bytes set aside now."""
        sizes = 0
        for path in self.spools():
            try:
                sizes += max(path.stat().st_size - HEAD, 0)
            except FileNotFoundError:
                pass
        return sizes

    def sidecar(self, *more, **how):
        return subprocess.Popen([self.handspan, "sidecar", *more], env=self.env,
                                stdin=subprocess.DEVNULL, **how)

    def program(self, count, threads=1, stays="stay", **more):
        return subprocess.Popen(
            [str(self.bin / "spool_burst"), str(count), str(threads)] +
            [stays] * (stays != ""), env=dict(self.traced, **more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self, program):
        program.stdin.close()
        check(program.wait(), 0, "the program's end")
        program.stdout.close()

    def note(self):
        """Of `handspan status`; empty: none."""
        said = subprocess.run([self.handspan, "status", "--json"], env=dict(
            self.env, LD_PRELOAD=""), capture_output=True, text=True).stdout
        return next((json.loads(line)["note"] or "" for line in
                     said.splitlines() if '"note"' in line), "")

    def last_line(self):
        """Of `handspan show`, as one line."""
        said = subprocess.run([self.handspan, "show"], env=self.env,
                              capture_output=True, text=True).stdout
        return " ".join(said.split())

    def spool_word(self):
        """lane_session.spool (docs/lane.md): 1 room comes, 2 it does not."""
        session, = (self.temp / "d").glob("session-*")
        return struct.unpack_from("<I", session.read_bytes(), 2116)[0]

    def finish(self):
        """A last sidecar brings all into the store, and leaves nothing."""
        check(self.sidecar().wait(), 0, "the last sidecar")
        check(list((self.temp / "d").glob("session-*")), [], "sessions left")
        check(self.spools(), [], "spools left")

    def look(self, count):
        """(stored, counted): every call is one of both, none is twice."""
        store = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        one = lambda query: store.execute(query).fetchone()
        calls, dropped = one(
            "SELECT sum(calls), sum(dropped_calls) FROM rollups JOIN sites "
            "USING (session, site) WHERE name = 'step'")
        stored, numbers, low, high = one(
            "SELECT count(*), count(DISTINCT n), min(n), max(n) FROM (SELECT "
            "json_extract(input, '$.number') AS n FROM spans JOIN sites "
            "USING (session, site) WHERE sites.name = 'step' "
            "AND input IS NOT NULL)")
        rows = one("SELECT count(*) FROM spans JOIN sites USING (session, site) "
                   "WHERE sites.name = 'step'")[0]
        self.outermost = one("SELECT count(*) FROM spans JOIN sites USING "
                             "(session, site) WHERE sites.name = 'work'")[0]
        self.losses = dict(store.execute(
            "SELECT kind, sum(count) FROM losses GROUP BY kind"))
        store.close()
        check(calls + self.losses.get("lost_calls", 0), count, "calls in all")
        check(rows + dropped, count, f"calls: {rows} stored, {dropped} counted")
        check(numbers, stored, "different numbers: one was stored twice")
        return rows, dropped

    def whole(self, count):
        check(self.look(count), (count, 0), "stored and counted")
        check(self.losses, {}, "losses")


def is_served(one):
    """Nobody else's sidecar is needed: it has the session, and its row."""
    return lock.is_held(str(one.temp / "d")) and is_begun(one)


def all_stored(one, sidecar):
    wait_for(lambda: not list((one.temp / "d").glob("session-*")), "all stored")
    sidecar.terminate()
    sidecar.wait()
    check(one.spools(), [], "spools left")


def burst(one, count):
    """Nothing is set: the default budget, the default policy. Not a call can be
    decoded (the store is somebody else's) until all are made. The program has
    less of a CPU than its sidecar, or a busy machine would decide."""
    sidecar = one.sidecar("--stay")
    program = one.program(count, threads=one.threads, stays="ask")
    os.setpriority(os.PRIO_PROCESS, program.pid,
                   min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19))
    wait_for(lambda: is_served(one), "the session's row")
    with contextlib.closing(sqlite3.connect(one.store, timeout=LIMIT_S,
                                            isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        program.stdin.write("\n")
        program.stdin.flush()
        said = program.stdout.readline().strip()
        check(said.startswith(f"{count} calls"), True, "a line")
        aside = one.spooled() >> 20
        check(aside >= one.aside_mib, True, f"{aside} MiB set aside")
        store.execute("ROLLBACK")
    one.end(program)
    all_stored(one, sidecar)
    one.whole(count)
    print(f"{said}; {aside} MiB set aside; every one is in the store")


def free(one, count):
    """The same, and nothing is held up."""
    sidecar = one.sidecar("--stay")
    wait_for(lambda: lock.is_held(str(one.temp / "d")), "the sidecar")
    del one.traced["HANDSPAN_SIDECAR"]  # there is one: none is started
    program = one.program(count, stays="")
    said = program.communicate()[0].strip()
    check(program.returncode, 0, "the program's end")
    all_stored(one, sidecar)
    one.whole(count)
    print(f"{said}; every one is in the store")


def run(one, count):
    """However long it takes to decode, as long as it goes on."""
    env = {k: v for k, v in one.env.items() if k != "HANDSPAN_SIDECAR"}
    done = subprocess.run(
        [one.handspan, "run", "-m", str(one.temp / "m"), "--summary=always",
         str(one.bin / "spool_burst"), str(count)], env=env, text=True,
        stdin=subprocess.DEVNULL, capture_output=True)
    check(done.returncode, 0, "its end")
    check("not stored" in done.stderr, False, done.stderr)
    one.whole(count)
    print(f"{done.stdout.strip()}; every one is in the store\n{done.stderr}")


def killed(one, count):
    """The program waits for room: nothing may be missing, and nothing twice."""
    program = one.program(count, threads=3, HANDSPAN_WAIT_MS="60000")
    dice = random.Random(one.seed)
    kills = seen = most = 0
    while kills < one.rounds and not is_read(one, count):
        sidecar = one.sidecar("--stay")
        used = ~sidecar.pid << 3 | 2  # the clock of its CPU time
        target = dice.random() * 0.08
        wait_for(lambda: time.clock_gettime(used) >= target or
                 is_read(one, count), "some CPU of it")
        seen += one.spooled() > 0
        most = max(most, one.spooled())
        sidecar.kill()
        sidecar.wait()
        kills += 1
    sidecar = one.sidecar("--stay")  # who waits gets on
    check(program.stdout.readline().startswith(f"{count} calls"), True, "a line")
    sidecar.kill()
    sidecar.wait()
    one.end(program)
    one.finish()
    one.whole(count)
    check(seen > 2, True, f"a spool was there at {seen} of {kills} kills")
    print(f"{kills} kills, {seen} with a spool of up to {most >> 20} MiB: each "
          f"call is stored once; seed {one.seed}")


def is_read(one, count):
    """The store has it all."""
    try:
        store = sqlite3.connect(f"file:{one.store}?mode=ro", uri=True)
        try:
            return store.execute(
                "SELECT sum(calls) FROM rollups JOIN sites USING (session, site) "
                "WHERE name = 'step'").fetchone()[0] == count
        finally:
            store.close()
    except sqlite3.Error:
        return False


def is_begun(one):
    """The store has its row: the sidecar has it open, and copies."""
    try:
        with contextlib.closing(sqlite3.connect(
                f"file:{one.store}?mode=ro", uri=True)) as store:
            return store.execute("SELECT count(*) FROM sessions").fetchone()[0]
    except sqlite3.Error:
        return 0


def full(one, count):
    """Decoding stands still (the store is somebody else's) until the spool is
    full. Nothing is waited for then; what is outermost is kept all the same."""
    refuse(one, count, 7, "is full", "HANDSPAN_SPOOL_SIZE=4MB")
    check(one.losses["spool_full"] > 0, True, "why")


def room(one, count):
    """No file system has so much free."""
    refuse(one, count, 0, "spool_free (100%)", "HANDSPAN_SPOOL_FREE=64MiB")
    check(one.losses["spool_no_room"] > 0, True, "why")


def refuse(one, count, segments, word, cure):
    sidecar = one.sidecar("--stay")
    program = one.program(count, threads=2, stays="ask")
    wait_for(lambda: is_begun(one), "the session's row")
    with contextlib.closing(sqlite3.connect(one.store, timeout=LIMIT_S,
                                            isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        program.stdin.write("\n")
        program.stdin.flush()
        most = segments * SEGMENT
        wait_for(lambda: word in one.note(), "a word of status")
        check(one.spooled(), most, f"a spool of {segments} segments")
        check(program.stdout.readline().startswith(f"{count} calls"), True,
              "a line")
        check(one.spooled(), most, "a spool of a megabyte at most")
        store.execute("ROLLBACK")
    wait_for(lambda: is_read(one, count), "all in the store")
    one.end(program)
    sidecar.terminate()
    sidecar.wait()
    one.finish()
    stored, counted = one.look(count)
    check(counted > 0, True, "calls without detail")
    check(one.outermost, 2, "outermost calls")
    check({kind for kind in one.losses if not kind.startswith("spool_")} <=
          {"lost_records", "lost_captures"}, True, f"losses: {one.losses}")
    check(cure in one.last_line(), True, f"the cure: {one.last_line()}")
    check(one.note(), "", "no word of it at the end")
    print(f"a spool of {most} bytes: {stored} stored, {counted} counted")


def unwritable(one, count):
    """The third write to the spool, and all after it, find no space."""
    program = one.program(count, threads=2)
    one.env.update(LD_PRELOAD=one.faulty, FAULT_KIND="full", FAULT_AT="3",
                   FAULT_COUNT="1000000", FAULT_BELOW=f"{one.store}-spool-")
    sidecar = one.sidecar("--stay")
    wait_for(lambda: "spool" in one.note() and "No space left" in one.note(),
             "a word of status")
    wait_for(lambda: is_read(one, count), "all in the store")
    one.end(program)
    sidecar.terminate()
    sidecar.wait()
    one.finish()
    stored, counted = one.look(count)
    log = (one.temp / "d" / "log").read_text()
    check(log.count("No space left"), 1, f"the log: {log}")
    check(one.note(), "", "no word of it at the end")
    check("could not be written" in one.last_line(), True, one.last_line())
    print(f"no space: {stored} stored, {counted} counted")


def trouble(one, count):
    """The store takes nothing for a while, and the sidecar tries again: calls
    wait meanwhile as they did, instead of being counted."""
    program = one.program(count, stays="ask")
    sidecar = one.sidecar("--stay")
    wait_for(lambda: is_begun(one), "the session's row")
    rename(one, "lane_cursors", "gone")
    program.stdin.write("\n")
    program.stdin.flush()
    told = one.temp / "d" / "sidecar.error"
    wait_for(told.exists, "trouble")
    first = told.stat().st_ino
    while told.stat().st_ino == first:  # until it was tried again
        check(one.spool_word(), 1, "room comes, says the session")
    rename(one, "gone", "lane_cursors")
    one.end(program)
    all_stored(one, sidecar)
    one.whole(count)


def rename(one, old, new):
    with contextlib.closing(sqlite3.connect(one.store,
                                            timeout=LIMIT_S)) as store:
        store.execute(f"ALTER TABLE {old} RENAME TO {new}")


def leave_spool(one, count):
    """A sidecar that was killed; its spool. The program has called all."""
    program = one.program(count)
    sidecar = one.sidecar("--stay")
    check(program.stdout.readline().startswith(f"{count} calls"), True, "a line")
    wait_for(one.spooled, "a spool")
    sidecar.kill()
    sidecar.wait()
    path, = one.spools()
    check(path.stat().st_mode & 0o7777, 0o600, "its mode")
    return program, path


def left(one, count):
    program, spool = leave_spool(one, count)
    foreign = pathlib.Path(f"{one.store}-spool-{0:016x}")
    foreign.write_text("not of handspan")
    os.symlink(foreign, f"{one.store}-spool-{1:016x}")
    strange = pathlib.Path(f"{one.store}-spool-{2:016x}")
    shutil.copy(spool, strange)  # of a session that is not there
    with open(strange, "r+b") as file:
        file.seek(struct.calcsize("<8sIIQ16s") + 2048)
        file.write(b"session-none")
    sidecar = one.sidecar("--stay")
    wait_for(lambda: not strange.exists(), "the spool of nobody to go")
    check(foreign.read_text(), "not of handspan", "another one's file")
    sidecar.terminate()  # in order: what is not decoded stays
    sidecar.wait()
    for session in (one.temp / "d").glob("session-*"):
        session.unlink()
    one.end(program)
    check(one.sidecar().wait(), 0, "a sidecar with nothing to do")
    check(sorted(one.spools()), sorted([foreign, pathlib.Path(
        f"{one.store}-spool-{1:016x}")]), "what is there")
    print("what nobody needs is gone")


def hostile(one, count):
    dice = random.Random(one.seed)
    for way in ("gone", "open", "cut", "noise", "twice", "head"):
        shutil.rmtree(one.temp)
        one.temp.mkdir()
        one.__init__(one.build, one.temp, **one.settings)
        program, spool = leave_spool(one, count)
        size = spool.stat().st_size
        with open(spool, "r+b") as file:
            if way == "cut":
                file.truncate(HEAD + (size - HEAD) // 2 + 77)
            for _ in range(200 * (way == "noise")):
                file.seek(HEAD + dice.randrange(size - HEAD))
                file.write(dice.randbytes(8))
            if way == "head":
                file.write(dice.randbytes(HEAD))
            if way == "twice":
                file.seek(HEAD)
                slot = file.read(SEGMENT)
                file.seek(HEAD + SEGMENT)
                file.write(slot)
        if way == "gone":
            spool.unlink()
        if way == "open":
            spool.chmod(0o644)
        one.end(program)
        check(one.sidecar().wait(), 0, f"{way}: the last sidecar")
        check([p for p in one.spools() if way != "open"], [], "spools left")
        store = sqlite3.connect(f"file:{one.store}?mode=ro", uri=True)
        rows, numbers = store.execute(
            "SELECT count(*), count(DISTINCT json_extract(input, '$.number')) "
            "FROM spans JOIN sites USING (session, site) WHERE name = 'step' "
            "AND input IS NOT NULL").fetchone()
        lost = dict(store.execute(
            "SELECT kind, sum(count) FROM losses GROUP BY kind"))
        calls = store.execute("SELECT sum(calls) FROM rollups JOIN sites USING "
                              "(session, site) WHERE name = 'step'").fetchone()[0]
        store.close()
        check(numbers, rows if way != "noise" else numbers, f"{way}: once")
        if way != "noise":
            check(calls + lost.get("lost_store", 0), count, f"{way}: {lost}")
        check(lost != {}, True, f"{way}: it is said")
        print(f"{way}: {rows} stored, {lost}")


def main():
    build, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    count = int(sys.argv[3])
    settings = {"burst": {}, "many": {}, "free": {}, "run": {}, "killed": {"HANDSPAN_BUDGET_MB": "4"},
                "full": {"HANDSPAN_BUDGET_MB": "1",
                         "HANDSPAN_SPOOL_SIZE": "1MB"},
                "room": {"HANDSPAN_BUDGET_MB": "1",
                         "HANDSPAN_SPOOL_FREE": "100%"},
                "trouble": {"HANDSPAN_BUDGET_MB": "1"},
                "unwritable": {"HANDSPAN_BUDGET_MB": "1"},
                "left": {"HANDSPAN_BUDGET_MB": "4"},
                "hostile": {"HANDSPAN_BUDGET_MB": "4",
                            "HANDSPAN_KEEP_AGE": "off"}}[name]
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-spool-"))
    # a machine whose disk is nearly full has room for this all the same
    settings.setdefault("HANDSPAN_SPOOL_FREE", "16MiB")
    one = Case(build, temp, **settings)
    one.build, one.settings = build, settings
    one.threads = 200 if name == "many" else 1
    one.aside_mib = 50 if name == "burst" else 0
    one.rounds = int(os.environ.get("ROUNDS", "25"))
    one.seed = int(os.environ.get("HANDSPAN_SEED", random.randrange(1 << 30)))
    one.faulty = str(build / "lib" / "libops_faulty.so")
    try:
        {"burst": burst, "many": burst, "free": free, "run": run, "killed": killed,
         "full": full, "room": room, "trouble": trouble,
         "unwritable": unwritable, "left": left,
         "hostile": hostile}[name](one, count)
    except AssertionError as fault:
        print(f"{name}, seed {one.seed}: {fault}")
        return 1
    finally:
        alive.end(temp)
        shutil.rmtree(temp)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{used.ru_utime + used.ru_stime:.0f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
