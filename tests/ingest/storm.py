#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A storm of errors through the sidecar while it drains: 100,000 failing calls
as fast as the program can. Each is stored or counted as lost, stacks are
named once and referred to, the sidecar stays below 64 MB and ends well.

usage: storm.py PRELOAD PROGRAM HANDSPAN MANIFEST
"""
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CALLS, LIMIT_MB, STACKS_MAX = 100000, 64, 16


def same(seen, meant, what):
    if seen != meant:
        raise AssertionError(f"{what}: {seen!r}, not {meant!r}")


def rows(store, sql):
    db = sqlite3.connect(store, timeout=10)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def check(store):
    again = ("session IN (SELECT session FROM sites WHERE name = 'again') AND "
             "site IN (SELECT site FROM sites WHERE name = 'again')")
    ((spans, errors, whole),) = rows(
        store, "SELECT count(*), sum(status = 'error'), sum(json_valid(error))"
        f" FROM spans WHERE {again}")
    ((calls, failed, dropped),) = rows(
        store, "SELECT sum(calls), sum(errors), sum(dropped_calls) FROM "
        f"rollups WHERE {again}")
    same((calls, failed), (CALLS, CALLS), "calls and failures in the totals")
    same(spans + dropped, CALLS, "stored and counted")
    same((errors, whole), (spans, spans), "errors with their context")
    ((groups, members),) = rows(
        store, "SELECT count(*), sum(count) FROM error_groups "
        "WHERE handler = 'again'")
    same(members, spans, "members of the groups")
    ((stacks,),) = rows(store, "SELECT count(*) FROM stacks")
    if not 1 <= stacks <= STACKS_MAX:
        raise AssertionError(f"{stacks} stacks of one place")
    same(rows(store, "SELECT * FROM losses WHERE kind = 'corrupt_items'"), [],
         "corrupt")
    print(f"{spans} stored, {dropped} counted, {groups} groups, "
          f"{stacks} stacks")


def main():
    preload, program, handspan, manifest = map(os.path.abspath, sys.argv[1:5])
    base = os.environ.get("TEST_MEMORY")
    top = tempfile.mkdtemp(prefix="handspan-storm-", dir=base)
    store, lanes = top + "/store.db", top + "/lanes"
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    bare["HANDSPAN_CONFIG"] = "/dev/null"
    try:
        side = subprocess.Popen([handspan, "sidecar", "--stay", "--dir", lanes,
                                 "--store", store], env=bare)
        begin = time.monotonic()
        subprocess.run([program, "storm", str(CALLS)], check=True, cwd=top,
                       stdout=subprocess.DEVNULL,
                       env=dict(bare, LD_PRELOAD=preload, HANDSPAN_DIR=lanes,
                                HANDSPAN_SIDECAR="off",
                                HANDSPAN_MANIFEST=manifest))
        print(f"{CALLS / (time.monotonic() - begin) / 1e3:.0f} k failures/s")
        end = time.monotonic() + 300
        while any(n.startswith("session-") for n in os.listdir(lanes)):
            if time.monotonic() > end or side.poll() is not None:
                raise AssertionError("the session is not stored")
            time.sleep(0.02)  # waits for a state
        side.terminate()
        _, status, usage = os.wait4(side.pid, 0)
        same(status, 0, "the sidecar's status")
        check(store)
        peak = usage.ru_maxrss / 1024
        print(f"at most {peak:.1f} MB")
        if peak >= LIMIT_MB:
            raise AssertionError(f"{peak:.1f} MB, not below {LIMIT_MB}")
    finally:
        if side.returncode is None and side.poll() is None:
            side.kill()
        alive.remove(top)


main()
