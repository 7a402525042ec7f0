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
THREADS = r"""
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#define CALL __attribute__((noipa)) int
static pthread_t threads[20];
static void rest(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, 0); }
CALL hold_on(long ms) { rest(ms); return 0; }
CALL gather(int n)
{
    for (int i = 0; i < n; i++) pthread_join(threads[i], 0);
    rest(200);
    return 0;
}
CALL load(const char *path) { int fd = open(path, O_RDONLY); return fd < 0 ? -1 : close(fd); }
CALL import(const char *path) { return load(path) - 1; }
static void *idle(void *unused) { hold_on(50); return unused; }
int main(int argc, char **argv)
{
    for (int i = 0; i < 20; i++) pthread_create(&threads[i], 0, idle, 0);
    gather(20);
    return argc > 1 ? import(argv[1]) < 0 : 0;
}
"""
THREADS_MANIFEST = """[[object(main)]];
[[span]] int hold_on(long ms);
[[span]] int gather(int n);
[[span, fails(return < 0)]] int load(const char *path);
[[span, fails(return < 0)]] int import(const char *path);
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
        for name, text in (("prog.c", PROGRAM), ("m.manifest", MANIFEST), ("threads.c", THREADS),
                           ("t.manifest", THREADS_MANIFEST)):
            with open(f"{path}/{name}", "w") as f:
                f.write(text)
        subprocess.run([CC, "-O1", "-pthread", "-o", "threads", "threads.c"], cwd=path, check=True)
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

    def threads(self, *args, manifest="t.manifest"):
        done = subprocess.run([HANDSPAN, "run", "-m", manifest, "--summary=always", "--", "./threads", *args],
                              cwd=self.path, env=self.env, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=300)
        return done.returncode, done.stderr

    def test_time_is_that_of_the_critical_path(self):
        """Twenty threads that wait are more time than the one that all wait for, and tell nothing."""
        status, said = self.threads()
        self.assertEqual(status, 0)
        self.assertRegex(said, r"(?m)^  time   gather \d+% .* \(critical path\) . 21 spans$")
        figures = [json.loads(x) for x in subprocess.run(
            [HANDSPAN, "stats", "--json"], cwd=self.path, env=self.env, stdout=subprocess.PIPE, text=True,
            check=True, timeout=300).stdout.splitlines()[1:]]
        own = {f["name"]: f for f in figures}
        self.assertGreater(own["hold_on"]["self_ns"], own["gather"]["self_ns"])
        self.assertGreater(own["gather"]["critical_ns"], own["hold_on"]["critical_ns"])
        self.assertEqual(sum(f["critical_ns"] for f in figures), figures[0]["wall_ns"])

    def test_the_first_failure_is_that_which_others_come_from(self):
        status, said = self.threads("/nowhere/a.csv")
        self.assertEqual(status, 1)
        self.assertRegex(said, r'(?m)^  error  load: return -1 \(ENOENT\)')

    def test_what_is_not_bound_is_named(self):
        with open(self.path + "/old.manifest", "w") as f:
            f.write(THREADS_MANIFEST + "[[span]] int stage_old(int n);\n")
        _, said = self.threads(manifest="old.manifest")
        self.assertRegex(said, r"(?m)^handspan: not bound: stage_old\. Why: handspan check --trace \w{8}$")
        self.assertNotIn("not bound", self.threads()[1])

    def test_advice_for_one_of_a_glob(self):
        with open(self.path + "/glob.manifest", "w") as f:
            f.write('[[object(main)]];\n[[span, match("tin*")]] int tin(int n);\n[[span]] int work(int n);\n')
        said = ""
        while "advice" not in said:  # a busy machine can make any call long
            said = self.trace("0", "20000", options=["-m", "glob.manifest", "--summary=always"]).stderr
        self.assertRegex(said, r"(?m)^  advice tiny: .* leave it out \(narrow tin\* in glob\.manifest\)$")

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
