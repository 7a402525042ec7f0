#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Texts as the store shows them, out of a program that unmaps, blocks, catches
and filters: it behaves as untraced, and each value is right or unreadable.

  product_test.py PRELOAD HANDSPAN PROGRAM MODE
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

SHM = os.environ.get("TEST_MEMORY")
TEXTS = ["text in rodata", "text in data", "text on the stack",
         "text on the heap", None]
# under a filter nothing is read by a syscall
FILTERED = TEXTS[:3] + [None, None]


def show_text(span):
    value = (span.get("input") or {}).get("text")
    return value if isinstance(value, str) and value in TEXTS else None


def run(program, mode, env):
    done = subprocess.run([program, mode], env=env, timeout=300, check=False,
                          capture_output=True)
    return done.returncode, done.stdout, done.stderr


def spans_of(handspan, env, top):
    plain = {k: v for k, v in env.items() if k != "LD_PRELOAD"}
    subprocess.run([handspan, "sidecar"], env=plain, timeout=300, check=True,
                   capture_output=True)
    text = subprocess.run(
        [handspan, "spans", "--json", "--store", top + "/store.db", "latest"],
        env=plain, capture_output=True, text=True, check=True).stdout
    spans = [json.loads(line) for line in text.splitlines()]
    return [s for s in spans if s.get("name") == "take"]


def main():
    preload, handspan, program = (os.path.abspath(a) for a in sys.argv[1:4])
    mode = sys.argv[4]
    top = tempfile.mkdtemp(prefix="handspan-reads-", dir=SHM)
    try:
        with open(top + "/m.manifest", "w", encoding="utf-8") as f:
            f.write("[[object(main)]];\n[[span, input(text, n)]] "
                    "long take(const char *text, long n);\n")
        bare = {k: v for k, v in os.environ.items()
                if not k.startswith("HANDSPAN_") and
                k not in ("LD_PRELOAD", "TRACEPARENT")}
        env = dict(bare, LD_PRELOAD=preload, HANDSPAN_DIR=top + "/dir",
                   HANDSPAN_STORE=top + "/store.db", HANDSPAN_SIDECAR="off",
                   HANDSPAN_MANIFEST=top + "/m.manifest")
        want, got = run(program, mode, bare), run(program, mode, env)
        if want != got:
            print("untraced", want, "traced", got, sep="\n")
            return 1
        spans = spans_of(handspan, env, top)
        last = [show_text(s) for s in spans][-15:]
        filtered = mode in ("filter", "exec")
        expected = (FILTERED if filtered else TEXTS) * 3
        print(len(spans), "spans, the last:", *last, sep="\n  ")
        if last != expected:
            print("expected:", *expected, sep="\n  ")
            return 1
        return 0
    finally:
        alive.remove(top)


if __name__ == "__main__":
    sys.exit(main())
