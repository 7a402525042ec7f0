#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a run: advice on its manifest, and what is to be done when it has
failed. Usage: after_test.py HANDSPAN [unittest arguments]"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
PROGRAM = r"""
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#define CALL __attribute__((noipa)) int
CALL tiny(int n) { return n * 3 + 1; }
CALL work(int n)
{
    const char *until = getenv("WORK_UNTIL");
    while (until && access(until, F_OK))
        nanosleep(&(struct timespec){0, 20000000}, 0);
    if (!until) nanosleep(&(struct timespec){2, 0}, 0);
    return n + 1;
}
int main(int argc, char **argv)
{
    int sum = 0, calls = argc > 2 ? atoi(argv[2]) : 0;
    for (int i = 0; i < calls; i++) sum += tiny(i);
    if (calls) sum += work(sum);
    if (argc > 1 && argv[1][0] == 's') raise(SIGTERM);
    return argc > 1 ? atoi(argv[1]) : sum == 12345;
}
"""
MANIFEST = "[[object(main)]];\n[[span]] int tiny(int n);\n[[span]] int work(int n);\n"
HOOK = 'echo "seen $HANDSPAN_ENDED ${HANDSPAN_TRACE:-none}"; env | grep -c "libhandspan\\|^TRACEPARENT"'


class After(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        path = cls.path = os.path.realpath(cls.folder.name)
        cls.addClassCleanup(alive.end, path)
        cls.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": path, "COLUMNS": "80",
                   "HANDSPAN_DIR": path + "/dir", "HANDSPAN_STORE": path + "/store.db"}
        for name, text in ("prog.c", PROGRAM), ("m.manifest", MANIFEST):
            with open(f"{path}/{name}", "w") as f:
                f.write(text)
        subprocess.run([CC, "-O1", "-o", "prog", "prog.c"], cwd=path, check=True)

    def trace(self, *args, options=(), env=None):
        return subprocess.run([HANDSPAN, "run", "-m", "m.manifest", *options, "--", "./prog", *args],
                              cwd=self.path, env=env or self.env, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=300)

    def test_a_handler_that_costs_and_tells_nothing(self):
        said = ""
        while "advice" not in said:  # a busy machine can make any call long
            said = self.trace("0", "20000", options=["--summary=always"]).stderr
        self.assertRegex(said, r"(?m)^  advice tiny: 100% of spans, <?\d% of time; "
                               r"leave it out of m\.manifest$")
        self.assertNotIn("advice", self.trace("0", "100", options=["--summary=always"]).stderr)

    def test_a_manifest_that_comes_along(self):
        for name in "zlib", "zlib.manifest":
            said = subprocess.run([HANDSPAN, "check", "-m", name, "./prog"], cwd=self.path,
                                  env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=300).stdout
            self.assertRegex(said, r"(?m)^\S+ +deflate ")
            given = subprocess.run([HANDSPAN, "env", "-m", name], cwd=self.path, env=self.env,
                                   stdout=subprocess.PIPE, text=True, timeout=300).stdout
            self.assertIn("share/handspan/manifests/zlib.manifest", given)
        own = os.path.join(self.path, "zlib.manifest")  # a file of that name comes first
        with open(own, "w") as f:
            f.write(MANIFEST)
        given = subprocess.run([HANDSPAN, "env", "-m", "zlib.manifest"], cwd=self.path, env=self.env,
                               stdout=subprocess.PIPE, text=True, timeout=300).stdout
        os.unlink(own)
        self.assertIn(own, given)

    def test_a_failure_is_told(self):
        for how, status, ended in ("3", 3, "exit 3"), ("s", -15, "SIGTERM"):
            done = self.trace(how, options=["--on-failure", HOOK])
            self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
            self.assertRegex(done.stderr, rf"(?m)^seen {ended} [0-9a-f]{{32}}$")
            self.assertRegex(done.stderr, r"(?m)^0$")  # nothing of ours is in its way
            trace = done.stderr.split(ended)[1].split()[0]
            shown = subprocess.run([HANDSPAN, "show", trace], cwd=self.path, env=self.env,
                                   stdout=subprocess.PIPE, timeout=300)
            self.assertEqual(shown.returncode, 0)

    def test_none_where_there_is_none(self):
        self.assertNotIn("seen", self.trace("0", options=["--on-failure", HOOK]).stderr)

    def test_also_untraced(self):
        off = dict(self.env, HANDSPAN_DISABLED="1")
        self.assertIn("seen exit 4 none", self.trace("4", options=["--on-failure", HOOK], env=off).stderr)

    def overdue(self, limit, *args, hook, env=None):
        with open(self.path + "/late.manifest", "w") as f:
            f.write(f'[[object(main)]];\n[[span, overdue("{limit}")]] int work(int n);\n')
        return self.trace(*args, options=["-m", "late.manifest", "--on-overdue", hook], env=env)

    def test_a_call_that_is_overdue_is_told_while_it_runs(self):
        env = dict(self.env, WORK_UNTIL=self.path + "/told")  # goes on when it was told, not before
        done = self.overdue("1ms", "0", "1", env=env, hook=
                            'echo "late ${HANDSPAN_ENDED:-runs} $HANDSPAN_OVERDUE"; '
                            'echo "in $HANDSPAN_TRACE"; touch "$WORK_UNTIL"; exit 7')
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertRegex(done.stderr, r'(?m)^late runs work: overdue\("1ms"\): ')
        self.assertRegex(done.stderr, r"(?m)^in [0-9a-f]{32}$")
        self.assertEqual(done.stderr.count("late runs"), 1)  # once
        self.assertIn("--on-overdue ended with exit status 7", done.stderr)
        trace = re.search(r"(?m)^in ([0-9a-f]{32})$", done.stderr)[1]
        listed = subprocess.run([HANDSPAN, "list", "--json"], cwd=self.path, env=self.env, text=True,
                                stdout=subprocess.PIPE, timeout=300).stdout.splitlines()
        self.assertIn(trace, [t["trace_id"] for t in map(json.loads, listed[1:]) if t["overdue"] == 1])

    def test_nothing_is_overdue(self):
        self.assertNotIn("told", self.overdue("1h", "3", "1", hook="echo told").stderr)
        off = dict(self.env, HANDSPAN_DISABLED="1")
        self.assertNotIn("told", self.overdue("1ms", "3", "1", hook="echo told", env=off).stderr)

    def test_its_own_failure(self):
        done = self.trace("3", options=["--on-failure", "exit 7"])
        self.assertEqual(done.returncode, 3)
        self.assertIn("--on-failure ended with exit status 7", done.stderr)

    def test_another_preload_stays(self):
        more = dict(self.env, LD_PRELOAD="libm.so.6")
        done = self.trace("3", options=["--on-failure", "echo $LD_PRELOAD"], env=more)
        self.assertRegex(done.stderr, r"(?m)^libm\.so\.6$")


if __name__ == "__main__":
    unittest.main()
