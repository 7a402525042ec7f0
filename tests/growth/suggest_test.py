#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`suggest` of a program of eight times the functions executes some eight times
the instructions. Half of the functions have no unwind information, each jumps
out of itself, a third is so small that a cold part is looked for.

  suggest_test.py HANDSPAN
"""
import os
import re
import sys

from base import Place, judge

COUNTS = (500, 4000)
MOST = 11  # times; a square would be 64


def name(i):
    return f"load_{'abcdefgh'[i % 8]}{i}_part"


def source(count):
    out = [".text", ".globl main", ".type main,@function",
           "main: .cfi_startproc", "xor %eax,%eax", "ret", ".cfi_endproc",
           ".size main,.-main"]
    for i in range(count):
        out += [f".globl {name(i)}" if i % 3 else "",
                f".type {name(i)},@function", f"{name(i)}:"]
        out += [".cfi_startproc"] if i % 2 else []
        out += ["push %rbx", "mov %edi,%ebx"]
        out += ["imul $77777,%ebx,%ebx"] * 6 if i % 3 else []
        out += ["test %ebx,%ebx", "pop %rbx", f"jne {name((i + 1) % count)}",
                "ret"]
        out += [".cfi_endproc"] if i % 2 else []
        out += [f".size {name(i)},.-{name(i)}"]
    return "\n".join(out + ['.section .note.GNU-stack,"",@progbits', ""])


def main():
    handspan = os.path.abspath(sys.argv[1])
    with Place() as p:
        figures = []
        for count in 12, *COUNTS:
            program = p.program(f"{count}.s", source(count))
            figure, draft = p.collected(handspan, "suggest", program,
                                        preload=p.open_)
            if not re.search(r"^\[\[span\]\] load_.*_part;", draft, re.M):
                sys.exit(f"no draft: {draft}")
            figures.append(figure)
    judge("suggest", COUNTS, figures, MOST)


main()
