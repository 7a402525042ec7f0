#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each line of docs/manifest.md's table of what can be captured names tests,
and these are run; each kind that is tested stands in it.

usage: table_test.py SOURCE BUILD
"""
import os
import re
import sys

# Of what the manifest claims, not of what is captured.
APART = {"claims.c", "below.c", ".clang-format"}


def rows(text):
    table = text[text.index("| kind | parameter | result | test |"):]
    for line in table[:table.index("\n\n")].splitlines()[2:]:
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        yield cells[0], re.findall(r"`([^`]+)`", cells[-1])


def known(source, build):
    """The names a line may give: registered tests, and their files."""
    tests = set()
    for folder in ("values", "dwarf"):
        with open(f"{build}/tests/{folder}/CTestTestfile.cmake",
                  encoding="utf-8") as f:
            tests |= set(re.findall(r"^add_test\(\W*([\w.]+)", f.read(), re.M))
    names = set(tests)
    for folder in ("kinds", "."):
        for name in os.listdir(f"{source}/tests/values/{folder}"):
            stem = os.path.splitext(name)[0]
            runs = {f"values.{stem}", f"values.{stem}.ci",
                    "values.generated.ci" if stem == "generate" else ""}
            if runs & tests:
                names.add(name)
    return names


def main():
    source, build = sys.argv[1:3]
    with open(f"{source}/docs/manifest.md", encoding="utf-8") as f:
        table = list(rows(f.read()))
    names = known(source, build)
    faults = [f"no test is named: {kind}" for kind, tests in table if not tests]
    faults += [f"there is no test {t}: {kind}" for kind, tests in table
               for t in tests if t not in names]
    told = {t for _, tests in table for t in tests}
    kinds = set(os.listdir(f"{source}/tests/values/kinds")) - APART
    faults += [f"not in the table: {k}" for k in sorted(kinds - told)]
    print("\n".join(faults))
    print(f"{len(table)} lines, {len(told)} tests")
    return int(bool(faults) or len(table) < 20)


if __name__ == "__main__":
    sys.exit(main())
