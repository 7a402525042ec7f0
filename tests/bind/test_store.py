#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LD_PRELOAD and a manifest alone, no other step before it, leave the trace in
the store: the preload starts the sidecar, which drains the session, removes
it and ends.

  test_store.py PRELOAD HANDSPAN PROGRAM PLUGIN_PROGRAM

PLUGIN_PROGRAM opens a plugin whose declarations no object had at the start:
once they are bound nothing says any more that they are not.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402
import lock  # noqa: E402

SHM = os.environ.get("TEST_MEMORY")
DEADLINE_S = 300


def check_plugin(handspan, opener, env, top):
    manifest, store = top + "/plugin.manifest", top + "/plugin.db"
    with open(manifest, "w", encoding="utf-8") as f:
        f.write('[[object("libbind_thrower.so")]];\n'
                "[[span]] int thrower_work(int n);\n"
                "[[span]] int thrower_nothing(int n);\n")
    env = dict(env, HANDSPAN_MANIFEST=manifest, HANDSPAN_STORE=store,
               OTEL_SERVICE_NAME="plugins")
    subprocess.run([opener], env=env, timeout=300, check=True,
                   capture_output=True)
    end = time.monotonic() + DEADLINE_S
    while glob.glob(top + "/dir/session-*") and time.monotonic() < end:
        time.sleep(0.01)
    text = subprocess.run([handspan, "show", "latest", "--store", store],
                          capture_output=True, text=True, check=False).stdout
    said = text[text.find("Not bound:"):]
    ok = ("thrower_nothing" in said and "thrower_work" not in said and
          "plugins" in text)
    if not ok:
        print(text)
    return 0 if ok else 1


def main():
    preload, handspan, program, opener = (os.path.abspath(a)
                                          for a in sys.argv[1:5])
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
        done = subprocess.run([program], env=env, timeout=300, check=False,
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
        while lock.is_held(where) and time.monotonic() < end:
            time.sleep(0.01)
        if lock.is_held(where):
            print("the sidecar does not end")
            return 1
        if done.returncode != 3 or len(names) != 3:
            return 1
        return check_plugin(handspan, opener, env, top)
    finally:
        alive.remove(top)


if __name__ == "__main__":
    sys.exit(main())
