#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The answers of docs/where.md are there: each file, and in it what is named
beside it; and tests/README.md names each folder of tests.

usage: where.py ROOT
"""
import os
import re
import sys

QUESTIONS = 30
ROW = re.compile(r"^\| (.*\?) \| `([\w/.]+)` \| `(\w+)` \|$", re.M)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def check(root):
    rows = ROW.findall(read(root, "docs/where.md"))
    if len({question for question, _, _ in rows}) < QUESTIONS:
        yield f"docs/where.md: {len(rows)} questions, at least {QUESTIONS}"
    for question, path, name in rows:
        if not os.path.isfile(os.path.join(root, path)):
            yield f"docs/where.md: {question} there is no {path}"
        elif not re.search(rf"^[^\n;]*\b{name}\b(\([^;]*?\))?\n?\s*\{{",
                           read(root, path), re.M):
            yield f"docs/where.md: {question} {path} has no {name}"
    page = read(root, "tests/README.md")
    for folder in sorted(os.listdir(os.path.join(root, "tests"))):
        at = os.path.join(root, "tests", folder, "CMakeLists.txt")
        if os.path.exists(at) and f"| `{folder}` |" not in page:
            yield f"tests/README.md: nothing of tests/{folder}"


def main():
    faults = list(check(os.path.abspath(sys.argv[1])))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
