#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a large program from one process to the next (who branches
where; how entries are patched; where names are): believed where it is ours, whole and of this
very file, by this very build; else the program is looked at as if nothing were
there.

  test_kept.py PRELOAD DUMP COMPILER
"""
import glob
import os
import pathlib
import re
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
# struct kept_identity of preload/objects/kept.h, and what follows it
WHAT = 8 + 2 * (32 + 8) + 7 * 8
IDENTITY = WHAT + 3 * 8
HEAD = IDENTITY + 2 * 8
KEPT = "second has a branch into its first bytes"
LOST = "second was patched"


def whole(identity, payload):
    """A file as it is to be: with a sum over its words."""
    words = struct.unpack(f"<{len(payload) // 8}Q", payload)
    total = len(words)
    for word in words:
        turned = (total << 7 | total >> 57) & (1 << 64) - 1
        total = (turned ^ word) * 0x9e3779b97f4a7c15 & (1 << 64) - 1
    return bytes(identity) + struct.pack("<QQ", len(words), total) + payload


class Branches(unittest.TestCase):
    """The one without any branch: what is believed has its effect."""
    what = 1
    step = 4

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

    def dump(self, dead):
        """What a run says of itself."""
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
        return text

    def run_once(self, dead=False):
        """What became of `second`; `plain` is always traced."""
        text = self.dump(dead)
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
                if (struct.unpack_from("<Q", data, 88)[0] == size and
                        struct.unpack_from("<Q", data, WHAT)[0] == self.what):
                    self.kept = path
                    return data
        self.fail("nothing was kept")

    def put(self, data):
        with open(self.kept, "wb") as f:
            f.write(data)

    def payload(self, data):
        return data[HEAD:HEAD + 16] + struct.pack("<QQ", 0, 1)

    def forged(self, data, **changes):
        identity = bytearray(data[:IDENTITY])
        for at, value in changes.values():
            identity[at] ^= value
        return whole(identity, self.payload(data))

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
        for at in (*range(IDENTITY, HEAD, self.step - 1), HEAD, len(data) - 1):
            bad = bytearray(data)
            bad[at] ^= 0x55
            self.put(bytes(bad))
            self.assertEqual(KEPT, self.run_once(), at)
        self.put(data)
        self.assertEqual(KEPT, self.run_once())

    def test_of_another(self):
        """Another build of ours, another object, another size, time, inode."""
        data = self.make()
        for at in range(0, IDENTITY, self.step):
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


class Plans(Branches):
    """The copy of what `plain` begins with ends the program by SIGILL."""
    what = 2
    step = 12
    RECORD = 408  # struct kept of preload/bind/plans.c
    WINDOW, COPY = 24, 48

    def run_once(self, dead=False):
        try:
            return super().run_once(dead)
        except AssertionError:
            if not dead:
                raise
            return LOST

    def payload(self, data):
        records = bytearray(data[HEAD:])
        self.assertEqual(self.RECORD, len(records))  # of `plain` alone
        self.assertEqual(bytes.fromhex("8d47076bc003"),
                         records[self.COPY:self.COPY + 6])
        records[self.COPY:self.COPY + 2] = b"\x0f\x0b"
        return bytes(records)

    def test_is_read(self):
        data = self.make()
        self.put(self.forged(data))
        with self.assertRaises(AssertionError):
            self.run_once()

    def test_of_other_bytes(self):
        """Something else stands where it was planned."""
        data = self.make()
        payload = bytearray(self.payload(data))
        for at in (0, 5):
            other = bytearray(payload)
            other[self.WINDOW + at] ^= 1
            self.put(whole(data[:IDENTITY], bytes(other)))
            self.assertEqual(KEPT, self.run_once(), at)

    def test_is_no_patch(self):
        """Whole, but not in order: as if nothing were there."""
        data = self.make()
        payload = bytearray(self.payload(data))
        for at, value in ((9, 4), (9, 200), (10, 0), (10, 97), (11, 5),
                          (12, 9), (16, 0), (17, 96), (144, 95), (145, 97)):
            bad = bytearray(payload)
            bad[at] = value
            self.put(whole(data[:IDENTITY], bytes(bad)))
            self.assertEqual(KEPT, self.run_once(), (at, value))


class Names(Branches):
    """Where two C++ names are, the one said to be at the other's place."""
    what = 3
    step = 12
    ENTRY = 40  # struct entry of preload/objects/names_kept.c

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="handspan-kept-",
                                   dir=os.environ.get("TEST_MEMORY"))
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        cls.program = cls.top + "/kept"
        names = [f"_ZN3app{len(name)}{name}El" for name in
                 (f"work_{i}" for i in range(2500))]
        with open(cls.top + "/names.S", "w", encoding="utf-8") as f:
            for name in names:
                f.write(f".globl {name}\n.type {name}, @function\n{name}:\n"
                        " .cfi_startproc\n lea 7(%rdi), %eax\n"
                        " imul $3, %eax, %eax\n ret\n .cfi_endproc\n"
                        f" .size {name}, .-{name}\n .p2align 4\n")
            f.write(".globl main\n.type main, @function\nmain:\n"
                    " .cfi_startproc\n push %rbx\n .cfi_adjust_cfa_offset 8\n" +
                    f" call {names[700]}\n" * 3 + f" call {names[1800]}\n" * 5 +
                    " xor %eax, %eax\n pop %rbx\n ret\n .cfi_endproc\n"
                    " .size main, .-main\n"
                    ' .section .note.GNU-stack,"",@progbits\n')
        subprocess.run([COMPILER, "-Wl,--build-id", "-rdynamic", "-o",
                        cls.program, cls.top + "/names.S"], check=True)
        cls.manifest = cls.top + "/m.manifest"
        with open(cls.manifest, "w", encoding="utf-8") as f:
            f.write('[[object(main)]];\n[[span, symbol("app::work_700(long)")]] '
                    'int few(...);\n[[span, symbol("app::work_1800(long)")]] '
                    "int many(...);\n")

    def run_once(self, dead=False):
        text = self.dump(dead)
        for outcome, few, many in (KEPT, 3, 5), (LOST, 5, 3):
            if (f"span few in process: return x{few}" in text and
                    f"span many in process: return x{many}" in text):
                return outcome
        self.fail(text)

    def payload(self, data):
        entries = bytearray(data[HEAD:])
        self.assertEqual(2 * self.ENTRY, len(entries))
        one, two = slice(0, 4), slice(self.ENTRY, self.ENTRY + 4)
        entries[one], entries[two] = entries[two], entries[one]
        return bytes(entries)


class Whole(unittest.TestCase):
    """A library with hundreds of functions: what is known is bound as what is
    planned, each with the same trampoline and the same words."""

    def test_same(self):
        top = tempfile.mkdtemp(prefix="handspan-kept-",
                               dir=os.environ.get("TEST_MEMORY"))
        self.addCleanup(shutil.rmtree, top, ignore_errors=True)
        with open(top + "/main.c", "w", encoding="utf-8") as f:
            f.write("int sqlite3_libversion_number(void);\n"
                    "int main(void) { return !sqlite3_libversion_number(); }\n")
        subprocess.run([COMPILER, "-o", top + "/main", top + "/main.c",
                        "-lsqlite3"], check=True)
        with open(top + "/m", "w", encoding="utf-8") as f:
            f.write('[[object("libsqlite3.so*")]];\n[[span, match("*")]];\n'
                    '[[object("libc.so*")]];\n[[span, match("str*")]];\n')
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("HANDSPAN_")}
        env.update(LD_PRELOAD=PRELOAD, HANDSPAN_DIR=top + "/dir",
                   HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=top + "/m")
        runs = []
        for _ in range(3):
            subprocess.run([top + "/main"], env=env, check=True)
            [session] = glob.glob(top + "/dir/session-*")
            text = subprocess.run([DUMP, session], capture_output=True,
                                  text=True, check=True).stdout
            os.unlink(session)
            runs.append(sorted(re.sub("0x[0-9a-f]+", "", line)
                               for line in text.split("\n")
                               if line.startswith("site ")))
        self.assertGreater(sum("binding=entry" in line for line in runs[0]), 300)
        kept = max(os.path.getsize(path)
                   for path in glob.glob(top + "/dir/branches-*/*"))
        self.assertGreater(kept, 250 * Plans.RECORD)
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
