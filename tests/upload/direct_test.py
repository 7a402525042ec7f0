#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The sink postgresql://, against a real PostgreSQL, one case per call.

usage: direct_test.py CASE HANDSPAN WRITER
"""
import os
import socket
import sqlite3
import subprocess
import sys
import time

import base
import postgres
from base import expect, until

PASSWORD = "pass-word-4711"


class World(base.Place):
    def __init__(self, handspan, writer):
        super().__init__(handspan, writer)
        del self.env["HANDSPAN_UPLOAD_KEY_FILE"]
        self.pg = postgres.Postgres()
        self.host = self.pg.dir

    def url(self, options="", user="owner", where=None):
        where = f"{user}@/postgres?host={self.host}" if where is None else where
        return f"postgresql://{where}{'&' if options else ''}{options}"

    def schema(self, *args):
        """As the page says it: handspan schema postgres | psql."""
        sql = self.run("schema", "postgres", *args)
        r = subprocess.run(
            [os.path.join(postgres.BIN, "psql"), "-qv", "ON_ERROR_STOP=1", "-h",
             self.host, "-U", "owner", "-d", "postgres"], input=sql, text=True,
            capture_output=True, timeout=300)
        expect(r.returncode, 0, r.stderr)

    def add(self, text, name):
        with open(os.path.join(self.pg.data, name), "a", encoding="utf-8") as f:
            f.write(text)

    def idle(self, sinks=1):
        until(f"all sent: {self.sinks()}", lambda: self.rows(
            "SELECT count(*) FROM sinks WHERE state = 'idle' AND cursor_seq = "
            "(SELECT max(seq) FROM outbox)") == [(sinks,)])

    def end(self, side):
        side.terminate()
        return side.communicate(timeout=300)[1]

    def close(self):
        self.pg.stop()
        self.done()


def case_roundtrip(w):
    """Every row in every column, once, with values and without, also when the
    server dies in the middle and comes again; nothing anew the next time."""
    w.pg.start()
    w.schema()
    w.schema("--prefix", "two_")
    for _ in range(2):
        w.wrote("records=1500", "threads=3", "values=5", "open=2",
                "end=killed")
    side = w.sidecar("--stay", "--upload", w.url("values=on"), "--upload",
                     w.url("prefix=two_"))
    for turn in range(3):
        until("some are there", lambda: w.pg.rows(
            "SELECT count(*) > %s FROM spans", turn * 50)[0][0])
        w.pg.kill()
        w.wrote("records=300", "threads=2", "values=3")
        w.pg.start()
    until("stored", lambda: w.rows("SELECT count(*) FROM sessions")[0][0] == 5
          and not w.rows("SELECT 1 FROM sessions WHERE state <> 'ended'"))
    w.idle(2)
    w.end(side)
    assert base.same(w, w.pg) > 2000
    base.same(w, w.pg, values=False, prefix="two_")
    for column in base.VALUES:
        expect(w.pg.rows(f"SELECT count({column}) FROM two_spans"), [(0,)],
               column)
    for table, there in (("traces", "handspan_traces"),
                         ("processes", "handspan_processes"),
                         ("rollups", "handspan_rollups"),
                         ("sites", "handspan_sites")):
        expect(w.pg.rows(f"SELECT count(*) FROM {there}"),
               w.rows(f"SELECT count(*) FROM {table}"), table)
    expect(w.rows("SELECT * FROM refused"), [], "refused")
    before = w.pg.rows("SELECT max(received_at), count(*) FROM spans")
    w.drain("--once", "--upload", w.url("values=on"))
    expect(w.pg.rows("SELECT max(received_at), count(*) FROM spans"), before,
           "rows of a second sidecar")
    # an answer that was lost: the same again is no harm
    db = sqlite3.connect(w.store)
    db.execute("UPDATE sinks SET cursor_seq = 0, cursor_ref = NULL")
    db.commit()
    db.close()
    w.drain("--once", "--upload", w.url("values=on"))
    w.idle(1)
    expect(w.rows("SELECT * FROM refused"), [], "refused the second time")
    expect(w.pg.rows("SELECT max(received_at), count(*) FROM spans"), before,
           "rows that are there")
    # by hand, without a sidecar; twice named is one place. Tables that are not
    # migrated yet take all but the columns that are newer than they are
    db = sqlite3.connect(w.store)
    db.execute("UPDATE processes SET loading_ns = 1000 + process")
    db.commit()
    db.close()
    for number in "1234":
        w.schema("--prefix", "three_", "--only", number)
    w.schema("--prefix", "four_")
    w.run("upload", "--wait", "--upload", w.url("prefix=three_"), "--upload",
          w.url("prefix=three_"), "--upload", w.url("prefix=four_"))
    for prefix in "three_", "four_":
        base.same(w, w.pg, values=False, prefix=prefix)
    expect(w.pg.rows("SELECT DISTINCT span_id FROM three_processes ORDER BY 1"),
           w.pg.rows("SELECT DISTINCT span_id FROM four_processes ORDER BY 1"),
           "processes before migration 5")
    expect(w.pg.rows("SELECT loading_ns FROM four_processes ORDER BY 1"),
           w.rows("SELECT loading_ns FROM processes ORDER BY 1"), "loading")
    w.run("upload", "--upload", "nothing://x", status=2)
    expect(w.pg.rows("SELECT count(*) FROM pg_class WHERE relname LIKE "
                     "'handspan_in%%'"), [(0,)], "left there")


def held(w, word):
    """It stands still and says why, without the password."""
    until(f"held: {word}: {w.sinks()}", lambda: any(
        state == "held" and word in (error or "")
        for state, _, error in w.sinks().values()))
    out = w.run("uploads", status=1) + w.run("status", status=None)
    assert word in out, out
    assert PASSWORD not in out, out


def secured(w):
    """Passwords are asked for, and TLS where it is not the socket."""
    place = w.pg.data
    for name in "ca", "other":
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}/{name}.key",
             "-out", f"{place}/{name}.crt"], check=True, capture_output=True)
        os.chmod(f"{place}/{name}.key", 0o600)
        if postgres.user():
            os.chown(f"{place}/{name}.key", postgres.user().pw_uid, -1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    w.add(f"listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n"
          "ssl_cert_file = 'ca.crt'\nssl_key_file = 'ca.key'\n",
          "postgresql.conf")
    with open(os.path.join(place, "pg_hba.conf"), "w", encoding="utf-8") as f:
        f.write("local all owner trust\nlocal all all scram-sha-256\n"
                "hostssl all all 127.0.0.1/32 scram-sha-256\n")
    return port


def case_holds(w):
    """No tables, a wrong password, a certificate of another: nothing is lost,
    it says what to do, and goes on when that is done."""
    port = secured(w)
    connect = w.pg.connect
    w.pg.connect = lambda user="owner", database="postgres": __import__(
        "psycopg2").connect(host=w.pg.dir, port=port, user=user,
                            dbname=database)
    w.pg.start()
    c = w.pg.connect()
    c.autocommit = True
    c.cursor().execute(f"CREATE ROLE sender LOGIN PASSWORD '{PASSWORD}'")
    w.wrote("records=200", "threads=2", "values=3")
    key = f"key-file={w.key}&values=on"
    with open(w.key, "w", encoding="utf-8") as f:
        f.write("another-word-4711\n")
    side = w.sidecar("--stay", "--upload", w.url(
        f"port={port}&{key}", user="sender"))
    until("the store", lambda: os.path.exists(w.store) and w.rows(
        "SELECT 1 FROM sqlite_master WHERE name = 'sinks'"))
    held(w, "password")
    with open(w.key, "w", encoding="utf-8") as f:
        f.write(PASSWORD + "\n")
    held(w, "handspan schema postgres | psql")
    os.environ["PGPORT"] = str(port)
    w.schema()
    held(w, "permission")
    c.cursor().execute("GRANT handspan_writer TO sender")
    w.idle()
    base.same(w, w.pg)
    log = w.end(side) + w.log()
    # by TCP: TLS as the URL says
    tcp = f"sender@127.0.0.1:{port}/postgres?sslmode=verify-full&{key}"
    w.wrote("records=50")
    side = w.sidecar("--stay", "--upload", w.url(
        where=f"{tcp}&sslrootcert={w.pg.data}/other.crt"))
    held(w, "certificate")
    log += w.end(side)
    db = sqlite3.connect(w.store)
    db.execute("DELETE FROM sinks WHERE state = 'held'")
    db.commit()
    db.close()
    side = w.sidecar("--stay", "--upload", w.url(
        where=f"{tcp}&sslrootcert={w.pg.data}/ca.crt"))
    until("by TLS", lambda: w.rows(
        "SELECT 1 FROM sinks WHERE name LIKE '%127.0.0.1%' AND state = 'idle'"))
    w.end(side)
    base.same(w, w.pg)
    for bad in (f"postgresql://sender:{PASSWORD}@127.0.0.1/postgres",
                f"postgresql://127.0.0.1/postgres?password={PASSWORD}",
                "postgresql://127.0.0.1/postgres?sslmode=perhaps",
                "postgresql://127.0.0.1/postgres?nothing=1"):
        log += w.drain("--once", "--upload", bad, status=2)
    w.pg.connect = connect
    for word in PASSWORD, "another-word-4711":
        assert word not in log + w.log(), "a password is in a log"
        for name in os.listdir(w.dir):
            if name.startswith("store.db"):
                with open(os.path.join(w.dir, name), "rb") as f:
                    assert word.encode() not in f.read(), f"in {name}"


def case_poison(w):
    """Rows that the server refuses are set aside alone, and can go again."""
    w.pg.start()
    w.schema()
    w.wrote("records=1000", "values=3")
    w.drain()
    db = sqlite3.connect(w.store)
    db.execute("UPDATE span_rows SET depth = 1 << 40 WHERE ref % 700 = 5")
    db.execute("UPDATE span_rows SET input = '{\"a\":' WHERE ref % 900 = 7")
    db.commit()
    db.close()
    side = w.sidecar("--stay", "--upload", w.url("values=on"))
    w.idle()
    w.end(side)
    bad = w.rows("SELECT count(*) FROM spans WHERE depth > 1 << 30 OR "
                 "NOT json_valid(coalesce(input, '{}'))")[0][0]
    assert bad >= 2, bad
    expect({c for c, in w.rows("SELECT code FROM refused")},
           {"22003", "22P02"}, "codes")
    expect(w.rows("SELECT count(*) FROM refused"), [(bad,)], "refused")
    expect(w.pg.rows("SELECT count(*) FROM spans"), [
        (w.rows("SELECT count(*) FROM spans")[0][0] - bad,)], "the others")
    w.pg.rows("ALTER TABLE spans ALTER depth TYPE bigint")
    w.run("uploads", "--again=all")
    side = w.sidecar("--stay", "--upload", w.url("values=on"))
    until("tried again", lambda: {t for t, in w.rows(
        "SELECT tries FROM refused")} == {2})
    w.end(side)
    expect({c for c, in w.rows("SELECT code FROM refused")}, {"22P02"},
           "still refused")


def case_rate(w):
    """Rows in a second: by the clock (told), of one core of ours (held)."""
    w.pg.start()
    w.schema()
    w.wrote("records=100000", "threads=3", "values=5")
    w.drain()
    count = w.rows("SELECT count(*) FROM spans")[0][0]
    best, least = 0, 1e9
    for turn in "a_", "b_", "c_":
        w.schema("--prefix", turn)
        begin, before = time.monotonic(), os.times()
        w.run("upload", "--wait", "--upload", w.url("prefix=" + turn))
        best = max(best, count / (time.monotonic() - begin))
        after = os.times()
        least = min(least, after.children_user + after.children_system -
                    before.children_user - before.children_system)
        expect(w.pg.rows(f"SELECT count(*) FROM {turn}spans"), [(count,)],
               "all")
    print(f"{count} spans, best of three: {best:.0f} spans/s by the clock, "
          f"{count / least:.0f} spans/s of one core of ours")
    assert count / least >= 100000


def main():
    case, handspan, writer = sys.argv[1:4]
    w = World(handspan, writer)
    try:
        globals()["case_" + case](w)
    finally:
        w.close()


if __name__ == "__main__":
    main()
