#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan look PID`: a live deadlock, a thread that runs, one that reads, a
traced process, and what cannot be looked at. Usage: look_test.py HANDSPAN"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
# "deadlock": two threads that wait for each other; "cond", "read", "spin"
PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#define CALL __attribute__((noipa))
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;
CALL int take(pthread_mutex_t *m)
{
    int error = pthread_mutex_lock(m);
    return error + 1;
}
static void *cross(void *swapped)
{
    pthread_setname_np(pthread_self(), swapped ? "right" : "left");
    pthread_mutex_lock(swapped ? &second : &first);
    pthread_barrier_wait(&both);
    take(swapped ? &first : &second);
    return 0;
}
CALL int wait_for_work(void)
{
    pthread_mutex_lock(&first);
    return pthread_cond_wait(&never, &first) + 1;
}
CALL int spin(volatile int *on) { while (*on) ; return 0; }
CALL int take_line(char *c) { return (int)read(0, c, 1) + 1; }
CALL int outer(char *c) { return take_line(c) + 1; }
int main(int argc, char **argv)
{
    pthread_t t[2];
    volatile int on = argc;
    char c;
    write(1, "\n", 1);
    if (!strcmp(argv[1], "spin")) return spin(&on);
    if (!strcmp(argv[1], "read")) return outer(&c) == 0;
    if (!strcmp(argv[1], "cond")) return wait_for_work();
    pthread_barrier_init(&both, 0, 2);
    pthread_create(&t[0], 0, cross, 0);
    pthread_create(&t[1], 0, cross, &c);
    return pthread_join(t[0], 0);
}
"""
MANIFEST = "[[span]] int outer(char *c);\n[[span]] int take_line(char *c);\n"


@unittest.skipUnless(alive.may_look(), "kernel.yama.ptrace_scope keeps it from processes of ours")
class Look(unittest.TestCase):
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

    def start(self, *args, before=()):
        p = subprocess.Popen([*before, "./prog", *args], cwd=self.path, env=self.env,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.addCleanup(p.stdin.close)
        self.addCleanup(p.stdout.close)
        self.assertEqual(p.stdout.read(1), b"\n")
        return p

    def look(self, pid, *args, code=0):
        done = subprocess.run([HANDSPAN, "look", *args, str(pid)], cwd=self.path, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def until(self, pid, seen, *args):
        """What it says as soon as the process is there. ctest ends a hang."""
        while not re.search(seen, said := self.look(pid, *args)):
            pass
        return said

    def threads(self, pid, *args):
        rows = [json.loads(line) for line in self.look(pid, "--json", *args).splitlines()]
        self.assertEqual(rows[0], {"schema": 1})
        return {row["thread_name"]: row for row in rows[1:]}

    def test_a_deadlock_names_who_holds_what(self):
        pid = self.start("deadlock").pid
        said = self.until(pid, r"Deadlock: left ")
        flat = " ".join(said.split())
        self.assertRegex(flat, r"Deadlock: left \(\d+\) waits for a mutex that right \(\d+\) holds, "
                               r"right \(\d+\) waits for a mutex that left \(\d+\) holds\.")
        self.assertRegex(said, r"(?m)^    #\d+ +take +prog\.c:12 ")
        rows = self.threads(pid)
        self.assertEqual(rows["left"]["held_by"], rows["right"]["tid"])
        self.assertEqual(rows["right"]["held_by"], rows["left"]["tid"])
        self.assertNotEqual(rows["left"]["lock"], rows["right"]["lock"])
        self.assertIsNone(rows["prog"]["held_by"])
        self.assertIn("waiting", rows["prog"]["where"])

    def test_a_condition_is_no_mutex(self):
        said = self.until(self.start("cond").pid, "waiting for a condition variable")
        self.assertNotIn("holds", said)
        self.assertRegex(said, r"(?m)^    #\d+ +wait_for_work ")

    def test_what_is_read(self):
        said = self.until(self.start("read").pid, r"waiting in read\(0\): pipe:")
        self.assertRegex(said, r"(?m)^    #\d+ +take_line +prog\.c:\d+ ")

    def test_a_traced_process(self):
        run = self.start("read", before=[HANDSPAN, "run", "-m", "m.manifest", "--"])
        child = [pid for pid, args in alive.processes(self.path).items()
                 if args.startswith("./prog read") and pid != run.pid][0]
        said = self.until(child, r"waiting in read\(0\)")
        self.assertIn("  traced  ", said)
        names = re.findall(r"(?m)^    #\d+ +(\S+)", said)
        at = names.index("take_line")
        self.assertEqual(names[at:at + 3], ["take_line", "outer", "main"], said)
        run.stdin.write(b"x")
        run.stdin.flush()
        self.assertEqual(run.wait(timeout=300), 0)

    def test_one_that_runs(self):
        pid = self.start("spin").pid
        said = self.look(pid)
        self.assertIn("its stack is not known: it was running", said)
        self.assertIn("--stop", said)
        stopped = self.until(pid, r"#0 +spin +prog\.c", "--stop")
        self.assertIn("running", stopped)
        self.assertIn("its stack is not known: it was running", self.look(pid))  # it goes on

    def test_what_cannot_be_looked_at(self):
        gone = self.start("spin")
        gone.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        self.assertIn("has ended; its parent has not waited", self.look(gone.pid, code=1))
        gone.wait()
        self.assertIn(f"there is no process {gone.pid}", self.look(gone.pid, code=1))
        self.assertIn("is not a process id", self.look("x1", code=2))
        if os.geteuid() == 0 and shutil.which("setpriv"):
            pid = self.start("spin").pid
            os.chmod(self.path, 0o755)
            done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", HANDSPAN, "look",
                                   str(pid)], env=self.env, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.STDOUT, timeout=300)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(f"process {pid} belongs to root", done.stdout)


if __name__ == "__main__":
    unittest.main()
