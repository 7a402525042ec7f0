#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No space left: for the store, for the sessions. Real small file systems
(tmpfs, mounted here: root only). The program is not harmed, also where a page
of shared memory cannot be had; what could not be recorded is counted; the store
goes on when space returns; `handspan status` says why it stands still."""
import json
import os
import subprocess
import time
import unittest

import base

PROG = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile long calls;
__attribute__((noinline)) int step(long id, const char *text) {
    __asm__ volatile("" :: "r"(text)); __atomic_fetch_add(&calls, 1, 0);
    return (int)id; }
static char text[4000];
static void *work(void *count) {
    for (long i = 0; i < (long)count; i++) step(i, text);
    return NULL;
}
/* COUNT THREADS: then as many in a child, a line from the input between */
int main(int argc, char **argv) {
    long count = atol(argv[1]), threads = atol(argv[2]);
    pthread_t t[64];
    memset(text, 'x', sizeof text - 1);
    for (long i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, work, (void *)count);
    for (long i = 0; i < threads; i++) pthread_join(t[i], NULL);
    puts("first half");
    fflush(stdout);
    char line[16];
    int got = fgets(line, sizeof line, stdin) != NULL;
    if (fork() == 0) { work((void *)count); _exit(7); }
    int status;
    wait(&status);
    work((void *)count);
    printf("%ld %d %d %d\n", calls, got, WEXITSTATUS(status),
           WIFSIGNALED(status));
    return argc == 3 ? 5 : 6;
}
"""
MANIFEST = "[[span, input(id, text)]] int step(long id, const char *text);\n"

STATUS_FULL_KIB = 4096  # of free space: `status` calls it full
LEAST_KIB = 20000  # an eighth of it has room for the smallest session


class Disk(base.Base):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("no root: nothing can be mounted")
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)

    def small(self, size):
        """A file system of its own, of mode 0700."""
        place = os.path.join(self.path, "small")
        os.mkdir(place, 0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs",
             place], capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"cannot mount: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)
        return place

    def resize(self, place, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", place],
                       check=True)

    def fill(self, place):
        with open(os.path.join(place, "ballast"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def start(self, count, threads, **more):
        return subprocess.Popen(
            [base.HANDSPAN, "run", "-m", self.manifest, "--summary=never",
             self.prog, str(count), str(threads)], env=dict(self.env, **more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self.path)

    def unharmed(self, program, count, threads, already=""):
        out, err = program.communicate("\n", timeout=300)
        self.assertEqual(already + out, "first half\n%d 1 7 0\n" %
                         (count * threads + count), err)
        self.assertEqual(program.returncode, 5, err)
        return err

    def calls(self):
        return self.rows("SELECT coalesce(sum(calls), 0), "
                         "coalesce(sum(dropped_calls), 0) FROM rollups")[0]

    def texts_whole(self):
        self.assertEqual(self.rows(
            "SELECT count(*) FROM spans WHERE status <> 'ok' OR "
            "length(input ->> 'text') <> 3999"), [(0,)])

    # ---- sessions -----------------------------------------------------------

    def preloaded(self, count, threads, **more):
        """Without `handspan run`, which would say that it is full."""
        library = os.path.join(os.path.dirname(base.HANDSPAN),
                               "../lib/libhandspan.so")
        program = subprocess.Popen(
            [self.prog, str(count), str(threads)],
            env=dict(self.env, LD_PRELOAD=library,
                     HANDSPAN_MANIFEST=self.manifest, **more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self.path)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)  # a test that failed leaves none behind
        return program

    def everything_counted(self, total):
        """Nothing is lost, but what is without detail is counted as such."""
        calls, without = self.calls()
        spans, = self.rows("SELECT count(*) FROM spans")[0]
        self.assertEqual((calls, spans), (total, total - without))
        return without

    def used_by_sessions(self, place):
        """Now: its sidecar may be at the end of one."""
        used = 0
        for name in os.listdir(place):
            try:
                if name.startswith("session-"):
                    used += os.stat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass
        return used

    def test_no_room_for_sessions(self):
        """From nothing at all over a file system of which an eighth is too
        little for a session (none is made, and that is told) to one whose
        session is too small for all of it."""
        place = self.small("4m")
        self.env["HANDSPAN_DIR"] = place
        recorded = 0
        for kilobytes in (4, 12, 40, 120, 300, 420, 800, 2000, 8000, 20000,
                          25000, 28000, 32000):
            with self.subTest(kilobytes=kilobytes):
                self.resize(place, f"{kilobytes}k")
                self.store = self.env["HANDSPAN_STORE"] = \
                    f"{self.path}/{kilobytes}.db"
                log = f"{self.path}/{kilobytes}.log"
                # (that waits for no spool: it would have room for all)
                program = self.preloaded(600, 3, HANDSPAN_LOG=log,
                                         HANDSPAN_WAIT_MS="0")
                self.unharmed(program, 600, 3)
                used = self.used_by_sessions(place)
                self.assertLessEqual(used, kilobytes * 1024 // 8)
                status = self.handspan("status")
                full = kilobytes < STATUS_FULL_KIB
                self.assertEqual("is full (" in status.stdout, full)
                if full:
                    self.assertEqual(status.returncode, 1)
                self.ok("sidecar")
                if self.rows("SELECT count(*) FROM sessions") == [(0,)]:
                    self.assertLess(kilobytes, LEAST_KIB, "no session")
                    self.assertEqual(used, 0)
                    with open(log) as f:
                        self.assertRegex(f.read(), "session: none could be "
                                         f"made in {place} .*(full|an eighth "
                                         "of what .* is too little)")
                else:
                    self.assertGreater(kilobytes, LEAST_KIB - 1000)
                    recorded += 1
                    without = self.everything_counted(600 * 5)
                    self.assertGreater(without, 0)
                    self.assertIn(("lost_records", without), self.rows(
                        "SELECT kind, count FROM losses"))
        self.assertGreaterEqual(recorded, 3)

    def test_sessions_fill_up_meanwhile(self):
        """The file system fills while the program runs, also before it
        forks."""
        place = self.small("64m")
        self.env["HANDSPAN_DIR"] = place
        program = self.preloaded(300, 2)
        first = program.stdout.readline()
        self.fill(place)
        self.unharmed(program, 300, 2, first)
        os.unlink(place + "/ballast")
        self.ok("sidecar")
        self.assertLess(self.everything_counted(300 * 4), 300 * 4)

    # ---- the store ----------------------------------------------------------

    def waits_for_space(self, place):
        """`handspan status` says why nothing goes on."""
        def told():
            # one look for all of it: the trouble is over for a moment
            # whenever a batch finds room, and comes back with the next
            status = self.handspan("status", "--json")
            lines = [json.loads(line) for line in status.stdout.splitlines()]
            trouble = lines[1]["trouble"] or "" if len(lines) > 1 else ""
            return status.returncode == 1 and "store.db" in trouble and \
                "full" in trouble
        self.wait_for(told, "status says that the store is full")

    def store_full(self, sidecar, sleep, **more):
        place = self.small("1m")
        self.store = self.env["HANDSPAN_STORE"] = place + "/store.db"
        if sidecar:
            self.sidecar(stderr=subprocess.DEVNULL)
        program = self.preloaded(1500, 4, **more)
        self.waits_for_space(place)
        time.sleep(sleep)  # longer than a sidecar tries
        self.assertIn("Sidecar    runs", self.handspan("status").stdout)
        self.resize(place, "256m")
        self.unharmed(program, 1500, 4)
        self.wait_for(lambda: not [n for n in os.listdir(self.dir)
                                   if n.startswith("session-")],
                      "everything is stored")
        self.assertNotIn("full", self.ok("status").split("Log ")[0])
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])
        self.texts_whole()
        return self.everything_counted(1500 * 6)

    def test_store_full_and_the_program_waits(self):
        """Policy `wait`: not a call without detail, also with the sidecar that
        the program started itself."""
        self.assertEqual(self.store_full(False, 8, HANDSPAN_WAIT_MS="60000",
                                         HANDSPAN_BUDGET_MB="4"), 0)

    def test_store_full_and_the_program_does_not(self):
        self.assertGreater(self.store_full(True, 0, HANDSPAN_WAIT_MS="0",
                                           HANDSPAN_BUDGET_MB="4"), 0)

    def test_store_full_from_the_beginning(self):
        """Not even the schema finds room."""
        place = self.small("64k")
        self.store = self.env["HANDSPAN_STORE"] = place + "/store.db"
        program = self.preloaded(50, 1)
        first = program.stdout.readline()
        self.waits_for_space(place)
        self.resize(place, "64m")
        self.unharmed(program, 50, 1, first)
        self.wait_for(lambda: not [n for n in os.listdir(self.dir)
                                   if n.startswith("session-")],
                      "everything is stored")
        self.assertEqual(self.everything_counted(50 * 3), 0)


base.main()
