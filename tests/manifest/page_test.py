#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference of the manifest is whole: every attribute of the parser has a
line of grammar and an example that the parser takes, the man page is good
roff with all of it, and clang takes a manifest with the editor's flags.

usage: page_test.py ROOT PAGE MANIFEST_DUMP
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
PAGE = sys.argv[2]
STATEMENTS = {"program", "object", "include", "defaults"}
# what an example needs around it
BEFORE = """[[object("x.so")]];
struct job { long id; char *tenant; int (*read)(int); };
struct queue; struct req; struct batch { int n; struct job **items; };
[[span]] typedef int read_fn(int);
"""
PROTOTYPE = ("int example(const char *path, struct job *job, char **out, "
             "const char *token, int (*fn)(int), void *data, struct job *ops, "
             "struct queue *q, struct req *req, struct batch *b)")


def attributes():
    source = (ROOT / "manifest/grammar/attributes.c").read_text(encoding="utf-8")
    return re.findall(r"\[ATTR_\w+\] = \{\"(\w+)\"", source)


def examples(text):
    """{attribute: example} of the table, and the names in the grammar."""
    found = {}
    part = text.split("## Attributes")[1].split("\n## ")[0]
    for row in part.splitlines():
        cells = [c.strip() for c in row.strip("|").split(" | ")]
        if row.startswith("| `") and len(cells) >= 3:
            for name in re.findall(r"`(\w+)", cells[0]):
                found.setdefault(name, cells[-1].strip().strip("|").strip()
                                 .strip("`"))
    return found


def main():
    text = (ROOT / "docs/manifest.md").read_text(encoding="utf-8")
    grammar = re.search(r"```ebnf\n(.*?)```", text, re.S).group(1)
    table = examples(text)
    wrong = []
    for name in attributes():
        if f'"{name}"' not in grammar:
            wrong.append(f"{name}: not in the grammar")
        if name not in STATEMENTS and not table.get(name):
            wrong.append(f"{name}: no example in the table of attributes")
    with tempfile.TemporaryDirectory(prefix="handspan-page-") as top:
        for name, example in table.items():
            whole = example if example.startswith("[[") else \
                f"[[span, {example}]] {PROTOTYPE};"
            path = pathlib.Path(top, "example.manifest")
            path.write_text(BEFORE + whole + "\n", encoding="utf-8")
            said = subprocess.run([sys.argv[3], path], capture_output=True,
                                  text=True, check=False)
            if "error:" in said.stdout + said.stderr:
                wrong.append(f"{name}: {said.stdout}{said.stderr}")
        wrong += editor(pathlib.Path(top))
    wrong += page(table)
    sys.exit("\n".join(wrong) or 0)


def page(table):
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-c", PAGE],
                          capture_output=True, text=True, check=True)
    if done.stderr:
        yield f"the page: {done.stderr}"
    shown = re.sub(r".\x08", "", done.stdout)
    for name in table:
        if not re.search(rf"\b{name}\b", shown):
            yield f"the page: no {name}"


def editor(top):
    """Shipped manifests, as clang sees them with the flags beside the
    header."""
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang is None:
        yield "clang is missing (see .ci/packages)"
        return
    folder = ROOT / "share/handspan/editor"
    flags = (folder / "compile_flags.txt").read_text().split()
    for manifest in sorted((ROOT / "share/handspan/manifests")
                           .glob("*.manifest")):
        copy = top / (manifest.name + ".c")
        shutil.copy(manifest, copy)
        done = subprocess.run([clang, *flags, f"-I{folder}", "-fsyntax-only",
                               str(copy)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            yield f"{manifest.name}: {done.stderr[:1500]}"


main()
