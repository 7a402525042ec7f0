#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan doctor` on surroundings that are in the way, one at a time.

usage: doctor_test.py HANDSPAN
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HANDSPAN = os.path.realpath(sys.argv.pop(1))


class Doctor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="handspan-doctor-test-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.realpath(folder.name)
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": self.path,
                    "XDG_RUNTIME_DIR": self.path, "TMPDIR": self.path}

    def findings(self, wrap=(), **variables):
        """{what: (verdict, text)} and the exit status."""
        done = subprocess.run([*wrap, HANDSPAN, "doctor", "--json"],
                              env=dict(self.env, **variables), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=300, check=False)
        self.assertEqual(done.stderr, "")
        first, *rest = map(json.loads, done.stdout.splitlines())
        self.assertEqual(first, {"schema": 1})
        return {one["what"]: (one["verdict"], one["text"]) for one in rest}, \
            done.returncode

    def test_all_is_well(self):
        found, status = self.findings()
        for what in "preload", "directory", "store", "settings", "trial":
            self.assertEqual(found[what][0], "ok", found)
        self.assertEqual(status, 0)
        self.assertEqual(os.listdir(self.path), [], "it leaves nothing behind")

    def test_no_preload(self):
        found, status = self.findings(HANDSPAN_PRELOAD=self.path + "/none.so")
        self.assertEqual((found["preload"][0], status), ("BAD", 1))
        self.assertIn("HANDSPAN_PRELOAD", found["preload"][1])
        self.assertNotIn("trial", found)

    def test_a_library_that_traces_nothing(self):
        empty = self.path + "/empty.so"
        subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", empty],
                       check=True)
        found, status = self.findings(HANDSPAN_PRELOAD=empty)
        self.assertEqual((found["trial"][0], status), ("BAD", 1))

    def test_directory_of_others(self):
        open_to_all = self.path + "/open"
        os.mkdir(open_to_all)
        os.chmod(open_to_all, 0o777)
        found, status = self.findings(HANDSPAN_DIR=open_to_all)
        self.assertEqual((found["directory"][0], status), ("BAD", 1))
        self.assertIn("chmod 700", found["directory"][1])

    def test_no_store(self):
        with open(self.path + "/text", "w") as f:
            f.write("no database\n" * 100)
        found, status = self.findings(HANDSPAN_STORE=self.path + "/text")
        self.assertEqual((found["store"][0], status), ("BAD", 1))

    def test_what_is_not_all_of_it(self):
        limit = ["sh", "-c", 'ulimit -v 500000; exec "$@"', "sh"]
        found, status = self.findings(limit)
        self.assertEqual((found["address space"][0], status), ("note", 0))
        found, status = self.findings(HANDSPAN_DISABLED="1", HANDSPAN_KEEP_AGE="x")
        self.assertEqual((found["settings"][0], status), ("note", 0))
        found, status = self.findings(LD_AUDIT="")
        self.assertNotIn("LD_AUDIT", found)

    def test_a_screen_for_people(self):
        done = subprocess.run([HANDSPAN, "doctor"], env=dict(self.env, COLUMNS="60"),
                              text=True, capture_output=True, check=True)
        self.assertRegex(done.stdout, r"(?m)^ok +trial +a program was traced")
        self.assertLessEqual(max(len(line) for line in done.stdout.splitlines()
                                if "/" not in line), 60)


if __name__ == "__main__":
    unittest.main()
