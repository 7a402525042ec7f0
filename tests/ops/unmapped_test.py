#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A store on a file system without shared mappings, where SQLite's WAL cannot
be: a real one (bindfs with direct_io) where FUSE is allowed, and always one
where mmap is made to fail for the store's folder."""
import os
import shutil
import subprocess

import base

SHIM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static int is_there(int fd) {
    char link[64], path[4096];
    const char *folder = getenv("WITHOUT_MMAP");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = fd < 0 ? -1 : readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    return folder && n > 0 && strncmp(path, folder, strlen(folder)) == 0;
}
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    if ((flags & MAP_SHARED) && is_there(fd)) {
        errno = ENODEV; return MAP_FAILED; }
    return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}
void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    return mmap(at, n, prot, flags, fd, offset);
}
"""
PROG = r"""
#include <stdlib.h>
__attribute__((noinline)) int step(int n) {
    __asm__ volatile("" :: "r"(n)); return n % 50 == 49 ? -1 : n * 3; }
int main(int argc, char **argv) {
    for (int i = 0; i < atoi(argv[1]); i++) step(i); return 0; }
"""
MANIFEST = "[[span, input(n)]] int step(int n);\n"
CALLS = 20000


class Unmapped(base.Base):
    def setUp(self):
        super().setUp()
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)
        self.folder = self.path + "/store"
        os.mkdir(self.folder)
        self.store = self.env["HANDSPAN_STORE"] = self.folder + "/store.db"

    def check(self, before=None):
        """Two runs, read while they are written, whole at the end."""
        sidecar = self.sidecar(before, stderr=subprocess.PIPE, text=True)
        for _ in range(2):
            run = subprocess.Popen(
                [base.HANDSPAN, "run", "-m", self.manifest, "--summary=never",
                 self.prog, str(CALLS)], env=dict(self.env,
                                                  HANDSPAN_WAIT_MS="10000"))
            while run.poll() is None:
                self.handspan("show", extra=before or {})
            self.assertEqual(run.returncode, 0)
        self.wait_for(lambda: self.counts()[0][0] >= 2 * CALLS, "all spans")
        self.assertIn("Complete", self.ok("show", extra=before or {}))
        sidecar.terminate()
        log = sidecar.communicate(timeout=300)[1]
        self.assertIn("has no shared mappings (mmap)", log)
        self.assertNotIn("store.db-wal", os.listdir(self.folder))
        self.assertEqual(self.rows("PRAGMA journal_mode"), [("delete",)])

    def counts(self):
        return self.rows("SELECT count(*), count(DISTINCT input) FROM spans")

    def unmapped(self):
        shim = self.path + "/shim.so"
        subprocess.run([base.CC, "-shared", "-fPIC", "-O1", "-o", shim,
                        self.write("shim.c", SHIM)], check=True)
        return {"LD_PRELOAD": shim, "WITHOUT_MMAP": self.folder}

    def test_made_to_fail(self):
        self.check(self.unmapped())
        self.assertEqual(self.counts(), [(2 * CALLS, CALLS)])

    def test_moved_there(self):
        """A store that was kept with WAL before."""
        self.ok("run", "-m", self.manifest, "--summary=never", self.prog, "10")
        self.end_sidecar()
        self.assertEqual(self.rows("PRAGMA journal_mode"), [("wal",)])
        unmapped = self.unmapped()
        told = self.handspan("show", extra=unmapped)
        self.assertEqual(told.returncode, 2)
        self.assertIn("'handspan sidecar --once' changes that", told.stderr)
        self.ok("sidecar", "--once", extra=unmapped)
        self.ok("show", extra=unmapped)
        self.execute("PRAGMA journal_mode = WAL")
        self.check(unmapped)
        self.assertEqual(self.counts(), [(2 * CALLS + 10, CALLS)])

    def test_a_real_one(self):
        real = self.path + "/real"
        os.mkdir(real)
        mounted = shutil.which("bindfs") and subprocess.run(
            ["bindfs", "-o", "direct_io", real, self.folder],
            stderr=subprocess.DEVNULL, check=False).returncode == 0
        if not mounted:
            self.skipTest("no FUSE here")
        self.addCleanup(subprocess.run, ["fusermount", "-u", self.folder],
                        check=False)
        self.check()
        self.assertEqual(self.counts(), [(2 * CALLS, CALLS)])


base.main()
