#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the preload is as an ELF object: needs libc.so.6 alone, exports
nothing, needs no glibc newer than 2.34, runs its constructor first, has no
text relocations and no page that is writable and executable.

  test_elf.py PRELOAD
"""
import re
import subprocess
import sys

NEWEST_GLIBC = (2, 34)


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=True).stdout


def main():
    preload = sys.argv[1]
    dynamic = tool("readelf", "-dW", preload)
    symbols = tool("nm", "-D", preload)
    wrong = []
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    if needed != ["libc.so.6"]:
        wrong.append(f"needs {needed}")
    exported = tool("nm", "-D", "--defined-only", preload).strip()
    if exported:
        wrong.append("exports " + exported)
    versions = {tuple(map(int, v.split(".")))
                for v in re.findall(r"@GLIBC_([0-9.]+)", symbols)}
    if not versions or max(versions) > NEWEST_GLIBC:
        wrong.append(f"needs glibc {sorted(versions)}")
    if "INITFIRST" not in dynamic or "NOW" not in dynamic:
        wrong.append("is not linked with -z initfirst -z now")
    if "TEXTREL" in dynamic or "RWE" in tool("readelf", "-lW", preload):
        wrong.append("has text that is writable")
    if "__tls_get_addr" in symbols:
        wrong.append("uses dynamic TLS, which may allocate")
    for line in wrong:
        print(preload, line)
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
