#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A buffer of Debian's GStreamer is followed through two queues and three
threads: each push behind a queue is the work of the push into it.

  gstreamer.py BUILD SOURCE
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

SHM = os.environ.get("TEST_MEMORY")
BUFFERS = 30
PIPELINE = (f"fakesrc num-buffers={BUFFERS} ! queue ! identity ! queue ! "
            "fakesink").split()


def main():
    build, source = map(os.path.abspath, sys.argv[1:3])
    handspan = os.path.join(build, "bin", "handspan")
    if not shutil.which("gst-launch-1.0"):
        print("no gst-launch-1.0")
        return 77
    top = tempfile.mkdtemp(prefix="handspan-gst-", dir=SHM)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN_", "LD_")) and k != "TRACEPARENT"}
    env.update(HANDSPAN_DIR=top + "/d", HANDSPAN_STORE=top + "/store.db",
               HANDSPAN_SIDECAR="off", GST_REGISTRY=top + "/registry",
               LD_PRELOAD=build + "/lib/libhandspan.so",
               HANDSPAN_MANIFEST=source +
               "/share/handspan/manifests/gstreamer.manifest")
    try:
        subprocess.run(["gst-launch-1.0", "-q", "--no-fault", *PIPELINE],
                       env=env, check=True, timeout=300, capture_output=True)
        del env["LD_PRELOAD"], env["HANDSPAN_MANIFEST"]
        subprocess.run([handspan, "sidecar"], env=env, check=True,
                       capture_output=True, timeout=300)
        traces = subprocess.run([handspan, "list", "--json"], env=env,
                                check=True, capture_output=True, text=True)
        spans = []
        for line in traces.stdout.splitlines()[1:]:
            text = subprocess.run(
                [handspan, "spans", "--json", json.loads(line)["trace_id"]],
                env=env, check=True, capture_output=True, text=True).stdout
            spans += [json.loads(row) for row in text.splitlines()[1:]]
    finally:
        alive.remove(top)
    pushes = {s["span_id"]: s for s in spans if s["name"] == "gst_pad_push"}
    kinds = {"source": 0, "queue": 0, "call": 0}
    threads = set()
    for s in pushes.values():
        parent = pushes.get(s["parent_span_id"])
        threads.add(s["tid"])
        if parent is None:
            kinds["source"] += 1
        elif parent["tid"] == s["tid"]:
            kinds["call"] += 1
            assert s["queue_ns"] is None, s
        else:
            kinds["queue"] += 1
            assert s["queue_ns"] is not None, s
            assert parent["start_unix_ns"] <= s["start_unix_ns"], s
    print(kinds, len(threads), "threads")
    expected = {"source": BUFFERS, "queue": 2 * BUFFERS, "call": BUFFERS}
    return 0 if kinds == expected and len(threads) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
