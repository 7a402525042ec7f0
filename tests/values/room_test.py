#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where values found no room, the screens name the one that took it.

usage: room_test.py HANDSPAN
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import CC, Place, expect_in  # noqa: E402

PROGRAM = """
#include <string.h>
#define N __attribute__((noinline))
volatile long sink;
N int big(const char *text, const char *name) { return sink = text[0] + name[0]; }
N int small(const char *s) { return sink = s[0]; }
static char text[30001];
int main(void)
{
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 10000; i++)
        big(text, "name"), small("little");
}
"""
MANIFEST = """[[span, input(text, name)]] int big(const char *text, const char *name);
[[span, input(s)]] int small(const char *s);
"""


def main():
    with Place() as p:
        p.write("p.c", PROGRAM)
        p.write("m", MANIFEST)
        p.sh(f"{CC} -O1 -o p p.c")
        p.env.update(HANDSPAN_BUDGET_MB="8", HANDSPAN_SPOOL_SIZE="0",
                     HANDSPAN_WAIT_MS="0")
        p.handspan("run", "-m", "m", "./p", status=0)
        out = " ".join(p.handspan("show").stdout.split())
        expect_in("There was no room for", out, "show")
        expect_in("'text' of big has ", out, "show")
        expect_in(" MB of text that ", out, "show")
        expect_in(": cap(BYTES) keeps less of it.", out, "show")
        p.write("m", MANIFEST.replace("input(text,", "cap(100), input(text,"))
        p.env.update(HANDSPAN_STORE=f"{p.at}/other.db")
        p.handspan("run", "-m", "m", "./p", status=0)
        calls = [json.loads(line) for line in
                 p.handspan("spans", "--json").stdout.splitlines()]
        big = [c for c in calls if c.get("name") == "big"]
        assert big and all(len(c["input"]["text"]) < 100 for c in big
                           if c.get("input"))
        assert "MB of text" not in p.handspan("show").stdout
    return 0


if __name__ == "__main__":
    sys.exit(main())
