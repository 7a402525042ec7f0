#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second user made the directory first. Root's programs, and an ordinary
user's, run in a mount namespace of their own with an empty /dev/shm and /tmp;
whoever holds the default names there, nothing of ours lies in a directory of
somebody else, the sessions are kept under another name, and the tools find
the same and say so.

  directory_test.py HANDSPAN PRELOAD    (needs root and mount namespaces)
"""
import contextlib
import ctypes
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import side_by_side  # noqa: E402

HERE = "/mnt/handspan"
OTHER, USER = 65533, 65532
SOURCE = """
#include <stdio.h>
int work(int n) { __asm__ volatile("" : "+r"(n)); return n + 1; }
int main(int argc, char **argv) { puts("ends well"); fputs("err\\n", stderr);
                                  return work(argc) - 2 + 7; }
"""
HANDSPAN = HERE + "/bin/handspan"
PRELOAD = HERE + "/lib/libhandspan.so"


def mount(where, mode="1777"):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=" + mode, "tmpfs",
                    where], check=True)


def enter():
    """Called in the namespace, before the tests."""
    handspan, preload = sys.argv[1:3]
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    mount("/mnt", "0755")
    for folder in ("bin", "lib", "run", "home"):
        os.makedirs(f"{HERE}/{folder}")
    shutil.copy(handspan, HANDSPAN)
    shutil.copy(preload, PRELOAD)
    shutil.copy(os.path.dirname(preload) + "/libhandspan-demangle.so",
                os.path.dirname(PRELOAD))
    with open(HERE + "/p.c", "w") as f:
        f.write(SOURCE)
    with open(HERE + "/m.manifest", "w") as f:
        f.write("[[object(main)]];\n[[span]] int work(int n);\n")
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-o", HERE + "/p",
                    HERE + "/p.c"], check=True, cwd=HERE)


def apart():
    """Each process of the tests has mounts of its own."""
    new_mounts = 0x20000
    if ctypes.CDLL(None, use_errno=True).unshare(new_mounts):
        raise OSError(ctypes.get_errno(), "unshare")
    mount(HERE + "/run", "0755")


class Squat(unittest.TestCase):
    uid = 0

    def setUp(self):
        for where in ("/dev/shm", "/tmp"):
            mount(where)
            self.addCleanup(subprocess.run, ["umount", "-l", where])
        self.home = tempfile.mkdtemp(dir=HERE + "/home")
        os.chown(self.home, self.uid, self.uid)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home,
                    "LC_ALL": "C.UTF-8", "HANDSPAN_CONFIG": "/dev/null",
                    "HANDSPAN_SIDECAR": "off"}
        self.plain = f"/dev/shm/handspan-{self.uid}"

    def as_user(self, *command, **more):
        who = dict(user=self.uid, group=self.uid, extra_groups=[])
        return subprocess.run(command, capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL,
                              env=dict(self.env, **more), cwd="/",
                              **who if self.uid else {})

    @contextlib.contextmanager
    def fresh(self, **params):
        """A subtest in a world of its own."""
        with self.subTest(**params):
            self.setUp()
            try:
                yield
            finally:
                self.doCleanups()

    def handspan(self, *command, **more):
        return self.as_user(HANDSPAN, *command, **more)

    def traced(self, **more):
        got = self.as_user(HERE + "/p", LD_PRELOAD=PRELOAD,
                           HANDSPAN_MANIFEST=HERE + "/m.manifest", **more)
        self.assertEqual((7, "ends well\n", "err\n"),
                         (got.returncode, got.stdout, got.stderr))

    def sessions(self):
        found = []
        for base in ("/dev/shm", "/tmp", HERE + "/run"):
            for here, _, names in os.walk(base):
                found += [here + "/" + n for n in names
                          if n.startswith("session-")]
        return found

    def ours(self, path):
        at = os.lstat(path)
        self.assertTrue(stat.S_ISDIR(at.st_mode), path)
        self.assertEqual((self.uid, 0o700),
                         (at.st_uid, stat.S_IMODE(at.st_mode)), path)

    def squat(self, kind, name=None):
        name = name or self.plain
        if kind == "link to a folder of the victim's":
            target = tempfile.mkdtemp(dir="/dev/shm")
            os.chown(target, self.uid, self.uid)
            os.symlink(target, name)
            os.lchown(name, OTHER, OTHER)
        elif kind == "pipe":
            os.mkfifo(name)
            os.chown(name, OTHER, OTHER)
        elif kind == "mounted over":
            os.mkdir(name, 0o700)
            os.chown(name, OTHER, OTHER)
            mount(name, "0700")
            os.chown(name, self.uid, self.uid)
            self.addCleanup(subprocess.run, ["umount", "-l", name])
        else:
            owner, group, mode = kind
            os.mkdir(name)
            os.chown(name, owner, group)
            os.chmod(name, mode)

    KINDS = [(OTHER, OTHER, 0o2770), (OTHER, OTHER, 0o777),
             (OTHER, OTHER, 0o700), (OTHER, 0, 0o2770),
             "link to a folder of the victim's", "pipe", "mounted over"]

    def test_one_name_is_held(self):
        for kind in self.KINDS + [(self.uid, OTHER, 0o2770),
                                  (self.uid, self.uid, 0o711)]:
            with self.fresh(kind=kind):
                self.squat(kind)
                self.traced()
                self.traced()
                found = self.sessions()
                self.assertEqual(2, len(found), found)
                folder = os.path.dirname(found[0])
                self.assertEqual({folder}, set(map(os.path.dirname, found)))
                self.assertEqual(self.plain + ".", folder[:-16])
                self.ours(folder)
                told = self.handspan("status").stdout
                self.assertIn(folder, told)
                self.assertIn("instead", told)
                with open(folder + "/log") as log:
                    self.assertIn("is refused", log.read())
                run = self.handspan("run", "-m", HERE + "/m.manifest", "--",
                                    HERE + "/p")
                self.assertEqual(7, run.returncode)
                self.assertIn("instead", run.stderr)
                self.assertIn(folder, run.stderr)
                done = self.handspan("sidecar")
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertEqual(3, self.handspan("list").stdout.count(" p "))
                self.assertEqual([], self.sessions())

    def test_planted_other_names(self):
        self.squat((OTHER, OTHER, 0o700))
        for i, kind in enumerate(self.KINDS):
            self.squat(kind, f"{self.plain}.{i:016x}")
        self.traced()
        self.traced()
        found = self.sessions()
        self.assertEqual(1, len(set(map(os.path.dirname, found))), found)
        self.ours(os.path.dirname(found[0]))

    def test_others_could_take_it_away(self):
        os.chmod("/dev/shm", 0o777)
        self.traced()
        found = self.sessions()
        self.assertEqual(f"/tmp/handspan-{self.uid}",
                         os.path.dirname(found[0]))
        self.assertIn("take away", self.handspan("status").stdout)

    def test_runtime_directory_of_another(self):
        runtime = tempfile.mkdtemp(dir=HERE + "/run")
        for owner, mode, counts in ((OTHER, 0o700, False),
                                    (OTHER, 0o777, False),
                                    (self.uid, 0o777, False),
                                    (self.uid, 0o700, True)):
            with self.subTest(owner=owner, mode=oct(mode)):
                os.chown(runtime, owner, owner)
                os.chmod(runtime, mode)
                self.traced(XDG_RUNTIME_DIR=runtime)
                found = self.sessions()
                self.assertEqual(counts, os.path.dirname(found[0]) ==
                                 runtime + "/handspan", found)
                for name in found:
                    os.unlink(name)
                shutil.rmtree(runtime + "/handspan", True)

    def test_nowhere(self):
        for where in ("/dev/shm", "/tmp"):
            subprocess.run(["mount", "-o", "remount,ro", where], check=True)
        self.traced()
        self.traced(HANDSPAN_DIR="/dev/shm/x")
        status = self.handspan("status")
        self.assertEqual(1, status.returncode, status.stdout)
        self.assertIn("not recorded", status.stdout)
        self.assertIn("Read-only", status.stdout)

    # ---- a directory that was named ----

    def test_named(self):
        for kind in [(OTHER, OTHER, 0o2770), (OTHER, OTHER, 0o700),
                     (OTHER, 0, 0o2770), (self.uid, self.uid, 0o777),
                     "pipe", "link to a folder of the victim's"]:
            with self.fresh(kind=kind):
                name = "/dev/shm/named"
                self.squat(kind, name)
                self.traced(HANDSPAN_DIR=name)
                self.assertEqual([], self.sessions())
                status = self.handspan("status", HANDSPAN_DIR=name)
                self.assertEqual(1, status.returncode)
                self.assertIn(name, status.stdout)
                done = self.handspan("sidecar", HANDSPAN_DIR=name)
                self.assertEqual(2, done.returncode, done.stderr)

    def test_named_of_a_group(self):
        for owner in {0, self.uid}:
            with self.subTest(owner=owner):
                name = f"/dev/shm/named-{owner}"
                self.squat((owner, self.uid, 0o2770), name)
                self.traced(HANDSPAN_DIR=name)
                found = self.sessions()
                self.assertEqual(name, os.path.dirname(found[0]))
                self.assertEqual(0o660,
                                 stat.S_IMODE(os.stat(found[0]).st_mode))
                os.unlink(found[0])

    # ---- what is planted in a directory that is shared ----

    def test_planted_files(self):
        name = "/dev/shm/group"
        self.squat((0, self.uid, 0o2770), name)
        victim = tempfile.mkdtemp(dir=HERE + "/home") + "/victim"
        link = "/dev/shm/victim"
        for path in (victim, link):
            with open(path, "w") as f:
                f.write("untouched")
            os.chown(path, self.uid, self.uid)
        for plant in ("link", "hard link", "pipe"):
            for file in ("log", "sidecar.error", "sidecar.lock"):
                path = f"{name}/{file}"
                if os.path.lexists(path):
                    os.unlink(path)
                if plant == "link":
                    os.symlink(victim, path)
                elif plant == "hard link":
                    os.link(link, path)
                else:
                    os.mkfifo(path)
            with self.subTest(plant=plant):
                self.traced(HANDSPAN_DIR=name)
                self.handspan("sidecar", "--once", HANDSPAN_DIR=name)
                self.handspan("status", HANDSPAN_DIR=name)
                for path in (victim, link):
                    with open(path) as f:
                        self.assertEqual("untouched", f.read())

    # ---- the store, and what is loaded ----

    def test_home_of_another(self):
        os.chown(self.home, OTHER, OTHER)
        os.chmod(self.home, 0o777)
        self.traced()
        self.assertEqual(0, self.handspan("sidecar").returncode)
        self.assertEqual([], os.listdir(self.home))
        self.assertTrue(os.path.exists(self.plain + "/handspan.db"))

    def test_link_to_another_store(self):
        os.makedirs(self.home + "/.local/share")
        for here, folders, _ in os.walk(self.home):
            os.chown(here, self.uid, self.uid)
        theirs = tempfile.mkdtemp(dir=HERE + "/home")
        os.chown(theirs, OTHER, OTHER)
        os.chmod(theirs, 0o777)
        os.symlink(theirs, self.home + "/.local/share/handspan")
        self.traced()
        self.assertEqual(0, self.handspan("sidecar").returncode)
        self.assertEqual([], os.listdir(theirs))

    def test_planted_beside_the_preload(self):
        """The preload lies where all may write; so do a sidecar, a decoder
        and manifests of somebody else."""
        shutil.copy(PRELOAD, "/tmp/libhandspan.so")
        for folder in ("/tmp/bin", "/tmp/share/handspan/manifests"):
            os.makedirs(folder)
        for planted in ("/tmp/handspan", "/tmp/bin/handspan"):
            with open(planted, "w") as f:
                f.write("#!/bin/sh\ntouch /tmp/started\n")
            os.chmod(planted, 0o755)
        shutil.copy(PRELOAD, "/tmp/libZydis.so.4.0")
        shutil.copy(os.path.dirname(PRELOAD) + "/libhandspan-demangle.so",
                    "/tmp")
        with open("/tmp/share/handspan/manifests/x.manifest", "w") as f:
            f.write("[[span]] int work(int n);\n")
        for here, folders, files in os.walk("/tmp"):
            for name in folders + files:
                os.chown(here + "/" + name, OTHER, OTHER)
        os.chown("/tmp/libhandspan.so", self.uid, self.uid)
        with open(HERE + "/i.manifest", "w") as f:
            f.write('[[include("x.manifest")]];\n'
                    '[[span, symbol("ns::f(int)")]] void f(int n);\n')
        more = dict(LD_PRELOAD="/tmp/libhandspan.so", HANDSPAN_SIDECAR="",
                    HANDSPAN_MANIFEST=HERE + "/i.manifest")
        got = self.as_user(HERE + "/p", **more)
        self.assertEqual(7, got.returncode, got.stderr)
        with open(self.plain + "/log") as log:
            text = log.read()
        self.assertIn("no `handspan` beside the preload", text)
        self.assertIn("x.manifest", text)
        self.assertIn("no libhandspan-demangle.so beside the preload", text)
        self.assertFalse(os.path.exists("/tmp/started"))

    def test_manifest_that_anybody_wrote(self):
        for owner, mode in ((OTHER, 0o644), (self.uid, 0o666)):
            with self.subTest(owner=owner, mode=oct(mode)):
                path = "/tmp/m.manifest"
                shutil.copy(HERE + "/m.manifest", path)
                os.chown(path, owner, owner)
                os.chmod(path, mode)
                got = self.as_user(HERE + "/p", LD_PRELOAD=PRELOAD,
                                   HANDSPAN_MANIFEST=path)
                self.assertEqual(7, got.returncode)
                with open(self.plain + "/log") as log:
                    self.assertIn("by anybody", log.read())
                run = self.handspan("run", "-m", path, "--", HERE + "/p")
                self.assertIn("by anybody", run.stderr)
                os.unlink(self.plain + "/log")

    def test_manifest_of_the_working_directory(self):
        shutil.copy(HERE + "/m.manifest", "/tmp/handspan.manifest")
        os.chown("/tmp/handspan.manifest", OTHER, OTHER)
        run = self.as_user("sh", "-c", f"cd /tmp; {HANDSPAN} run -- {HERE}/p")
        self.assertEqual(7, run.returncode)
        self.assertIn("somebody else", run.stderr)


class SquatUser(Squat):
    uid = USER

    def setUp(self):
        super().setUp()
        # the folders above are root's, and the user may read them
        os.chmod(HERE, 0o755)


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[3] == "--inside":
        enter()
        del sys.argv[1:4]
        side_by_side.main(prepare=apart)
    if os.geteuid() != 0:
        print("skipped: needs root, to be two users")
        sys.exit(77)
    if subprocess.run(["unshare", "-m", "true"],
                      stderr=subprocess.DEVNULL).returncode:
        print("skipped: needs a mount namespace")
        sys.exit(77)
    os.execvp("unshare", ["unshare", "-m", sys.executable,
                          os.path.abspath(__file__),
                          *map(os.path.realpath, sys.argv[1:3]), "--inside",
                          *sys.argv[3:]])
