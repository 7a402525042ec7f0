#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Terminal screens against what they should be.

usage: golden.py HANDSPAN SOURCE_DIR CASE [--update]

CASE is a file golden/NAME.txt: lines of `$ command` with what they print
(both streams) below; a line `[exit N]` follows where N is not 0. Commands run
in a folder of their own that holds etl.db (fixture.py), in a fixed
environment; the folder's name is shown as $TMP.
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

ENV = {"TZ": "CET-1", "LC_ALL": "C.UTF-8", "COLUMNS": "80", "TERM": "xterm",
       "PATH": os.environ["PATH"], "HANDSPAN_STORE": "etl.db"}


def normalize(text, folder):
    text = text.replace(folder, "$TMP")
    # addresses depend on the compiler: same width, no digits
    return re.sub(r"\+0x[0-9a-f]+",
                  lambda m: "+0x" + "X" * (len(m.group()) - 3), text)


def run(command, folder, env):
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=300)
    out = normalize(done.stdout.decode("utf-8", "replace"), folder)
    if out and not out.endswith("\n"):
        out += "\n"
    return out + (f"[exit {done.returncode}]\n" if done.returncode else "")


def main():
    handspan, source, case = sys.argv[1:4]
    with open(case, encoding="utf-8") as f:
        expected = f.read()
    commands = re.findall(r"^\$ (.*)$", expected, re.M)
    if not commands:
        sys.exit(f"{case}: no commands")
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        env = dict(ENV, PATH=os.path.dirname(handspan) + ":" + ENV["PATH"],
                   HANDSPAN_DIR=os.path.join(folder, "dir"), HOME=folder,
                   SOURCE=source, CC=os.environ.get("CC", "cc"))
        subprocess.run([sys.executable, os.path.join(source, "fixture.py"),
                        os.path.join(source, "../../sql/sqlite"),
                        os.path.join(folder, "etl.db")], check=True)
        got = "".join(f"$ {c}\n{run(c, folder, env)}" for c in commands)
    if "--update" in sys.argv:
        with open(case, "w", encoding="utf-8") as f:
            f.write(got)
        return
    if got != expected:
        sys.stdout.writelines(difflib.unified_diff(
            expected.splitlines(True), got.splitlines(True), "expected",
            "got"))
        sys.exit(1)


main()
