#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sidecar and its readers must bear: stores that are full, newer,
older, written under them; directories of the wrong mode; little memory; two
sidecars; kill -9. Nothing is lost and whatever stands still says why."""
import fcntl
import os
import signal
import sqlite3
import subprocess

import base

PROG = r"""
#include <stdlib.h>
__attribute__((noinline)) int step(int n) {
    __asm__ volatile(""); return n * 3 + 1; }
__attribute__((noinline)) int inner(int n) {
    __asm__ volatile(""); if (n) abort(); return n; }
__attribute__((noinline)) int outer(int n) {
    __asm__ volatile(""); return inner(n) + 1; }
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 10, s = 0;
    for (int i = 0; i < n; i++) s += step(i);
    if (argc > 2) outer(1);
    return s == -1;
}
"""
MANIFEST = "[[span]] int step(int n);\n[[span]] int outer(int n);\n" \
    "[[span]] int inner(int n);\n"


class Faults(base.Base):
    def setUp(self):
        super().setUp()
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)

    def traced(self, *args, **more):
        """What it says. Where it waited in vain it says other words."""
        done = self.handspan("run", "-m", self.manifest, *args, self.prog,
                             "100", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def steps(self):
        return self.rows("SELECT count(*) FROM spans")[0][0]

    # ---- stores that take nothing -------------------------------------------

    def test_a_newer_store_is_told_at_once(self):
        db = sqlite3.connect(self.store)
        db.execute("CREATE TABLE sessions (x)")
        db.execute("PRAGMA user_version = 999")
        db.close()
        told = self.traced()
        self.assertIn("has version 999", told)
        self.assertIn("the trace is not stored: ", told)
        self.assertEqual(self.rows("PRAGMA user_version"), [(999,)])
        status = self.handspan("status")
        self.assertEqual(status.returncode, 1)
        self.assertIn("has version 999", status.stdout)
        os.unlink(self.store)
        self.ok("sidecar")
        self.assertEqual(self.steps(), 100)
        self.assertNotIn("999", self.ok("status").split("Log ")[0])

    def test_no_database(self):
        self.write("store.db", "no database, but long enough to be one\n" * 99)
        told = self.traced()
        self.assertIn("not a database", told)
        self.assertIn("the trace is not stored: ", told)

    def test_a_store_raised_under_the_sidecar(self):
        """Its sessions wait for the handspan that raised it."""
        self.traced()
        pipe = self.sidecar(stderr=subprocess.PIPE, text=True)
        self.addCleanup(pipe.stderr.close)
        version = self.rows("PRAGMA user_version")[0][0]
        self.execute(f"PRAGMA user_version = {version + 1}")
        before = self.steps()
        told = self.traced()
        self.assertIn(f"version {version + 1}", told)
        self.assertEqual(pipe.wait(300), 2)
        self.assertEqual(self.steps(), before)
        self.execute(f"PRAGMA user_version = {version}")
        self.ok("sidecar")
        self.assertEqual(self.steps(), before + 100)

    def test_an_older_store(self):
        """Read before a sidecar came: migrated where one can write, else a
        copy is."""
        sql = os.path.join(base.ROOT, "sql/sqlite/0001_init.sql")
        db = sqlite3.connect(self.store)
        with open(sql) as f:
            db.executescript(f.read())
        db.execute("INSERT INTO sessions VALUES (1, x'0102030405060708', 'f', "
                   "'h', 'b', NULL, 'ended', 5, NULL)")
        db.execute("INSERT INTO traces VALUES (1, randomblob(16), 1, 0, NULL, "
                   "0, 'old-one', -281474976710655, 10, 20, 'ok')")
        db.execute("INSERT INTO contexts VALUES (1, 0, 1, NULL, NULL)")
        db.execute("PRAGMA user_version = 1")
        db.commit()
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
        folder = self.path + "/sealed"
        os.mkdir(folder)
        sealed = folder + "/s.db"
        with open(self.store, "rb") as a, open(sealed, "wb") as b:
            b.write(a.read())
        os.chmod(sealed, 0o444)
        os.chmod(folder, 0o555)
        self.addCleanup(os.chmod, folder, 0o755)
        reader = ["setpriv", "--reuid=65534", "--clear-groups"] \
            if os.geteuid() == 0 else []
        os.chmod(self.path, 0o755)
        done = subprocess.run(
            [*reader, base.HANDSPAN, "list", "--store", sealed],
            env=self.env, text=True, capture_output=True)
        self.assertIn("old-one", done.stdout, done.stderr)
        with open(sealed, "rb") as f:  # not touched
            self.assertEqual(f.read()[60:64], b"\0\0\0\1")
        self.assertIn("old-one", self.ok("list"))
        self.assertGreater(self.rows("PRAGMA user_version")[0][0], 1)

    # ---- places -------------------------------------------------------------

    def test_a_directory_that_others_may_enter(self):
        os.chmod(self.dir, 0o755)
        told = self.traced()
        self.assertIn(f"'{self.dir}'", told)
        self.assertIn("mode 755", told)
        self.assertIn("chmod 700", told)
        self.assertNotIn("no trace", told)

    # ---- figures ------------------------------------------------------------

    def test_self_of_what_never_ended(self):
        self.handspan("run", "-m", self.manifest, "--summary=never",
                      self.prog, "3", "die")
        rows = {r["name"]: r for r in self.json("stats")}
        self.assertEqual(rows["inner"]["self_ns"], rows["inner"]["total_ns"])
        self.assertGreater(rows["inner"]["self_ns"], 0)
        self.assertEqual(rows["outer"]["self_ns"], rows["outer"]["total_ns"] -
                         rows["inner"]["total_ns"])

    # ---- sidecars -----------------------------------------------------------

    def session_of(self, count):
        """A program that ran without a sidecar: its session waits."""
        lib = os.path.join(os.path.dirname(base.HANDSPAN),
                           "../lib/libhandspan.so")
        with open(self.dir + "/sidecar.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # none can start meanwhile
            held = subprocess.run(
                [self.prog, str(count)], timeout=300, env=dict(
                    self.env, LD_PRELOAD=lib, HANDSPAN_MANIFEST=self.manifest))
        self.assertEqual(held.returncode, 0)
        self.assertTrue([f for f in os.listdir(self.dir)
                         if f.startswith("session-")])

    def test_little_memory(self):
        """A sidecar under a limit says so and gives the lock back."""
        self.session_of(50)
        done = subprocess.run(
            ["prlimit", "--as=120000000", base.HANDSPAN, "sidecar"],
            env=self.env, text=True, capture_output=True, timeout=300)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("memory", done.stderr)
        self.ok("sidecar")
        self.assertEqual(self.rows("SELECT count(*) FROM spans WHERE site IN "
                                   "(SELECT site FROM sites WHERE name = "
                                   "'step')")[0][0], 50)

    def test_two_sidecars(self):
        self.session_of(2000)
        both = [subprocess.Popen([base.HANDSPAN, "sidecar"], env=self.env,
                                 stderr=subprocess.DEVNULL) for _ in range(2)]
        self.assertEqual([p.wait(300) for p in both], [0, 0])
        self.assertEqual(self.steps(), 2000)

    def test_killed_at_any_moment(self):
        self.session_of(200000)
        for i in range(8):
            p = subprocess.Popen([base.HANDSPAN, "sidecar"], env=self.env,
                                 stderr=subprocess.DEVNULL)
            try:
                p.wait(0.02 + 0.02 * i)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
            p.wait()
        self.ok("sidecar")
        self.assertEqual(self.rows(
            "SELECT sum(calls), sum(dropped_calls) FROM rollups")[0],
            (200000, 0))
        self.assertEqual(self.steps(), 200000)


base.main()
