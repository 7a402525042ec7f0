#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wall clock that is set while programs run: times stay in order, durations
stay true, and nothing is taken for old."""
import os
import subprocess
import time

import base

# In the place of the C library's, for the traced program and the sidecar; by
# how much the clock was set stands in a file.
SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t none, *set_by = &none;
__attribute__((constructor)) static void start(void) {
    int fd = open(getenv("CLOCK_FILE"), O_RDONLY);
    void *at = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) set_by = at;
    close(fd);
}
int clock_gettime(clockid_t c, struct timespec *t) {
    long rc = syscall(SYS_clock_gettime, c, t);
    if (c == CLOCK_REALTIME) t->tv_sec += *set_by;
    return rc;
}
int gettimeofday(struct timeval *t, void *zone) {
    struct timespec s; clock_gettime(CLOCK_REALTIME, &s);
    t->tv_sec = s.tv_sec; t->tv_usec = s.tv_nsec / 1000; return 0;
}
time_t time(time_t *out) {
    struct timespec s; clock_gettime(CLOCK_REALTIME, &s);
    if (out) *out = s.tv_sec;
    return s.tv_sec;
}
"""
PROG = r"""
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
/* Looks at the clocks so far: docs/lane.md, the sixth word at 384. */
static uint32_t looks(void) {
    char path[4096]; glob_t found; uint32_t next = 0;
    snprintf(path, sizeof path, "%s/session-*", getenv("HANDSPAN_DIR"));
    if (glob(path, 0, NULL, &found) != 0) abort();
    int fd = open(found.gl_pathv[0], O_RDONLY);
    if (pread(fd, &next, 4, 384 + 5 * 4) != 4) abort();
    close(fd);
    globfree(&found);
    return next;
}
__attribute__((noinline)) int part(int n) { usleep(100000); return n + 1; }
__attribute__((noinline)) int step(int n) {
    int64_t by[] = {0, 7200, -3600, 86400 * 40, 0};
    volatile int64_t *clock = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED,
                                   open(getenv("CLOCK_FILE"), O_RDWR), 0);
    int rc = part(n);
    *clock = by[n];
    /* one of them is seen: of two looks one began after it was set */
    for (uint32_t before = looks(); n == 3 && looks() < before + 2;)
        usleep(1000);
    return rc + part(n);
}
int main(void) { for (int i = 0; i < 5; i++) step(i); return 0; }
"""
MANIFEST = "[[span, input(n)]] int step(int n);\n" \
    "[[span]] int part(int n);\n"
SECOND = 10**9


class Clock(base.Base):
    def setUp(self):
        super().setUp()
        self.clock = self.write("clock", "\0" * 8)
        self.shim = self.path + "/shim.so"
        subprocess.run([base.CC, "-shared", "-fPIC", "-O1", "-o", self.shim,
                        self.write("shim.c", SHIM)], check=True)
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)

    def traced(self):
        """A run under a sidecar of its own, both with that clock."""
        library = os.path.join(os.path.dirname(base.HANDSPAN),
                               "../lib/libhandspan.so")
        env = dict(self.env, CLOCK_FILE=self.clock)
        sidecar = self.sidecar(dict(env, LD_PRELOAD=self.shim),
                               stderr=subprocess.DEVNULL)
        began = time.time_ns()
        subprocess.run(
            [self.prog], check=True, timeout=300,
            env=dict(env, LD_PRELOAD=f"{os.path.realpath(library)} {self.shim}",
                     HANDSPAN_MANIFEST=self.manifest))
        took = time.time_ns() - began
        self.wait_for(lambda: self.rows(
            "SELECT 1 FROM traces WHERE status <> 'open'"), "end of session")
        sidecar.terminate()
        sidecar.wait(timeout=300)
        return began, took

    def test_set_while_a_program_runs(self):
        began, took = self.traced()
        rows = self.rows(
            "SELECT i.name, s.start_unix_ns, s.duration_ns, s.parent_ref, "
            "s.ref FROM spans s JOIN sites i USING (session, site) "
            "ORDER BY s.start_unix_ns, s.depth")
        self.assertEqual([r[0] for r in rows], ["step", "part", "part"] * 5)
        for name, start, duration, *_ in rows:
            least = (1 if name == "part" else 2) * SECOND // 10
            self.assertTrue(least <= duration <= took, rows)
            # by the clock that it began with
            self.assertTrue(began <= start <= began + took, rows)
            self.assertLessEqual(start + duration, began + took)
        for outer, first, second in zip(rows[::3], rows[1::3], rows[2::3]):
            self.assertTrue(outer[4] == first[3] == second[3])
            self.assertLessEqual(first[1] + first[2], second[1])
            self.assertLessEqual(second[1] + second[2], outer[1] + outer[2])
        steps = self.rows("SELECT sum(count) FROM losses "
                          "WHERE kind = 'clock_steps'")[0][0] or 0
        self.assertTrue(1 <= steps <= 4, self.rows("SELECT * FROM losses"))
        told = self.rows("SELECT count(*) FROM spans WHERE "
                         "attributes LIKE '%clock_step_ns%'")[0][0]
        self.assertGreater(told, 0)

    def test_retention_does_not_take_young_for_old(self):
        self.ok("run", "-m", self.manifest, "--summary=never", self.prog,
                extra={"CLOCK_FILE": self.clock})
        self.end_sidecar()
        self.execute("DELETE FROM dirty")  # nothing waits to be sent
        env = dict(self.env, HANDSPAN_KEEP_AGE="30d")

        def look(*set_by_days):
            subprocess.run([os.environ["KEEP_CLOCK"], self.store,
                            *(str(d * 86400) for d in set_by_days)],
                           env=env, check=True, timeout=300)
            return self.rows("SELECT count(*) FROM traces")[0][0]
        self.assertEqual(look(400, -800, 800), 1)
        # what is old goes, whatever the clock does
        for table in "traces", "span_rows", "processes":
            self.execute(f"UPDATE {table} SET start_unix_ns = start_unix_ns - "
                         "?", 31 * 86400 * SECOND)
        self.assertEqual(look(400), 0)


base.main()
