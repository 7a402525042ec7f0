#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents and the code name the same things: keys of --json, variables,
settings, commands with their options, pages.

usage: claims_test.py SOURCE HANDSPAN
"""
import glob
import os
import re
import subprocess
import sys
import unittest

SOURCE, HANDSPAN = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
# For our own tests, and between processes of ours.
NOT_FOR_PEOPLE = {"HANDSPAN_TEST_CPU", "HANDSPAN_TEST_SHIM", "HANDSPAN_TEST_ERRORS",
                  "HANDSPAN_TEST_DECODER", "HANDSPAN_EXEC", "HANDSPAN_NAME"}
# Formats of others.
NOT_OURS = ("export_chrome.c", "export_speedscope.c")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as f:
        return f.read()


def sources(*folders):
    for folder in folders:
        for path in glob.glob(f"{SOURCE}/{folder}/**/*.[ch]", recursive=True):
            yield os.path.basename(path), read(path)


def words(text):
    return set(re.findall(r"\w+", text))


def said(*args):
    return subprocess.run([HANDSPAN, *args], stdout=subprocess.PIPE, text=True,
                          check=True, stdin=subprocess.DEVNULL).stdout


class Claims(unittest.TestCase):
    def test_each_key_of_json_is_explained(self):
        keys = set()
        for name, text in sources("tools/cli", "tools/serve"):
            if name not in NOT_OURS:
                keys |= set(re.findall(r'json_\w+\(\s*\w+,\s*"(\w+)"', text))
                keys |= set(re.findall(r'\\"(\w+_\w+)\\":', text))
        self.assertGreater(len(keys), 120)
        page = read("docs", "json.md") + read("docs", "page.md")
        quoted = set(re.findall(r"`(\w+)`", page))
        self.assertEqual(keys - quoted, set(), "in the code, not in docs/json.md")

    def test_each_variable_is_explained(self):
        read_here = set()
        for _, text in sources("preload", "tools", "lane", "bind"):
            read_here |= set(re.findall(r'"(HANDSPAN_[A-Z_]+)=?"', text))
        read_here -= NOT_FOR_PEOPLE
        self.assertGreater(len(read_here), 20)
        pages = words("".join(read(p) for p in glob.glob(f"{SOURCE}/docs/*.md") +
                              [f"{SOURCE}/docs/handspan.conf"]))
        manual = words(read("docs", "handspan.1").replace("\\-", "-"))
        self.assertEqual(read_here - pages, set(), "no page of docs/ names it")
        self.assertEqual(read_here - manual, set(), "the man page lacks it")
        named = {w for w in manual if w.startswith("HANDSPAN_")}
        self.assertEqual({w for w in named if not w.endswith("_")} - read_here, set(), "the man page has what is not read")

    def test_each_command_is_in_the_man_page(self):
        manual = read("docs", "handspan.1").replace("\\-", "-").replace("\\fR", "")
        commands = re.findall(r"^  handspan ([a-z]+)", said("help"), re.M)
        self.assertGreater(len(commands), 20)
        for command in set(commands) - {"types", "version"}:
            self.assertRegex(manual, rf"(?m)^\\fBhandspan .*\b{command}\b",
                             "not in SYNOPSIS")

    def test_each_link_leads_somewhere(self):
        pages = glob.glob(f"{SOURCE}/docs/*.md") + glob.glob(f"{SOURCE}/examples/*.md")
        for page in pages + [f"{SOURCE}/README.md"]:
            text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", read(page))
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                where = os.path.join(os.path.dirname(page), target)
                self.assertTrue(os.path.exists(where), f"{page}: {target}")

    def test_each_page_is_reached_from_the_first(self):
        first = read("docs", "README.md")
        for page in glob.glob(f"{SOURCE}/docs/*.md"):
            name = os.path.basename(page)
            if name != "README.md":
                self.assertIn(f"({name})", first, "docs/README.md does not lead there")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
