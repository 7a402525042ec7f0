#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every message of the parser stands in docs/manifest-messages.md with its
cure: the longest piece of each message in the source must be found there.

usage: messages.py SOURCE_ROOT
"""
import glob
import re
import sys

CALL = re.compile(r"\b(parser_error|parser_warn|parser_report|bad)\s*\(")
TEXT = r'"((?:[^"\\\n]|\\.)*)"'


def arguments(source, start):
    """The text up to the bracket that closes the one before `start`."""
    depth = 1
    for m in re.compile(rf"{TEXT}|[()]").finditer(source, start):
        depth += {"(": 1, ")": -1}.get(m.group(), 0)
        if depth == 0:
            return source[start:m.start()]
    return ""


def messages(root):
    for path in sorted(glob.glob(f"{root}/manifest/**/*.c",
                                 recursive=True)):
        with open(path, encoding="utf-8") as f:
            source = f.read()
        for call in CALL.finditer(source):
            pieces = ["".join(re.findall(TEXT, m.group())) for m in
                      re.finditer(rf"(?:{TEXT}\s*)+",
                                  arguments(source, call.end()))]
            if pieces:
                longest = max(pieces, key=len).replace('\\"', '"')
                yield path, longest.strip(" ';,")


def main():
    root = sys.argv[1]
    with open(f"{root}/docs/manifest-messages.md", encoding="utf-8") as f:
        known = f.read()
    found = list(messages(root))
    missing = [(p, m) for p, m in found if len(m) > 4 and m not in known]
    for path, message in missing:
        print(f"{path}: not in docs/manifest-messages.md: {message}")
    if len(found) < 60:
        print(f"only {len(found)} messages found: this test looks wrongly")
    return bool(missing) or len(found) < 60


sys.exit(main())
