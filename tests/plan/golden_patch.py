#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Entry patches as text: patch/NAME.S is linked at a fixed address, its
function `f` (or `# symbol: NAME` in the first lines) planned, and the output
of show_patch compared with patch/NAME.expect. --update writes those files.

usage: golden_patch.py COMPILER SHOW_PATCH WORK_DIR [--update]
"""
import difflib
import pathlib
import re
import subprocess
import sys

CASES = pathlib.Path(__file__).parent / "patch"


def show(compiler, tool, work, case):
    target = work / (case.stem + ".so")
    subprocess.run([compiler, "-shared", "-nostdlib", "-Wl,-Ttext=0x10000",
                    "-Wl,-Tdata=0x20000", "-Wl,--build-id=none",
                    "-o", target, case], check=True)
    symbol = re.search(r"# symbol: (\S+)", case.read_text())
    flags = ["shadow"] if "# shadow stack" in case.read_text() else []
    run = subprocess.run([tool, target, symbol[1] if symbol else "f", *flags],
                         stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout


def main():
    compiler, tool, work = sys.argv[1:4]
    update = "--update" in sys.argv
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    cases = sorted(CASES.glob("*.S"))
    failed = 0
    for case in cases:
        got = show(compiler, tool, work, case)
        expect = case.with_suffix(".expect")
        if update:
            expect.write_text(got)
        want = expect.read_text() if expect.exists() else ""
        if got != want:
            failed += 1
            sys.stdout.writelines(difflib.unified_diff(
                want.splitlines(True), got.splitlines(True), expect.name,
                "now"))
    print(f"{len(cases)} cases, {failed} failed")
    sys.exit(1 if failed or not cases else 0)


if __name__ == "__main__":
    main()
