#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A breakpoint of the kernel's (uprobe: perf, bpftrace) that is set on a traced
function after the start, and taken away again.

  test_breakpoint.py PRELOAD DUMP PROGRAM [TEST...]
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PRELOAD, DUMP, PROGRAM = (os.path.abspath(a) for a in sys.argv[1:4])
NAMES = ("one", "two", "three", "four", "five", "six")
TRACING = "/sys/kernel/tracing"


class Breakpoint(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="handspan-breakpoint-",
                                    dir=os.environ.get("TEST_MEMORY"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        manifest = self.top + "/m.manifest"
        with open(manifest, "w", encoding="utf-8") as f:
            f.write("[[object(main)]];\n" +
                    "".join(f"[[span]] long {n}(long n);\n" for n in NAMES))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("HANDSPAN_")}
        self.env.update(LD_PRELOAD=PRELOAD, HANDSPAN_DIR=self.top + "/dir",
                        HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=manifest)

    def said(self):
        found = glob.glob(self.top + "/dir/session-*.lane")
        self.assertEqual(1, len(found), found)
        return subprocess.run([DUMP, found[0]], capture_output=True, text=True,
                              check=True).stdout

    def check_told(self):
        """100 calls of each were seen, and that there were others."""
        text = self.said()
        for name in NAMES:
            self.assertRegex(text, rf"span {name} in process: return x100\n")
            self.assertRegex(text, f"site {name} binding=none .*its entry was "
                             "changed")

    def test_taken_away(self):
        for own in ([], ["own"]):
            shutil.rmtree(self.top + "/dir", ignore_errors=True)
            done = subprocess.run([PROGRAM, "restore", *own], env=self.env,
                                  capture_output=True, text=True, timeout=300,
                                  check=False)
            self.assertEqual((0, "1\n1 0\n", ""),
                             (done.returncode, done.stdout, done.stderr))
            self.check_told()

    def probe(self, text):
        fd = os.open(TRACING + "/uprobe_events", os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)

    def enable(self, group, value):
        with open(f"{TRACING}/events/{group}/enable", "w",
                  encoding="utf-8") as f:
            f.write(value)

    def test_uprobe(self):
        if not os.access(TRACING + "/uprobe_events", os.W_OK):
            self.skipTest("uprobes need root and tracefs")
        names = subprocess.run(["nm", PROGRAM], capture_output=True, text=True,
                               check=True).stdout
        group = f"handspan_{os.getpid()}"
        try:
            for name in NAMES:
                at = re.search(rf"^(\w+) T {name}$", names, re.M)[1]
                self.probe(f"p:{group}/{name} {PROGRAM}:0x{at}")
                self.addCleanup(self.probe, f"-:{group}/{name}")
        except OSError as e:
            self.skipTest(f"this kernel takes no uprobe: {e}")
        with subprocess.Popen([PROGRAM, "wait"], env=self.env, text=True,
                              stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as program:
            self.assertEqual("1\n", program.stdout.readline())
            self.addCleanup(self.enable, group, "0")
            for value in "1", "0":
                self.enable(group, value)
                program.stdin.write("go\n")
                program.stdin.flush()
                self.assertEqual("1 0\n", program.stdout.readline())
            program.stdin.close()
            self.assertEqual(0, program.wait(300))
        self.check_told()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
