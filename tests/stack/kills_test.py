#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random deaths of a program with several threads, under the policy `wait`:
every call that marked its beginning is in the store, finished or unfinished,
and none is there twice. The sidecar goes on through all of them.

  kills_test.py PRELOAD HANDSPAN PROGRAM ROUNDS

PROGRAM is counted.cpp.
"""
import collections
import glob
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import lock  # noqa: E402

MARKS, THREADS, DEADLINE_S = 1 << 16, 4, 200
WAYS = {"kill": -9, "segv": -11, "abort": -6, "exit": 1, "_exit": 1}


def run(program, how, after, env, path):
    with open(path, "wb") as f:
        f.truncate(MARKS)
    child = subprocess.Popen([program, path, how, str(after)], env=env,
                             stderr=subprocess.DEVNULL)
    if how == "kill":
        while True:
            with open(path, "rb") as f:
                f.seek(after)
                if f.read(1) == b"\1" or child.poll() is not None:
                    break
            time.sleep(0.0005)
        child.send_signal(signal.SIGKILL)
    status = child.wait(300)
    if status != WAYS[how]:
        raise AssertionError(f"{how}: status {status}")
    with open(path, "rb") as f:
        return child.pid, {i for i, b in enumerate(f.read()) if b}


def wait_stored(folder):
    """Until no session is left; as long as they become fewer."""
    fewest = len(glob.glob(folder + "/session-*"))
    begun = end = time.monotonic()
    first = fewest
    while fewest:
        left = len(glob.glob(folder + "/session-*"))
        if left < fewest:
            fewest, end = left, time.monotonic()
        elif time.monotonic() > end + DEADLINE_S:
            raise AssertionError(f"{left} sessions are left")
        time.sleep(0.05)
    print(f"{first} sessions waited at the end, "
          f"{time.monotonic() - begun:.0f} s for them")


def check(store, truth):
    db = sqlite3.connect(store)
    seen = collections.defaultdict(dict)
    query = ("SELECT processes.pid, processes.session, spans.input "
             "FROM spans JOIN processes ON processes.session = spans.session "
             "AND processes.idx = spans.process_idx JOIN sites ON sites.session = spans.session "
             "AND sites.site = spans.site WHERE sites.name = 'counted' "
             "ORDER BY processes.start_unix_ns")
    for pid, session, values in db.execute(query):
        seen[pid].setdefault(session, []).append(json.loads(values)["number"])
    calls = 0
    for pid, marked in truth:
        # of many thousands some have the same number, one after the other
        first = next(iter(seen[pid]), None)
        numbers = seen[pid].pop(first, [])
        calls += len(marked)
        missing = marked - set(numbers)
        extra = set(numbers) - marked
        if len(numbers) != len(set(numbers)) or missing or \
                len(extra) > THREADS:
            raise AssertionError(
                f"pid {pid}: {len(marked)} marked, {len(numbers)} stored, "
                f"missing {sorted(missing)[:9]}, not marked "
                f"{sorted(extra)[:9]}")
    if any(seen.values()):
        raise AssertionError(f"not run: {[p for p in seen if seen[p]][:9]}")
    return calls


def main():
    preload, handspan, program = (os.path.abspath(a) for a in sys.argv[1:4])
    rounds = int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shm = os.environ.get("TEST_MEMORY")
    top = tempfile.mkdtemp(prefix="handspan-kills-", dir=shm)
    with open(top + "/m", "w", encoding="utf-8") as f:
        f.write("[[object(main)]];\n[[span]] long counted(long number);\n")
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HANDSPAN_")}
    env.update(LD_PRELOAD=preload, HANDSPAN_DIR=top + "/dir",
               HANDSPAN_STORE=top + "/store.db", HANDSPAN_SIDECAR=handspan,
               HANDSPAN_MANIFEST=top + "/m", HANDSPAN_WAIT_MS="5000")
    seed = random.randrange(1 << 30)
    print("seed", seed)
    choose = random.Random(seed)
    # one that stays: the next program may come later than an idle one waits
    sidecar = subprocess.Popen(
        [handspan, "sidecar", "--stay"],
        env={k: v for k, v in env.items() if k != "LD_PRELOAD"})
    try:
        truth = []
        while lock.holder(top + "/dir") != sidecar.pid:
            if sidecar.poll() is not None:
                raise AssertionError("no sidecar")
            time.sleep(0.01)
        for _ in range(rounds):
            how = choose.choice(list(WAYS))
            truth.append(run(program, how, choose.randrange(1, 400), env,
                             top + "/marks"))
        wait_stored(top + "/dir")
        if sidecar.poll() is not None:
            raise AssertionError(f"the sidecar stopped: {sidecar.returncode}")
        calls = check(top + "/store.db", truth)
        print(f"{rounds} deaths, {calls} calls, each stored once")
    finally:
        sidecar.terminate()
        sidecar.wait()
        shutil.rmtree(top)


main()
