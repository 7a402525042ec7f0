#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One kind of value, end to end: a program is built, run with a manifest, and
what was captured is compared with what the program passed.

usage: kind.py HANDSPAN FILE

FILE is C or C++ and says in comments that begin with `//@`

  build: COMMAND     how ./p is built of it (p.c or p.cc); several are several
                     rounds; one whose compiler is not there is left out
  manifest: LINE     of the manifest
  expect: PYTHON     holds; `of(NAME)` are the calls of a handler as objects of
                     `spans --json`, `one(NAME)` the only one, `said` is what
                     check says, `status` its exit status, `errors` that of
                     `handspan errors`, `build` the command
  file: NAME         what follows is another file
"""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import Place  # noqa: E402


HAS_AVX = " avx " in open("/proc/cpuinfo", encoding="utf-8").read()


def read(path):
    rules = {"build": [], "manifest": [], "expect": []}
    name = "p" + os.path.splitext(path)[1]
    files = {name: []}
    for line in open(path, encoding="utf-8"):
        if not line.startswith("//@ "):
            files[name].append(line)
            continue
        key, _, value = line[4:].strip().partition(": ")
        if key == "file":
            name = value
            files[name] = []
        else:
            rules[key].append(value)
    return rules, files


def judge(p, rules, build):
    out = p.handspan("spans", "--json").stdout
    spans = [json.loads(line) for line in out.splitlines()]
    spans = [s for s in spans if "span_id" in s]

    def of(name):
        return [s for s in spans if s["name"] == name]

    def one(name):
        calls = of(name)
        assert len(calls) == 1, f"{name}: {len(calls)} calls"
        return calls[0]

    done = p.handspan("check", "-m", "m", "./p")
    known = {"of": of, "one": one, "build": build, "status": done.returncode,
             "said": done.stdout + done.stderr,
             "errors": p.handspan("errors").stdout}
    for rule in rules["expect"]:
        try:
            holds = eval(rule, known)  # pylint: disable=eval-used
        except (KeyError, AssertionError) as error:
            holds = False
            print(f"{type(error).__name__}: {error}")
        if not holds:
            print(f"{build}\n  does not hold: {rule}\n{known['said']}")
            for s in spans:
                print("  ", s["name"], s.get("input"), s.get("output"),
                      s.get("attributes"), s["status"], s.get("error"))
            return False
    return True


def run(rules, files, build):
    with Place() as p:
        for name, lines in files.items():
            os.makedirs(os.path.dirname(f"{p.at}/{name}"), exist_ok=True)
            p.write(name, "".join(lines))
        done = p.sh(build, check=False)
        if done.returncode:
            print(f"{build}: {done.stderr}")
            return False
        p.write("m", "\n".join(rules["manifest"]) + "\n")
        done = p.handspan("run", "-m", "m", "./p")
        if done.returncode:
            print(f"{build}: run: {done.returncode} {done.stderr}")
            return False
        return judge(p, rules, build)


def main():
    rules, files = read(sys.argv[2])
    rounds = 0
    for build in rules["build"]:
        tool = build.split()[0]
        if not shutil.which(tool):
            print(f"left out, no {tool}: {build}")
            continue
        if "-mavx" in build and not HAS_AVX:
            build = build.replace("-mavx", "")
        rounds += 1
        if not run(rules, files, build):
            return 1
    return 0 if rounds else 77


if __name__ == "__main__":
    sys.exit(main())
