#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan diff` of two builds of a real program: the handler that became slow
stands first, the library of another build is named, new failures are told, and
one run a side says what it cannot tell. Usage: builds_test.py HANDSPAN"""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
LIBRARY = r"""
#include <errno.h>
#include <time.h>
static void rest(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, 0); }
int extract(int n) { rest(4); return n; }
int encode(int n) { rest(MS); return n; }
int check(int n) { if (FAILS && n == 3) { errno = ENOSPC; return -1; } return n; }
#if FAILS
int repair(int n) { rest(1); return n + 1; }
#endif
"""
PROGRAM = r"""
int extract(int), encode(int), check(int);
__attribute__((weak)) int repair(int);
int main(void)
{
    int sum = 0;
    for (int n = 0; n < 4; n++) {
        sum += extract(n) + encode(n) + check(n);
        if (repair) sum += repair(n);
    }
    return sum == 12345;
}
"""
MANIFEST = """
[[object("libwork.so*")]];
[[span]] int extract(int n);
[[span]] int encode(int n);
[[span, fails(return < 0)]] int check(int n);
[[span]] int repair(int n);
"""


QUIET_MS = 120


class Base(unittest.TestCase):
    """RUNS of the one build, then as many of the other one: that rests so long
    that its runs take longer than those before, on however slow a machine."""
    RUNS = 5

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        path = cls.path = os.path.realpath(cls.folder.name)
        cls.addClassCleanup(alive.end, path + "/dir")
        cls.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": path,
                   "HANDSPAN_DIR": path + "/dir", "HANDSPAN_STORE": path + "/store.db"}
        for name, text in ("work.c", LIBRARY), ("prog.c", PROGRAM), ("m.manifest", MANIFEST):
            with open(f"{path}/{name}", "w") as f:
                f.write(text)
        cls.build("1.4", 8, 0)
        cls.build("1.5", QUIET_MS, 1)
        subprocess.run([CC, "-O1", "-o", "prog", "prog.c", "1.5/libwork.so.1"], cwd=path, check=True)
        took_s = max([cls.trace("1.4") for _ in range(cls.RUNS)])
        cls.build("1.5", max(QUIET_MS, int(2 * took_s * 1000 / 4)), 1)
        for _ in range(cls.RUNS):
            cls.trace("1.5")

    @classmethod
    def build(cls, version, ms, fails):
        os.makedirs(f"{cls.path}/{version}", exist_ok=True)
        subprocess.run([CC, "-O1", "-shared", "-fPIC", f"-DMS={ms}", f"-DFAILS={fails}",
                        "-Wl,--build-id,-soname,libwork.so.1", "-o", f"{version}/libwork.so.1", "work.c"],
                       cwd=cls.path, check=True)

    @classmethod
    def trace(cls, version):
        """Seconds that it took: none of its handlers took longer."""
        began = time.monotonic()
        subprocess.run([HANDSPAN, "run", "-m", "m.manifest", "--", "./prog"], cwd=cls.path,
                       env=dict(cls.env, LD_LIBRARY_PATH=f"{cls.path}/{version}",
                                OTEL_RESOURCE_ATTRIBUTES=f"team=a,service.version={version}"),
                       check=True, stderr=subprocess.DEVNULL, timeout=300)
        return time.monotonic() - began

    def diff(self, *args):
        return subprocess.run([HANDSPAN, "diff", *args], cwd=self.path, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)

    def lines(self, *args):
        return [json.loads(line) for line in self.diff("--json", *args).stdout.splitlines()][1:]


class Builds(Base):
    def test_the_slow_handler_stands_first(self):
        whole, first, *rest = self.lines("service.version=1.4", "service.version=1.5")
        self.assertEqual((len(whole["traces_a"]), len(whole["traces_b"])), (5, 5))
        self.assertEqual((whole["test"], whole["permutations"]), ("permutation", 252))
        self.assertEqual((first["name"], first["verdict"]), ("encode", "change"))
        self.assertLess(first["p"], 0.01)
        self.assertGreater(first["change_ns"], 4 * 50_000_000)
        self.assertGreater(first["part"], 0.5)
        repair = [r for r in rest if r.get("name") == "repair"][0]
        self.assertEqual((repair["verdict"], repair["b"]["calls"]), ("new", 4))

    def test_what_else_changed(self):
        said = self.diff("service.version=1.4", "service.version=1.5").stdout
        self.assertRegex(said, r"(?m)^New failure \(5 of 5 runs\): check: return < 0, 5 times;")
        self.assertRegex(said, r"libwork\.so\.1 changed \(build id [0-9a-f]{8}, then [0-9a-f]{8}\)")
        self.assertRegex(said, r"(?m)^repair is new: .*in A it was not bound")
        by_path = self.diff("--by=path", "service.version=1.4", "service.version=1.5").stdout
        self.assertRegex(by_path, r"(?m)^encode: self ")

    def test_a_limit_for_ci(self):
        more = self.diff("service.version=1.4", "service.version=1.5", "--fail-over=10%")
        self.assertEqual(more.returncode, 1, more.stdout)
        less = self.diff("service.version=1.5", "service.version=1.4", "--fail-over=10%")
        self.assertNotIn("encode takes over", less.stdout)


class Once(Base):
    RUNS = 1

    def test_one_run_a_side(self):
        said = self.diff("latest~1", "latest").stdout
        self.assertRegex(said, r"(?m)^encode: self ")
        self.assertRegex(said, r"(?m)^encode .* likely ")
        self.assertNotIn("noise", said.split("One run a side")[0])
        self.assertEqual(said, self.diff().stdout)


if __name__ == "__main__":
    unittest.main()
