#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check before a run and check after it say the same of the same functions:
how many there are and are bound, by which mechanism and trampoline, where, and
why not, word for word. The functions are picked by the hash of their names out
of all that the program and its libraries export.

usage: table_test.py HANDSPAN COMMAND...     one command, agrees or fails
       table_test.py HANDSPAN --table FILE   a line of Markdown for each command
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from common import HANDSPAN, Place, expect

OF_AN_OBJECT, MOST = 25, 150
ASKED = ("status", "functions", "bound", "binding", "frame", "zero_copy",
         "address", "remark")
# libc's own programs and loader are for other tests
PASSED_OVER = re.compile(r"(libc|libm|ld-linux.*|libpthread|libdl|librt)\.so")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          errors="replace", check=False).stdout


def functions(path):
    names = set()
    for table in ("-D", "-a"):
        for line in output("nm", table, "--defined-only", path).splitlines():
            field = line.split()
            if len(field) == 3 and field[1] in "TtWwi":
                names.add(field[2].split("@")[0])
    return sorted(names, key=lambda n: hashlib.sha1(n.encode()).digest())


def libraries(path):
    return re.findall(r"=> (/\S+)", output("ldd", path))


def manifest(path):
    lines, count = [], 0
    for at in [path] + libraries(path):
        name = os.path.basename(at)
        chosen = [] if PASSED_OVER.match(name) else functions(at)
        chosen = chosen[:min(OF_AN_OBJECT, MOST - count)]
        if chosen:
            scope = "main" if at == path else json.dumps(name)
            lines.append(f"[[object({scope})]];")
        for function in chosen:
            lines.append(f'[[span("f{count}"), symbol('
                         f"{json.dumps(function)})]];")
            count += 1
    return "\n".join(lines) + "\n", count


def declarations(p, *args):
    done = subprocess.run([HANDSPAN, "check", "--json", *args], cwd=p.at,
                          env=p.env, capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL,
                          timeout=300, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {o["line"]: o for o in rows if o.get("kind") == "declaration"}


def compare(command):
    """(declarations, bound, differences)"""
    path = os.path.realpath(shutil.which(command[0]))
    with Place() as p:
        text, count = manifest(path)
        p.write("m", text)
        before = declarations(p, "-m", "m", command[0])
        after = declarations(p, "-m", "m", "--run", "--", *command)
    differences = [
        (one["name"], key, one.get(key), after.get(line, {}).get(key))
        for line, one in before.items() for key in ASKED
        if one.get(key) != after.get(line, {}).get(key)]
    expect(len(before), count, "declarations that check tells")
    return count, sum(o["bound"] for o in before.values()), differences


def table(path):
    with open(path, encoding="utf-8") as f:
        lines = [line.split() for line in f if line.strip()
                 and not line.startswith("#")]
    print("| program | functions | bound | differences |\n|---|---|---|---|")
    found = []
    for _, *command in lines:
        if shutil.which(command[0]):
            count, bound, wrong = compare(command)
            found += wrong
            print(f"| {command[0]} | {count} | {bound} | {len(wrong)} |",
                  flush=True)
    return found


def main():
    if sys.argv[2] == "--table":
        wrong = table(sys.argv[3])
    else:
        count, bound, wrong = compare(sys.argv[2:])
        expect(count > 0 and bound > 0, True, "functions to compare")
        print(f"{count} declarations, {bound} bound functions")
    for one in wrong:
        print("differs:", *one, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
