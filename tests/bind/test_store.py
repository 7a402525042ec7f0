#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LD_PRELOAD and a manifest alone, no other step before it, leave the trace in
the store: the preload starts the sidecar, which drains the session, removes
it and ends.

  test_store.py PRELOAD HANDSPAN PROGRAM
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

SHM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
DEADLINE_S = 30


def is_locked(path):
    return subprocess.run(["flock", "-n", path, "true"],
                          check=False).returncode != 0


def main():
    preload, handspan, program = (os.path.abspath(a) for a in sys.argv[1:4])
    top = tempfile.mkdtemp(prefix="handspan-store-", dir=SHM)
    where, store = top + "/dir", top + "/store.db"
    manifest = top + "/m.manifest"
    with open(manifest, "w", encoding="utf-8") as f:
        f.write('[[program("bind_case_*")]];\n[[object(main)]];\n'
                "[[span]] int deep(int n);\n")
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HANDSPAN_") and k != "TRACEPARENT"}
    env.update(LD_PRELOAD=preload, HANDSPAN_DIR=where, HANDSPAN_STORE=store,
               HANDSPAN_MANIFEST=manifest, HANDSPAN_SIDECAR=handspan)
    try:
        done = subprocess.run([program], env=env, timeout=20, check=False,
                              capture_output=True)
        end = time.monotonic() + DEADLINE_S
        while glob.glob(where + "/session-*") and time.monotonic() < end:
            time.sleep(0.01)
        text = subprocess.run(
            [handspan, "spans", "--json", "--store", store, "latest"],
            capture_output=True, text=True, check=False).stdout
        spans = [json.loads(line) for line in text.splitlines()]
        names = [s["name"] for s in spans if s.get("name") == "deep"]
        print("exit status", done.returncode, "spans", len(names))
        while is_locked(where + "/sidecar.lock") and time.monotonic() < end:
            time.sleep(0.01)
        if is_locked(where + "/sidecar.lock"):
            print("the sidecar does not end")
            return 1
        return 0 if done.returncode == 3 and len(names) == 3 else 1
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
