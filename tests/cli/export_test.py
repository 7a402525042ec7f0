#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other programs make of an export, and what a full disk makes of a
screen. Usage: export_test.py HANDSPAN [unittest arguments]"""
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

# Short calls below each other, a work item that another thread takes up, and
# spans of two calls that overlap the call around them.
PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#define CALL __attribute__((noipa)) int
struct item { int n; };
static struct item items[50];
CALL leaf(int n) { return n + 1; }
CALL mid(int n) { return leaf(n) + leaf(n); }
CALL top(int n) { return mid(n) + mid(n); }
CALL hand_over(struct item *item) { return item->n; }
CALL take_up(struct item *item) { return leaf(item->n); }
CALL begin(long key) { return (int)key; }
CALL end(long key) { return (int)key; }
CALL around(int n) { return begin(n) + leaf(n); }
CALL last(int n) { if (n) abort(); return n; }
static void *work(void *unused)
{
    for (int i = 0; i < 50; i++) take_up(&items[i]);
    return unused;
}
int main(void)
{
    pthread_t thread;
    int sum = 0;
    for (int i = 0; i < 500; i++) sum += top(i);
    for (int i = 0; i < 20; i++) { sum += around(i); sum += leaf(i); end(i); }
    for (int i = 0; i < 50; i++) { items[i].n = i; sum += hand_over(&items[i]); }
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    return last(sum != 0);
}
"""
MANIFEST = """
struct item;
[[span]] int leaf(int n);
[[span]] int mid(int n);
[[span]] int top(int n);
[[span, carry(item)]] int hand_over(struct item *item);
[[span, adopt(item)]] int take_up(struct item *item);
[[begin("two", key)]] int begin(long key);
[[end("two", key)]] int end(long key);
[[span]] int around(int n);
[[span]] int last(int n);
"""


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = os.path.realpath(cls.folder.name)
        cls.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                   "HOME": cls.path, "HANDSPAN_DIR": cls.path + "/dir",
                   "HANDSPAN_STORE": cls.path + "/store.db"}
        with open(cls.path + "/prog.c", "w") as f:
            f.write(PROGRAM)
        with open(cls.path + "/m.manifest", "w") as f:
            f.write(MANIFEST)
        subprocess.run([CC, "-O0", "-pthread", "-o", "prog", "prog.c"],
                       cwd=cls.path, check=True)
        subprocess.run([HANDSPAN, "run", "-m", "m.manifest", "./prog"],
                       cwd=cls.path, env=cls.env, capture_output=True)
        # stores what is there, or waits for the one that does
        subprocess.run([HANDSPAN, "sidecar"], cwd=cls.path, env=cls.env,
                       check=True, capture_output=True, timeout=300)
        assert alive.wait_for_none(cls.path) == {}
        cls.spans = {s["span_id"]: s for s in map(
            json.loads, cls.out("spans", "--json").splitlines()[1:])}
        cls.events = json.loads(cls.out("export", "-f", "chrome"))[
            "traceEvents"]

    @classmethod
    def out(cls, *args):
        return subprocess.run([HANDSPAN, *args], cwd=cls.path, env=cls.env,
                              check=True, capture_output=True, text=True,
                              timeout=300).stdout

    def of(self, phase):
        return [e for e in self.events if e["ph"] == phase]

    def test_every_span_is_there_once(self):
        told = [e["args"]["span_id"] for e in self.of("X") + self.of("b")]
        self.assertEqual(sorted(told), sorted(self.spans))
        self.assertEqual(len(self.spans), 500 * 7 + 20 * 4 + 150 + 2)

    def test_slices_nest_as_the_calls_did(self):
        """Read as doubles, as viewers do."""
        rows, wrong = {}, []
        for e in self.of("X"):
            rows.setdefault((e["pid"], e["tid"]), []).append(
                (float(e["ts"]), -float(e["dur"]), e))
        for row in rows.values():
            stack = []
            for start, minus, e in sorted(row, key=lambda r: r[:2]):
                while stack and stack[-1][0] <= start:
                    stack.pop()
                if stack and start - minus > stack[-1][0]:
                    wrong.append(("sticks out", e))
                around = stack[-1][1] if stack else None
                stack.append((start - minus, e["args"]["span_id"]))
                if e["name"] != "take_up" and \
                        around != e["args"]["parent_span_id"]:
                    wrong.append(("in another one", e))
        self.assertEqual(wrong, [])

    def test_overlapping_spans_are_asynchronous(self):
        ids = {e["id"] for e in self.of("b") if e["name"] == "two"}
        self.assertEqual(len(ids), 20)
        self.assertEqual(len(self.of("b")), len(self.of("e")))
        ends = {e["id"]: float(e["ts"]) for e in self.of("e")}
        self.assertTrue(all(float(e["ts"]) <= ends[e["id"]]
                            for e in self.of("b")))

    def test_work_that_was_handed_over_has_an_arrow(self):
        names = {i: s["name"] for i, s in self.spans.items()}
        self.assertEqual(len(self.of("s")), 50)
        for start, finish in zip(sorted(self.of("s"), key=lambda e: e["id"]),
                                 sorted(self.of("f"), key=lambda e: e["id"])):
            self.assertEqual(start["id"], finish["id"])
            self.assertEqual((start["name"], finish["name"]),
                             ("hand_over", "take_up"))
            self.assertEqual(names[start["id"][:16]], "hand_over")
            self.assertEqual(
                self.spans[finish["id"][16:]]["parent_span_id"],
                start["id"][:16])

    def test_rows_have_names_and_times_begin_with_the_trace(self):
        names = {(e["name"], e["args"]["name"]) for e in self.of("M")}
        self.assertIn(("process_name", "prog"), names)
        self.assertIn(("thread_name", "prog"), names)
        times = [float(e["ts"]) for e in self.events if "ts" in e]
        self.assertGreaterEqual(min(times), 0)
        self.assertLess(max(times), 600e6)

    def test_what_did_not_return_has_a_length(self):
        last = [e for e in self.of("X") if e["name"] == "last"]
        self.assertEqual([e["args"]["status"] for e in last], ["error"])
        self.assertGreater(float(last[0]["dur"]), 0)
        # it ends with its process, in the same nanosecond
        span, = [s for s in self.spans.values() if s["name"] == "last"]
        root = self.spans[span["parent_span_id"]]
        self.assertEqual(span["start_unix_ns"] + span["duration_ns"],
                         root["start_unix_ns"] + root["duration_ns"])

    def test_durations_are_the_stores(self):
        for e in self.of("X"):
            span = self.spans[e["args"]["span_id"]]
            if span["duration_ns"] is not None:
                self.assertAlmostEqual(float(e["dur"]) * 1000,
                                       span["duration_ns"], delta=0.2)

    def test_a_full_disk_is_told(self):
        views = [[name] + more for more in ([], ["--json"]) for name in
                 ("list", "show", "stats", "spans", "errors", "status",
                  "uploads")]
        for command in (*views, ["config"], ["help"], ["prune", "--dry-run"],
                        ["schema", "postgres"],
                        ["export"], ["export", "-f", "chrome"],
                        ["export", "-f", "perfetto"],
                        ["export", "-f", "otlp-protobuf"],
                        ["export", "-f", "csv"], ["export", "-f", "folded"],
                        ["export", "-f", "speedscope"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([HANDSPAN, *command], cwd=self.path,
                                      env=self.env, stdout=full, text=True,
                                      stderr=subprocess.PIPE, timeout=300)
            self.assertEqual(done.returncode, 2, command)
            self.assertIn("No space left on device", done.stderr, command)


if __name__ == "__main__":
    unittest.main()
