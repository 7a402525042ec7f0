#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/footprint.md against the code: each row of its tables names a test that
there is (or a page), and what is refused is told in the words of `check`, all of
them and no others.

  docs_test.py ROOT BUILD
"""
import fnmatch
import json
import os
import re
import subprocess
import sys

REFUSED = "## What is refused, and why"
# Arrays whose texts are all of the list, and files with others of them.
WHOLE = (("shim/plan/patch/patch.c", r"plan_verdict_text.*?\n}"),
         ("shim/plan/image/image_collector.c", r"find_collector.*"))
OTHERS = ("shim/plan/prove/prove.c", "bind/reason.c", "bind/reserved.c")
NO_REASON = ("it can be patched", "unknown verdict")
LITERALS = r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*'


def texts(source):
    """The sentences among the literals of C code, adjacent ones joined."""
    joined = ("".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', one))
              for one in re.findall(LITERALS, source))
    return {text for text in joined if " " in text}


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def rows(page):
    return [[cell.strip() for cell in line.strip("|\n ").split(" | ")]
            for line in page.split("\n")
            if line.startswith("| ") or line.startswith("|`")]


def tests(build):
    told = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build,
                          capture_output=True, check=True, text=True).stdout
    return [test["name"] for test in json.loads(told)["tests"]]


def odd_ways(page):
    """What the page says of hostile.odd in brackets."""
    found = re.findall(r"`hostile\.odd`[ ,(]+((?:`[a-z0-9-]+`[, ]*)+)", page)
    return [name for one in found for name in re.findall(r"`([^`]+)`", one)]


def check_names(page, root, build):
    known, wrong = tests(build), 0
    odd = "".join(read(root, "tests/hostile/odd", name) for name in
                  os.listdir(os.path.join(root, "tests/hostile/odd")))
    for name in odd_ways(page):
        if f'{{"{name}", ' not in odd:
            print(f"WRONG no odd way {name}")
            wrong += 1
    count = 0
    for row in rows(page):
        last = row[-1].rstrip("|").strip()
        if last in ("test", "where", "because") or "check" in row[0]:
            continue
        named = re.findall(r"`([a-z_.0-9*]+)`", last.split(" (")[0])
        pages = re.findall(r"\]\(([^)]+)\)", last)
        good = (named or pages) and \
            all(fnmatch.filter(known, name) for name in named) and \
            all(os.path.exists(os.path.join(root, "docs", one))
                for one in pages)
        count += 1
        if not good:
            print(f"WRONG no such test or page: {last!r}, of {row[0][:60]!r}")
            wrong += 1
    print(f"{count} rows with a test or a page")
    return wrong or count == 0


def check_reasons(refused, root):
    words = {m for row in rows(refused)
             for m in re.findall(r"^`([^`]+)`$", row[0].rstrip("| "))
             if " " in m}
    whole, all_texts = set(), set()
    for path, part in WHOLE:
        source = read(root, path)
        whole |= texts(re.search(part, source, re.S)[0])
        all_texts |= texts(source)
    for path in OTHERS:
        all_texts |= texts(read(root, path))
    missing = whole - words - set(NO_REASON)
    unknown = words - all_texts
    for text in sorted(missing):
        print(f"WRONG check says {text!r}, the page does not")
    for text in sorted(unknown):
        print(f"WRONG nothing says {text!r}, but the page")
    print(f"{len(words)} reasons")
    return bool(missing or unknown or not words)


def main():
    root, build = sys.argv[1:3]
    page = read(root, "docs/footprint.md")
    start = page.index(REFUSED)
    end = page.index("\n## ", start + 1)
    refused, rest = page[start:end], page[:start] + page[end:]
    wrong = check_names(rest, root, build)
    return 1 if check_reasons(refused, root) or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
