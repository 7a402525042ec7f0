#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 while a store is pruned; two sidecars of two directories in one
store, killed at work. The store is whole each time, and every call is there
once."""
import os
import random
import shutil
import sqlite3
import subprocess

import base

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                   "sql", "sqlite")
PROG = r"""
#include <stdlib.h>
__attribute__((noinline)) int step(int n) {
    __asm__ volatile(""); return n * 3 + 1; }
int main(int argc, char **argv) {
    int n = atoi(argv[1]), s = 0;
    for (int i = 0; i < n; i++) s += step(i);
    return s == -1 || argc > 2;
}
"""


class Moments(base.Base):
    def setUp(self):
        super().setUp()
        self.prog = self.build(PROG)
        self.manifest = self.write("m.manifest", "[[span]] int step(int n);\n")

    def killed(self, *args, within=(0.005, 0.15)):
        """After a moment of its life; True: it was still at work."""
        p = subprocess.Popen([base.HANDSPAN, *args], env=self.env,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(random.uniform(*within))
            return False
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            return True

    def whole(self):
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    def traced(self, count, **extra):
        self.ok("run", "-m", self.manifest, "--summary=never", self.prog,
                str(count), extra=dict({"HANDSPAN_WAIT_MS": "60000"}, **extra))
        self.end_sidecar()

    def test_killed_while_it_prunes(self):
        for _ in range(4):
            self.traced(15000)
        self.execute("UPDATE traces SET start_unix_ns = start_unix_ns - "
                     "40 * 86400000000000 WHERE trace <= 3")
        hit = 0
        for _ in range(10):
            hit += self.killed("prune", "--older-than", "30d")
            self.whole()
            self.assertEqual(self.rows(
                "SELECT count(*) FROM spans LEFT JOIN traces t USING (trace) "
                "WHERE t.trace IS NULL"), [(0,)])
        self.ok("prune", "--older-than", "30d")
        self.whole()
        self.assertEqual(self.rows(
            "SELECT (SELECT count(*) FROM traces), (SELECT count(*) FROM "
            "spans), (SELECT sum(calls) FROM rollups)"), [(1, 15000, 15000)])
        self.assertGreater(hit, 0)

    def older(self, version, path):
        """What is in the store, in one of an earlier version."""
        db = sqlite3.connect(path)
        for name in sorted(os.listdir(SQL))[:version]:
            with open(os.path.join(SQL, name), encoding="utf-8") as f:
                db.executescript(f.read())
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("ATTACH ? AS now", (self.store,))
        tables = [r[0] for r in db.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND "
            "name NOT LIKE 'sqlite%'")]
        for table in tables:
            mine, new = ([r[1] for r in db.execute(
                f"PRAGMA {of}.table_info({table})")] for of in ("main", "now"))
            columns = ", ".join(c for c in mine if c in new)
            if columns:
                db.execute(f"INSERT OR REPLACE INTO main.{table} ({columns}) "
                           f"SELECT {columns} FROM now.{table}")
        db.commit()
        db.execute("PRAGMA journal_mode = WAL")
        db.close()

    def test_killed_while_it_migrates(self):
        self.traced(20000)
        self.execute("UPDATE processes SET loading_ns = NULL, "
                     "loading_cpu_ns = NULL")  # no earlier store has it
        want = self.json("stats", "--since=30d")
        newest = self.rows("PRAGMA user_version")[0][0]
        names = sorted(n for n in os.listdir(SQL) if n[:4].isdigit())
        self.assertEqual(newest, len(names))
        stored, hit, between = self.store, 0, set()
        for version in range(1, newest):
            for moment in range(3):
                self.store = stored
                path = os.path.join(self.path, f"{version}.{moment}")
                self.older(version, path)
                self.store = self.env["HANDSPAN_STORE"] = path
                hit += self.killed("sidecar", "--once",
                                   within=(0.001, 0.02))
                self.whole()
                between.add(self.rows("PRAGMA user_version")[0][0])
                self.ok("sidecar", "--once")
                self.whole()
                self.assertEqual(self.rows("PRAGMA user_version"),
                                 [(newest,)])
                self.assertEqual(self.json("stats", "--since=30d"), want)
                os.unlink(path)
        self.assertGreater(hit, 0)
        self.assertGreater(len(between), 1)

    def test_two_directories_one_store(self):
        """Two sidecars at work in one store, and killed there."""
        other = base.shm_folder()
        dirs = [self.dir, other]
        self.addCleanup(shutil.rmtree, other)
        self.addCleanup(base.alive.wait_for_none, other)
        programs = [subprocess.Popen(
            [base.HANDSPAN, "run", "-m", self.manifest, "--summary=never",
             self.prog, "40000"], env=dict(
                 self.env, HANDSPAN_DIR=d, HANDSPAN_SIDECAR="off",
                 HANDSPAN_WAIT_MS="60000")) for d in dirs]
        sides = {d: None for d in dirs}

        def start(d):
            sides[d] = subprocess.Popen(
                [base.HANDSPAN, "sidecar", "--stay"],
                env=dict(self.env, HANDSPAN_DIR=d), stderr=subprocess.DEVNULL)
            self.addCleanup(sides[d].wait)
            self.addCleanup(sides[d].kill)

        for d in dirs * 4:
            if sides[d]:
                try:
                    sides[d].wait(random.uniform(0.05, 0.2))
                except subprocess.TimeoutExpired:
                    sides[d].kill()
                sides[d].wait()
            start(d)
        self.assertEqual([p.wait(300) for p in programs], [0, 0])
        self.wait_for(lambda: not [n for d in dirs for n in os.listdir(d)
                                   if n.startswith("session-")],
                      "all is stored")
        self.whole()
        self.assertEqual(self.rows(
            "SELECT count(*), count(DISTINCT session || ' ' || ref), "
            "count(DISTINCT trace) FROM spans"), [(80000, 80000, 2)])
        self.assertEqual(self.rows(
            "SELECT sum(calls), sum(dropped_calls) FROM rollups"), [(80000, 0)])


base.main()
