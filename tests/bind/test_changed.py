#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Text that somebody else changed before us, or that the program changes after
us; a program that is larger than a jump is long.

  test_changed.py PRELOAD DUMP COMPILER POKE [TEST...]
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PRELOAD, DUMP, COMPILER, POKE = (os.path.abspath(a) if "/" in a else a
                                 for a in sys.argv[1:5])
HERE = pathlib.Path(__file__).parent


class Changed(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="handspan-changed-",
                                    dir=os.environ.get("TEST_MEMORY"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.dir = self.top + "/dir"
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}

    def build(self, name, *flags):
        self.program = f"{self.top}/{name}"
        subprocess.run([COMPILER, "-O2", "-no-pie", "-Wl,--build-id", *flags,
                        "-o", self.program, HERE / (name + ".c")], check=True)
        names = subprocess.run(["nm", self.program], capture_output=True,
                               text=True, check=True).stdout
        self.address = {m[2]: int(m[1], 16) for m in
                        re.finditer(r"^(\w+) T (\w+)$", names, re.M)}

    def traced(self, command, *functions):
        """Traced as untraced; returns what the session says."""
        manifest = self.top + "/m.manifest"
        with open(manifest, "w", encoding="utf-8") as f:
            f.write("[[object(main)]];\n" +
                    "".join(f"[[span]] {name};\n" for name in functions))
        env = dict(self.bare, LD_PRELOAD=PRELOAD, HANDSPAN_DIR=self.dir,
                   HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=manifest)
        outcomes = []
        for e in (self.bare, env):
            if e is env and command[0] == POKE: # the debugger is not traced
                e = dict(self.bare)
                command = [*command[:3],
                           *(f"{k}={env[k]}" for k in env if k not in e),
                           *command[3:]]
            done = subprocess.run(command, env=e, capture_output=True,
                                  timeout=300, check=False)
            outcomes.append((done.returncode, done.stdout, done.stderr))
        if outcomes[0][0] == 77:
            self.skipTest("nobody may be traced here (ptrace)")
        self.assertEqual(outcomes[0], outcomes[1])
        found = glob.glob(self.dir + "/session-*.lane")
        self.assertEqual(1, len(found), found)
        return subprocess.run([DUMP, found[0]], capture_output=True, text=True,
                              check=True).stdout

    def poke(self, function, offset, byte):
        return [POKE, f"{self.address[function] + offset:x}", byte,
                self.program]

    def test_undone(self):
        self.build("changed")
        for end in ([], ["_exit"]):
            shutil.rmtree(self.dir, ignore_errors=True)
            text = self.traced([self.program, "undo", *end], "leaf", "moves")
            self.assertRegex(text, r"span leaf in process: return x100\n")
            self.assertRegex(text, r"site leaf binding=none .*its entry was "
                             "changed by the program")
            self.assertNotRegex(text, "site moves binding=none")

    def test_branch_behind_jump(self):
        self.build("changed")
        text = self.traced([self.program], "turns")
        self.assertRegex(text, "site turns binding=none .*a branch leads into "
                         f"its first bytes, from 0x{self.address['turns'] + 6:x}")

    def test_not_undone(self):
        self.build("changed")
        text = self.traced([self.program, "keep"], "leaf")
        self.assertNotIn("was changed", text)
        self.assertRegex(text, r"span leaf in process: return x200\n")

    def test_breakpoint(self):
        self.build("changed")
        for function, offset in (("moves", 0), ("moves", 3), ("turns", 2)):
            shutil.rmtree(self.dir, ignore_errors=True)
            text = self.traced(self.poke(function, offset, "cc"), "leaf",
                               function)
            self.assertRegex(text, f"site {function} binding=none "
                             ".*a breakpoint stands there")
            self.assertRegex(text, "site leaf binding=entry")

    def test_other_bytes(self):
        self.build("changed")
        text = self.traced(self.poke("constant", 1, "09"), "leaf", "constant")
        self.assertRegex(text, "site constant binding=none "
                         ".*not those of its file")
        self.assertRegex(text, "site leaf binding=entry")

    def test_far_data(self):
        self.build("far", "-mcmodel=medium")
        text = self.traced([self.program], "leaf")
        self.assertRegex(text, r"span leaf in process: return x50\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
