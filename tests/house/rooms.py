#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rooms of the house: which folder may use which, from the table in
docs/house.md, held against what the code includes and calls.

usage: rooms.py draw|arrows|lines ROOT
draw prints the picture of the table, arrows what the code has, lines counts.
"""
import os
import re
import sys

CODE = ("manifest", "bind", "shim", "preload", "lane", "tools")
MOST_FILES = 25   # of a folder's own
MOST_KNOT = 4     # files of one room that know each other in a circle
# Folders of the CPU belong to the one that they stand in.
CPU = "x86_64"
# What stands in the place of libc has libc's names: its contract, not ours.
LIBC = ("preload/own", "preload/demangle")
PAGE = "docs/house.md"
OPEN = "tests/house/open.txt"
ROW = re.compile(r"^\| `([\w/]+)` \| (.*?) \| (.*?) \|$", re.M)
BEGIN, END = "```mermaid\n", "```\n"


def room_of(path):
    folder = os.path.dirname(path)
    if os.path.basename(folder) == CPU:
        folder = os.path.dirname(folder)
    return folder


def sources(root):
    for top in CODE:
        for here, dirs, names in os.walk(os.path.join(root, top)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h", ".S")):
                    yield os.path.relpath(os.path.join(here, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def bare(text):
    """Without comments and literals."""
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', " ",
                  text, flags=re.S)


DEFINED = re.compile(r"^(?!static\b)[A-Za-z_][^\n;{}=#]*?\b(\w+)\([^;{}]*?\)\n\{",
                     re.M)
STATIC = re.compile(r"^static\b[^\n;{}=#]*?\b(\w+)\(", re.M)
CALLED = re.compile(r"(?<![\w.>])(\w+)\s*\(")
INCLUDED = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def open_points(root, kind):
    """What is over a limit still, and by how much: it may only shrink."""
    try:
        lines = read(root, OPEN).splitlines()
    except FileNotFoundError:
        return {}
    words = [line.split() for line in lines if not line.startswith("#")]
    return {w[1]: int(w[2]) for w in words if w and w[0] == kind}


def arrows(root):
    """(file, file of ours that it uses) -> how: an include, or a call."""
    texts = {path: read(root, path) for path in sources(root)}
    defined, found = {}, {}
    for path, text in texts.items():
        if path.endswith(".c") and not path.startswith(LIBC):
            for m in DEFINED.finditer(bare(text)):
                defined.setdefault(m.group(1), set()).add(path)
    for path, text in texts.items():
        for m in INCLUDED.finditer(text):
            if m.group(1) in texts:
                found.setdefault((path, m.group(1)), f'"{m.group(1)}"')
        if not path.endswith(".c"):
            continue # a header tells of functions, it calls few
        text = bare(text)
        own = set(STATIC.findall(text)) | set(DEFINED.findall(text))
        for name in set(CALLED.findall(text)) - own:
            if len(defined.get(name, ())) == 1:
                other = next(iter(defined[name]))
                found.setdefault((path, other), f"{name}()")
    return found


def between_rooms(root):
    found = {}
    for (path, other), how in sorted(arrows(root).items()):
        if room_of(path) != room_of(other):
            found.setdefault((room_of(path), room_of(other)),
                             []).append(f"{path} has {how}")
    return found


def circles(graph):
    """Strongly connected parts of more than one node (Tarjan)."""
    order, low, stack, parts = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            part, stack[at:] = stack[at:], []
            if len(part) > 1:
                parts.append(sorted(part))

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in order:
            visit(node)
    return parts


def table(root):
    """Room -> (what it is, rooms that it may use)."""
    rows = {}
    for name, what, uses in ROW.findall(read(root, PAGE)):
        rows[name] = what, re.findall(r"`([\w/]+)`", uses)
    return rows


def reduced(rows):
    """Arrows that are not told by a longer way."""
    uses = {name: set(row[1]) for name, row in rows.items()}
    far = {}

    def reach(name):
        if name not in far:
            far[name] = set()
            for other in uses.get(name, ()):
                far[name] |= {other} | reach(other)
        return far[name]

    for name in sorted(uses):
        for other in sorted(uses[name]):
            if not any(other in reach(third)
                       for third in uses[name] - {other}):
                yield name, other


def draw(rows):
    """The picture: rooms of one folder stand together; arrows that a longer
    way tells as well are left out."""
    tops = {}
    for name in sorted(rows):
        parts = name.split("/")
        top = "/".join(parts[:2]) if parts[0] == "tools" or \
            name.startswith("preload/call") else parts[0]
        tops.setdefault(top, []).append(name)
    text = "flowchart TD\n"
    for top, names in tops.items():
        if len(names) > 1:
            text += f"  subgraph of_{top.replace('/', '_')}[\"{top}/\"]\n"
        for name in names:
            text += f"    {name.replace('/', '_')}[\"{name}\"]\n"
        if len(names) > 1:
            text += "  end\n"
    for name, other in reduced(rows):
        text += f"  {name.replace('/', '_')} --> {other.replace('/', '_')}\n"
    return text


def knots(root):
    """Room -> its largest circle of files that call each other."""
    graph = {}
    for path, other in arrows(root):
        if room_of(path) == room_of(other) and other.endswith(".c"):
            graph.setdefault(path, set()).add(other)
    largest = {}
    for part in circles(graph):
        room = room_of(part[0])
        if len(part) > len(largest.get(room, ())):
            largest[room] = part
    return largest


def check(root):
    rows = table(root)
    files, folders = {}, {}
    for path in sources(root):
        files.setdefault(room_of(path), []).append(path)
        folders.setdefault(os.path.dirname(path), []).append(path)
    for name, own in sorted(folders.items()):
        if len(own) > MOST_FILES:
            yield f"{name}: {len(own)} files of its own, at most {MOST_FILES}"
    for name in sorted(set(files) ^ set(rows)):
        yield f"{name}: " + ("no such folder" if name in rows else
                             f"a folder that {PAGE} has not")
    found = between_rooms(root)
    for (name, other), how in sorted(found.items()):
        if other not in rows.get(name, ("", []))[1]:
            yield f"{how[0]}: {name} may not use {other} ({PAGE})"
    for name, (_, uses) in sorted(rows.items()):
        for other in uses:
            if (name, other) not in found:
                yield f"{PAGE}: {name} does not use {other}"
    for part in circles({name: row[1] for name, row in rows.items()}):
        yield f"{PAGE}: rooms in a circle: {', '.join(part)}"
    still = open_points(root, "knot")
    for name, part in sorted(knots(root).items()):
        if len(part) > max(MOST_KNOT, still.get(name, 0)):
            yield (f"{name}: {len(part)} files know each other in a circle: "
                   f"{', '.join(part)}")
    page = read(root, PAGE)
    if f"{BEGIN}{draw(rows)}{END}" not in page:
        yield f"{PAGE}: its picture is not that of its table (rooms.py draw)"


def count(root):
    lines = {}
    for path in sources(root):
        lines.setdefault(room_of(path), [0, 0])
        lines[room_of(path)][0] += 1
        lines[room_of(path)][1] += read(root, path).count("\n")
    for name, (number, total) in sorted(lines.items()):
        print(f"{total:6} lines {number:3} files  {name}")
    print(f"{sum(t for _, t in lines.values()):6} lines")


def main():
    what, root = sys.argv[1], os.path.abspath(sys.argv[2])
    if what == "draw":
        print(draw(table(root)), end="")
    elif what == "lines":
        count(root)
    else:
        for (name, other), how in sorted(between_rooms(root).items()):
            print(f"{name} -> {other}: {how[0]}"
                  + (f" and {len(how) - 1} more" if how[1:] else ""))


if __name__ == "__main__":
    main()
