#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manifests that come with handspan, by their names, on programs of Debian as
they are: what a library says of its failure stands within the call that fails;
Python's functions by name, file and line, its exceptions with type and text.

Without a manifest those apply that are about what a program starts with, and
`run` says so.

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
CC = os.environ.get("CC", "cc")
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


class Base(unittest.TestCase):
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

    def stored(self):
        """All calls of the last run, in the order of their starts."""
        said = subprocess.run([HANDSPAN, "spans", "--json", "--limit=0"],
                              env=self.env, check=True, text=True,
                              capture_output=True).stdout
        return [json.loads(line) for line in said.splitlines()[1:]]


class Shipped(Base):
    def spans(self, manifest, *command, status):
        path = os.path.join(self.dir, "m.manifest")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'[[include("{manifest}")]];\n')
        done = subprocess.run(
            [HANDSPAN, "run", "-m", path, "--summary=never", "--", *command],
            env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=300)
        self.assertEqual(done.returncode, status, done.stderr)
        return self.stored()

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


class Unnamed(Base):
    SQL = ("create table t(id unique); insert into t values(7); "
           "insert into t values(7);")

    def run_it(self, *command, options=("--summary=always",)):
        return subprocess.run(
            [HANDSPAN, "run", *options, "--", *command], env=self.env,
            cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=300)

    def names(self):
        """Of the process, and of its calls."""
        return [r["name"] for r in self.stored()]

    def build(self, name, source, *options):
        path = os.path.join(self.dir, name)
        with open(path + ".c", "w", encoding="utf-8") as f:
            f.write(source)
        subprocess.run([CC, "-o", path, path + ".c", *options], check=True,
                       cwd=self.dir)
        return path

    def test_library_of_the_program(self):
        command = ["sqlite3", "-batch", ":memory:", self.SQL]
        plain = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                               capture_output=True, cwd=self.dir)
        done = self.run_it(*command)
        self.assertEqual((done.returncode, done.stdout),
                         (plain.returncode, plain.stdout))
        before, said = done.stderr.split(plain.stderr)
        self.assertIn("applies: sqlite3, zlib\n", before)
        self.assertIn("""echo '[[include("sqlite3.manifest")]];' > handspan""",
                      before)
        self.assertIn("sqlite3_step", said)
        failed, = [r for r in self.stored() if r["name"] == "sqlite3_step" and
                   r["error"]]
        self.assertTrue(failed["error"])
        # what it says to begin with, is one: nothing is said of it any more
        begin = before[before.index("echo"):].splitlines()[0]
        subprocess.run(begin, shell=True, check=True, cwd=self.dir)
        self.assertEqual(self.run_it(*command).stderr.split(plain.stderr)[0],
                         "")

    def test_none_by_request(self):
        done = self.run_it("sqlite3", "-batch", ":memory:", "select 1",
                           options=("-m", "/dev/null", "--summary=never"))
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "1\n", ""))
        self.assertEqual(self.names(), ["sqlite3"])

    def test_quiet_is_quiet(self):
        done = self.run_it("sqlite3", "-batch", ":memory:", "select 1",
                           options=("--summary=never",))
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, "1\n", ""))
        self.assertIn("sqlite3_step", self.names())

    def test_never_a_wrong_library(self):
        """Its name alone does not make it one; nor does libc make a manifest
        about every program."""
        self.build("libz.so.1", "int one(void) { return 1; }", "-shared",
                   "-fPIC", "-Wl,-soname,libz.so.1")
        own = self.build("libz.so-tool", "int one(void); int inflate(int x) "
                         "{ return x; } int main(void) { return one() - 1; }",
                         "./libz.so.1", "-Wl,-rpath,$ORIGIN")
        done = self.run_it(own)
        self.assertEqual(done.returncode, 0)
        self.assertIn("no manifest: only the process itself", done.stderr)
        self.assertEqual(self.names(), ["libz.so-tool"])
        self.assertFalse([n for n in os.listdir(self.env["HANDSPAN_DIR"])
                          if n.startswith("manifests")])

    @unittest.skipUnless(os.path.exists(PYTHON), "there is no python3.11")
    def test_what_has_its_price_is_named_alone(self):
        done = self.run_it(PYTHON, "-S", "-E", "-c", "print(1)")
        self.assertEqual((done.returncode, done.stdout), (0, "1\n"))
        self.assertIn("-m cpython-3.11\n", done.stderr)
        self.assertNotIn("python", self.names())


if __name__ == "__main__":
    unittest.main()
