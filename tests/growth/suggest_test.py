#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`suggest` of a program of eight times the functions executes some eight times
the instructions, which valgrind counts: so the answer is the same on any
machine. (It cannot live in suggest's sandbox, which is left out here.) Half of the functions have no unwind information, each jumps out of
itself, a third is so small that a cold part is looked for.

  suggest_test.py HANDSPAN
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

COUNTS = (500, 4000)
MOST = 11  # times; a square would be 64


def source(count):
    out = [".text", ".globl main", ".type main,@function",
           "main: .cfi_startproc", "xor %eax,%eax", "ret", ".cfi_endproc",
           ".size main,.-main"]
    for i in range(count):
        name, unwind = f"load_{'abcdefgh'[i % 8]}{i}_part", i % 2
        out += [f".globl {name}" if i % 3 else "",
                f".type {name},@function", f"{name}:"]
        out += [".cfi_startproc"] if unwind else []
        out += ["push %rbx", "mov %edi,%ebx"]
        out += [] if i % 3 == 0 else ["imul $77777,%ebx,%ebx"] * 6
        out += ["test %ebx,%ebx", "pop %rbx",
                f"jne load_{'abcdefgh'[(i + 1) % count % 8]}"
                f"{(i + 1) % count}_part", "ret"]
        out += [".cfi_endproc"] if unwind else []
        out += [f".size {name},.-{name}"]
    return "\n".join(out + ['.section .note.GNU-stack,"",@progbits', ""])


def instructions(top, count):
    with open(f"{top}/{count}.s", "w", encoding="utf-8") as f:
        f.write(source(count))
    subprocess.run([os.environ.get("CC", "cc"), "-o", f"{top}/{count}",
                    f"{top}/{count}.s"], check=True)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--vgdb=no", HANDSPAN, "suggest", f"{top}/{count}"],
        env=dict(os.environ, LD_PRELOAD=top + "/open.so"), check=False,
        text=True, capture_output=True)
    if not re.search(r"^\[\[span\]\] load_.*_part;", done.stdout, re.M):
        sys.exit(f"no draft: {done}")
    said = done.stderr
    return int(re.search(r"Collected : (\d+)", said).group(1))


def main():
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return 77
    top = tempfile.mkdtemp(prefix="handspan-growth-")
    try:
        with open(top + "/open.c", "w", encoding="utf-8") as f:
            f.write("int prctl(int what) { (void)what; return 0; }\n")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o",
                        top + "/open.so", top + "/open.c"], check=True)
        few, many = (instructions(top, n) for n in COUNTS)
        none = instructions(top, 12)  # what a start costs
    finally:
        shutil.rmtree(top)
    ratio = (many - none) / (few - none)
    print(f"suggest: {few} and {many} instructions of {COUNTS} functions, "
          f"{none} of 12: x{ratio:.1f}")
    return 0 if ratio < MOST else 1


HANDSPAN = os.path.abspath(sys.argv[1])
sys.exit(main())
