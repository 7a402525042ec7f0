#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A directory that a group shares, named by HANDSPAN_DIR: one user's programs,
another user's sidecar, which may ask nobody whether the file is still written.
Every call is stored, the file goes, the sidecar ends, and not before a child
that outlives its parent is done.

  group_test.py HANDSPAN PRELOAD    (needs root, to be three users)
"""
import os
import sqlite3
import subprocess
import sys
import time

import base

OWNER, PROGRAM, SIDECAR, GROUP = 65530, 65531, 65532, 65529
SOURCE = r"""
#include <stdio.h>
#include <unistd.h>
__attribute__((noipa)) int work(int n)
{
    for (volatile int i = 0; i < 3; i++)
        n += i;
    return n;
}
int main(int argc, char **argv)
{
    char byte;
    (void)argv;
    for (int i = 0; i < 50; i++)
        work(i);
    if (argc > 1 && fork() == 0) {
        /* until the test lets it go on; its parent has long ended */
        if (read(0, &byte, 1) == 1)
            for (int i = 0; i < 50; i++)
                work(i);
        return 0;
    }
    return 3;
}
"""


class Group(base.Base):
    def setUp(self):
        super().setUp()
        self.write("m.manifest", "[[object(main)]];\n[[span]] int work(int);")
        self.program = self.build(SOURCE)
        os.chmod(self.top, 0o711)
        os.chmod(self.dir, 0o711)
        self.shared = self.dir + "/shared"
        os.mkdir(self.shared)
        os.chown(self.shared, OWNER, GROUP)
        os.chmod(self.shared, 0o2770)
        home = self.top + "/store"
        os.mkdir(home)
        os.chown(home, SIDECAR, SIDECAR)
        self.env["HANDSPAN_DIR"] = self.shared
        for name in ("m.manifest", "p"):
            os.chmod(f"{self.top}/{name}", 0o755)

    def start(self, uid, *command, **env):
        return subprocess.Popen(
            command, env=dict(self.env, **env), user=uid, group=GROUP,
            extra_groups=[], cwd="/", stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def trace(self, *words):
        return self.start(PROGRAM, self.program, *words,
                          LD_PRELOAD=base.PRELOAD, HANDSPAN_SIDECAR="off",
                          HANDSPAN_MANIFEST=self.top + "/m.manifest")

    def finished(self, program):
        program.communicate(timeout=300)
        return program.returncode

    def sessions(self):
        return [n for n in os.listdir(self.shared)
                if n.startswith("session-")]

    def calls(self):
        try:
            return self.rows("select coalesce(sum(calls), 0) "
                             "from rollups")[0][0]
        except sqlite3.OperationalError:
            return 0  # the store is being made

    def end(self, side):
        said = side.communicate(timeout=300)[0]
        self.assertEqual(0, side.returncode, said)

    def test_it_ends(self):
        self.assertEqual(3, self.finished(self.trace()))
        self.assertEqual(1, len(self.sessions()))
        self.end(self.start(SIDECAR, base.HANDSPAN, "sidecar"))
        self.assertEqual([], self.sessions())
        self.assertEqual(50, self.calls())

    def test_a_child_that_stays(self):
        parent = self.trace("child")
        while parent.poll() is None:
            time.sleep(0.02)
        self.assertEqual(3, parent.returncode)
        side = self.start(SIDECAR, base.HANDSPAN, "sidecar")
        until = time.monotonic() + 60
        while not os.path.exists(self.store) or self.calls() < 50:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        # longer than the sidecar waits for somebody whom it does not know
        self.assertRaises(subprocess.TimeoutExpired, side.wait, 2.5)
        self.assertEqual(1, len(self.sessions()))
        parent.stdin.write(b"x")
        parent.stdin.close()
        self.end(side)
        self.assertEqual([], self.sessions())
        self.assertEqual(100, self.calls())


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root, to be three users")
        sys.exit(77)
    base.main()
