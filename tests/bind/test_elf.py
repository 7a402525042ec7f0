#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the preload is as an ELF object: needs no library, exports nothing,
imports what IMPORTS lists, takes little of every thread's stack for its
thread-local storage, runs its constructor first, has no text relocations and
no page that is writable and executable.

  test_elf.py PRELOAD
"""
import re
import subprocess
import sys

# Whoever imports more calls what a program, a sanitizer or another preload may
# have in its place: preload/own/own.h. Weak: other loaders have none.
IMPORTS = ["w _r_debug"]
TLS_MAX_BYTES = 1024


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=True).stdout


def main():
    preload = sys.argv[1]
    dynamic = tool("readelf", "-dW", preload)
    symbols = tool("nm", "-D", preload)
    wrong = []
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    if needed:
        wrong.append(f"needs {needed}")
    exported = tool("nm", "-D", "--defined-only", preload).strip()
    if exported:
        wrong.append("exports " + exported)
    imports = [" ".join(line.split())
               for line in tool("nm", "-D", "-u", preload).splitlines()]
    if imports != IMPORTS:
        wrong.append(f"imports {sorted(set(imports) - set(IMPORTS))}")
    headers = tool("readelf", "-lW", preload)
    tls = re.search(r"TLS(?:\s+0x[0-9a-f]+){4}\s+(0x[0-9a-f]+)", headers)
    tls_bytes = int(tls.group(1), 16) if tls else 0
    if tls_bytes > TLS_MAX_BYTES:
        wrong.append(f"takes {tls_bytes} bytes of every thread's stack for "
                     f"thread-local storage (at most {TLS_MAX_BYTES})")
    print(f"{tls_bytes} bytes of thread-local storage")
    if "INITFIRST" not in dynamic or "NOW" not in dynamic:
        wrong.append("is not linked with -z initfirst -z now")
    if "TEXTREL" in dynamic or "RWE" in headers:
        wrong.append("has text that is writable")
    if "__tls_get_addr" in symbols:
        wrong.append("uses dynamic TLS, which may allocate")
    for line in wrong:
        print(preload, line)
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
