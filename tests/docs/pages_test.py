#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of a page is run as it stands, in one folder a chapter ("## "),
and prints what the page says: "..." (one character) within a line is any text,
as a line of its own any lines. Blanks are as one.

usage: pages_test.py HANDSPAN PAGE
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN, PAGE = (os.path.realpath(a) for a in sys.argv[1:])
ANY = "\u2026"


def blocks(text):
    """(chapter, kind, lines) of what is fenced."""
    chapter = ""
    for title, kind, body in re.findall(
            r"^## (.*)$|^```(.*)\n((?:.*\n)*?)```$", text, re.M):
        chapter = title or chapter
        if not title:
            yield chapter, kind, body.splitlines()


def commands(lines):
    """(command, what it prints)."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def plain(line):
    return " ".join(line.split())


def is_like(want, got):
    """Backtracking over lines; want's own texts may be cut by a screen."""
    if not want:
        return not got
    if want[0] == ANY:
        return any(is_like(want[1:], got[i:]) for i in range(len(got) + 1))
    if not got:
        return False
    pattern = re.escape(plain(want[0])).replace(re.escape(ANY), ".*")
    return re.fullmatch(pattern, plain(got[0])) is not None and \
        is_like(want[1:], got[1:])


def main():
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    top = os.path.realpath(tempfile.mkdtemp(prefix="pages-"))
    env = {k: v for k, v in os.environ.items() if not k.startswith("HANDSPAN")}
    env.update(HANDSPAN_DIR=top + "/lanes", HANDSPAN_STORE=top + "/store.db",
               HANDSPAN_CONFIG="/dev/null", HOME=top, COLUMNS="100",
               LC_ALL="C.UTF-8",
               PATH=os.path.dirname(HANDSPAN) + ":" + os.environ["PATH"])
    os.mkdir(top + "/lanes", 0o700)
    ran = failed = 0
    try:
        for chapter, kind, lines in blocks(text):
            place = os.path.join(top, re.sub(r"\W+", "-", chapter) or "first")
            os.makedirs(place, exist_ok=True)
            if kind.startswith("file "):
                with open(os.path.join(place, kind[5:]), "w",
                          encoding="utf-8") as f:
                    f.write("\n".join(lines) + "\n")
            if not kind.startswith("console"):
                continue
            for command, want in commands(lines):
                done = subprocess.run(
                    ["bash", "-c", command], cwd=place, env=env, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, timeout=300)
                ran += 1
                if not is_like(want, done.stdout.splitlines()):
                    failed += 1
                    print(f"$ {command}\n--- said:\n{done.stdout}--- the page:",
                          *want, sep="\n")
    finally:
        alive.remove(top)
    print(f"{ran} commands, {failed} not as the page says")
    sys.exit(failed > 0 or ran == 0)


if __name__ == "__main__":
    main()
