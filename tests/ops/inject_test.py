#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each write, sync, cut and rename of the sidecar goes wrong in its turn: it
fails once or some times, or the sidecar dies at it, also in mid-write. Whatever
it was, the store is whole afterwards and has each call exactly once, when
another sidecar has been there. And in which order what is written is synced
where a directory outlives the machine."""
import fcntl
import os
import shutil
import subprocess

import base

PROG = r"""
#include <errno.h>
__attribute__((noinline)) int step(int n, const char *s) {
    __asm__ volatile("" :: "r"(s)); return n * 3 + 1; }
__attribute__((noinline)) int fail(int n) {
    __asm__ volatile(""); errno = ENOENT; return n ? -1 : -2; }
int main(void) {
    static char text[1500];
    for (int i = 0; i < 1499; i++) text[i] = (char)('a' + i % 26);
    int s = 0;
    for (int i = 0; i < 100; i++) s += step(i, text);
    for (int i = 0; i < 10; i++) s += fail(i);
    return s == 1;
}
"""
MANIFEST = "[[object(main)]];\n[[span, input(n, s)]] int step(int n, " \
    "const char *s);\n[[span, fails(return < 0, errno)]] int fail(int n);\n"
CALLS = 110


class Inject(base.Base):
    def setUp(self):
        super().setUp()
        prog = self.build(PROG)
        manifest = self.write("handspan.manifest", MANIFEST)
        library = os.path.join(os.path.dirname(base.HANDSPAN),
                               "../lib/libhandspan.so")
        # nobody drains it: the lock is held
        self.whole = self.path + "/whole"
        os.mkdir(self.whole, 0o700)
        with open(self.whole + "/sidecar.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.run([prog], check=False, env=dict(
                self.env, HANDSPAN_DIR=self.whole, LD_PRELOAD=library,
                HANDSPAN_SIDECAR="off",  # it names no store then
                HANDSPAN_MANIFEST=manifest))
        self.folder = self.path + "/store"
        self.store = self.env["HANDSPAN_STORE"] = self.folder + "/store.db"

    def begin(self):
        """The session as it was left, in a directory and with no store."""
        for folder in self.dir, self.folder:
            shutil.rmtree(folder, True)
        os.mkdir(self.folder, 0o700)
        os.mkdir(self.dir, 0o700)
        for name in os.listdir(self.whole):
            if name.startswith("session-"):
                subprocess.run(["cp", "--sparse=always",
                                f"{self.whole}/{name}", self.dir], check=True)

    def sidecar_with(self, at, kind, count=1):
        """How many operations it did, and its status."""
        log = self.path + "/operations"
        if os.path.exists(log):
            os.unlink(log)
        done = subprocess.run(
            [base.HANDSPAN, "sidecar"], timeout=300, capture_output=True,
            env=dict(self.env, LD_PRELOAD=os.environ["FAULTY"],
                     FAULT_BELOW=self.folder, FAULT_LOG=log, FAULT_AT=str(at),
                     FAULT_KIND=kind, FAULT_COUNT=str(count)))
        with open(log) as f:
            return f.read().splitlines(), done.returncode

    def is_whole(self, what):
        self.handspan("sidecar")
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)], what)
        self.assertEqual(self.rows(
            "SELECT count(*), sum(length(input ->> 's') = 1499), "
            "sum(status = 'error') FROM spans"), [(CALLS, 100, 10)], what)
        self.assertEqual(self.rows("SELECT sum(calls), sum(errors) FROM "
                                   "rollups"), [(CALLS, 10)], what)
        self.assertEqual(self.rows("SELECT sum(count) FROM error_groups"),
                         [(10,)], what)
        self.assertEqual(self.rows(
            "SELECT (SELECT sum(uses) FROM texts), (SELECT count(*) FROM "
            "span_rows WHERE typeof(input) = 'blob') + (SELECT count(*) FROM "
            "span_rows WHERE typeof(error) = 'blob')"), [(110, 110)], what)
        self.assertEqual(self.rows("SELECT count(*) FROM losses"), [(0,)])
        self.assertFalse([n for n in os.listdir(self.dir)
                          if n.startswith("session-")], what)

    def try_at(self, at, kind, count):
        """Was it reached?"""
        self.begin()
        operations, status = self.sidecar_with(at, kind, count)
        what = f"{kind} at {at} of {len(operations)}"
        if at <= len(operations):
            what += ": " + operations[at - 1]
        self.assertIn(status, (0, 2, -9), what)
        if os.path.exists(self.store):
            # (may have to roll back what was begun)
            self.assertEqual(self.execute("PRAGMA integrity_check"), [("ok",)],
                             what)
        self.is_whole(what)
        return at <= len(operations)

    def each(self, kind, count=1):
        """At some of them, or at each (TURNS=0, by night)."""
        self.begin()
        all_ = len(self.sidecar_with(0, kind)[0])
        self.is_whole("nothing")
        turns = int(os.environ.get("TURNS", "20"))
        step = max(1, all_ // turns) if turns else 1
        at = 1 + (len(kind) + count) % step
        while self.try_at(at, kind, count):
            at += step
        print(f"{kind}: in {all_} operations at each {step}")
        self.assertGreater(at, all_ // 2)

    def test_killed_at_each(self):
        self.each("kill")

    def test_killed_in_the_middle_of_each_write(self):
        self.each("half")

    def test_each_fails_once(self):
        self.each("io")

    def test_some_find_no_room(self):
        self.each("full", count=3)

    # ---- order --------------------------------------------------------------

    def test_synced_before_it_is_given_back(self):
        """A session's file goes after the last write to the store's log was
        synced, where the directory outlives the machine."""
        self.dir = self.env["HANDSPAN_DIR"] = self.path + "/sessions"
        self.begin()
        kind = subprocess.run(["stat", "-f", "-c", "%T", self.dir], text=True,
                              check=True, capture_output=True).stdout.strip()
        if kind in ("tmpfs", "ramfs"):
            self.skipTest("no folder here outlives the machine")
        operations, status = self.sidecar_with(0, "io")
        self.assertEqual(status, 0)
        goes = [i for i, line in enumerate(operations)
                if line.startswith("unlinkat session-")]
        self.assertEqual(len(goes), 1, operations)
        before = [line.split()[0] for line in operations[:goes[0]]
                  if line.endswith(("-wal", ".db"))]
        self.assertIn("write", before)
        self.assertGreater(
            len(before) - 1 - before[::-1].index("sync"),
            len(before) - 1 - before[::-1].index("write"), operations)


base.main()
