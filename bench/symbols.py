#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 50 declarations (names only) of a library with 100,000 symbols add to
the start of a program: makes library and program, then runs start.py.

  symbols.py PRELOAD [--runs 30] [--symbols 100000] [--static] [--limit MS]

--static: the functions are not exported, only .symtab knows them.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

BODY = """    .type {n}, @function
{n}:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    mov %rsp, %rbp
    lea {i}(%rdi), %eax
    xor %ecx, %ecx
    pop %rbp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size {n}, .-{n}
    .balign 16
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preload")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--symbols", type=int, default=100000)
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--limit", type=float)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="handspan-symbols-") as top:
        top = pathlib.Path(top)
        names = [f"ns_module_{i % 97}_function_{i}"
                 for i in range(args.symbols)]
        (top / "many.s").write_text("    .text\n" + "".join(
            ("" if args.static and i != 7 else f"    .globl {n}\n") +
            BODY.format(n=n, i=i) for i, n in enumerate(names)) +
            '    .section .note.GNU-stack,"",@progbits\n')
        (top / "main.c").write_text(
            f"int {names[7]}(int); int main(void) {{ return {names[7]}(0) == 7"
            " ? 0 : 1; }\n")
        subprocess.run(["gcc", "-shared", "-o", top / "libmany.so",
                        top / "many.s"], check=True)
        subprocess.run(["gcc", "-o", top / "main", top / "main.c",
                        f"-L{top}", "-lmany", f"-Wl,-rpath,{top}"], check=True)
        chosen = [names[i * (args.symbols // 50)] for i in range(50)]
        start = pathlib.Path(__file__).with_name("start.py")
        limit = ["--limit", str(args.limit)] if args.limit else []
        return subprocess.run(
            [sys.executable, start, args.preload, "--runs", str(args.runs),
             *limit, str(top / "main"), "libmany.so", *chosen], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
