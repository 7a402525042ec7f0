#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page handspan-manifest.5 from manifest.md, so that there is one text.
Knows the Markdown that is used there: headings, paragraphs, tables, code,
bullets, **bold**, `code`, links.

usage: manifest_man.py MANIFEST_MD OUT
"""
import re
import sys

LEFT_OUT = ("For who changes the parser",)
TITLE = """.\\" Made from docs/manifest.md by docs/manifest_man.py: change that.
.\\" SPDX-License-Identifier: Apache-2.0
.TH HANDSPAN-MANIFEST 5 "" "handspan" "File formats"
.SH NAME
handspan\\-manifest \\- which functions handspan traces, and what it keeps
.SH DESCRIPTION
"""


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + text if text.startswith((".", "\\(aq")) else text


def inline(text):
    """One line of prose; what stands in `` is bold and left as it is."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    out = []
    for i, part in enumerate(re.split(r"`([^`]*)`", text)):
        if i % 2:
            out.append(f"\\fB{escape(part)}\\fR")
        else:
            out.append(re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fR", escape(part)))
    text = "".join(out).strip()
    return "\\&" + text if text.startswith((".", "'")) else text


def cells(line):
    """Of a row of a table; a | within `` does not divide."""
    parts = re.split(r"`([^`]*)`", line.strip().strip("|"))
    found = [""]
    for i, part in enumerate(parts):
        if i % 2:
            found[-1] += f"`{part}`"
            continue
        first, *more = part.split("|")
        found[-1] += first
        found += more
    return [c.strip() for c in found]


def table(rows):
    head = cells(rows[0])
    for row in rows[2:]:
        first, second, *more = cells(row)
        yield ".TP"
        yield inline(first)
        yield inline(second)
        for title, text in zip(head[2:], more):
            if text:
                yield ".br"
                yield f"{inline(title).capitalize()}: {inline(text)}"
    yield ".PP"


def blocks(lines):
    """(kind, lines) of what belongs together."""
    at = 0
    while at < len(lines):
        line, end = lines[at], at + 1
        if line.startswith("```"):
            while end < len(lines) and not lines[end].startswith("```"):
                end += 1
            yield "code", lines[at + 1:end]
            at = end + 1
            continue
        kind = ("heading" if line.startswith("#") else
                "table" if line.startswith("|") else
                "bullet" if line.startswith("- ") else
                "empty" if not line.strip() else "text")
        while kind in ("table", "text", "bullet") and end < len(lines) and \
                lines[end].strip() and not lines[end].startswith(
                    ("```", "#", "- ") + (() if kind == "table" else ("|",))):
            end += 1
        yield kind, lines[at:end]
        at = end


def convert(lines):
    left_out = False
    for kind, part in blocks(lines):
        if kind == "heading":
            title = part[0].lstrip("# ").strip()
            left_out = title in LEFT_OUT
            if part[0].startswith("## ") and not left_out:
                yield f".SH {escape(title.upper())}"
        elif left_out or kind == "empty":
            continue
        elif kind == "code":
            yield from (".PP", ".RS 4", ".nf", *map(escape, part), ".fi",
                        ".RE")
        elif kind == "table":
            yield from table(part)
        else:
            yield ".PP" if kind == "text" else ".IP \\(bu 2"
            text = " ".join(x.strip() for x in part)
            yield inline(text[2:] if kind == "bullet" else text)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        lines = f.read().splitlines()[1:]
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(TITLE + "\n".join(convert(lines)) + """
.SH SEE ALSO
.BR handspan (1)
""")


main()
