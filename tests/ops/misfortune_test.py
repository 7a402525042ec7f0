#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can happen to the store while sessions live: it is deleted, put back from
an older copy, loses its last moments with the machine, is held by a reader; and
to the directory: many files that nobody can read. Each call is stored, or
counted as lost by name."""
import contextlib
import os
import sqlite3
import subprocess

import base

PROG = r"""
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) int step(int n) {
    __asm__ volatile(""); return n * 3 + 1; }
/* A COUNT for each line of the input, then "done" */
int main(void) {
    long n, s = 0;
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        n = atol(line);
        for (long i = 0; i < n; i++) s += step((int)i);
        puts("done");
        fflush(stdout);
    }
    return s == 1;
}
"""
MANIFEST = "[[object(main)]];\n[[span, capture(\"none\")]] int step(int n);\n"


class Misfortune(base.Base):
    def setUp(self):
        super().setUp()
        self.env["HANDSPAN_WAIT_MS"] = "60000"
        for key in "KEEP_AGE", "KEEP_SIZE", "THIN_AGE":
            self.env["HANDSPAN_" + key] = "off"
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)
        self.library = os.path.join(os.path.dirname(base.HANDSPAN),
                                    "../lib/libhandspan.so")

    def start(self, **more):
        p = subprocess.Popen(
            [self.prog], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(self.env, LD_PRELOAD=self.library,
                     HANDSPAN_MANIFEST=self.manifest, **more))
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def call(self, p, count):
        p.stdin.write(f"{count}\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), "done\n")

    def end(self, p):
        p.stdin.close()
        self.assertEqual(p.wait(300), 0)
        self.no_session_left()

    def no_session_left(self):
        self.wait_for(lambda: not [n for n in os.listdir(self.dir) if
                                   n.startswith("session-")], "all is stored")

    def calls(self):
        try:
            return self.rows("SELECT coalesce(sum(calls), 0) FROM rollups")[0][0]
        except sqlite3.Error:
            return -1

    def lost(self):
        return self.rows("SELECT coalesce(sum(count), 0) FROM losses "
                         "WHERE kind = 'lost_store'")[0][0]

    def log(self):
        with open(self.dir + "/log") as f:
            return f.read()

    def put_back(self, from_):
        for end in "-shm", "-wal", "":
            if os.path.exists(self.store + end):
                os.unlink(self.store + end)
        for end in "-wal", "":
            if os.path.exists(from_ + end):
                os.rename(from_ + end, self.store + end)

    def back_up(self, to):
        """What all of its files say at one moment."""
        with contextlib.closing(sqlite3.connect(self.store)) as db, \
                contextlib.closing(sqlite3.connect(to)) as copy:
            db.backup(copy)

    # ---- deleted, put back --------------------------------------------------

    def test_deleted(self):
        """While nothing was given back to the lane, nothing is missing."""
        self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 200)
        self.wait_for(lambda: self.calls() == 200, "the first half")
        for end in "", "-wal", "-shm":
            os.unlink(self.store + end)
        self.call(p, 200)
        self.end(p)
        self.assertEqual((self.calls(), self.lost()), (400, 0))
        self.assertIn("was deleted or replaced", self.log())
        self.assertEqual(self.rows("SELECT count(*) FROM threads"), [(1,)])

    def many(self, p, counts):
        for count in counts:
            self.call(p, count)

    def test_deleted_after_much(self):
        """What was given back went with it: that is counted."""
        self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 100000)
        self.wait_for(lambda: self.calls() == 100000, "the first half")
        for end in "", "-wal", "-shm":
            os.unlink(self.store + end)
        self.call(p, 50000)
        self.end(p)
        calls, lost = self.calls(), self.lost()
        self.assertEqual(calls + lost, 150000)
        self.assertGreaterEqual(calls, 50000)
        self.assertGreater(lost, 50000)
        self.assertIn("calls with an earlier store", self.ok("show"))

    def test_put_back_from_an_older_copy(self):
        self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 30000)
        self.wait_for(lambda: self.calls() == 30000, "the first part")
        self.back_up(self.path + "/old.db")
        self.call(p, 100000)
        self.wait_for(lambda: self.calls() == 130000, "the second part")
        self.put_back(self.path + "/old.db")
        self.call(p, 40000)
        self.end(p)
        calls, lost = self.calls(), self.lost()
        self.assertEqual(calls + lost, 170000)
        self.assertGreaterEqual(calls, 70000)
        self.assertGreater(lost, 0)
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    # ---- the machine loses its power ----------------------------------------

    def test_the_machine_goes_and_the_directory_survives(self):
        """Sidecar and program die, the store has lost its last moments."""
        side = self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 30000)
        self.wait_for(lambda: self.calls() == 30000, "the first part")
        self.back_up(self.path + "/old.db")
        self.call(p, 100000)
        self.wait_for(lambda: self.calls() == 130000, "the second part")
        side.kill()
        side.wait()
        self.call(p, 5000)  # these are in the lane alone
        p.kill()
        p.wait()
        self.put_back(self.path + "/old.db")
        self.handspan("sidecar")
        calls, lost = self.calls(), self.lost()
        self.assertEqual(calls + lost, 135000)
        self.assertGreaterEqual(calls, 35000)

    # ---- a reader that stays ------------------------------------------------

    def log_bytes(self):
        try:
            return os.path.getsize(self.store + "-wal")
        except FileNotFoundError:
            return 0

    def test_a_reader_that_stays(self):
        """The log is small again when it is gone, while the program runs."""
        self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 10)
        self.wait_for(lambda: self.calls() == 10, "the first calls")
        db = sqlite3.connect(self.store)
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM spans").fetchall()
        self.call(p, 250000)
        self.wait_for(lambda: self.calls() == 250010, "all of them")
        most = self.log_bytes()
        db.close()

        def is_small():
            self.call(p, 1000)
            return self.log_bytes() <= 17 << 20
        self.wait_for(is_small, "the log is cut")
        print("bytes of the log while the reader stayed:", most)
        self.assertGreater(most, 20 << 20)
        self.end(p)
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    # ---- refused ------------------------------------------------------------

    def session_of(self, p):
        return [n for n in os.listdir(self.dir)
                if n.startswith(f"session-{p.pid}-")]

    def test_refused_by_a_constraint(self):
        """What a table does not take of one session holds up no other; its file
        stays, and says so, until it is taken."""
        side = self.sidecar(stderr=subprocess.DEVNULL)
        good, bad = self.start(), self.start()
        self.call(good, 10)
        self.wait_for(lambda: self.calls() == 10, "the store")
        self.execute("CREATE TRIGGER refuses BEFORE INSERT ON rollups WHEN "
                     "new.session = (SELECT session FROM sessions WHERE file "
                     f"GLOB 'session-{bad.pid}-*') "
                     "BEGIN SELECT RAISE(ABORT, 'not in this test'); END")
        self.call(bad, 20)
        # found on its own: others go through all the while
        self.wait_for(lambda: self.call(good, 1) or "left alone" in self.log(),
                      "it is left alone")
        self.assertIn("not in this test", self.log())
        self.assertEqual(self.log().count("left alone"), 1)
        said = {s["pid"]: s["error"] or "" for s in self.json("status")
                if s["kind"] == "session"}
        self.assertIn("refuses", said[bad.pid])
        self.assertEqual(said[good.pid], "")
        self.assertIn("refuses", self.ok("status"))
        for p in good, bad:
            p.stdin.close()
            self.assertEqual(p.wait(300), 0)
        self.wait_for(lambda: not self.session_of(good), "the other is stored")
        before = self.calls()
        self.assertEqual(len(self.session_of(bad)), 1)
        side.terminate()
        side.wait()
        # one that ends by itself does so, and says by its status what it left
        self.assertEqual(self.handspan("sidecar", "--once").returncode, 1)
        self.execute("DROP TRIGGER refuses")
        self.ok("sidecar", "--once")
        self.no_session_left()
        self.assertEqual((self.calls(), self.lost()), (before + 20, 0))

    # ---- many files ---------------------------------------------------------

    def test_many_files_that_nobody_can_read(self):
        files = int(os.environ.get("FILES", "3000"))
        for i in range(files):
            name = f"{self.dir}/session-{4194305 + i}-1-0123456789abcdef.lane"
            with open(name, "w") as f:
                f.write("hspan of another time")
        side = self.sidecar(stderr=subprocess.DEVNULL)
        p = self.start()
        self.call(p, 10)
        self.wait_for(lambda: self.calls() == 10, "the new program's calls")
        p.stdin.close()
        p.wait(300)
        self.wait_for(lambda: len(os.listdir(self.dir)) <= files + 4,
                      "its session is stored")
        self.assertLess(self.log().count("left alone"), 30)
        with open(f"/proc/{side.pid}/status") as f:
            peak = [line for line in f if line.startswith("VmHWM")][0]
        print("files:", files, peak.strip())
        if "ASAN_OPTIONS" not in os.environ:
            self.assertLess(int(peak.split()[1]), 64 << 10)


base.main()
