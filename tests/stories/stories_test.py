#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty runs, each with one story that was written down first (the first line of
each test), and the words on the screens that tell it.
Usage: stories_test.py HANDSPAN [unittest arguments]"""
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
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define CALL __attribute__((noipa)) int
static void rest(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, 0); }
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
CALL extract(const char *path, long ms) { rest(ms); return (int)strlen(path); }
CALL compress(long ms) { rest(ms); return (int)ms + 1; }
CALL load(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}
CALL save(const char *path)
{
    int fd = open(path, O_WRONLY);
    int got = write(fd, "x", 1) == 1 ? 0 : -1;
    close(fd);
    return got;
}
CALL parse(const char *text) { return text[0] == '{' ? 0 : -22; }
CALL tiny(int n) { return n * 3 + 1; }
CALL serve(int n) { rest(n == 7 ? 60 : 1); return n + 1; }
CALL answer_from(int fd) { char c; return (int)read(fd, &c, 1) + 1; }
CALL crash(volatile int *where) { *where = 1; return 0; }
CALL give_up(int n) { fprintf(stderr, "fatal: table 'orders' is gone\n"); abort(); return n; }
CALL in_child(int status)
{
    pid_t pid = fork();
    if (pid == 0) _exit(status);
    int got;
    return waitpid(pid, &got, 0) == pid ? 0 : 1;
}
CALL hold(pthread_mutex_t *m) { return pthread_mutex_lock(m) + 1; }
static void *cross(void *swapped)
{
    pthread_setname_np(pthread_self(), swapped ? "writer" : "reader");
    pthread_mutex_lock(swapped ? &two : &one);
    pthread_barrier_wait(&both);
    hold(swapped ? &one : &two);
    return 0;
}
static void *busy(void *name)
{
    pthread_setname_np(pthread_self(), name);
    compress(strcmp(name, "worker-0") ? 2 : 400);
    return 0;
}
int main(int argc, char **argv)
{
    const char *how = argv[1];
    int n = argc > 2 ? atoi(argv[2]) : 1, sum = 0;
    char path[64];
    pthread_t t[4];
    if (!strcmp(how, "pipeline")) { extract("/in/a", 5); compress(n); }
    if (!strcmp(how, "often")) for (int i = 0; i < n; i++) serve(0);
    if (!strcmp(how, "load")) return load("/nowhere/day.csv") ? 1 : 0;
    if (!strcmp(how, "full")) return save("/dev/full") ? 1 : 0;
    if (!strcmp(how, "hundred"))
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof path, i == 57 ? "corrupt line" : "{%d}", i);
            sum += parse(path) < 0;
        }
    if (!strcmp(how, "inputs"))
        for (int i = 0; i < 6; i++) {
            snprintf(path, sizeof path, "/in/%d.csv", i);
            extract(path, i == 4 ? 150 : 2);
        }
    if (!strcmp(how, "requests")) for (int i = 0; i < 12; i++) serve(i);
    if (!strcmp(how, "crash")) crash(0);
    if (!strcmp(how, "abort")) give_up(1);
    if (!strcmp(how, "kill")) { compress(1); raise(SIGKILL); }
    if (!strcmp(how, "child")) in_child(3);
    if (!strcmp(how, "tiny")) { for (int i = 0; i < 20000; i++) sum += tiny(i); compress(1500); }
    if (!strcmp(how, "late")) { int p[2]; if (!pipe(p)) { if (!fork()) { rest(2500); _exit(0); } close(p[1]); answer_from(p[0]); } }
    if (!strcmp(how, "threads")) {
        static char names[3][16] = {"worker-0", "worker-1", "worker-2"};
        for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, busy, names[i]);
        for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    }
    if (!strcmp(how, "deadlock")) {
        pthread_barrier_init(&both, 0, 2);
        pthread_create(&t[0], 0, cross, 0);
        pthread_create(&t[1], 0, cross, &both);
        pthread_join(t[0], 0);
    }
    return sum == 12345;
}
"""
MANIFEST = """
[[object(main)]];
[[span, input(path)]] int extract(const char *path, long ms);
[[span]] int compress(long ms);
[[span, input(path), fails(return < 0)]] int load(const char *path);
[[span, input(path), fails(return < 0)]] int save(const char *path);
[[span, input(text), fails(return < 0, -return)]] int parse(const char *text);
[[span]] int tiny(int n);
[[span]] int crash(volatile int *where);
[[span]] int give_up(int n);
[[span]] int in_child(int status);
[[span, overdue("500ms")]] int answer_from(int fd);
"""


class Stories(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.realpath(self.folder.name)
        self.addCleanup(alive.end, self.path)
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": self.path, "TZ": "UTC",
                    "COLUMNS": "100", "HANDSPAN_DIR": self.path + "/dir",
                    "HANDSPAN_STORE": self.path + "/store.db"}
        self.build("prog")
        self.write("m.manifest", MANIFEST)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def build(self, name, *options):
        self.write("prog.c", PROGRAM)
        subprocess.run([CC, "-g", "-O1", "-pthread", *options, "-o", name, "prog.c"], check=True,
                       cwd=self.path, stderr=subprocess.DEVNULL)

    def run_it(self, *args, program="./prog", more="", **env):
        """What `run` says at its end."""
        self.write("now.manifest", MANIFEST + more)
        return subprocess.run([HANDSPAN, "run", "--summary=always", "-m", "now.manifest", "--",
                               program, *args], cwd=self.path, env=dict(self.env, **env), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                              stdin=subprocess.DEVNULL).stdout

    def screen(self, *args, code=None):
        done = subprocess.run([HANDSPAN, *args], cwd=self.path, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def test_01_slow(self):
        """The nightly pipeline takes long: compress is slow."""
        self.assertRegex(self.run_it("pipeline", "400"), r"(?m)^  time   compress [6-9]\d%")
        self.assertRegex(self.screen("show"), r"(?m)^\* └ compress")

    def test_02_no_message(self):
        """The job ends with status 1 and says nothing: a file is missing."""
        said = self.run_it("load")
        self.assertRegex(said, r"(?m)^handspan: failed after .*exit status 1 - trace")
        self.assertRegex(said, r'(?m)^  error  load: return -1.*cause open\("/nowhere/day\.csv"\), prog\.c:\d+')

    def test_03_one_of_a_hundred(self):
        """One of a hundred inputs cannot be read: which."""
        self.run_it("hundred")
        said = self.screen("errors", "--full")
        self.assertIn("1 of 100 calls", said)
        self.assertRegex(said, r'(?m)^Input +text = "corrupt line"$')

    def test_04_deadlock(self):
        """It hangs: reader and writer hold what the other one wants."""
        if not alive.may_look():
            self.skipTest("kernel.yama.ptrace_scope keeps it from processes of ours")
        p = subprocess.Popen(["./prog", "deadlock"], cwd=self.path, env=self.env)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        said = ""
        while "Deadlock: reader" not in said:
            said = self.screen("look", str(p.pid), code=0)
        self.assertRegex(" ".join(said.split()), r"Deadlock: reader \(\d+\) waits for a mutex that "
                         r"writer \(\d+\) holds, writer \(\d+\) waits for a mutex that reader \(\d+\) holds\.")

    def test_05_slow_after_an_upgrade(self):
        """Since build 2 it is slower: compress, and the program is another build."""
        self.two_builds()
        said = self.screen("diff", "service.version=1", "service.version=2", code=0)
        self.assertRegex(said, r"(?m)^compress: self .*% of all change \(p = 0\.008\)")
        self.assertRegex(said, r"(?m)^prog changed \(build id [0-9a-f]{8}, then [0-9a-f]{8}\)\.")

    def test_06_builds_in_ci(self):
        """CI must stop a build that is slower by more than 10 %."""
        self.two_builds()
        self.assertIn("takes over 10% more", self.screen("diff", "service.version=1", "service.version=2",
                                                         "--fail-over=10%", code=1))
        self.screen("diff", "service.version=1", "service.version=1", "--fail-over=10%", code=0)

    def two_builds(self):
        for version, option in ("1", "-O1"), ("2", "-O2"):
            os.mkdir(f"{self.path}/{version}")
            self.build(f"{version}/prog", option)
        for _ in range(5):
            for version, ms in ("1", "10"), ("2", "200"):
                self.run_it("pipeline", ms, program=f"{version}/prog",
                            OTEL_RESOURCE_ATTRIBUTES=f"service.version={version}")

    def test_07_requests(self):
        """Of a service's requests one took 60 times as long as the others."""
        self.run_it("requests", more="[[root]] int serve(int n);\n")
        said = self.screen("stats", "--all", "--where", "name=serve", code=0)
        self.assertRegex(said, r"(?m)^12 traces · 12 calls$")
        row = re.search(r"(?m)^serve +12 .* (\S+)$", said)
        self.assertRegex(row.group(1), r"^\d+ms$|^\d\.\ds$")

    def test_08_which_input_is_slow(self):
        """One input takes most of the time: /in/4.csv."""
        self.run_it("inputs")
        rows = self.screen("stats", "--by", "input.path", code=0).splitlines()
        self.assertRegex(rows[2], r"^/in/4\.csv +1 ")

    def test_09_crash(self):
        """It crashes: where in the source."""
        self.assertRegex(self.run_it("crash"), r"(?m)^handspan: CRASHED SIGSEGV after")
        self.assertRegex(self.screen("errors", "--full"), r"(?m)^ +#0 +crash +prog\.c:\d+ ")

    def test_10_killed(self):
        """Somebody killed it."""
        self.run_it("kill")
        self.assertIn("KILLED SIGKILL", self.screen("list"))

    def test_11_a_child_fails(self):
        """The command says 0, and a process of it failed with 3."""
        self.run_it("child")
        self.assertIn("ok, 1 of 2 processes exit 3", self.screen("list"))

    def test_12_waits_for_an_answer(self):
        """It waited longer than it may for an answer: in read of which descriptor."""
        self.run_it("late")
        self.assertRegex(self.screen("show"), r"(?s)Overdue: answer_from: .*waiting in read\(\d+\)")

    def test_13_it_gave_up(self):
        """It aborted, and said why on stderr, which nobody kept."""
        self.run_it("abort")
        self.assertRegex(self.screen("errors", "--full"), r"(?m)^Stderr +fatal: table 'orders' is gone$")

    def test_14_not_bound(self):
        """A handler is missing in the trace: its name is misspelt in the manifest."""
        self.run_it("pipeline", more="[[span]] int compres(long ms);\n")
        self.assertRegex(self.screen("show"), r"Not bound: compres")

    def test_15_it_waits(self):
        """It is slow and the machine is idle: the time is waiting, not work."""
        self.run_it("pipeline", "400")
        row = [json.loads(x) for x in self.screen("stats", "--json").splitlines()[1:]][0]
        self.assertEqual(row["name"], "compress")
        self.assertLess(row["cpu_ns"] * 5, row["total_ns"])
        self.assertRegex(self.screen("show"), r"(?m)compress .*▒▒▒▒")

    def test_16_one_thread(self):
        """Three workers, and one of them does all the work."""
        self.run_it("threads")
        rows = self.screen("stats", "--by", "thread", code=0).splitlines()
        self.assertRegex(rows[2], r"^worker-0 +1 +0 +\S+ +\S+ +9\d% ")

    def test_17_a_leaf(self):
        """The trace is full of calls of a leaf that take no time."""
        said = ""
        while "advice" not in said:  # a busy machine can make any call long
            said = self.run_it("tiny")
        self.assertRegex(said, r"(?m)^  advice tiny: 100% of spans, <?\d% of time; leave it out")

    def test_18_never_seen_before(self):
        """Something fails that never failed before."""
        self.run_it("load")
        first = [json.loads(x) for x in self.screen("errors", "--json").splitlines()[1:]]
        since = max(g["last_unix_ns"] for g in first) // 10**9 + 1
        while not [g for g in self.groups() if g["first_unix_ns"] >= since * 10**9]:
            self.run_it("full")
        when = subprocess.run(["date", "-u", "-d", f"@{since}", "+%Y-%m-%dT%H:%M:%SZ"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
        self.assertRegex(self.screen("errors", "--new-since", when, code=0), r"(?m)^\w+ +save: ")
        self.assertNotIn("load:", self.screen("errors", "--new-since", when))

    def groups(self):
        return [json.loads(x) for x in self.screen("errors", "--json").splitlines()[1:]]

    def test_19_more_calls(self):
        """It is slower since it calls serve ten times as often."""
        for calls in "10", "100":
            self.run_it("often", calls, more="[[span]] int serve(int n);\n")
        self.assertRegex(self.screen("diff", code=0), r"(?m)^serve: self .*calls 10, then 100")

    def test_20_full_disk(self):
        """The disk is full: which call failed first."""
        self.run_it("full")
        self.assertRegex(self.screen("errors", "--full"), r"(?m)write\(.*\) = ENOSPC")


if __name__ == "__main__":
    unittest.main()
