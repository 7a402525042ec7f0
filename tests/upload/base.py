# SPDX-License-Identifier: Apache-2.0
"""What the tests of uploading share: PostgreSQL, the gateway before it (a
simulation, see gateway.py), a session directory and a store."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../common"))
import alive  # noqa: E402
import lock  # noqa: E402
import postgres  # noqa: E402
import scan  # noqa: E402


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def until(what, test, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = test()
        if got:
            return got
        time.sleep(0.02)  # polls a state
    raise AssertionError(f"never came: {what}")


class Gateway:
    def __init__(self, pg, place):
        self.pg, self.dir = pg, place
        self.port_file = os.path.join(place, "port")
        self.fault_file = os.path.join(place, "faults.json")
        self.wire = os.path.join(place, "wire")
        self.faults()
        self.server = None

    def start(self):
        self.server = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "gateway.py"), self.pg.dir,
             self.port_file, self.fault_file, self.wire])
        self.port = int(until("the gateway's port", lambda: (
            os.path.exists(self.port_file) and open(self.port_file).read())))
        return self

    def faults(self, **modes):
        with open(self.fault_file + ".new", "w", encoding="utf-8") as f:
            json.dump(modes, f)
        os.rename(self.fault_file + ".new", self.fault_file)

    def kill(self):
        self.server.kill()
        self.server.wait()

    def posts(self):
        return sum(r[0] == "POST" for r in scan.requests(self.wire))

    def url(self, scheme="postgrest+http", path="", options=""):
        place = scan.LOUD if "values=on" in options else scan.QUIET
        return (f"{scheme}://127.0.0.1:{self.port}{place}{path}"
                f"{'?' if options else ''}{options}")


class Place:
    """A directory for sessions, a store, the programs."""

    def __init__(self, handspan, writer=None):
        base = os.environ.get("TEST_MEMORY")
        self.handspan, self.writer = handspan, writer
        self.dir = tempfile.mkdtemp(prefix="handspan-up-", dir=base)
        self.lanes = os.path.join(self.dir, "lanes")
        os.mkdir(self.lanes, 0o700)
        self.store = os.path.join(self.dir, "store.db")
        self.key = os.path.join(self.dir, "key")
        self.sidecars = []
        with open(self.key, "w", encoding="utf-8") as f:
            f.write("token-writer\n")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "OTEL", "http", "HTTP"))}
        self.env.update(HANDSPAN_DIR=self.lanes, HANDSPAN_STORE=self.store,
                        HANDSPAN_UPLOAD_KEY_FILE=self.key, HOME=self.dir)

    def wrote(self, *args):
        """A session of the synthetic writer, which ends."""
        subprocess.run([self.writer, self.lanes, *args], check=True,
                       stdout=subprocess.PIPE, timeout=300)

    def sidecar(self, *args, **kw):
        p = subprocess.Popen([self.handspan, "sidecar", *args], env=self.env,
                             stderr=subprocess.PIPE, text=True, **kw)
        self.sidecars.append(p)
        if "--stay" in args:  # at work: no program starts another one
            until("the sidecar", lambda: p.poll() is not None or
                  lock.is_held(self.lanes))
        return p

    def drain(self, *args, status=0, timeout=300):
        p = self.sidecar(*args)
        err = p.communicate(timeout=timeout)[1]
        expect(p.returncode, status, f"the sidecar's status ({err})")
        return err

    def run(self, *args, status=0, env=None, timeout=300):
        r = subprocess.run([self.handspan, *args], env={**self.env,
                                                        **(env or {})},
                           text=True, capture_output=True, timeout=timeout)
        if status is not None:
            expect(r.returncode, status, f"{args} ({r.stdout}{r.stderr})")
        return r.stdout

    def rows(self, sql, *args):
        db = sqlite3.connect(self.store, timeout=30)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def sinks(self):
        return {name: (state, sent, error) for name, state, sent, error in
                self.rows("SELECT name, state, sent_spans, error FROM sinks")}

    def log(self):
        try:
            return open(os.path.join(self.lanes, "log"),
                        encoding="utf-8").read()
        except OSError:
            return ""

    def done(self):
        for p in self.sidecars:
            if p.poll() is None:
                p.kill()
        alive.remove(self.dir)


MASK = (1 << 64) - 1


def mix(x):
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


def span_id(key, ref):
    """lane/format/ids.h, again."""
    if ref in (0, None):
        return None
    key = int.from_bytes(key, "big")
    got = mix((ref & MASK) ^ key)
    return f"{got or mix(key):016x}"


SPANS = ("trace_id", "span_id", "parent_span_id", "process_span_id", "session",
         "site", "name", "symbol", "pid", "tid", "thread_name", "depth",
         "start_unix_ns", "duration_ns", "self_ns", "cpu_ns", "queue_ns",
         "status", "ended_by", "links")
VALUES = ("input", "output", "attributes", "capture", "error")


def process_span_id(key, idx):
    return span_id(key, 0xffff << 48 | idx + 1)


def spans_of_store(place, values):
    """Every final span of the store as it must stand in PostgreSQL, computed
    here from the tables, not by the uploader's SQL."""
    sql = ("SELECT t.trace_id, e.key, s.ref, s.parent_ref, s.process_idx, "
           "s.site, i.name, i.symbol, p.pid, h.tid, h.name, s.depth, "
           "s.start_unix_ns, s.duration_ns, s.self_ns, s.cpu_ns, s.queue_ns, "
           "s.status, s.ended_by, s.links, s.input, s.output, s.attributes, "
           "s.capture, s.error, t.root_ref, t.remote_parent FROM spans s "
           "JOIN sessions e USING (session) JOIN traces t USING (trace) "
           "JOIN sites i ON i.session = s.session AND i.site = s.site "
           "JOIN processes p ON p.session = s.session AND "
           "p.idx = s.process_idx LEFT JOIN threads h ON h.session = s.session "
           "AND h.lane = s.ref >> 48 AND h.generation = s.generation "
           "WHERE s.status <> 'open'")
    out = set()
    for r in place.rows(sql):
        parent = span_id(r[1], r[3])
        if parent is None and r[25] == r[2] and r[26]:
            parent = r[26].hex()
        row = (r[0].hex(), span_id(r[1], r[2]), parent,
               process_span_id(r[1], r[4]), r[1].hex(), *r[5:20])
        out.add(row + tuple(r[20:25]) if values else row)
    return out


def spans_of_postgres(pg, values, prefix=""):
    columns = SPANS + (VALUES if values else ())
    texts = ", ".join(c + "::text" if c in VALUES + ("links",) else c
                      for c in columns)
    return [tuple(r) for r in pg.rows(f"SELECT {texts} FROM {prefix}spans")]


def same(place, pg, values=True, prefix=""):
    """What is in PostgreSQL is what is in the store: each row once."""
    here, there = spans_of_store(place, values), spans_of_postgres(
        pg, values, prefix)
    expect(len(there), len(set(there)), "rows there, each once")
    missing, more = here - set(there), set(there) - here
    if missing or more:
        raise AssertionError(f"{len(missing)} missing, as {list(missing)[:2]}; "
                             f"{len(more)} that should not be, as "
                             f"{list(more)[:2]}")
    return len(here)
