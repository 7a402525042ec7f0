#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A burst that the store cannot keep up with: what a call costs, how fast raw
segments are set aside, how fast they are decoded and stored.

usage: spool.py BUILD_FOLDER [CALLS]

Names alone, then with a number and a text of 32 bytes each. All by CPU time
of each thread (the machine may have other work), and the wall beside it. Fails
if a single call has no record.
"""
import glob
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

MANIFESTS = {
    "names": '[[span, capture("none")]] long step(long number, const char *text);',
    "values": "[[span, input(number, text)]] long step(long number, const char *text);",
}


def threads(pid):
    """{name: seconds of CPU}"""
    used = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        name = pathlib.Path(task, "comm").read_text().strip()
        used[name] = int(pathlib.Path(task, "schedstat").read_text().split()[0]) / 1e9
    return used


def run(build, calls, manifest, temp):
    (temp / "m").write_text(manifest + "\n")
    (temp / "d").mkdir(mode=0o700)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HANDSPAN", "LD_"))}
    env.update(HANDSPAN_DIR=str(temp / "d"), HANDSPAN_STORE=str(temp / "s.db"),
               HANDSPAN_CONFIG="/dev/null", HANDSPAN_SIDECAR="off",
               HANDSPAN_MANIFEST=str(temp / "m"))
    sidecar = subprocess.Popen([build / "bin" / "handspan", "sidecar", "--stay"], env=env)
    while not (temp / "d" / "sidecar.lock").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    del env["HANDSPAN_SIDECAR"]  # there is one: the program counts on it
    program = subprocess.Popen([build / "bin" / "spool_burst", str(calls), "1", "stay"],
                               env=dict(env, LD_PRELOAD=str(build / "lib/libhandspan.so")),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    program.stdout.readline()
    own = threads(program.pid)
    begun, before = time.monotonic(), threads(sidecar.pid)
    aside = sum(os.path.getsize(p) for p in glob.glob(f"{temp}/s.db-spool-*"))
    program.stdin.close()
    while list((temp / "d").glob("session-*")):
        time.sleep(0.01)
    wall, after = time.monotonic() - begun, threads(sidecar.pid)
    sidecar.terminate()
    sidecar.wait()
    program.wait()
    store = sqlite3.connect(temp / "s.db")
    kept, = store.execute("SELECT count(*) FROM spans").fetchone()
    store.close()
    copying = before.get("handspan-spool", 0)
    decoding = after["handspan"] - before["handspan"]
    return {"call": sum(own.values()) / calls * 1e9, "kept": kept, "aside": aside,
            "copy": aside / calls and calls / copying if copying else 0,
            "copy_mb": aside / copying / 1e6 if copying else 0,
            "cpu": calls / (after["handspan"]), "decode": decoding, "wall": wall}


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 2000000
    is_whole = True
    print("| | CPU a call | kept | set aside | ... of CPU | decoded and stored, of CPU |")
    print("|---|---|---|---|---|---|")
    for name, manifest in MANIFESTS.items():
        temp = pathlib.Path(tempfile.mkdtemp(prefix="bench-spool-"))
        try:
            r = run(build, calls, manifest, temp)
        finally:
            shutil.rmtree(temp)
        is_whole &= r["kept"] == calls
        print(f"| {name} | {r['call']:.0f} ns | {r['kept'] / calls:.1%} | "
              f"{r['aside'] / 1e6:.0f} MB | {r['copy_mb']:.0f} MB/s, {r['copy'] / 1e6:.1f} M/s | "
              f"{r['cpu'] / 1e3:.0f},000/s |")
    return 0 if is_whole else 1


sys.exit(main())
