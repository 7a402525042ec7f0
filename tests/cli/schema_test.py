#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan schema`, and the store's views named_*: what anybody with sqlite3 reads
is what the screens say.

usage: schema_test.py HANDSPAN CC
"""
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import alive  # noqa: E402

HANDSPAN, CC = os.path.abspath(sys.argv[1]), sys.argv[2]

PROGRAM = r"""
#include <errno.h>
__attribute__((noipa)) int leaf(int n) { errno = ENOENT; return n == 3 ? -1 : n; }
__attribute__((noipa)) int outer(int n)
{
    int sum = 0;
    for (int i = 1; i <= n; i++)
        sum += leaf(i);
    return sum;
}
int main(void) { return outer(5) != 11; }
"""
MANIFEST = """[[span, input(n), fails(return < 0)]] int leaf(int n);
[[span]] int outer(int n);
"""


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="handspan-schema-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.top = os.path.realpath(cls.folder.name)
        cls.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": cls.top,
                   "HANDSPAN_DIR": cls.top + "/dir",
                   "HANDSPAN_STORE": cls.top + "/store.db"}
        for name, text in (("p.c", PROGRAM), ("m.manifest", MANIFEST)):
            with open(f"{cls.top}/{name}", "w") as f:
                f.write(text)
        subprocess.run([CC, "-o", cls.top + "/p", cls.top + "/p.c"], check=True)
        cls.said("run", "--summary=never", "-m", cls.top + "/m.manifest", "--",
                 cls.top + "/p")
        alive.wait_for_none(cls.top)
        db = sqlite3.connect(f"file:{cls.top}/store.db?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        cls.addClassCleanup(db.close)
        cls.db = db

    @classmethod
    def said(cls, *args, status=0):
        done = subprocess.run([HANDSPAN, *args], env=cls.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{args}: {done.stdout}"
        return done.stdout

    def view(self, name, order="1"):
        return [dict(row) for row in
                self.db.execute(f"SELECT * FROM {name} ORDER BY {order}")]

    def test_spans_are_those_of_the_screens(self):
        rows = [json.loads(line) for line in self.said("spans", "--json").splitlines()]
        spans = [row for row in rows if row.get("name") in ("leaf", "outer")]
        named = self.view("named_spans", "start_unix_ns, span")
        self.assertEqual(len(named), 6)
        self.assertEqual(
            [(row["trace_id"], row["name"], row["start_unix_ns"], row["duration_ns"],
              row["tid"], row["status"]) for row in named],
            [(row["trace_id"], row["name"], row["start_unix_ns"], row["duration_ns"],
              row["tid"], row["status"]) for row in spans])
        outer = next(row for row in named if row["name"] == "outer")
        self.assertIsNone(outer["parent"])
        self.assertEqual({row["parent"] for row in named if row["name"] == "leaf"},
                         {outer["span"]})
        self.assertEqual([json.loads(row["input"])["n"] for row in named
                          if row["name"] == "leaf"], [1, 2, 3, 4, 5])

    def test_times_are_whole(self):
        for name in ("named_traces", "named_processes", "named_spans"):
            for row in self.view(name):
                at = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z",
                                  row["started_at"])
                self.assertTrue(at, row["started_at"])
                seconds, = self.db.execute("SELECT unixepoch(?)", (at[1],)).fetchone()
                self.assertEqual(seconds * 10**9 + int(at[2]), row["start_unix_ns"])

    def test_handlers_and_errors(self):
        rows = {row["name"]: row for row in self.view("named_handlers")}
        self.assertEqual((rows["leaf"]["calls"], rows["leaf"]["errors"],
                          rows["outer"]["calls"]), (5, 1, 1))
        self.assertLessEqual(rows["outer"]["self_ns"], rows["outer"]["total_ns"])
        error, = self.view("named_errors")
        self.assertEqual((error["handler"], error["rule"], error["count"]),
                         ("leaf", "return < 0", 1))

    def test_sqlite_schema_makes_a_store(self):
        db = sqlite3.connect(":memory:")
        db.executescript(self.said("schema", "sqlite"))
        names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') " \
            "AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        self.assertEqual(db.execute(names).fetchall(),
                         [tuple(row) for row in self.db.execute(names)])
        db.close()

    def test_prefix_is_before_each_name_of_ours(self):
        plain = self.said("schema", "postgres")
        text = self.said("schema", "postgres", "--prefix", "p_")
        self.assertEqual(re.sub(r"\bp_", "", text), plain)
        for name in ("spans", "spans_by_start", "handspan_traces", "handspan_retain"):
            self.assertIn(name, plain)
            self.assertIsNone(re.search(rf"\b{name}\b", text), name)
            self.assertIn("p_" + name, text)
        self.assertIn(" handspan_writer", text)

    def test_what_means_nothing_is_an_error(self):
        for args, word in ((("mysql",), "mysql"), ((), "needs"),
                           (("postgres", "--prefix", "A b"), "A b"),
                           (("postgres", "--only", "99"), "migrations"),
                           (("sqlite", "--prefix", "p_"), "postgres")):
            self.assertIn(word, self.said("schema", *args, status=2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
