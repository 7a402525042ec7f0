#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program says and returns traced what it does untraced, whatever else
stands between it and libc: a table, one line a case.

  surroundings_test.py PRELOAD BUILT SOURCE_FOLDER

BUILT: the folder with footprint_surrounded, footprint_own_libc and
libfootprint_audit.so. What is not installed is skipped, by name.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

MANIFEST = "[[object(main)]];\n[[span]] int work(int n);\n"
LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
# compiler, options
SANITIZERS = (("gcc", "-fsanitize=thread"), ("gcc", "-fsanitize=leak"),
              ("clang", "-fsanitize=thread"), ("clang", "-fsanitize=address"))
# Preloaded before and after ours.
OTHERS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
          "faketime/libfaketime.so.1", "faketime/libfaketimeMT.so.1",
          "libtsocks.so", "tsocks/libtsocks.so", "libasan.so.8",
          "libSegFault.so", "libeatmydata.so")
FAKE_TIME = {"FAKETIME": "2020-01-01 00:00:00", "FAKETIME_DISABLE_SHM": "1",
             "FAKETIME_SHARED": ""}
ROUNDABOUT = ("unshare --fork --pid", "unshare --time", "unshare -m",
              "unshare -U", "setsid -w", "nice", "stdbuf -o0")


def find(name):
    for folder in LIBRARIES:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    found = glob.glob("/usr/lib/gcc/x86_64-linux-gnu/*/" +
                      name.split(".so")[0] + ".so")
    return os.path.realpath(found[0]) if found else None


def run(command, env):
    done = subprocess.run(command, env=env, capture_output=True, timeout=300,
                          stdin=subprocess.DEVNULL)
    text = re.sub(rb"==\d+==|0x[0-9a-f]+|pid \d+", b"",
                  done.stdout + b"|" + done.stderr)
    return done.returncode, text


class Table:
    def __init__(self, preload, bare, traced):
        self.preload, self.bare, self.traced = preload, bare, traced
        self.count = self.wrong = self.skipped = 0

    def skip(self, what):
        print("skipped", what)
        self.skipped += 1

    def check(self, what, command, env=None, others="", after=False):
        plain_env = dict(self.bare, **(env or {}))
        traced_env = dict(self.traced, **(env or {}))
        if others:
            plain_env["LD_PRELOAD"] = others
            order = [self.preload, others] if after else [others, self.preload]
            traced_env["LD_PRELOAD"] = " ".join(order)
        plain = run(command, plain_env)
        for shim in ("frame", "zero"):
            got = run(command, dict(traced_env, HANDSPAN_TEST_SHIM=shim))
            self.count += 1
            if got != plain:
                self.wrong += 1
                print(f"WRONG {what}, {shim}: {got}, untraced {plain}")


def main():
    preload, built, source = sys.argv[1:4]
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_"))}
    program = os.path.join(built, "footprint_surrounded")
    with tempfile.TemporaryDirectory(prefix="handspan-around-") as top:
        manifest = os.path.join(top, "m.manifest")
        with open(manifest, "w") as out:
            out.write(MANIFEST)
        table = Table(preload, bare, dict(
            bare, LD_PRELOAD=preload, HANDSPAN_MANIFEST=manifest,
            HANDSPAN_DIR=os.path.join(top, "dir"), HANDSPAN_SIDECAR="off"))
        table.check("plain", [program])
        table.check("raw fork", [os.path.join(built, "footprint_forked")])
        table.check("own libc", [os.path.join(built, "footprint_own_libc")])
        table.check("audit", [program], {
            "LD_AUDIT": os.path.join(built, "libfootprint_audit.so")})
        table.check("loader", [LOADER, program])
        for compiler, option in SANITIZERS:
            made = os.path.join(top, compiler + option)
            if not shutil.which(compiler) or subprocess.run(
                    [compiler, "-O1", "-pthread", option, "-o", made,
                     os.path.join(source, "surrounded.c")],
                    capture_output=True).returncode:
                table.skip(f"{compiler} {option}")
                continue
            table.check(f"{compiler} {option}", [made])
        for name in OTHERS:
            path = find(name)
            if not path:
                table.skip(name)
                continue
            for after in (False, True):
                if name == "libasan.so.8" and after:
                    continue  # it ends programs that load anything before it
                table.check(f"{name} {'after' if after else 'before'} ours",
                            [program], FAKE_TIME,
                            path, after)
        for way in ROUNDABOUT:
            words = way.split()
            if not shutil.which(words[0]) or run(words + ["true"], bare)[0]:
                table.skip(way)
                continue
            table.check(way, words + [program])
        print(f"{table.count} cases, {table.wrong} wrong, {table.skipped} "
              "skipped")
        return table.wrong > 0


if __name__ == "__main__":
    sys.exit(main())
