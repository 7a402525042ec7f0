#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the names of a stack cost: the sidecar's CPU time, with the process
that names stacks, for many processes that end without an error, and for as
many of which each has one; least of the rounds.

  naming.py BUILD_FOLDER [PROCESSES [ROUNDS]]
"""
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = """
#include <stdlib.h>
__attribute__((noinline)) int deep(int n)
{ __asm__ volatile("" : : "r"(n)); return n > 8 ? -1 : deep(n + 1) - 1; }
__attribute__((noinline)) int handler(int n) { return n ? deep(n) : 0; }
int main(int argc, char **argv) { return handler(atoi(argv[argc - 1])) < 0; }
"""
MANIFEST = """[[object(main)]];
[[span, input(n), fails(return < 0)]] int handler(int n);
"""


def drain(build, top, env, processes, fails):
    """CPU seconds of a sidecar that finds the sessions of all of them."""
    shutil.rmtree(top + "/lanes", ignore_errors=True)
    if os.path.exists(top + "/store.db"):
        os.unlink(top + "/store.db")
    traced = dict(env, LD_PRELOAD=build + "/lib/libhandspan.so")
    for _ in range(processes):
        subprocess.run([top + "/program", str(fails)], env=traced, check=False)
    side = subprocess.Popen([build + "/bin/handspan", "sidecar", "--once"],
                            env=env)
    _, status, usage = os.wait4(side.pid, 0)
    if status:
        raise SystemExit("the sidecar failed")
    return usage.ru_utime + usage.ru_stime


def main():
    build = os.path.abspath(sys.argv[1])
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = tempfile.mkdtemp(prefix="handspan-naming-", dir=shm)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    env.update(HANDSPAN_DIR=top + "/lanes", HANDSPAN_STORE=top + "/store.db",
               HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=top + "/m",
               HANDSPAN_CONFIG="/dev/null")
    try:
        for name, text in ("program.c", SOURCE), ("m", MANIFEST):
            with open(f"{top}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g",
                        "-Wl,--no-as-needed", "-o", top + "/program",
                        top + "/program.c", "-lcurl", "-lsqlite3"], check=True)
        least = [min(drain(build, top, env, processes, fails)
                     for _ in range(rounds)) for fails in (0, 1)]
    finally:
        shutil.rmtree(top)
    print(f"ms of CPU for each of {processes} processes, without an error: "
          f"{least[0] / processes * 1e3:.2f}, with one: "
          f"{least[1] / processes * 1e3:.2f}")


main()
