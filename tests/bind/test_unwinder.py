#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects with an unwinder of their own (-static-libgcc): exceptions pass every
handler as untraced, what would stop them is refused, and check says the same.

  test_unwinder.py PRELOAD HANDSPAN DUMP CXX SOURCE [TEST...]
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PRELOAD, HANDSPAN, DUMP, CXX, SOURCE = sys.argv[1:6]
NAMES = ("leaf", "on_stack", "cleans", "rethrows", "by_big", "many", "catches",
         "run_all")
MAIN = '#include <cstdio>\nextern "C" long run_all(int);\n' \
       'int main() { std::printf("%ld\\n", run_all(300)); }\n'


class Unwinder(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="handspan-unwinder-",
                                    dir=os.environ.get("TEST_MEMORY"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}

    def compile(self, *flags):
        subprocess.run([CXX, "-O2", "-w", *flags], cwd=self.top, check=True)

    def build(self, is_library, *flags):
        if not is_library:
            self.compile("-DPROGRAM", "-rdynamic", *flags, "-o", "program",
                         SOURCE)
            return "main"
        with open(self.top + "/main.cpp", "w", encoding="utf-8") as f:
            f.write(MAIN)
        self.compile("-fPIC", "-shared", *flags, "-o", "libunder.so", SOURCE)
        self.compile("-o", "program", "main.cpp", "-L.", "-lunder",
                     "-Wl,-rpath," + self.top)
        return '"libunder.so"'

    def run_one(self, env):
        done = subprocess.run(["./program"], cwd=self.top, env=env,
                              capture_output=True, timeout=300, check=False)
        return done.returncode, done.stdout, done.stderr

    def traced(self, scope):
        """name: (is bound, reason); as check says, too."""
        manifest = self.top + "/m.manifest"
        with open(manifest, "w", encoding="utf-8") as f:
            f.write(f"[[object({scope})]];\n" +
                    "".join(f"[[span]] {n};\n" for n in NAMES))
        env = dict(self.bare, LD_PRELOAD=PRELOAD, HANDSPAN_SIDECAR="off",
                   HANDSPAN_DIR=self.top + "/dir", HANDSPAN_MANIFEST=manifest)
        self.assertEqual(self.run_one(self.bare), self.run_one(env))
        found = glob.glob(self.top + "/dir/session-*.lane")
        self.assertEqual(1, len(found), found)
        text = subprocess.run([DUMP, found[0]], capture_output=True, text=True,
                              check=True).stdout
        sites = {m[0]: (m[1] != "none", m[2]) for m in re.findall(
            r"^site (\S+) binding=(\S+) .*reason=(.*)$", text, re.M)}
        said = subprocess.run([HANDSPAN, "check", "-m", manifest, "./program",
                               "--json"], cwd=self.top, env=self.bare,
                              capture_output=True, text=True,
                              check=False).stdout
        for row in map(json.loads, said.splitlines()):
            if row.get("kind") == "declaration":
                is_bound, reason = sites[row["name"]]
                self.assertEqual(row["status"] in ("ok", "times", "part"),
                                 is_bound, row)
                if not is_bound:
                    self.assertIn(reason.split(",")[0], row["remark"])
        return sites

    def test_shared_unwinder(self):
        sites = self.traced(self.build(False))
        self.assertEqual([], [n for n in NAMES if not sites[n][0]])

    def test_own_unwinder(self):
        for is_library, flags in (
                (False, ["-static-libgcc"]),
                (False, ["-static-libgcc", "-static-libstdc++", "-no-pie",
                         "-s"]),
                (True, ["-static-libgcc"]),
                (True, ["-static-libgcc", "-static-libstdc++", "-s",
                        "-Wl,--exclude-libs,ALL"])):
            with self.subTest(is_library=is_library, flags=flags):
                shutil.rmtree(self.top + "/dir", ignore_errors=True)
                sites = self.traced(self.build(is_library, *flags))
                bound = [n for n in NAMES if sites[n][0]]
                self.assertIn("leaf", bound)
                self.assertIn("cleans", bound)
                self.assertNotIn("many", bound)
                self.assertIn("unwinder of its own", sites["many"][1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[6:])
