#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function that a header declares has its contract there: a comment above
it, or above what stands right before it, without a blank line in between: the
type that it is about, the functions that are told together. Of all functions
that are not static, DECLARED of 100 are declared in a header at all.

usage: contracts.py ROOT
"""
import os
import re
import sys

CODE = ("manifest", "bind", "shim", "preload", "lane", "tools")
DECLARED = 80
DEFINED = re.compile(r"^(?!static\b)[A-Za-z_][^\n;{}=#]*?\b(\w+)\([^;{}]*?\)\n\{",
                     re.M)
# What follows one another in a header: a comment, a body in braces, a blank
# line, a declaration.
PIECE = re.compile(r"(?P<comment>/\*.*?\*/)|(?P<body>^[^\n]*\{.*?^\}[^\n]*)|"
                   r"(?P<blank>\n[ \t]*\n)|"
                   r"(?P<declaration>^[A-Za-z_][^;{}#/]*?\([^;{}]*?\)[^;{}]*;)",
                   re.S | re.M)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)", re.S)


def sources(root, suffix):
    for top in CODE:
        for here, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith(suffix):
                    with open(os.path.join(here, name), encoding="utf-8") as f:
                        yield os.path.relpath(os.path.join(here, name),
                                              root), f.read()


def declarations(text):
    """(name, has a contract) of each function that a header declares."""
    is_said = False
    for piece in PIECE.finditer(text):
        if piece.lastgroup == "declaration":
            words = ATTRIBUTE.sub("", piece.group())
            name = re.search(r"(\w+)\s*\(", words)
            if name and not words.startswith(("typedef", "static", "_Static")):
                yield name.group(1), is_said
        elif piece.lastgroup == "comment":
            is_said = True
        elif piece.lastgroup == "blank":
            is_said = False


def check(root):
    defined = {}
    for path, text in sources(root, ".c"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for name in DEFINED.findall(text):
            defined.setdefault(name, path)
    known = set()
    for path, text in sources(root, ".h"):
        for name, is_said in declarations(text):
            if name in defined:
                known.add(name)
                if not is_said:
                    yield f"{path}: {name}() has no contract"
    part = 100 * len(known) / max(1, len(defined))
    print(f"{len(known)} of {len(defined)} functions are declared in a header "
          f"({part:.0f} %)", file=sys.stderr)
    if part < DECLARED:
        yield f"{part:.0f} % of the functions are declared in a header"


def main():
    faults = list(check(os.path.abspath(sys.argv[1])))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
