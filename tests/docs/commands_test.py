#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command in every document is run by a test or is an example, and says
which: a block with commands is one of a page that pages_test.py runs whole, or
a comment stands above it, `<!-- run by: TEST -->` or `<!-- example: REASON -->`.
Each `handspan COMMAND --option` in any text is one that there is.

usage: commands_test.py SOURCE HANDSPAN
"""
import functools
import glob
import os
import re
import subprocess
import sys
import unittest

SOURCE, HANDSPAN = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
BUILD = os.path.dirname(os.path.dirname(HANDSPAN))
# What a line of a shell begins with here.
FIRST = re.compile(
    r"\s*(\$ |sudo |handspan |apt(-get)? |psql |createdb |ctest |cmake |curl |jq |"
    r"sqlite3 |man |eval |[A-Z_]+=\S* *\S|(examples|bench|share|tests|build/bin)/\S+( |$)|"
    r"\.ci/\w+|strace |gdb |perf |docker |kubectl |java |nohup |\./\S+ )")
MARK = re.compile(r"<!-- (run by|example): ([^>]+?) -->\n\n?$")
BLOCK = re.compile(r"(?m)^```(.*)\n((?:.*\n)*?)```$|(?<=\n\n)((?:    .*\n)+)")


def pages():
    found = glob.glob(f"{SOURCE}/*.md") + glob.glob(f"{SOURCE}/docs/*.md") + \
        glob.glob(f"{SOURCE}/*/README.md")
    return {p for p in found if not p.endswith("CHANGELOG.md")}


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@functools.cache
def tests():
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "-N"], text=True,
                            check=True, stdout=subprocess.PIPE).stdout
    return set(re.findall(r"Test +#\d+: (\S+)", listed))


@functools.cache
def help_of(command):
    done = subprocess.run([HANDSPAN, "help", command], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else None


def blocks(path):
    """(line, what it is run by or why it is an example, its text)."""
    text = text_of(path)
    name = os.path.basename(path)[:-len(".md")]
    for m in BLOCK.finditer(text):
        kind, body = m[1] or "", m[2] or m[3]
        if kind.startswith(("file ", "sql", "yaml")) or not any(
                FIRST.match(line) for line in body.splitlines()):
            continue
        mark = MARK.search(text[:m.start()])
        if kind.startswith("console"):
            said = ("run by", "docs.pages." + name)
        else:
            said = (mark[1], mark[2]) if mark else None
        yield text[:m.start()].count("\n") + 1, said, body


def spoken(text):
    """Commands of handspan in a text: ("list", "--where status=error")."""
    for m in re.finditer(r"(?:^|[`|$(;]|&& |\s)handspan ([a-z]+)((?:[ \t]+[^`|\n;&#]+)?)",
                         text, re.M):
        yield m[1], m[2]


class Commands(unittest.TestCase):
    def test_each_block_is_run_or_an_example(self):
        count = {"run by": 0, "example": 0}
        for page in sorted(pages()):
            for line, said, body in blocks(page):
                where = f"{os.path.relpath(page, SOURCE)}:{line}"
                self.assertIsNotNone(said, f"{where}: neither run nor marked:\n{body[:300]}")
                kind, what = said
                count[kind] += 1
                if kind == "run by":
                    self.assertTrue(set(what.split(", ")) <= tests(), f"{where}: {what}")
                else:
                    self.assertGreater(len(what.split()), 3, f"{where}: no reason")
        print(count)
        self.assertGreater(count["run by"], count["example"])

    def test_each_option_is_there(self):
        """In blocks that are marked, and in the midst of sentences."""
        seen = 0
        listed = help_of("run") and subprocess.run(
            [HANDSPAN, "help"], text=True, check=True, stdout=subprocess.PIPE).stdout
        commands = set(re.findall(r"^  handspan ([a-z]+)", listed, re.M)) | \
            {"on", "help", "types", "version"}
        for page in sorted(pages()):
            text = text_of(page)
            quoted = "\n".join(re.findall(r"`(handspan [^`]+)`", text)) + "\n" + \
                "\n".join(body for _, _, body in blocks(page))
            for command, rest in spoken(quoted):
                if command not in commands:
                    continue
                own = re.split(r" -- ", rest)[0] if command in ("run", "check") else rest
                own = re.sub(r"'[^']*'|\"[^\"]*\"", "", own)
                usage = help_of(command)
                for option in re.findall(r"(?<=\s)(--[a-z][\w-]*|-[a-zA-Z])(?=[\s=]|$)", own):
                    seen += 1
                    self.assertRegex(usage, rf"(?m)(^|[\s,]){option}\b",
                                     f"{page}: handspan {command} {option}")
        self.assertGreater(seen, 60)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
