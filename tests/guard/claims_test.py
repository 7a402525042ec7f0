#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every claim of docs/threat-model.md names a test, and every test that it
names exists.

  claims_test.py HANDSPAN PRELOAD    (HANDSPAN as built: BUILD/bin/handspan)
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.dirname(os.path.dirname(os.path.realpath(sys.argv[1])))
CTEST = os.environ.get("CTEST") or shutil.which("ctest")


def claims(text):
    """Number and text of each, in the order of the page."""
    found = re.findall(r"^- \*\*C(\d+)\*\* (.*?)(?=^- |^#|^$|\Z)", text,
                       re.M | re.S)
    return [(int(number), words) for number, words in found]


def named(words):
    """(test of ctest, its functions or none) of a claim."""
    found = []
    for word in re.findall(r"`([^`]*)`", words.split("Test:", 1)[-1]):
        if word.startswith("test_"):
            found[-1][1].append(word)
        else:
            found.append((word, []))
    return found


def known_tests():
    said = subprocess.run([CTEST, "--test-dir", BUILD, "-N"], check=True,
                          capture_output=True, text=True).stdout
    return set(re.findall(r"Test +#\d+: (\S+)", said))


def functions(test):
    """Of a test of this folder."""
    path = os.path.join(HERE, test.split(".", 1)[-1] + "_test.py")
    if not test.startswith("guard.") or not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as f:
        return set(re.findall(r"^    def (test_\w+)\(", f.read(), re.M))


def faults(text, tests, functions_of):
    for number, words in claims(text):
        if "Test:" not in words or not named(words):
            yield f"C{number} names no test"
        for test, wanted in named(words):
            if test not in tests:
                yield f"C{number}: there is no test '{test}'"
            for function in wanted:
                if function not in functions_of(test):
                    yield f"C{number}: {test} has no {function}"


class Claims(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(HERE, "../../docs/threat-model.md"),
                  encoding="utf-8") as f:
            self.text = f.read()

    def test_every_claim_has_its_test(self):
        self.assertEqual([], list(faults(self.text, known_tests(),
                                         functions)))

    def test_claims_are_numbered(self):
        numbers = [n for n, _ in claims(self.text)]
        self.assertEqual(list(range(1, len(numbers) + 1)), numbers)
        self.assertEqual(len(numbers), self.text.count("- **C"))
        self.assertGreater(len(numbers), 15)

    def test_faults_are_found(self):
        page = ("- **C1** All is well.\n- **C2** So.\n  Test: `guard.x`,\n"
                "  `test_a`, `test_b`.\n- **C3** Test: `other.y`.\n")
        found = list(faults(page, {"guard.x"}, lambda _: {"test_a"}))
        self.assertEqual(["C1 names no test", "C2: guard.x has no test_b",
                          "C3: there is no test 'other.y'"], found)


if __name__ == "__main__":
    if CTEST is None or not os.path.exists(BUILD + "/CTestTestfile.cmake"):
        print("skipped: needs ctest and a build tree")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
