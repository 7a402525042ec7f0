#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers, as docs/containers.md lays them out: two programs and a sidecar,
each in pid and mount namespaces of its own and another user's; a directory a
program, 2770 of a group that it shares with the sidecar alone; one store. The
traces of both are there, and of neither is anything readable by the other.

  namespaces_test.py HANDSPAN PRELOAD    (needs root, to make namespaces)
"""
import json
import os
import sqlite3
import subprocess
import sys
import time

import base

SIDECAR = 65530
PARTS = {"first": (65531, 65521), "second": (65532, 65522)}
SOURCE = r"""
#include <string.h>
#include <unistd.h>
__attribute__((noipa)) long handle(const char *text)
{
    __asm__ volatile("" : "+r"(text));
    return (long)strlen(text);
}
int main(int argc, char **argv)
{
    char byte;
    long n = 0;
    for (int i = 0; i < 50; i++)
        n += handle(argv[argc - 1]);
    return read(0, &byte, 1) != 1 || n == 0 || getpid() != 1;
}
"""
CONTAINER = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "sh", "-ec",
             'from=$1 at=$2; shift 2; mount --bind "$from" "$at"; exec "$@"', "sh"]


class Namespaces(base.Base):
    def setUp(self):
        super().setUp()
        self.write("m.manifest", "[[object(main)]];\n"
                   "[[span, input(text)]] long handle(const char *text);")
        self.program = self.build(SOURCE)
        self.at = self.top + "/run"  # in each container the same path
        os.mkdir(self.at)
        os.mkdir(self.top + "/store")
        os.chown(self.top + "/store", SIDECAR, SIDECAR)
        os.chmod(self.top, 0o711)
        os.chmod(self.dir, 0o711)
        for name, (_, group) in PARTS.items():
            os.mkdir(f"{self.dir}/{name}")
            os.chown(f"{self.dir}/{name}", 0, group)
            os.chmod(f"{self.dir}/{name}", 0o2770)
        for name in ("m.manifest", "p"):
            os.chmod(f"{self.top}/{name}", 0o755)
        self.started = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for p in self.started:
            if p.poll() is None:
                p.kill()
            p.communicate()

    def contained(self, name, uid, groups, *command, **env):
        """In a container of its own, which has the part's directory."""
        as_user = ["setpriv", f"--reuid={uid}", f"--regid={groups[0]}",
                   "--groups=" + ",".join(map(str, groups)), "--no-new-privs"]
        p = subprocess.Popen(
            [*CONTAINER, f"{self.dir}/{name}", self.at, *as_user, "env",
             *(f"{k}={v}" for k, v in env.items()), *command],
            env=dict(self.env, HANDSPAN_DIR=self.at), cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.started.append(p)
        return p

    def start(self, name):
        uid, group = PARTS[name]
        return self.contained(
            name, uid, [group], self.program, "secret of " + name,
            LD_PRELOAD=base.PRELOAD, HANDSPAN_SIDECAR="off",
            HANDSPAN_MANIFEST=self.top + "/m.manifest")

    def until(self, what, look):
        end = time.monotonic() + 120
        while not look():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)  # polls a state

    def calls(self):
        try:
            return sorted(self.rows(
                "SELECT s.input ->> 'text', count(*) FROM spans s "
                "GROUP BY s.trace, 1"))
        except sqlite3.OperationalError:
            return []  # the store is being made

    def sessions(self, name):
        folder = f"{self.dir}/{name}"
        return [f"{folder}/{n}" for n in os.listdir(folder)
                if n.startswith("session-")]

    def reads(self, name, path):
        """Can the user of this part read it, in a container of theirs?"""
        uid, group = PARTS[name]
        p = self.contained(name, uid, [group], "sh", "-c",
                           'test -d "$1" && exec ls "$1"; exec head -c1 "$1"',
                           "sh", path)
        said = p.communicate(timeout=300)[0]
        self.assertTrue(p.returncode == 0 or b"ermission denied" in said, said)
        return p.returncode == 0

    def test_two_and_a_sidecar(self):
        programs = {name: self.start(name) for name in PARTS}
        for name in PARTS:
            self.until("its session", lambda: self.sessions(name))
        groups = [group for _, group in PARTS.values()]
        sides = [self.contained(name, SIDECAR, [SIDECAR, *groups], base.HANDSPAN,
                                "sidecar", "--store", self.store)
                 for name in PARTS]
        want = sorted((f"secret of {name}", 50) for name in PARTS)
        self.until("both are stored", lambda: self.calls() == want)
        # while both run: nothing of one for the other, and the test can tell
        for name, other in (("first", "second"), ("second", "first")):
            mine, = self.sessions(name)
            theirs, = self.sessions(other)
            self.assertTrue(self.reads(name, mine))
            for path in (f"{self.dir}/{other}", theirs, self.store,
                         self.store + "-wal"):
                self.assertFalse(self.reads(name, path), path)
        for p in programs.values():
            said = p.communicate(b"x", timeout=300)[0]
            self.assertEqual((p.returncode, said), (0, b""))
        for p in sides:
            said = p.communicate(timeout=300)[0]
            self.assertEqual(p.returncode, 0, said)
        self.assertEqual(self.calls(), want)
        self.assertEqual([self.sessions(name) for name in PARTS], [[], []])
        traces = self.rows("SELECT status, t.name FROM traces t")
        self.assertEqual(traces, [("ok", "p")] * 2)
        # numbers of processes are those of their containers: the same
        self.assertEqual(self.rows("SELECT pid FROM processes"), [(1,), (1,)])

    def test_container_id(self):
        """As a runtime leaves it: what is mounted over /etc/hostname."""
        container = "0123456789abcdef" * 4
        folder = f"{self.top}/{container}"
        os.mkdir(folder)
        with open(folder + "/hostname", "w", encoding="utf-8"):
            pass
        self.env["HANDSPAN_DIR"] = self.dir + "/own"
        os.mkdir(self.dir + "/own", 0o700)
        p = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec",
             'mount --bind "$1" /etc/hostname; shift; exec "$@"', "sh",
             folder + "/hostname", base.HANDSPAN, "run", "--summary=never", "-m",
             self.top + "/m.manifest", "--", self.program, "x"],
            env=self.env, cwd=self.top, stdin=subprocess.PIPE)
        self.started.append(p)
        self.until("the sidecar saw it", lambda: self.calls() == [("x", 50)])
        p.communicate(b"x", timeout=300)
        self.assertEqual(p.returncode, 1)  # it is not the first of its own
        said = json.loads(self.text("export").splitlines()[0])
        about = {a["key"]: a["value"] for a in
                 said["resourceSpans"][0]["resource"]["attributes"]}
        self.assertEqual(about["container.id"], {"stringValue": container})


if __name__ == "__main__":
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "true"],
            check=False, stderr=subprocess.DEVNULL).returncode:
        print("skipped: needs root, and namespaces that it may make")
        sys.exit(77)
    base.main()
