#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a machine can check: who may include whom,
sizes, banned calls, layout, nothing that names one machine.

usage: rules.py rooms|includes|size|banned|paths|format|pairs|asserts ROOT
Prints one line per fault and exits with 1 if there is any.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rooms  # noqa: E402

CODE = ("manifest", "bind", "shim", "preload", "lane", "tools")

# A library is owned by the folder(s) that may include its header.
OWNERS = {
    r"sqlite3\.h": ["tools/sidecar", "tools/query", "tools/store",
                    "tools/upload"],
    r"cjson/cJSON\.h": ["tools/sidecar", "tools/query", "tools/cli",
                        "tools/common", "tools/upload", "tools/symbolize",
                        "tools/store"],
    r"curl/curl\.h": ["tools/upload"],
    r"microhttpd\.h": ["tools/serve"],
    r"libunwind.*\.h": ["tools/symbolize"],
    r"elfutils/.*": ["tools/symbolize", "tools/dwarf"],
    r"Zydis/.*": ["shim/plan"],
}
BANNED = r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|alloca|strtok)\s*\("
FILE_LINES = 500      # more: tests/house/open.txt
FUNCTION_LINES = 60
GENERATED = re.compile(r"generated")


def files(root, suffixes, folders=CODE):
    for top in folders:
        for here, dirs, names in os.walk(os.path.join(root, top)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith(suffixes):
                    path = os.path.join(here, name)
                    yield os.path.relpath(path, root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def check_includes(root):
    """Libraries have owners; rooms.py looks at what is ours."""
    for path in files(root, (".c", ".h", ".S")):
        for n, line in enumerate(read(root, path).splitlines(), 1):
            m = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
            for library, owners in OWNERS.items():
                if m and re.fullmatch(library, m.group(1)) and \
                        not path.startswith(tuple(f"{o}/" for o in owners)):
                    yield (f"{path}:{n}: <{m.group(1)}> belongs to "
                           f"{', '.join(owners)}")


def check_size(root):
    long_files = rooms.open_points(root, "size")
    long_functions = rooms.open_points(root, "function")
    for path in files(root, (".c", ".h", ".S")):
        if GENERATED.search(path):
            continue
        lines = read(root, path).splitlines()
        most = max(FILE_LINES, long_files.get(path, 0))
        if len(lines) > most:
            yield f"{path}: {len(lines)} lines, at most {most}"
        start = None
        for n, line in enumerate(lines, 1):
            if line == "{":
                start = n
            elif line == "}" and start is not None:
                if n - start > FUNCTION_LINES:
                    head = " ".join(lines[max(0, start - 6):start - 1])
                    name = (re.findall(r"(\w+)\(", head) or ["?"])[-1]
                    most = long_functions.get(f"{path}:{name}", FUNCTION_LINES)
                    if n - start > most:
                        yield (f"{path}:{start}: a function of {n - start} "
                               f"lines, at most {most}")
                start = None


def check_banned(root):
    for path in files(root, (".c", ".h")):
        for n, line in enumerate(read(root, path).splitlines(), 1):
            if line.lstrip().startswith(("*", "/*", "//")):
                continue
            m = re.search(BANNED, line)
            if m:
                yield f"{path}:{n}: {m.group(1)}() is not used here"


def check_paths(root):
    listed = subprocess.run(["git", "-C", root, "ls-files"], text=True,
                            capture_output=True, check=True).stdout.split("\n")
    pattern = re.compile(r"(?<![\w.$}/-])/(work|farm|root)/")
    for path in listed:
        full = os.path.join(root, path)
        if not os.path.isfile(full) or path.startswith("tests/house/"):
            continue
        try:
            text = read(root, path)
        except UnicodeDecodeError:
            continue
        for n, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{n}: a path of one machine"


def check_format(root):
    tool = shutil.which("clang-format") or shutil.which("clang-format-14")
    if tool is None:
        yield "clang-format is missing (see .ci/packages)"
        return
    paths = [p for p in files(root, (".c", ".h")) if not GENERATED.search(p)]
    if not paths:
        return
    r = subprocess.run([tool, "--dry-run", "-Werror", *paths], cwd=root,
                       text=True, capture_output=True)
    if r.returncode:
        seen = sorted({line.split(":")[0] for line in r.stderr.splitlines()
                       if "error:" in line})
        for path in seen:
            yield f"{path}: not laid out by clang-format -i"


ORDERED = re.compile(r"__ATOMIC_(ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)\b")
PAIRED = re.compile(r"\bpairs\s+(with|as)\b")
PAIR_LINES = 8  # between the words and what they are about


def without_stars(lines):
    """Comments' words as one text."""
    return " ".join(re.sub(r"^\s*(/?\*+(?!/))?", "", line) for line in lines)


def check_pairs(root):
    """Every ordered load, store, exchange and fence says what it pairs with,
    and the functions that its words name exist."""
    known = set()
    for path in files(root, (".c", ".h", ".S")):
        text = re.sub(r"/\*.*?\*/", "", read(root, path), flags=re.S)
        known.update(re.findall(r"\b(\w+)\(", text))
    for path in files(root, (".c", ".h")):
        text = read(root, path)
        lines = text.splitlines()
        for n, line in enumerate(lines):
            near = lines[max(0, n - PAIR_LINES):n + 1]
            if ORDERED.search(line) and not PAIRED.search(without_stars(near)):
                yield f"{path}:{n + 1}: does not say what it pairs with"
        for comment in re.finditer(r"/\*.*?\*/", text, re.S):
            words = without_stars(comment.group().splitlines())
            if PAIRED.search(words):
                for name in re.findall(r"\b(\w+)\(\)", words):
                    if name not in known:
                        n = text.count("\n", 0, comment.start()) + 1
                        yield f"{path}:{n}: there is no {name}()"


ASSERTED = ("lane", "preload", "tools/sidecar")
ASSERTS = 20, 15  # in 1,000 lines: of all these folders, of each of them
ASSERTION = re.compile(r"^\s*lane_assert(?:_shared)?\((.*?)\);$", re.M | re.S)


def check_asserts(root):
    """Enough of them, each a statement of its own (not the body of an `if`,
    which it would be instead of the next one), and without an effect."""
    lines, found = {}, {}
    for folder in ASSERTED:
        for path in files(root, (".c", ".h"), (folder,)):
            text = read(root, path)
            lines[folder] = lines.get(folder, 0) + text.count("\n")
            for one in ASSERTION.finditer(text):
                found[folder] = found.get(folder, 0) + 1
                n = text.count("\n", 0, one.start(1)) + 1
                before = re.sub(r"/\*(?:(?!\*/).)*\*/$", "",
                                text[:one.start()].rstrip(), flags=re.S)
                if not before.rstrip().endswith((";", "{", "}", ":")):
                    yield f"{path}:{n}: an assertion as a body"
                if re.search(r"\+\+|--|[^=!<>]=[^=]", one.group(1)):
                    yield f"{path}:{n}: an assertion with an effect"
    for folder in lines:
        if found.get(folder, 0) * 1000 < lines[folder] * ASSERTS[1]:
            yield (f"{folder}: {found.get(folder, 0)} assertions in "
                   f"{lines[folder]} lines, at least {ASSERTS[1]} in 1,000")
    if sum(found.values()) * 1000 < sum(lines.values()) * ASSERTS[0]:
        yield (f"{sum(found.values())} assertions in {sum(lines.values())} "
               f"lines, at least {ASSERTS[0]} in 1,000")


CHECKS = {"rooms": rooms.check, "includes": check_includes, "size": check_size,
          "banned": check_banned, "paths": check_paths,
          "format": check_format, "pairs": check_pairs,
          "asserts": check_asserts}


def main():
    rule, root = sys.argv[1], os.path.abspath(sys.argv[2])
    faults = list(CHECKS[rule](root))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
