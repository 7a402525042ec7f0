#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan top`: open calls by age with where they stand, overdue first, rates of
handlers, drawn again on a terminal. Usage: top_test.py HANDSPAN"""
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
PROGRAM = r"""
#include <pthread.h>
#include <unistd.h>
#define CALL __attribute__((noipa)) int
static int ends[2], late[2];
CALL take_line(char *c) { return (int)read(0, c, 1) + 1; }
CALL outer(char *c) { return take_line(c) + 1; }
CALL wait_for_more(char *c) { return (int)read(late[0], c, 1) + 1; }
CALL tick(int n) { return n + (int)usleep(1000); }
static void *work(void *unused)
{
    for (;;) tick(1);
    return unused;
}
static void *hang(void *c) { wait_for_more(c); return 0; }
int main(void)
{
    pthread_t thread;
    char c, d;
    if (pipe(ends) || pipe(late)) return 1;
    pthread_create(&thread, 0, work, 0);
    usleep(1000);
    pthread_create(&thread, 0, hang, &d);
    return outer(&c) == 0;
}
"""
MANIFEST = """
[[span]] int outer(char *c);
[[span]] int take_line(char *c);
[[span, overdue("500ms")]] int wait_for_more(char *c);
[[span]] int tick(int n);
"""


@unittest.skipUnless(alive.may_look(), "kernel.yama.ptrace_scope keeps it from processes of ours")
class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        path = cls.path = os.path.realpath(cls.folder.name)
        cls.addClassCleanup(alive.end, path)
        cls.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": path,
                   "HANDSPAN_DIR": path + "/dir", "HANDSPAN_STORE": path + "/store.db"}
        for name, text in ("prog.c", PROGRAM), ("m.manifest", MANIFEST):
            with open(f"{path}/{name}", "w") as f:
                f.write(text)
        subprocess.run([CC, "-g", "-O1", "-pthread", "-o", "prog", "prog.c"], cwd=path, check=True,
                       stderr=subprocess.DEVNULL)

    def top(self, *args, code=0):
        done = subprocess.run([HANDSPAN, "top", *args], cwd=self.path, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def rows(self):
        if not os.path.exists(self.path + "/store.db"):
            return []
        return [json.loads(line) for line in self.top("--json").splitlines()[1:]]

    def test_what_goes_on(self):
        run = subprocess.Popen([HANDSPAN, "run", "-m", "m.manifest", "--", "./prog"], cwd=self.path,
                               env=self.env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        self.addCleanup(run.stdin.close)
        rows = []
        while len(rows) < 4 or not any(r.get("is_overdue") for r in rows):
            self.assertIsNone(run.poll())
            rows = self.rows()
        self.see_rows(rows)
        self.see_text(self.top())
        self.see_terminal()
        run.stdin.write(b"x")
        run.stdin.flush()
        self.assertEqual(run.wait(timeout=300), 0)
        while "Nothing that is traced into this store runs now." not in (said := self.top()):
            self.assertNotIn("Traceback", said)

    def see_rows(self, rows):
        calls = [r for r in rows if r["kind"] == "call"]
        self.assertEqual([c["name"] for c in calls][0], "wait_for_more")  # overdue first
        self.assertEqual({c["name"] for c in calls}, {"wait_for_more", "outer", "take_line"})
        inner = [c for c in calls if c["name"] == "take_line"][0]
        self.assertEqual(inner["caller"], "outer")
        self.assertGreater(inner["age_ns"], 200_000_000)
        self.assertIn("waiting in read(0)", inner["where"])
        self.assertIn("take_line at prog.c:", inner["where"])
        tick = [r for r in rows if r["kind"] == "handler" and r["name"] == "tick"][0]
        self.assertGreater(tick["calls"], 10)

    def see_text(self, said):
        self.assertRegex(said.splitlines()[0], r"  1 program  3 calls open  1 overdue$")
        self.assertRegex(said, r"(?m)^ *\S+ wait_for_more +prog +\d+ waiting in read")
        self.assertRegex(said, r"(?m)^ *\S+ outer +prog +\d+ in take_line$")
        self.assertRegex(said, r"(?m)^tick +\d+% +[\d.,]+ +0 +[\d,]+ +0 ")

    def see_terminal(self):
        ours, theirs = pty.openpty()
        p = subprocess.Popen([HANDSPAN, "top", "--every=1"], cwd=self.path, stdout=theirs,
                             env=dict(self.env, TERM="xterm"), stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        while seen.count(b"\x1b[J") < 2:
            seen += os.read(ours, 65536)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(timeout=300), -signal.SIGINT)
        os.close(ours)
        self.assertEqual(seen.count(b"\x1b[H"), 2)
        self.assertIn(b"wait_for_more", seen.split(b"\x1b[H")[2])

    def test_bad_settings(self):
        self.assertIn("--every=0: 1 to 3600 seconds", self.top("--every=0", code=2))
        self.assertIn("store", self.top("--store=/nowhere/x.db", code=2))


if __name__ == "__main__":
    unittest.main()
