#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a large program from one process to the next (who branches
where): believed where it is ours, whole and of this very file, by this very
build; else the program is looked at as if nothing were there.

  test_kept.py PRELOAD DUMP COMPILER
"""
import glob
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PRELOAD, DUMP, COMPILER = (os.path.abspath(a) if "/" in a else a
                           for a in sys.argv[1:4])
HERE = pathlib.Path(__file__).parent
IDENTITY = 8 + 2 * (32 + 8) + 8 * 8  # struct identity of preload/objects/branches.c
HEAD = IDENTITY + 4 * 4 + 8
KEPT = "second has a branch into its first bytes"
LOST = "second was patched"


class Kept(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="handspan-kept-",
                                   dir=os.environ.get("TEST_MEMORY"))
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        cls.program = cls.top + "/kept"
        subprocess.run([COMPILER, "-Wl,--build-id", "-o", cls.program,
                        HERE / "kept.S"], check=True)
        cls.manifest = cls.top + "/m.manifest"
        with open(cls.manifest, "w", encoding="utf-8") as f:
            f.write("[[object(main)]];\n[[span]] int plain(int n);\n"
                    "[[span]] int second(int n);\n")

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir=self.top)
        self.kept = None

    def run_once(self, dead=False):
        """What became of `second`; `plain` is always traced."""
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("HANDSPAN_")}
        env.update(LD_PRELOAD=PRELOAD, HANDSPAN_DIR=self.dir,
                   HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=self.manifest)
        done = subprocess.run([self.program], env=env, check=False,
                              capture_output=True)
        if not dead:
            self.assertEqual((0, b"", b""),
                             (done.returncode, done.stdout, done.stderr))
        [session] = glob.glob(self.dir + "/session-*")
        text = subprocess.run([DUMP, session], capture_output=True, text=True,
                              check=True).stdout
        os.unlink(session)
        if not dead:
            self.assertIn("span plain in process: return x100", text)
        if "site second binding=entry" in text:
            return LOST
        self.assertRegex(text, "site second binding=none .*a branch leads into")
        return KEPT

    def make(self):
        """The file of our program (not of its libraries), which is written when
        the program is two seconds old."""
        with open(self.program, "rb") as f:
            size = len(f.read())
        end = time.monotonic() + 200
        while time.monotonic() < end:
            self.assertEqual(KEPT, self.run_once())
            for path in glob.glob(self.dir + "/branches-*/*"):
                with open(path, "rb") as f:
                    data = f.read()
                if struct.unpack_from("<Q", data, 88)[0] == size:
                    self.kept = path
                    return data
        self.fail("nothing was kept")

    def put(self, data):
        with open(self.kept, "wb") as f:
            f.write(data)

    def forged(self, data, **changes):
        """Kept by us, without any branch: what is believed has its effect."""
        identity = bytearray(data[:IDENTITY])
        for at, value in changes.values():
            identity[at] ^= value
        return bytes(identity) + struct.pack("<IIIIQ", 0, 0, 1, 0, 0)

    def test_is_read(self):
        """So that the others say something."""
        data = self.make()
        self.put(self.forged(data))
        self.assertEqual(LOST, self.run_once(dead=True))

    def test_not_ours_alone(self):
        data = self.make()
        folder = os.path.dirname(self.kept)
        self.put(self.forged(data))
        os.chmod(self.kept, 0o620)
        self.assertEqual(KEPT, self.run_once())
        self.put(self.forged(data))
        os.chmod(self.kept, 0o600)
        os.chmod(folder, 0o770)
        self.assertEqual(KEPT, self.run_once())
        os.chmod(folder, 0o700)
        os.rename(folder, self.dir + "/elsewhere")
        os.symlink("elsewhere", folder)
        self.assertEqual(KEPT, self.run_once())

    def test_damaged(self):
        data = self.make()
        for cut in (0, 1, IDENTITY, HEAD - 1, HEAD, len(data) - 8,
                    len(data) - 1):
            self.put(data[:cut])
            self.assertEqual(KEPT, self.run_once(), cut)
        for more in (b"\0", bytes(8)):
            self.put(data + more)
            self.assertEqual(KEPT, self.run_once())
        for at in (*range(IDENTITY, HEAD, 3), HEAD, len(data) - 1):
            bad = bytearray(data)
            bad[at] ^= 0x55
            self.put(bytes(bad))
            self.assertEqual(KEPT, self.run_once(), at)
        self.put(data)
        self.assertEqual(KEPT, self.run_once())

    def test_of_another(self):
        """Another build of ours, another object, another size, time, inode."""
        data = self.make()
        for at in range(0, IDENTITY, 4):
            self.put(self.forged(data, other=(at, 1)))
            self.assertEqual(KEPT, self.run_once(), at)

    def test_program_changed(self):
        data = self.make()
        self.put(self.forged(data))
        os.utime(self.program)
        self.assertEqual(KEPT, self.run_once())
        self.put(self.forged(data))
        copy = self.top + "/copy"
        shutil.copy2(self.program, copy)
        os.replace(copy, self.program)
        self.assertEqual(KEPT, self.run_once())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
