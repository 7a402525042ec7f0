#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Uploading to PostgreSQL, one case per call.

usage: upload_test.py CASE HANDSPAN WRITER
"""
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

import psycopg2

import base
import postgres
import scan
from base import expect, until


class World(base.Place):
    def __init__(self, handspan, writer):
        super().__init__(handspan, writer)
        self.pg = postgres.Postgres().start()
        self.pg.migrate()
        self.gateway = base.Gateway(self.pg, self.dir).start()

    def close(self):
        self.gateway.kill()
        self.pg.stop()
        # what the synthetic writer has as values: its command line and paths
        scan.check(self.gateway.wire, ("--day", "/usr/bin", "/usr/lib",
                                       "/data/"))
        self.done()

    def url(self, **kw):
        return self.gateway.url(**kw)


def case_roundtrip(w):
    """All rows arrive once, in every column; a second sidecar sends nothing
    anew; InsForge's paths; a sink without values has none."""
    for _ in range(3):
        w.wrote("records=500", "threads=3", "values=5", "open=2", "end=killed")
    err = w.drain("--upload", w.url(options="values=on"))
    count = base.same(w, w.pg)
    assert count > 1000, count
    expect(len(w.pg.rows("SELECT * FROM handspan_traces")), 3, "traces")
    for table, there in (("traces", "handspan_traces"),
                         ("processes", "handspan_processes"),
                         ("rollups", "handspan_rollups"),
                         ("sites", "handspan_sites")):
        expect(w.pg.rows(f"SELECT count(*) FROM {there}"),
               w.rows(f"SELECT count(*) FROM {table}"), table)
    expect(w.rows("SELECT state, error FROM sinks"), [("idle", None)], "sink")
    for what in ("--day", "/usr/bin", "/data/"):  # so the scan can fail
        assert scan.plants_in(w.gateway.wire, True, [what]).get(what), what
    posts = w.gateway.posts()
    w.drain("--upload", w.url(options="values=on"))
    expect(w.gateway.posts(), posts,
           "requests of a second sidecar")
    assert "token-writer" not in err + w.log(), "the key is in a log"


def case_answers(w):
    """Faults at every turn, also the ambiguous ones: each row once."""
    w.wrote("records=1000", "threads=2", "values=3")
    w.gateway.faults(**{"lost": 0.1, "500_after": 0.06, "delay": 0.1,
                        "close": 0.04, "502": 0.02, "503": 0.02, "429": 0.02,
                        "57014": 0.02, "40P01": 0.02, "413": 0.03,
                        "insforge500": 0.03, "stale": 0.02})
    side = w.sidecar("--stay", "--upload",
                     w.url(scheme="insforge+http", options="values=on"),
                     "--upload", w.url(options="prefix=two_"))
    two = os.path.join(w.dir, "two.sql")
    with open(two, "w", encoding="utf-8") as f:
        subprocess.run([w.handspan, "schema", "postgres", "--prefix", "two_"],
                       stdout=f, check=True)
    w.pg.apply(two)  # while it waits for it
    until("all sent", lambda: [s for s, in w.rows(
        "SELECT state FROM sinks")] == ["idle"] * 2 and w.rows(
        "SELECT count(*) FROM outbox WHERE seq > (SELECT min(cursor_seq) "
        "FROM sinks)") == [(0,)], 150)
    side.terminate()
    side.communicate(timeout=300)
    expect(w.rows("SELECT * FROM refused"), [], "refused")
    base.same(w, w.pg)
    base.same(w, w.pg, values=False, prefix="two_")
    for column in base.VALUES:
        expect(w.pg.rows(f"SELECT count({column}) FROM two_spans"), [(0,)],
               column)


def held(w, word, **fault):
    """It stands still, says why, and goes on when the fault is gone."""
    w.gateway.faults(**fault)
    w.wrote("records=20")
    want = w.rows("SELECT coalesce(max(seq), 0) FROM outbox")[0][0]
    until(f"held: {word}", lambda: any(
        state == "held" and word in (error or "")
        for state, _, error in w.sinks().values()))
    out = w.run("uploads", status=1)
    assert word in out and "held" in out, out
    w.gateway.faults()
    until("it goes on", lambda: w.rows(
        "SELECT count(*) FROM sinks WHERE state = 'idle' AND cursor_seq >= ? "
        "AND cursor_seq = (SELECT max(seq) FROM outbox)", want) == [(1,)])
    base.same(w, w.pg, values=False)


def case_holds(w):
    """What nobody but a person can mend: nothing is lost, and it says why."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    side = w.sidecar("--stay", "--upload", w.url())
    w.wrote("records=20")
    until("all sent", lambda: os.path.exists(w.store) and w.rows(
        "SELECT name FROM sqlite_master WHERE name = 'sinks'") and w.rows(
        "SELECT count(*) FROM sinks WHERE state = 'idle'") == [(1,)])
    held(w, "web page", html=1)
    held(w, "redirect", redirect=1,
         location=f"http://127.0.0.1:{listener.getsockname()[1]}/spans")
    held(w, "the key", **{"401": 1})
    held(w, "'x' column", pgrst204=1)
    held(w, "second time", **{"21000": 1})
    try:
        listener.accept()
        raise AssertionError("a redirect was followed")
    except BlockingIOError:
        pass
    # a key that was replaced
    with open(w.key, "w", encoding="utf-8") as f:
        f.write("token-expired")
    side.terminate()
    side.communicate(timeout=300)
    w.wrote("records=20")
    side = w.sidecar("--stay", "--upload", w.url())
    until("held", lambda: "held" in [s[0] for s in w.sinks().values()])
    with open(w.key, "w", encoding="utf-8") as f:
        f.write("token-writer")
    until("goes on", lambda: "idle" in [s[0] for s in w.sinks().values()])
    base.same(w, w.pg, values=False)
    side.terminate()
    err = side.communicate(timeout=300)[1]
    for token in ("token-writer", "token-expired"):
        assert token not in err + w.log(), "a key is in a log"
        assert token.encode() not in open(w.store, "rb").read(), "in the store"


def case_poison(w):
    """Rows that the server refuses are set aside alone, and can go again."""
    w.wrote("records=2000", "values=3")
    w.drain()
    db = sqlite3.connect(w.store)
    db.execute("UPDATE span_rows SET depth = 1 << 40 WHERE ref % 700 = 5")
    db.execute("UPDATE span_rows SET input = '{\"a\":' WHERE ref % 900 = 7")
    db.commit()
    db.close()
    side = w.sidecar("--stay", "--upload", w.url(options="values=on"))
    until("all is taken care of", lambda: w.rows(
        "SELECT state FROM sinks") == [("idle",)], 300)
    side.terminate()
    side.communicate(timeout=300)
    bad = w.rows("SELECT count(*) FROM spans WHERE depth > 1 << 30 OR "
                 "NOT json_valid(coalesce(input, '{}'))")[0][0]
    assert 3 <= bad <= 10, bad
    lines = [json.loads(x) for x in w.run("uploads", "--json",
                                          status=1).splitlines()]
    refused = [x for x in lines if x.get("kind") == "refused"]
    expect(len(refused), bad, "refused")
    expect({x["code"] for x in refused}, {"400 22003", "400 PGRST102"}, "codes")
    expect(w.pg.rows("SELECT count(*) FROM spans"), [
        (w.rows("SELECT count(*) FROM spans")[0][0] - bad,)], "the others")
    assert " refused" in w.run("uploads", status=1)
    w.pg.rows("ALTER TABLE spans ALTER depth TYPE bigint")
    w.run("uploads", "--again=all")
    side = w.sidecar("--stay", "--upload", w.url(options="values=on"))
    until("tried again", lambda: {t for t, in w.rows(
        "SELECT tries FROM refused")} == {2}, 300)
    side.terminate()
    side.communicate(timeout=300)
    expect({c for c, in w.rows("SELECT code FROM refused")}, {"400 PGRST102"},
           "still refused")
    w.run("uploads", "--drop=all")
    expect(w.rows("SELECT * FROM refused"), [], "dropped")
    w.run("uploads", status=0)
    # when it is not the rows: nothing is thrown out
    w.wrote("records=300")
    w.pg.rows("ALTER TABLE spans ADD CHECK (site < 0) NOT VALID")
    side = w.sidecar("--stay", "--upload", w.url(options="values=on"))
    until("it is told", lambda: "not the rows" in (w.rows(
        "SELECT error FROM sinks")[0][0] or ""), 300)
    side.terminate()
    side.communicate(timeout=300)
    assert len(w.rows("SELECT * FROM refused")) <= 20


def case_foreign(w):
    """Tables that are not ours are left alone."""
    w.wrote("records=20")
    w.pg.rows("CREATE TABLE app_spans (id int)")
    w.drain("--upload", w.url(options="prefix=app_"))
    (state, sent, error), = w.sinks().values()
    expect((state, sent), ("held", 0), "sink")
    assert "prefix 'app_'" in error, error
    expect(w.pg.rows("SELECT count(*) FROM app_spans"), [(0,)], "theirs")
    w.pg.rows("DROP TABLE spans CASCADE")
    w.pg.rows("CREATE TABLE spans (trace_id text, id int)")
    w.drain("--upload", w.url())
    error = w.rows("SELECT error FROM sinks WHERE sink = 2")[0][0]
    assert "'spans'" in error and "column" in error, error
    # misspelt: said at once, nothing begun
    for url, word in (("postgrest+http://u:p@x/", "credentials"),
                      ("postgrest+http://x/?key=abc", "no key"),
                      ("gopher://x/", "gopher"), ("nonsense", "SCHEME"),
                      ("postgrest+http://x/?values=yes", "values"),
                      ("postgrest+http://x/?prefix=a-b", "prefix")):
        assert word in w.drain("--once", "--upload", url, status=2), url


def case_roles(w):
    """In SQL: the reader cannot write, the writer sees keys only and changes
    nothing, anon has nothing; also through views and functions."""
    w.wrote("records=20")
    w.drain("--upload", w.url(options="values=on"))
    tables = {"spans": ("trace_id,span_id", "name"),
              "traces": ("trace_id,session,version", "name"),
              "processes": ("trace_id,span_id,version", "pid"),
              "sites": ("session,site,version", "name"),
              "rollups": ("trace_id,session,site,version", "calls"),
              "losses": ("session,site,loss,version", "count"),
              "error_groups": ("fingerprint,session,version", "count"),
              "throws": ("session,site,type,version", "count")}
    views = ["handspan_traces", "handspan_processes", "handspan_sites",
             "handspan_rollups", "handspan_losses", "handspan_error_groups",
             "handspan_throws", "handspan_error_totals"]
    expect({v for v, in w.pg.rows("SELECT viewname FROM pg_views WHERE "
                                  "schemaname = 'public'")}, set(views), "views")
    expect({t for t, in w.pg.rows("SELECT tablename FROM pg_tables WHERE "
                                  "schemaname = 'public'")},
           set(tables) | {"handspan_schema"}, "tables")
    functions = ["handspan_stats()", "handspan_errors()"]

    def may(role, sql):
        try:
            w.pg.rows(f"BEGIN; SET LOCAL ROLE {role}; {sql}; ROLLBACK")
            return True
        except psycopg2.errors.InsufficientPrivilege:
            return False

    for t, (key, other) in tables.items():
        changes = [f"UPDATE {t} SET {other} = {other}", f"DELETE FROM {t}",
                   f"TRUNCATE {t}", f"DROP TABLE {t}",
                   f"ALTER TABLE {t} DISABLE ROW LEVEL SECURITY"]
        insert = f"INSERT INTO {t} SELECT * FROM {t} WHERE false" \
            if t in ("rollups", "sites", "losses", "error_groups", "throws") \
            else \
            f"INSERT INTO {t} ({key}) SELECT {key} FROM {t} WHERE false"
        ours = f"INSERT INTO {t} ({key}) SELECT {key} FROM {t} WHERE false " \
            f"ON CONFLICT ({key}) DO NOTHING"
        for sql in (*changes, insert):
            for role in ("handspan_reader", "anon", "authenticated"):
                assert not may(role, sql), (role, sql)
        for sql in (*changes, f"SELECT {other} FROM {t}", f"SELECT * FROM {t}",
                    f"INSERT INTO {t} ({key}) SELECT {key} FROM {t} WHERE "
                    f"false ON CONFLICT ({key}) DO UPDATE SET {other} = "
                    f"excluded.{other}",
                    f"INSERT INTO {t} ({key}) SELECT {key} FROM {t} WHERE "
                    f"false RETURNING {other}"):
            assert not may("handspan_writer", sql), sql
        for sql in (f"SELECT {key} FROM {t}", ours):
            assert may("handspan_writer", sql), sql
        assert may("handspan_reader", f"SELECT * FROM {t}")
        for role in ("anon", "authenticated"):
            assert not may(role, f"SELECT {key} FROM {t}"), (role, t)
    for thing in views + functions:
        assert may("handspan_reader", f"SELECT * FROM {thing}"), thing
        for role in ("handspan_writer", "anon", "authenticated"):
            assert not may(role, f"SELECT * FROM {thing}"), (role, thing)
    for role in ("handspan_reader", "handspan_writer", "anon"):
        assert not may(role, "SELECT handspan_retain(now())"), role
    expect(w.pg.rows("SELECT count(*) FROM spans", role="handspan_reader"),
           w.pg.rows("SELECT count(*) FROM spans"), "what the reader sees")
    # a view with the owner's rights would show what the asker may not see
    expect(w.pg.rows("SELECT relname FROM pg_class WHERE relkind = 'v' AND "
                     "relnamespace = 'public'::regnamespace AND NOT "
                     "coalesce('security_invoker=true' = ANY (reloptions), "
                     "false)"), [], "views with the owner's rights")
    expect(w.pg.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND "
                     "relnamespace = 'public'::regnamespace AND NOT "
                     "relrowsecurity"), [], "tables without row security")


def schema_of(w):
    return w.pg.rows(
        "SELECT c.relname, c.relkind::text, c.relrowsecurity, c.relacl::text, "
        "c.reloptions::text, (SELECT string_agg(a.attname::text || format_type("
        "a.atttypid, a.atttypmod) || a.attnotnull || coalesce(a.attacl::text, "
        "''), ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = "
        "c.oid AND a.attnum > 0), (SELECT string_agg(p.polname::text || p.polcmd::text, "
        "',' ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = c.oid), "
        "CASE WHEN relkind = 'i' THEN pg_get_indexdef(c.oid) END "
        "FROM pg_class c WHERE relnamespace = 'public'::regnamespace "
        "UNION ALL SELECT proname, 'f', prosecdef, proacl::text, prosrc, "
        "NULL, NULL, NULL FROM pg_proc WHERE pronamespace = "
        "'public'::regnamespace ORDER BY 1, 2")


PARTITION = os.path.join(postgres.SQL, "optional", "partition.sql")


def fresh(w, paths):
    w.pg.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
              "GRANT USAGE ON SCHEMA public TO PUBLIC; "
              + postgres.OPEN_TO_ANON)
    for path in paths:
        w.pg.apply(path)


def fill(w, tables):
    """What was kept, as far as there are columns for it: {table: columns}."""
    some = {}
    for t in tables:
        columns = [c for c, in w.pg.rows(
            "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid "
            "= to_regclass(%s) AND attnum > 0 AND attgenerated = ''", t)]
        if columns and t != "handspan_schema":
            some[t] = ", ".join(columns)
            w.pg.rows(f"INSERT INTO {t} ({some[t]}) SELECT {some[t]} FROM "
                      f"kept.{t}")
    return some


def from_earlier(w, whole):
    """Each earlier version, with rows in it, comes up to the same schema and
    keeps its rows; also where its spans were partitioned already."""
    tables = [t for t, in w.pg.rows("SELECT tablename FROM pg_tables WHERE "
                                    "schemaname = 'public'")]
    w.pg.rows("CREATE SCHEMA kept")
    for t in tables:
        w.pg.rows(f"CREATE TABLE kept.{t} AS SELECT * FROM {t}")
    fresh(w, postgres.MIGRATIONS)
    fill(w, tables)
    w.pg.apply(PARTITION)
    parted = schema_of(w)
    for version in range(1, len(postgres.MIGRATIONS)):
        for by_time in (False, True):
            fresh(w, postgres.MIGRATIONS[:version])
            some = fill(w, tables)
            for path in [PARTITION] * by_time + \
                    postgres.MIGRATIONS[version:] * 2:
                w.pg.apply(path)
            expect(schema_of(w), parted if by_time else whole,
                   f"the schema from version {version}")
            expect(w.pg.rows("SELECT version FROM handspan_schema"),
                   [(len(postgres.MIGRATIONS),)], "version")
            for t, names in some.items():
                left, right = (w.pg.rows(f"SELECT ({names})::text FROM {s}.{t} "
                                         "ORDER BY 1")
                               for s in ("public", "kept"))
                expect(left, right, f"{t} from version {version}")
    fresh(w, postgres.MIGRATIONS)
    fill(w, tables)
    w.pg.rows("DROP SCHEMA kept CASCADE")


def case_ddl(w):
    """In the form that InsForge takes, and again from every version; spans
    by time, on a filled database."""
    for path in postgres.MIGRATIONS:
        version, name = os.path.basename(path)[:-4].split("_", 1)
        request = {"version": version, "name": "handspan-" + name,
                   "sql": open(path, encoding="utf-8").read()}
        assert re.fullmatch(r"[0-9]+", request["version"]), path
        assert re.fullmatch(r"[a-z0-9-]+", request["name"]), path
        code = re.sub(r"--[^\n]*", "", request["sql"])
        for word in (r"^\s*BEGIN\s*;", r"^\s*COMMIT", r"CONCURRENTLY",
                     r"VACUUM", r"CREATE DATABASE"):
            assert not re.search(word, code, re.M | re.I), (path, word)
    whole = schema_of(w)
    for path in postgres.MIGRATIONS:
        for _ in range(2):
            w.pg.apply(path)
    expect(schema_of(w), whole, "the schema after all of them again")
    w.wrote("records=800", "values=2")
    w.drain("--upload", w.url(options="values=on"))
    from_earlier(w, whole)
    before = sorted(base.spans_of_postgres(w.pg, True))
    side = w.sidecar("--stay", "--upload", w.url(options="values=on"))
    w.pg.apply(PARTITION)
    expect(sorted(base.spans_of_postgres(w.pg, True)), before, "partitioned")
    parted = schema_of(w)
    w.pg.apply(PARTITION)
    expect(schema_of(w), parted, "partitioned again")
    expect(w.pg.rows("SELECT count(*) FROM spans_default"), [(0,)], "default")
    w.wrote("records=800")
    until("the new ones", lambda: w.pg.rows("SELECT count(*) FROM spans") ==
          [(len(before) * 2,)])
    side.terminate()
    side.communicate(timeout=300)
    base.same(w, w.pg)
    n = w.pg.rows("SELECT handspan_retain(now() - interval '1 day')")[0][0]
    expect(n, 0, "nothing is that old")
    w.pg.rows("SELECT handspan_retain(now() + interval '1 day')")
    for t in ("spans", "traces", "processes", "rollups", "sites"):
        expect(w.pg.rows(f"SELECT count(*) FROM {t}"), [(0,)], t)


def case_questions(w):
    """docs/querying.md: the SQL and the URL of each question say the same, and
    the figures are those of `handspan stats`; nothing that the program handled
    left the machine."""
    for _ in range(2):
        w.wrote("records=400", "threads=2", "values=3")
    w.drain("--upload", w.url())
    trace, name, span = w.pg.rows(
        "SELECT trace_id, name, parent_span_id FROM spans WHERE "
        "parent_span_id IS NOT NULL ORDER BY 1, span_id LIMIT 1")[0]
    doc = open(os.path.join(base.HERE, "../../docs/querying.md"),
               encoding="utf-8").read()
    questions = re.findall(r"## (\d+)\..*?```sql\n(.*?);\n```\n"
                           r"(?:```\nGET (\S+)\n```)?", doc, re.S)
    expect(len(questions), 20, "questions")
    some = 0
    for number, sql, url in questions:
        fill = {"program": "etl", "trace": trace, "name": name, "span": span, "short": trace[:8]}
        sql = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], sql)
        rows = w.pg.rows(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q",
                         role="handspan_reader")[0][0]
        some += len(rows) > 0
        if url:
            url = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], url)
            request = urllib.request.Request(
                w.url(scheme="http") + url, headers={"Authorization": "Bearer token-reader"})
            with urllib.request.urlopen(request) as answer:
                expect(json.load(answer), rows, f"question {number}")
    assert some >= 10, some  # the synthetic run has no failed call
    here = {r["name"]: r for r in map(json.loads, w.run(
        "stats", "--json", trace).splitlines()) if r.get("calls") is not None}
    keys = ("calls", "errors", "total_ns", "self_ns", "max_ns", "p50_ns",
            "p95_ns")
    for row in w.pg.rows(f"SELECT name, {', '.join(keys)} FROM "
                         "handspan_stats(%s)", trace):
        expect(tuple(here[row[0]].get(k) for k in keys), row[1:], row[0])
    for _, _, _, body in scan.requests(w.gateway.wire):
        for word in (b'"input"', b'"output"', b'"command"', b'"attributes"',
                     b'"error":'):
            assert word not in body, word


def case_kills(w):
    """Sidecar, PostgreSQL and gateway are killed at random under load; at the
    end the set there is the set that was begun, byte for byte."""
    rounds = int(os.environ.get("SOAK_ROUNDS", "40"))
    random.seed(os.environ.get("SOAK_SEED", "1"))
    w.gateway.faults(**{"lost": 0.05, "500_after": 0.03, "delay": 0.05,
                        "503": 0.02})
    args = ("--stay", "--upload", w.url(options="values=on"))
    side, begun, kills = w.sidecar(*args), 0, 0
    for _ in range(rounds):
        n = random.randrange(50, 400)
        out = subprocess.run([w.writer, w.lanes, f"records={n}", "threads=2",
                              "values=4"], check=True, text=True,
                             capture_output=True, timeout=300).stdout.split()
        begun += int(out[3])
        expect(out[5], "0", "dropped")
        victim = random.choice(["sidecar", "postgres", "gateway", "none"])
        kills += victim != "none"
        if victim == "sidecar":
            side.kill()
            side.wait()
            side = w.sidecar(*args)
        elif victim == "postgres":
            w.pg.kill()
            w.pg.start()
        elif victim == "gateway":
            w.gateway.kill()
            w.gateway.start()
    w.gateway.faults()
    until("all stored and sent", lambda: not [
        n for n in os.listdir(w.lanes) if n.startswith("session-")] and w.rows(
        "SELECT state, (SELECT max(seq) FROM outbox) - cursor_seq FROM sinks")
        == [("idle", 0)], 300)
    side.terminate()
    side.wait(timeout=300)
    expect(w.rows("SELECT count(*) FROM spans"), [(begun,)], "in SQLite")
    expect(base.same(w, w.pg), begun, "in PostgreSQL")
    expect(w.rows("SELECT * FROM refused"), [], "refused")
    print(f"{begun} spans, {kills} kills")


CASES = {k[5:]: v for k, v in globals().items() if k.startswith("case_")}


def main():
    case, handspan, writer = sys.argv[1], *map(os.path.abspath, sys.argv[2:4])
    w = World(handspan, writer)
    try:
        CASES[case](w)
    except BaseException:
        print(w.log(), file=sys.stderr)
        print(w.sinks() if os.path.exists(w.store) else "no store",
              file=sys.stderr)
        raise
    finally:
        w.close()
    print("ok")


main()
