#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Screens go through a pager on a terminal, and whatever the pager does, who
reads sees what there would be without one.

usage: pager_test.py HANDSPAN SCHEMA
"""
import os
import pty
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile

HANDSPAN = os.path.realpath(sys.argv[1])
SCHEMA = os.path.realpath(sys.argv[2])
HERE = os.path.dirname(os.path.abspath(__file__))
SCREENS = ["list", "show 4bf92f35", "stats 4bf92f35",
           "errors", "diff 4bf92f35 4bf92f36",
           "spans 4bf92f35 --limit=20"]
LONG = "spans 4bf92f35 --limit=0"  # more than a pipe holds


def store(at):
    path = f"{at}/s.db"
    subprocess.run([sys.executable, f"{HERE}/fixture.py", SCHEMA, path],
                   check=True)
    with sqlite3.connect(path) as db:
        columns = [r[1] for r in db.execute("PRAGMA table_info(span_rows)")]
        chosen = ",".join("ref + 1000000 * k" if c == "ref" else c
                          for c in columns)
        db.execute("WITH RECURSIVE n(k) AS (VALUES(1) UNION ALL SELECT k + 1 "
                   f"FROM n WHERE k < 12) INSERT INTO span_rows "
                   f"({','.join(columns)}) SELECT {chosen} FROM span_rows, n "
                   "WHERE depth = 1 AND trace = 1 AND site = 4")
    db.close()


def environment(at, **more):
    return {"PATH": os.environ["PATH"], "HOME": at, "TERM": "xterm",
            "LC_ALL": "C.UTF-8", "COLUMNS": "100", "HANDSPAN_DIR": f"{at}/dir",
            "HANDSPAN_STORE": f"{at}/s.db", **more}


def start(at, command, **more):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(HANDSPAN, [HANDSPAN, *shlex.split(command)],
                  environment(at, **more))
    return pid, fd


def read_all(fd):
    shown = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # EIO: nobody has the terminal any more
            part = b""
        if not part:
            os.close(fd)
            return shown.decode().replace("\r\n", "\n")
        shown += part


def on_terminal(at, command, **more):
    """What it shows, its status (below 0: the signal)."""
    pid, fd = start(at, command, **more)
    shown = read_all(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return shown, status


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def marked(text):
    return "".join(f"+{line}\n" for line in text.splitlines())


def test_chosen(at):
    """Which pager, and that a pager sees what the terminal would."""
    for screen in SCREENS:
        plain, status = on_terminal(at, screen, PAGER="cat")
        expect(len(plain) > 50, True, f"{screen}: {plain}")
        for more in ({"PAGER": "sed s/^/+/"},
                     {"PAGER": "no-such-pager", "HANDSPAN_PAGER": "sed s/^/+/"}):
            expect(on_terminal(at, screen, **more), (marked(plain), status),
                   f"{screen}, {more}")
        for more in ({"PAGER": ""}, {"PAGER": "sed s/^/+/",
                                     "HANDSPAN_PAGER": "cat"},
                     {"TERM": "dumb", "PATH": f"{at}/pagers"}):
            expect(on_terminal(at, screen, **{"NO_COLOR": "1", **more}),
                   on_terminal(at, screen, PAGER="cat", NO_COLOR="1"),
                   f"{screen}, {more}")
    expect(on_terminal(at, "list", PATH=f"{at}/pagers:/usr/bin:/bin")[0]
           .splitlines()[0], "FRX -c", "less, and its settings")
    expect(on_terminal(at, "list", PATH=f"{at}/pagers:/usr/bin:/bin", LESS="S")
           [0].splitlines()[0], "S -c", "a setting of one's own")


def test_none(at):
    """Never where a program reads."""
    for command in ("list --json", "spans 4bf92f35 --json", "list --help",
                    "export 4bf92f35", "version"):
        shown, status = on_terminal(at, command, PAGER="sed s/^/+/")
        expect((shown[0] == "+", status), (False, 0), command)
    for screen in SCREENS:
        done = subprocess.run([HANDSPAN, *screen.split()], text=True,
                              capture_output=True,
                              env=environment(at, PAGER="sed s/^/+/"))
        expect("+" == done.stdout[0], False, f"{screen} into a pipe")
    expect(on_terminal(at, "list --program=none", PAGER="sed s/^/+/"),
           ("+No trace in the store matches.\n", 1), "the command's status")


def test_broken(at):
    """Absent, broken at once, broken on the way."""
    for screen in (*SCREENS, LONG):
        plain = on_terminal(at, screen, PAGER="cat")
        for pager in ("no-such-pager", "/dev/null", "false", "exit 3"):
            expect(on_terminal(at, screen, PAGER=pager), plain,
                   f"{screen}, {pager}")
    shown, status = on_terminal(at, screen, PAGER="no-such-pager -R")
    expect((shown.partition("not found\n")[2], status), plain, "said by sh")
    whole = plain[0]
    expect(len(whole) > 100000, True, f"{len(whole)} bytes")
    shown, status = on_terminal(at, LONG, PAGER="head -n 1; exit 1")
    first, rest = shown.split("\n", 1)
    expect((first, status), (whole.split("\n", 1)[0], 0), "what it showed")
    expect(whole.endswith(rest) and len(rest) > len(whole) / 2, True,
           "what it had not read")


def test_left(at):
    """Who has read enough leaves; the pager is the last on the terminal."""
    shown, status = on_terminal(at, LONG, PAGER="head -n 1")
    expect((shown.count("\n"), status), (1, -signal.SIGPIPE), "left")
    pid, fd = start(at, "list", PAGER="cat; echo read; read x </dev/tty; "
                    "echo left $x")
    shown = b""
    while b"read\r\n" not in shown:
        shown += os.read(fd, 4096)
    os.kill(pid, signal.SIGTERM)
    os.write(fd, b"now\n")
    expect(read_all(fd).splitlines()[-1], "left now", "it waited")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    expect(status, -signal.SIGTERM, "then it ends as it was told")


def main():
    with tempfile.TemporaryDirectory() as at:
        os.mkdir(f"{at}/dir", 0o700)
        os.mkdir(f"{at}/pagers")
        with open(f"{at}/pagers/less", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\necho $LESS $LV\ncat\n")
        os.chmod(f"{at}/pagers/less", 0o755)
        store(at)
        for test in test_chosen, test_none, test_broken, test_left:
            test(at)
    print("ok")


main()
