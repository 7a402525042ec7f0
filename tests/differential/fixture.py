# SPDX-License-Identifier: Apache-2.0
"""The files that the command lines work on: made here, the same each time."""
import os
import random
import shutil
import sqlite3
import zlib

TIME = 1_700_000_000

PROGRAM = """#include <stdio.h>
struct pair { int key; const char *name; };
static int twice(int n) { return 2 * n; }
int main(int argc, char **argv)
{
    struct pair p = {twice(argc), argv[0]};
    for (int i = 0; i < 3; i++)
        printf("%d %d\\n", i, twice(p.key));
    return 3;
}
"""
XML = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>
%s</feed>
"""
MAKE = "all: a.out\na.out: one two\n\tcat one two > a.out\n" \
       "one:\n\techo 1 > one\ntwo:\n\techo 2 > two; test -f two\n" \
       "bad:\n\tfalse\n"


def _png(width, height):
    """A gradient, uncompressed but for zlib."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + \
            zlib.crc32(kind + data).to_bytes(4, "big")
    rows = b"".join(b"\0" + bytes((x * 3 + y * 2) % 256 for x in range(width))
                    for y in range(height))
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + \
        bytes((8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + \
        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _wav(seconds):
    n = 8000 * seconds
    data = bytes((i * i // 50) % 256 for i in range(n))
    return b"RIFF" + (36 + n).to_bytes(4, "little") + b"WAVEfmt " + \
        bytes((16, 0, 0, 0, 1, 0, 1, 0)) + (8000).to_bytes(4, "little") * 2 + \
        bytes((1, 0, 8, 0)) + b"data" + n.to_bytes(4, "little") + data


def make(folder):
    """In an empty folder; time stamps and modes are set as well."""
    rng = random.Random(13)
    words = ["alpha", "Beta", "gamma", "delta", "Epsilon", "zeta", "Eta",
             "naïve", "straße", "10", "9", "-3.5", "a b", ""]
    rows = [(i, rng.choice(words), rng.randint(0, 9999)) for i in range(800)]
    text = {
        "words.txt": "".join(f"{w} {n}\n" for _, w, n in rows),
        "numbers.txt": "".join(f"{n}\n" for _, _, n in rows),
        "other.txt": "".join(f"{w} {n + (i % 7 == 0)}\n" for i, w, n in rows),
        "table.csv": "id,name,n\n" + "".join(f'{i},"{w}",{n}\n'
                                             for i, w, n in rows),
        "data.json": "[" + ",".join(
            '{"id":%d,"name":"%s","tags":["x",%d],"n":%d}' % (i, w, n % 5, n)
            for i, w, n in rows) + "]\n",
        "bad.json": '{"a": [1, 2,, 3]}\n',
        "feed.xml": XML % "".join(
            f'<entry id="e{i}"><n>{n}</n><w>{w}</w></entry>\n'
            for i, w, n in rows[:200]),
        "bad.xml": "<a><b></a>\n",
        "prog.c": PROGRAM, "Makefile": MAKE,
        "awk.awk": '{ s[$1] += $2 } END { for (k in s) print k, s[k] }\n',
        "page.1": ".TH PAGE 1\n.SH NAME\npage \\- \\fBtext\\fR\n.TP\n.B x\ny\n",
    }
    for name, said in text.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(said)
    for name, data in (("image.png", _png(96, 64)), ("sound.wav", _wav(2)),
                       ("random.bin", rng.randbytes(100_000))):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    os.makedirs(os.path.join(folder, "tree", "sub", "deep"))
    for i in range(12):
        where = ("tree", "tree/sub", "tree/sub/deep")[i % 3]
        with open(os.path.join(folder, where, f"file{i}"), "w") as f:
            f.write("line\n" * i)
    os.symlink("../numbers.txt", os.path.join(folder, "tree", "link"))
    db = sqlite3.connect(os.path.join(folder, "shop.db"))
    db.execute("create table item(id integer primary key, name text, n int)")
    db.executemany("insert into item values(?,?,?)", rows)
    db.commit()
    db.close()
    for here, folders, files in os.walk(folder):
        for name in files + folders:
            path = os.path.join(here, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if name in folders else 0o644)
            os.utime(path, (TIME, TIME), follow_symlinks=False)


def copy(source, target):
    """The fixture anew at the same place."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
