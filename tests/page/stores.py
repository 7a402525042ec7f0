#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stores for the browser: stores.py SOURCE FOLDER [BIG]

  two.db   the fixture of the screens, with hostile names and values, and the
           same run once more with extract slower and a new handler
  big.db   one trace of BIG (500,000) calls on eight threads
"""
import importlib.util
import json
import os
import random
import sqlite3
import sys

SOURCE, FOLDER = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
BIG = int(sys.argv[3]) if len(sys.argv) > 3 else 500_000
EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
spec = importlib.util.spec_from_file_location(
    "fixture", f"{SOURCE}/tests/cli/fixture.py")
fixture = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixture)
BASE, S, MS, US = fixture.BASE, 10**9, 10**6, 10**3
SCHEMA = f"{SOURCE}/sql/sqlite"


def process(st, session, trace, name, ns, **more):
    st.put("processes", **{**dict(
        session=session, idx=0, trace=trace, pid=4000 + session, name=name,
        program=f"/usr/bin/{name}", command=json.dumps([name, "--fast"]),
        start_unix_ns=BASE, duration_ns=ns, cpu_ns=ns, status="ok",
        ended_by="exit", exit_code=0, is_root=1), **more})


def two(path):
    st = fixture.Store(SCHEMA, path)
    fixture.etl(st)
    fixture.walk(st)
    fixture.small(st)
    db = st.db
    session = st.session(0x77)
    trace = st.trace(session, "77" * 16, name="etl-nightly", duration_ns=900 * S,
                     start_unix_ns=BASE + 3600 * S, status="ok")
    process(st, session, trace, "etl-nightly", 900 * S)
    for table, columns in (("sites", "site, name, symbol, object, binding"),
                           ("threads", "lane, generation, process_idx, tid, name")):
        db.execute(f"INSERT INTO {table} (session, {columns}) SELECT ?, {columns} "
                   f"FROM {table} WHERE session = 1", [session])
    columns = ("ref, parent_ref, site, process_idx, generation, depth, queue_ns, "
               "cpu_ns, ended_by, input, output")
    db.execute(f"INSERT INTO span_rows (session, trace, start_unix_ns, duration_ns, "
               f"self_ns, status, {columns}) SELECT ?, ?, start_unix_ns + ?, "
               f"duration_ns, self_ns, 'ok', {columns} FROM span_rows WHERE session = 1 "
               "AND duration_ns IS NOT NULL", [session, trace, 3600 * S])
    extract = db.execute("SELECT site FROM sites WHERE session = ? AND name = 'extract'",
                         [session]).fetchone()[0]
    db.execute("UPDATE span_rows SET duration_ns = duration_ns * 13 / 10, "
               "self_ns = self_ns * 13 / 10 WHERE session = ? AND site = ?",
               [session, extract])
    st.rollups(trace)
    db.execute("UPDATE span_rows SET input = ? WHERE fingerprint IS NOT NULL",
               [json.dumps({"path": "/data/x.csv", EVIL: EVIL})])
    db.execute("UPDATE sites SET name = ? WHERE name = 'flush'", [EVIL])
    # one that runs, with an open call
    live = st.session(0x78, state="live")
    running = st.trace(live, "78" * 16, name="server", start_unix_ns=BASE,
                       status="open")
    process(st, live, running, "server", None, status="open", ended_by=None,
            exit_code=None, cpu_ns=None)
    st.put("sites", session=live, site=1, name="serve_request", binding="entry",
           overdue_ns=30 * S)
    st.put("threads", session=live, lane=1, generation=0, process_idx=0, tid=77,
           name="loop")
    st.put("spans", session=live, ref=(1 << 48) + 1, trace=running,
           parent_ref=fixture.process_ref(0), site=1, process_idx=0, generation=0,
           depth=1, start_unix_ns=BASE + S, status="open",
           input=json.dumps({"url": EVIL}))
    db.commit()
    db.close()


def big(path):
    st = fixture.Store(SCHEMA, path)
    rng = random.Random(7)
    session = st.session(0xB16)
    trace = st.trace(session, "b1" * 16, name="pipeline", start_unix_ns=BASE,
                     duration_ns=60 * S, status="ok")
    process(st, session, trace, "pipeline", 60 * S)
    names = ["run_batch", "decode_block", "Parser<std::vector<char>>::parse_record",
             "hash_key", "write_row", "compress"]
    for i, name in enumerate(names):
        st.put("sites", session=session, site=i, name=name, binding="entry")
    threads = 8
    rows = []
    for lane in range(1, threads + 1):
        st.put("threads", session=session, lane=lane, generation=0, process_idx=0,
               tid=5000 + lane, name=f"worker-{lane}")
        counter, now, mine = 0, BASE + lane * MS, BIG // threads
        per = 60 * S * 0.99 / mine

        def add(parent, site, start, ns, depth):
            nonlocal counter
            counter += 1
            failed = rng.random() < 0.0001
            rows.append((session, lane << 48 | counter, trace, parent, site, 0, 0,
                         depth, start, ns, max(1, ns // 2), ns // 2,
                         "error" if failed else "ok", "return"))
            return lane << 48 | counter

        while counter < mine:
            batch = min(40, mine - counter)
            whole = int(per * batch)
            up = add(fixture.process_ref(0), 0, now, whole, 1)
            step = whole // (batch + 1)
            at = now + step // 2
            while batch > 1:
                ns = max(400, int(step * 0.9))
                below = add(up, 1 + rng.randrange(5), at, ns, 2)
                batch -= 1
                if batch > 1 and rng.random() < 0.5:
                    add(below, 3, at + ns // 4, ns // 3, 3)
                    batch -= 1
                    at += step
                at += step
            now += whole + US
    st.db.executemany(
        "INSERT INTO span_rows (session, ref, trace, parent_ref, site, process_idx, "
        "generation, depth, start_unix_ns, duration_ns, self_ns, cpu_ns, status, "
        "ended_by) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    st.rollups(trace)
    st.db.commit()
    st.db.close()


if __name__ == "__main__":
    two(f"{FOLDER}/two.db")
    if BIG:
        big(f"{FOLDER}/big.db")
