#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manifests that come with handspan, by their names, on programs of Debian as
they are: what a library says of its failure stands within the call that fails;
Python's functions by name, file and line, its exceptions with type and text.

usage: shipped_test.py HANDSPAN
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
PYTHON = "/usr/bin/python3.11"
JOB = r"""class Loader:
    def load(self, items):
        return list(map(self.one, items))

    def one(self, i):
        if i == 2:
            raise ValueError("two is no good")
        return i


def main():
    try:
        Loader().load(range(4))
    except ValueError:
        pass
    sorted([3, 1, 2], key=lambda x: -x)
    try:
        open("/nothing/there")
    except OSError:
        pass
    try:
        raise KeyError("gr\u00fcn")
    except KeyError:
        pass
    [].fly


main()
"""


class Shipped(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="shipped-"))
        self.addCleanup(alive.remove, self.dir)
        lanes = os.path.join(self.dir, "lanes")
        os.mkdir(lanes, 0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "PYTHON"))}
        self.env.update(HANDSPAN_DIR=lanes, HANDSPAN_CONFIG="/dev/null",
                        HANDSPAN_STORE=os.path.join(self.dir, "s.db"),
                        HOME=self.dir)

    def spans(self, manifest, *command, status):
        """All calls of one run, in the order of their starts."""
        path = os.path.join(self.dir, "m.manifest")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'[[include("{manifest}")]];\n')
        done = subprocess.run(
            [HANDSPAN, "run", "-m", path, "--summary=never", "--", *command],
            env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        said = subprocess.run([HANDSPAN, "spans", "--json", "--limit=0"],
                              env=self.env, check=True, text=True,
                              capture_output=True).stdout
        return [json.loads(line) for line in said.splitlines()[1:]]

    def within(self, rows, span, name):
        return [r["input"] for r in rows if r["name"] == name and
                r["parent_span_id"] == span["span_id"]]

    def test_sqlite(self):
        rows = self.spans(
            "sqlite3.manifest", "sqlite3", "-batch", ":memory:",
            "create table t(id unique); insert into t values(7); "
            "insert into t values(7);", status=19)
        failed, = [r for r in rows if r["name"] == "sqlite3_step" and r["error"]]
        said, = self.within(rows, failed, "sqlite3_log")
        self.assertEqual((said["code"], said["message"], said["reason"]),
                         (2067, "UNIQUE constraint failed: t.id", None))
        rows = self.spans("sqlite3.manifest", "sqlite3", "-batch", ":memory:",
                          "select * from nowhere", status=1)
        failed = [r for r in rows if r["name"] == "sqlite3_prepare_v2" and
                  r["error"]]
        said, = self.within(rows, failed[-1], "sqlite3_log")
        self.assertEqual((said["message"], said["reason"]),
                         (None, "no such table: nowhere"))

    @unittest.skipUnless(os.path.exists(PYTHON), "there is no python3.11")
    def test_python(self):
        job = os.path.join(self.dir, "job.py")
        with open(job, "w", encoding="utf-8") as f:
            f.write(JOB)  # (utf-8)
        rows = self.spans("cpython-3.11.manifest", PYTHON, "-S", "-E", job,
                          status=1)
        mine = [r for r in rows if r["attributes"].get("file") == job]
        at = {word: JOB[:JOB.index(word)].count("\n") + 1
              for word in ("class Loader", "def one", "lambda")}
        self.assertEqual(
            [(r["attributes"]["function"], r["attributes"]["line"],
              r["status"]) for r in mine],
            [("<module>", 1, "error"), ("Loader", at["class Loader"], "ok")] +
            [("Loader.one", at["def one"], how)
             for how in ("ok", "ok", "error")] +
            [("main.<locals>.<lambda>", at["lambda"], "ok")] * 3)
        raised = self.within(rows, mine[4], "raise")
        self.assertEqual([(r["type"], r["message"]) for r in raised],
                         [("ValueError", "two is no good")])
        raised = self.within(rows, mine[0], "raise")
        self.assertIn(("FileNotFoundError", "No such file or directory"),
                      [(r["type"], r["reason"]) for r in raised])
        self.assertEqual(  # it is not ASCII: not there rather than wrong
            [(r["text"], r["message"]) for r in raised
             if r["type"] == "KeyError"][-1:], [(None, None)])
        self.assertIn(
            ("AttributeError", "'list' object has no attribute 'fly'"),
            [(r["type"], r["text"]) for r in raised])


if __name__ == "__main__":
    unittest.main()
