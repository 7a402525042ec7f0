#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check before a run and check after it say the same of the same functions:
how many there are and are bound, by which mechanism and trampoline, where, and
why not, word for word. The functions are picked by the hash of their names out
of all that the program and its libraries export.

usage: table_test.py HANDSPAN COMMAND...     one command, agrees or fails
       table_test.py HANDSPAN --table FILE   a line of Markdown for each command
       table_test.py HANDSPAN --modules FILE FOLDER
           the same for what a program loads later: check of a package's object
           alone, and check after a run; packages are installed in the folder
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from common import HANDSPAN, Place, expect

OF_AN_OBJECT, MOST, OBJECTS = 25, 150, 3
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


def object_manifest(path):
    chosen = functions(path)[:MOST]
    lines = [f"[[object({json.dumps(os.path.basename(path))})]];"]
    lines += [f'[[span("f{i}"), symbol({json.dumps(function)})]];'
              for i, function in enumerate(chosen)]
    return "\n".join(lines) + "\n", len(chosen)


def declarations(p, *args):
    done = subprocess.run([HANDSPAN, "check", "--json", *args], cwd=p.at,
                          env=p.env, capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL,
                          timeout=300, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {o["line"]: o for o in rows if o.get("kind") == "declaration"}


def compare(command, of=None):
    """(declarations, bound, differences). Of one object alone: `of`"""
    path = of or os.path.realpath(shutil.which(command[0]))
    with Place() as p:
        text, count = object_manifest(of) if of else manifest(path)
        p.write("m", text)
        before = declarations(p, "-m", "m", of or command[0])
        after = declarations(p, "-m", "m", "--run", "--", *command)
    for one in before.values():  # for who misspelt: check alone says it
        one["remark"] = (one["remark"] or "").split("; nearest: ")[0] or None
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


# ---- what is loaded later -----------------------------------------------------

def installed(kind, package, folder):
    """The command that runs code with the package; its folder."""
    at = os.path.join(folder, kind + "-" + package.replace("/", "-"))
    done = os.path.isdir(at)
    if kind == "wheel":
        install = ["/usr/bin/python3", "-m", "pip", "install", "-q",
                   "--only-binary=:all:", "--target", at, package]
        run = ["/usr/bin/python3", "-c"]
        os.environ["PYTHONPATH"] = at
    else:
        install = ["npm", "install", "--ignore-scripts", "--no-audit",
                   "--no-fund", "--silent", "--prefix", at, package]
        run = ["node", "-e"]
        os.environ["NODE_PATH"] = at + "/node_modules"
    if not done:
        os.makedirs(at)
        subprocess.run(install, check=True)
    return run, os.path.realpath(at)


def loaded(run, code, at):
    """The largest objects of the folder that the code loads."""
    shown = ("\nprint(open('/proc/self/maps').read())" if run[1] == "-c" else
             "\nconsole.log(require('fs').readFileSync('/proc/self/maps',"
             "'utf8'))")
    maps = subprocess.run([*run, code + shown], check=True, text=True,
                          capture_output=True).stdout
    paths = {line.split(None, 5)[-1] for line in maps.splitlines()
             if at + "/" in line and (".so" in line or ".node" in line)}
    counted = {path: len(functions(path)) for path in paths}
    best = sorted(counted, key=counted.get, reverse=True)[:OBJECTS]
    return [path for path in best if counted[path]]


def modules(path, folder):
    with open(path, encoding="utf-8") as f:
        lines = [line.split(None, 2) for line in f if line.strip()
                 and not line.startswith("#")]
    print("| package | object | functions | bound | differences |\n"
          "|---|---|---|---|---|")
    found = []
    for kind, package, code in lines:
        run, at = installed(kind, package, folder)
        for one in loaded(run, code.strip(), at):
            count, bound, wrong = compare([*run, code.strip()], one)
            found += [(package, os.path.basename(one), *w) for w in wrong]
            print(f"| {package} | {os.path.basename(one)} | {count} | {bound} |"
                  f" {len(wrong)} |", flush=True)
    return found


def main():
    if sys.argv[2] == "--table":
        wrong = table(sys.argv[3])
    elif sys.argv[2] == "--modules":
        wrong = modules(sys.argv[3], sys.argv[4])
    else:
        count, bound, wrong = compare(sys.argv[2:])
        expect(count > 0 and bound > 0, True, "functions to compare")
        print(f"{count} declarations, {bound} bound functions")
    for one in wrong:
        print("differs:", *one, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
