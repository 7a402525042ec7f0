#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""overdue(): overdue_test.py HANDSPAN. Zero-copy trampolines, spans from begin
to end, sixty threads at once, a thread that cannot be stopped, a sidecar that
is killed and comes again; what a stop does to the program. The catalogue has
the stacks."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))
import alive  # noqa: E402
import lock  # noqa: E402

MANIFEST = """[[object(main)]];
[[span, input(how)]] int outer(const char *how, int stop);
[[span, overdue("200ms")]] int quiet(const char *how);
[[span, overdue("200ms", stop)]] int stopped(const char *how);
[[begin("fetch", id), overdue("200ms")]] int fetch_start(long id);
[[end("fetch", id)]] int fetch_end(long id);
"""
THREADS = 60


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


class World:
    def __init__(self, handspan):
        self.handspan = handspan
        base = os.environ.get("TEST_MEMORY")
        self.dir = tempfile.mkdtemp(prefix="handspan-overdue-", dir=base)
        self.program = self.dir + "/overdue"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-g", "-w", "-o",
                        self.program, HERE / "overdue.c", "-pthread"],
                       check=True)
        pathlib.Path(self.dir + "/m").write_text(MANIFEST)
        self.count = 0

    def start(self, *args, shim=None):
        """A store and a session directory of its own."""
        self.count += 1
        self.lanes = f"{self.dir}/lanes{self.count}"
        self.store = f"{self.dir}/store{self.count}.db"
        os.mkdir(self.lanes, 0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_"))}
        self.env.update(HANDSPAN_DIR=self.lanes, HANDSPAN_STORE=self.store)
        if shim:
            self.env["HANDSPAN_TEST_SHIM"] = shim
        self.run = subprocess.Popen(
            [self.handspan, "run", "-m", self.dir + "/m", "--summary=never",
             "--", self.program, *args], env=self.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def rows(self, sql):
        try:
            db = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
            try:
                return db.execute(sql).fetchall()
            finally:
                db.close()
        except sqlite3.OperationalError:
            return []  # the sidecar is just making it

    def late(self, count=1):
        """The details, when there are so many."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            rows = self.rows("SELECT detail FROM overdue")
            if len(rows) >= count:
                return [json.loads(r[0]) for r in rows]
            time.sleep(0.02)  # polls a state
        raise AssertionError("nothing is overdue")

    def finish(self):
        said = self.run.communicate("", timeout=300)[0]
        expect(self.run.returncode, 0, "status")
        subprocess.run([self.handspan, "sidecar", "--once"], env=self.env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=300, check=False)
        return said

    def sidecar(self):
        found = lock.holder(self.lanes)
        assert found, "no sidecar"
        return found


def names(detail):
    return [f["function"] for f in detail["stack"]]


def zero_copy(w):
    for kind in "quiet", "stop":
        w.start("read", kind, shim="zero")
        detail, = w.late()
        expect(w.finish(), "0\n", "what the program read")
        span = "stopped" if kind == "stop" else "quiet"
        got = names(detail)
        at = got.index("wait_read")
        expect(got[at:at + 5], ["wait_read", "wait_as", span, "outer", "main"],
               "the stack")
        expect(got[-1], "_start", "its end")
        expect(detail["stack_ended"], None, "nothing is missing")
        expect(any(f.get("guess") for f in detail["stack"]), False, "guesses")


def begun(w):
    w.start("begun", "quiet")
    detail, = w.late()
    w.finish()
    expect(detail["message"],
           "no thread is in it: it was begun, and not ended yet", "message")
    (status, count), = w.rows("SELECT s.status, g.count FROM overdue o JOIN "
                              "spans s USING (session, ref) JOIN error_groups "
                              "g ON g.fingerprint = o.fingerprint")
    expect((status, count), ("ok", 1), "its end")


def many(w):
    w.start("many", "stop")
    details = w.late(THREADS)
    w.finish()
    expect(len(details), THREADS, "rows")
    expect({d["stopped"] for d in details}, {True}, "stopped")
    expect({"outer" in names(d) for d in details}, {True}, "stacks")
    expect(w.rows("SELECT sum(count), count(*) FROM error_groups"),
           [(THREADS, 1)], "one group")


def unstoppable(w):
    w.start("vfork", "stop")
    detail, = w.late()
    expect(w.finish(), "0\n", "it went on")
    expect(detail["stopped"], False, "it was not stopped")
    expect(detail["message"].split(" in ")[0], "waiting, not to be interrupted",
           "message")
    expect(w.rows("SELECT count(*) FROM spans WHERE status = 'ok'"), [(2,)],
           "spans")


def interrupted(w):
    """As signal(7) has it, and docs/errors.md."""
    for kind, said in ("quiet", "0\n"), ("stop", "1\n"):
        w.start("epoll", kind)
        w.late()
        expect(w.finish(), said, f"EINTR of epoll_wait, {kind}")
    w.start("read", "stop")
    w.late()
    expect(w.finish(), "0\n", "read goes on")


def once(w):
    """A sidecar that comes again knows what was told."""
    w.start("read", "quiet")
    w.late()
    os.kill(w.sidecar(), signal.SIGKILL)
    again = subprocess.Popen([w.handspan, "sidecar", "--stay"], env=w.env,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 300
        while not w.rows("SELECT 1 FROM sessions") and time.monotonic() < end:
            time.sleep(0.02)
        w.run.stdin.close()
        w.run.stdin = None
        w.run.communicate(timeout=300)
        while time.monotonic() < end and not w.rows(
                "SELECT 1 FROM sessions WHERE state = 'ended'"):
            time.sleep(0.02)
    finally:
        again.terminate()
        again.wait(300)
    expect(w.rows("SELECT count(*), sum(g.count) FROM overdue JOIN "
                  "error_groups g USING (fingerprint)"), [(1, 1)], "rows")


def main():
    w = World(os.path.realpath(sys.argv[1]))
    try:
        for case in zero_copy, begun, many, unstoppable, interrupted, once:
            print(case.__name__, flush=True)
            case(w)
    finally:
        alive.remove(w.dir)


main()
