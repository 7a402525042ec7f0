#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan run` as the main process of a service: a small manager starts a
program untraced and below `run`, says to both what managers say, and sees the
same. Usage: manager_test.py HANDSPAN PROGRAM [unittest arguments]
"""
import ctypes
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

HANDSPAN = os.path.realpath(sys.argv.pop(1))
PROGRAM = os.path.realpath(sys.argv.pop(1))
LIBC = ctypes.CDLL(None, use_errno=True)
# not to be caught, of libc's own, told by children; stop signals and SIGCONT
# discard each other as long as they wait
NEVER = {signal.SIGKILL, signal.SIGSTOP, 32, 33, signal.SIGCHLD,
         signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


class Manager(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.realpath(self.folder.name)
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "HOME": self.path, "HANDSPAN_DIR": self.path + "/dir",
                    "HANDSPAN_STORE": self.path + "/store.db"}
        self.addCleanup(self.end_sidecar)

    def end_sidecar(self):
        lock = self.path + "/dir/sidecar.lock"
        if os.path.exists(lock):
            subprocess.run(["flock", "-w", "20", lock, "true"], check=True)

    def command(self, traced, *args):
        run = [HANDSPAN, "run", "--summary=never", "--"] if traced else []
        return [*run, PROGRAM, *args]

    def start(self, traced, *args, **more):
        more.setdefault("env", self.env)
        child = subprocess.Popen(self.command(traced, *args), cwd=self.path,
                                 stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, **more)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def ready(self, child):
        word, pid = child.stdout.readline().split()
        self.assertEqual(word, "ready")
        return int(pid)

    # ---- signals ------------------------------------------------------------

    def say_all(self, traced):
        child = self.start(traced, "signals")
        self.ready(child)
        for number in range(1, signal.NSIG):
            if number in NEVER or number == signal.SIGRTMAX:
                continue
            if number >= signal.SIGRTMIN:  # each is told, with its value
                for value in (number, 1000):
                    LIBC.sigqueue(child.pid, number, ctypes.c_void_p(value))
            else:
                os.kill(child.pid, number)
        os.kill(child.pid, signal.SIGRTMAX)
        return child.stdout.read(), child.wait(300)

    def test_every_signal_with_its_value(self):
        untraced = self.say_all(False)
        self.assertEqual(untraced[1], 7)
        self.assertIn(f"{int(signal.SIGRTMIN)} x2 "
                      f"{int(signal.SIGRTMIN) + 1000}\n", untraced[0])
        self.assertEqual(untraced, self.say_all(True))

    EARLY = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1,
             signal.SIGRTMIN + 1)

    def say_early(self, traced):
        """Each is sent before the first instruction, and waits."""
        def wait_for_it():
            signal.pthread_sigmask(signal.SIG_BLOCK, self.EARLY)
            for number in self.EARLY:
                os.kill(os.getpid(), number)
        child = self.start(traced, "signals", preexec_fn=wait_for_it)
        self.ready(child)
        os.kill(child.pid, signal.SIGRTMAX)
        return child.stdout.read(), child.wait(60)

    def test_signals_from_before_the_start(self):
        untraced = self.say_early(False)
        self.assertIn("15 x1 0\n", untraced[0])
        self.assertEqual(untraced, self.say_early(True))

    def test_dies_of_every_signal(self):
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGRTMIN + 3,
                       signal.SIGPIPE, signal.SIGABRT, signal.SIGKILL):
            child = self.start(True, "idle")
            pid = self.ready(child)
            os.kill(child.pid, number)
            self.assertEqual(-number, child.wait(300))
            self.assert_gone(pid)

    def assert_gone(self, pid):
        """Not left behind: the program is dead, or about to be."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                text = f.read()
        except OSError:
            text = b""
        if PROGRAM.encode() not in text:
            os.close(handle)  # somebody else's by now
            return
        with os.fdopen(handle):
            import select
            self.assertTrue(select.select([handle], [], [], 30)[0],
                            "the program lives on")

    def test_stops_and_goes_on(self):
        # a group of its own, not an orphaned one: those do not stop
        child = self.start(True, "idle", process_group=0)
        self.ready(child)
        for number in signal.SIGTSTP, signal.SIGTTIN:
            os.kill(child.pid, number)
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status))
            os.kill(child.pid, signal.SIGCONT)
            _, status = os.waitpid(child.pid, os.WCONTINUED)
            self.assertTrue(os.WIFCONTINUED(status))
        os.kill(child.pid, signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, child.wait(300))

    # ---- what it was started with -------------------------------------------

    def state(self, traced, arrange):
        done = subprocess.run(
            self.command(traced, "state"), env=self.env, cwd=self.path,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, preexec_fn=arrange, restore_signals=False)
        return (done.returncode, done.stdout), done.stderr

    def assert_same_state(self, arrange, said=""):
        untraced, _ = self.state(False, arrange)
        self.assertEqual(6, untraced[0])
        traced, told = self.state(True, arrange)
        self.assertEqual(untraced, traced)
        self.assertIn(said, told)
        if not said:
            self.assertEqual("", told)
        self.end_sidecar()

    def test_signals_as_it_was_started_with(self):
        self.assert_same_state(
            lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assert_same_state(lambda: [
            signal.signal(n, signal.SIG_IGN) for n in range(1, 32)
            if n not in (signal.SIGKILL, signal.SIGSTOP)])
        self.assert_same_state(lambda: signal.pthread_sigmask(
            signal.SIG_BLOCK, range(1, 32)))

    def test_little_stack(self):
        self.assert_same_state(lambda: resource.setrlimit(
            resource.RLIMIT_STACK, (64 << 10, 64 << 10)))

    def test_no_room_for_a_child(self):
        self.assert_same_state(lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (4, 4)), "takes our place")

    # ---- what names a pid ---------------------------------------------------

    def test_readiness_comes_from_the_main_process(self):
        path = self.path + "/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(path)
            server.settimeout(60)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            child = self.start(True, "told",
                               env=dict(self.env, NOTIFY_SOCKET=path))
            text, ancillary, _, _ = server.recvmsg(100, 100)
            pid = struct.unpack("iII", ancillary[0][2])[0]
        self.assertEqual((b"READY=1", child.pid), (text, pid))
        self.assertIn(f"pid {child.pid}\n", child.stdout.read())
        self.assertEqual(0, child.wait(300))

    def test_handed_over_pids_are_the_programs(self):
        for name in "LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID":
            script = f"export {name}=$$; exec \"$@\""
            child = subprocess.run(
                ["sh", "-c", script, "sh", *self.command(True, "told")],
                env=self.env, cwd=self.path, capture_output=True, text=True,
                timeout=300, check=True)
            self.assertIn(f"{name} own\n", child.stdout)

    @unittest.skipIf(os.getuid() != 0, "a process id namespace needs root")
    def test_as_the_first_process(self):
        script = "export LISTEN_PID=$$; exec \"$@\""
        inside = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                  script, "sh"]
        got = {what: subprocess.run(
            [*inside, *self.command(True, what)], env=self.env, cwd=self.path,
            capture_output=True, text=True, timeout=300)
            for what in ("told", "orphans")}
        if "Operation not permitted" in got["told"].stderr:
            self.skipTest("no process id namespaces here")
        self.assertIn("LISTEN_PID own\n", got["told"].stdout)
        self.assertEqual("reaped, parent 1\n", got["orphans"].stdout)


if __name__ == "__main__":
    unittest.main()
