#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan run` below a shell with job control, on a terminal: what a person
types does the same with and without it: stop, go on, interrupt, input, a job in
the background that reads. The shell's words are compared.

usage: terminal_test.py HANDSPAN
"""
import os
import pty
import re
import select
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv[1])
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"
# what is typed, and what the terminal then shows
READY = r"ready\r\n"
LOOP = "trap \"echo on\" CONT; echo ready; while :; do read x; done"
TALK = [("stty tostop\n", r"\$ "),
        (f"COMMAND sh -c '{LOOP}'\n", READY),
        (CTRL_Z, r"Stopped.*\$ "),
        ("echo status=$?\n", r"status=148\r\n"),
        ("fg\n", r"\non\r\n"),
        (CTRL_C, r"\$ "),
        ("echo status=$?\n", r"status=130\r\n"),
        ("COMMAND sh -c 'echo ready; read x; echo \"<$x>\"; exit 3'\n", READY),
        ("typed\n", r"<typed>\r\n"),
        ("echo status=$?\n", r"status=3\r\n"),
        ("COMMAND cat &\n", r"\[1\]\+? +\d*.*"),
        ("wait %1; echo state=$?\n", r"state=149\r\n"),
        ("fg\n", r"cat\r\n"),
        ("abc\n", r"abc\r\nabc\r\n"),
        (CTRL_D, r"\$ "),
        ("echo status=$?\n", r"status=0\r\n"),
        ("COMMAND sh -c 'kill -TSTP 0; echo on'\n", r"Stopped.*\$ "),
        ("fg\n", r"on\r\n"),
        ("COMMAND sh -c 'cut -d \" \" -f 5,8 /proc/$$/stat'\n",
         r"(?<!\d)(\d+) \1\r\n")]


class Terminal:
    def __init__(self, at):
        env = {"PATH": os.environ["PATH"], "PS1": "$ ", "HOME": at,
               "TERM": "dumb", "LC_ALL": "C.UTF-8", "HISTFILE": "",
               "HANDSPAN_DIR": at + "/dir", "HANDSPAN_STORE": at + "/s.db"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(at)
            os.execvpe("bash", ["bash", "--norc", "--noediting", "-i"], env)
        self.shown, self.at = "", ""

    def until(self, pattern, typed):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = re.search(pattern, self.shown, re.S)
            if found:
                self.shown = self.shown[found.end():]
                return
            if select.select([self.fd], [], [], 1)[0]:
                self.shown += os.read(self.fd, 65536).decode()
        raise AssertionError(f"{self.at}, after {typed!r}: no {pattern!r} in "
                             f"{self.shown!r}")

    def say(self, typed):
        os.write(self.fd, typed.encode())

    def end(self):
        self.say("exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def talk(at, command):
    terminal = Terminal(at)
    terminal.at = command
    terminal.until(r"\$ ", "start")
    for typed, shown in TALK:
        terminal.say(typed.replace("COMMAND", command))
        terminal.until(shown, typed)
    terminal.end()


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as at:
        try:
            talk(at, "env")
            talk(at, f"{HANDSPAN} run --summary=never --")
        finally:
            alive.end(at)
    print("ok")


main()
