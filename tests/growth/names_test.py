#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`check` of a manifest of four times the readable C++ names, in a program of
four times the functions, executes some four times the instructions: the names
are looked up, not searched for one by one.

  names_test.py HANDSPAN
"""
import os
import sys

from base import Place, judge

COUNTS = (1000, 4000)  # functions; a tenth is declared
MOST = 7  # times; a square would be 16


def method(i):
    return f"task{i}"


def source(count):
    out = [".text", ".globl main", ".type main,@function",
           "main: .cfi_startproc", "xor %eax,%eax", "ret", ".cfi_endproc",
           ".size main,.-main"]
    for i in range(count):
        mangled = f"_ZN6worker{len(method(i))}{method(i)}Ei"
        out += [f".globl {mangled}", f".type {mangled},@function",
                f"{mangled}:", ".cfi_startproc", "lea 77777(%rdi),%eax",
                "imul $77777,%eax,%eax", "ret", ".cfi_endproc",
                f".size {mangled},.-{mangled}"]
    return "\n".join(out + ['.section .note.GNU-stack,"",@progbits', ""])


def main():
    handspan = os.path.abspath(sys.argv[1])
    with Place() as p:
        figures = []
        for count in 10, *COUNTS:
            program = p.program(f"{count}.s", source(count))
            manifest = p.write(f"{count}.manifest", "[[object(main)]];\n" + "".join(
                f'[[span, symbol("worker::{method(i)}(int)")]] n{i};\n'
                for i in range(0, count, 10)))
            figure, said = p.collected(handspan, "check", "-m", manifest,
                                       program, preload=p.open_)
            if f"{count // 10} ok" not in said:
                sys.exit(f"not all are found: {said[-2000:]}")
            figures.append(figure)
    judge("check of readable names", COUNTS, figures, MOST)


main()
