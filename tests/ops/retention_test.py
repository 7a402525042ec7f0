#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Retention: what goes, what stays, that the totals stay exact, and that what
is deleted leaves no bytes behind."""
import json
import os
import sqlite3
import subprocess
import time

import base

PROG = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) int step(const char *text, int n) {
    __asm__ volatile("" :: "r"(text)); return n % 50 == 49 ? -1 : n * 3; }
__attribute__((noinline)) int rare(int n) {
    __asm__ volatile(""); return n * 5 + 1; }
__attribute__((noinline)) int group(int n) {
    int s = 0;
    for (int i = 0; i < n; i++) s += step("secret-value-4711", i);
    __asm__ volatile(""); return s + rare(n); }
int main(int argc, char **argv) {
    int n = atoi(argv[1]);
    for (int i = 0; i < n; i++) group(100);
    if (argc > 2) {
        puts("first"); fflush(stdout); getchar();
        for (int i = 0; i < n; i++) group(100);
        puts("second"); fflush(stdout); getchar();
    }
    return 0;
}
"""
MANIFEST = "[[span, input(text, n), fails(return < 0)]] " \
    "int step(const char *text, int n);\n" \
    "[[span]] int rare(int n);\n[[span]] int group(int n);\n"
DAY = 86400 * 10**9


class Retention(base.Base):
    def setUp(self):
        super().setUp()
        self.env["HANDSPAN_KEEP_AGE"] = self.env["HANDSPAN_KEEP_SIZE"] = "off"
        self.env["HANDSPAN_THIN_AGE"] = "off"
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)

    def trace(self, groups, age_days=0):
        """A real trace, then told to be older. Its id."""
        self.ok("run", "-m", self.manifest, "--summary=never", self.prog,
                str(groups))
        self.end_sidecar()
        number, id = self.rows("SELECT trace, hex(trace_id) FROM traces "
                               "ORDER BY trace DESC LIMIT 1")[0]
        back = age_days * DAY
        for table in "traces", "span_rows", "processes":
            self.execute(f"UPDATE {table} SET start_unix_ns = start_unix_ns - "
                         "? WHERE trace = ?", back, number)
        return id.lower()

    def sent(self):
        """As if nothing had changed since the last entry of each trace."""
        self.execute("DELETE FROM dirty")

    def stats(self, id):
        return {r["name"]: {k: r[k] for k in
                            ("calls", "errors", "total_ns", "self_ns",
                             "max_ns", "p50_ns", "p95_ns")}
                for r in self.json("stats", id) if r["name"]}

    def count(self, id):
        return self.rows("SELECT count(*) FROM spans s JOIN traces t USING "
                         "(trace) WHERE hex(trace_id) = ?", id.upper())[0][0]

    def traces(self):
        return {r[0].lower() for r in
                self.rows("SELECT hex(trace_id) FROM traces")}

    # ---- by age -------------------------------------------------------------

    def test_by_age(self):
        old, young = self.trace(3, 40), self.trace(3, 20)
        would = self.json("prune", "--older-than", "30d", "--dry-run")[0]
        self.assertEqual((would["traces"], would["spans"]), (1, 306))
        self.assertEqual(self.traces(), {old, young})
        did = self.json("prune", "--older-than", "30d")[0]
        self.assertEqual((did["traces"], did["spans"]), (1, 306))
        self.assertEqual(self.traces(), {young})
        # nothing of it is left in any table
        db = sqlite3.connect(self.store)
        tables = [r[0] for r in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [r[1] for r in db.execute(f"PRAGMA table_info({table})")]
            for column in {"trace", "session"} & set(columns):
                left = {r[0] for r in db.execute(
                    f"SELECT DISTINCT {column} FROM {table} "
                    f"WHERE {column} NOT NULL")}
                self.assertLessEqual(left - {0}, {2}, f"{table}.{column}")
        db.close()

    def test_the_sidecar_does_it_by_itself(self):
        old, young = self.trace(3, 40), self.trace(3, 20)
        new = self.env["HANDSPAN_KEEP_AGE"] = "30d"
        third = self.trace(1)
        self.assertEqual(self.traces(), {young, third})
        with open(self.dir + "/log") as f:
            self.assertIn("retention: 1 traces removed", f.read())
        del old, new

    def test_a_mistake_removes_nothing(self):
        old = self.trace(1, 4000)
        self.env["HANDSPAN_KEEP_AGE"] = "30 days"
        young = self.trace(1)
        self.assertEqual(self.traces(), {old, young})
        with open(self.dir + "/log") as f:
            self.assertIn("retention is off: '30 days'", f.read())
        done = self.handspan("prune", "--older-than", "1 week")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'1 week'", done.stderr)

    # ---- by outcome ---------------------------------------------------------

    def slowest(self):
        return self.rows("SELECT duration_ns FROM spans JOIN sites USING "
                         "(session, site) WHERE name = 'step' ORDER BY "
                         "duration_ns DESC LIMIT 16")

    def test_thinning_keeps_what_matters(self):
        id = self.trace(40, 10)
        self.sent()
        before = self.stats(id)
        self.assertEqual(before["step"]["calls"], 4000)
        self.assertEqual(before["step"]["errors"], 80)
        failed = self.rows("SELECT ref FROM spans WHERE status <> 'ok' "
                           "ORDER BY ref")
        slowest = self.slowest()
        did = self.json("prune", "--thin-older-than", "7d")[0]
        self.assertEqual(did["thinned_traces"], 1)
        left = set(self.rows("SELECT ref FROM spans"))
        self.assertLessEqual(set(failed), left)
        self.assertEqual(len(failed), 80)
        self.assertEqual(self.slowest(), slowest)
        self.assertEqual(did["thinned_spans"], 4080 - len(left))
        self.assertLess(len(left), 80 + 40 + 3 * 16 + 1)
        # nobody lost its caller
        self.assertEqual(self.rows(
            "SELECT count(*) FROM spans s WHERE parent_ref > 0 AND NOT EXISTS "
            "(SELECT 1 FROM spans p WHERE p.ref = s.parent_ref)"), [(0,)])
        self.assertEqual(self.stats(id), before)  # exact as before
        self.assertRegex(self.ok("show", id),
                         r"removed by\s+age or size")
        again = self.json("prune", "--thin-older-than", "7d")[0]
        self.assertEqual(again["thinned_spans"], 0)
        # and the sinks are not told: they have it
        self.assertEqual(self.rows("SELECT count(*) FROM dirty"),
                         [(0,)])

    # ---- by size ------------------------------------------------------------

    def test_by_size_the_good_go_first_and_space_comes_back(self):
        ids = [self.trace(150, 5 - i) for i in range(5)]
        self.sent()
        self.execute("UPDATE traces SET status = 'error' WHERE hex(trace_id) "
                     "= ?", ids[0].upper())
        self.sent()
        db = sqlite3.connect(self.store)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.assertEqual(db.execute("PRAGMA auto_vacuum").fetchall(), [(2,)])
        db.close()
        size = os.path.getsize(self.store)
        self.json("prune", "--max-size", f"{size // 8}B")
        self.assertIn(ids[0], self.traces())  # failed: last to go
        db = sqlite3.connect(self.store)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.assertLess(os.path.getsize(self.store), size // 4)

    def test_an_existing_store_without_autovacuum(self):
        id = self.trace(100, 40)
        db = sqlite3.connect(self.store)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
        db.close()
        size = os.path.getsize(self.store)
        out = self.ok("prune", "--older-than", "30d")
        self.assertIn("--compact", out)
        self.assertEqual(self.traces(), set())
        self.ok("prune", "--compact")
        self.assertLess(os.path.getsize(self.store), size // 2)
        self.assertEqual(self.rows("PRAGMA auto_vacuum"), [(2,)])
        del id

    def running(self):
        """A trace that goes on: its program, 40 groups of calls in."""
        sidecar = self.sidecar()
        prog = subprocess.Popen(
            [base.HANDSPAN, "run", "-m", self.manifest, "--summary=never",
             self.prog, "40", "more"], env=self.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.assertEqual(prog.stdout.readline(), "first\n")
        self.wait_for(lambda: os.path.exists(self.store) and self.rows(
            "SELECT count(*) FROM sqlite_master WHERE name = 'rollups'") ==
            [(1,)] and self.rows("SELECT sum(calls) FROM rollups") ==
            [(4080,)], "the first half is stored")
        return prog, sidecar

    def callers_are_there(self):
        """Nobody lost its caller (those that go on are not stored yet)."""
        self.assertEqual(self.rows(
            "SELECT count(*) FROM spans s WHERE parent_ref > 0 AND NOT EXISTS "
            "(SELECT 1 FROM spans p WHERE p.ref = s.parent_ref)"), [(0,)])

    def test_a_running_trace_is_thinned_out_by_the_same_rule(self):
        prog, sidecar = self.running()
        id, = self.traces()
        self.assertEqual(self.rows("SELECT status FROM traces"), [("open",)])
        did = self.json("prune", "--max-size", "1B")[0]
        self.assertEqual((did["traces"], did["thinned_traces"]), (0, 1))
        self.assertGreater(did["thinned_spans"], 3700)
        self.callers_are_there()
        prog.communicate("\n", timeout=300)
        self.wait_for(lambda: self.rows("SELECT status FROM traces") ==
                      [("ok",)], "the end is stored")
        stats = self.stats(id)
        self.assertEqual((stats["step"]["calls"], stats["step"]["errors"]),
                         (8000, 160))
        self.assertEqual(self.rows(
            "SELECT count(*) FROM spans WHERE status = 'error'"), [(160,)])
        dropped = self.rows("SELECT sum(dropped_calls) FROM rollups")[0][0]
        self.assertEqual(self.count(id) + dropped, 8160)
        # once more when it is over, then it may go
        sidecar.terminate()
        sidecar.wait(300)
        self.sent()
        self.json("prune", "--thin-older-than", "0s")
        self.callers_are_there()
        self.assertLess(self.count(id), 160 + 80 + 3 * 16 + 1)

    def test_what_runs_and_is_not_sent_stays(self):
        prog, _ = self.running()
        self.execute("INSERT INTO sinks (name, cursor_seq, added_unix_ns) "
                     "SELECT 'postgrest+http://h', max(seq), 5 FROM outbox")
        sent, = self.rows("SELECT count(*) FROM spans")[0]
        prog.stdin.write("\n")
        prog.stdin.flush()
        self.assertEqual(prog.stdout.readline(), "second\n")
        self.wait_for(lambda: self.rows("SELECT sum(calls) FROM rollups") ==
                      [(8160,)], "the second half is stored")
        did = self.json("prune", "--max-size", "1B")[0]
        prog.communicate("\n", timeout=300)
        self.assertGreater(did["thinned_spans"], 3700)
        self.assertLessEqual(did["thinned_spans"], sent)
        self.assertGreaterEqual(self.rows("SELECT count(*) FROM spans")[0][0],
                                4080)

    # ---- sinks --------------------------------------------------------------

    def test_what_is_not_uploaded_stays(self):
        id = self.trace(2, 40)
        self.execute("INSERT INTO sinks (name, cursor_seq, added_unix_ns) "
                     "VALUES ('postgrest+http://h', 1, 5)")
        self.sent()
        did = self.json("prune", "--older-than", "30d")[0]
        self.assertEqual((did["traces"], did["held_traces"]), (0, 1))
        self.assertEqual(self.traces(), {id})
        self.execute("UPDATE sinks SET cursor_seq = "
                     "(SELECT max(seq) FROM outbox)")
        self.execute("INSERT INTO dirty SELECT trace, 0, 5 FROM traces")
        self.assertEqual(self.json("prune", "--older-than", "30d")[0]
                         ["held_traces"], 1)
        self.sent()
        self.assertEqual(self.json("prune", "--older-than", "30d")[0]
                         ["traces"], 1)
        self.trace(2, 40)
        did = self.json("prune", "--older-than", "30d", "--include-unsent")[0]
        self.assertEqual(did["traces"], 1)

    # ---- delete -------------------------------------------------------------

    def bytes_of_store(self):
        found = b""
        for end in "", "-wal":
            if os.path.exists(self.store + end):
                with open(self.store + end, "rb") as f:
                    found += f.read()
        return found

    def test_delete_leaves_no_bytes(self):
        id = self.trace(3)
        self.assertIn(b"secret-value-4711", self.bytes_of_store())
        self.execute("INSERT INTO sinks (name, added_unix_ns) VALUES "
                     "('insforge+https://h/b?prefix=hs_', 5), "
                     "('otlp+http://h', 5)")
        done = self.ok("delete", id[:8])
        self.assertIn(f"Deleted {id}", done)
        self.assertIn("'https://h/b/api/database/records/hs_spans?trace_id="
                      f"eq.{id}'", done)
        self.assertIn("OTLP has no way to delete", done)
        self.assertEqual(self.traces(), set())
        self.assertNotIn(b"secret-value-4711", self.bytes_of_store())

    def test_delete_where(self):
        a, b = self.trace(1), self.trace(1)
        self.execute("UPDATE traces SET status = 'error' WHERE trace = 1")
        self.assertEqual(self.handspan("delete").returncode, 2)
        self.assertIn(a, self.ok("delete", "--where", "status=error",
                                 "--dry-run"))
        self.assertEqual(self.traces(), {a, b})
        self.ok("delete", "--where", "status=error")
        self.assertEqual(self.traces(), {b})
        self.assertEqual(self.handspan("delete", "--where", "status=error")
                         .returncode, 1)

    def test_what_runs_is_left_alone(self):
        p = subprocess.Popen(
            [base.HANDSPAN, "run", "--summary=never", "--", "sh", "-c",
             "read x"], env=self.env, stdin=subprocess.PIPE)
        self.wait_for(lambda: os.path.exists(self.store) and
                      self.rows("SELECT 1 FROM sqlite_master WHERE name = "
                                "'traces'") and self.traces(), "its trace")
        done = self.handspan("delete", "latest")
        p.communicate(b"\n", timeout=300)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("still runs", done.stderr)
        self.assertEqual(len(self.traces()), 1)

    def test_killed_in_the_middle_is_finished_later(self):
        id = self.trace(400, 40)
        self.execute("INSERT INTO tombstones SELECT trace_id, 5, 'age', 0, 1 "
                     "FROM traces")
        self.execute("DELETE FROM span_rows WHERE ref % 2")
        self.json("prune")  # no rule says so, but it was begun
        self.assertEqual(self.traces(), set())
        del id


base.main()
