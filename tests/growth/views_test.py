#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a view of a trace costs for each span more: `show` and `stats` a few
thousand instructions, an export some tens of thousands, `errors` and the first
lines of `spans` nothing.

  views_test.py HANDSPAN SQL_FOLDER CLI_TESTS
"""
import os
import sys

from base import Place

FEW, MANY = 1000, 8000  # spans
BASE = 1772503201 * 10**9
# instructions for each span more, at most. It was 10,400 of show and stats, and
# some 110,000 of the exports, when each went through printf or an object.
MOST = {"show": 6000, "stats": 6000, "errors": 50, "spans -n 1": 50,
        "export -f otlp": 30000, "export -f chrome": 45000}


def make(path, sql, count):
    """One thread: a caller, three calls in it, one of which fails now and then."""
    from fixture import Store, process_ref, ref
    store = Store(sql, path)
    store.session(1)
    trace = store.trace(1, "4b" * 16, name="grow",
                        start_unix_ns=BASE, duration_ns=count * 100,
                        status="ok")
    store.put("processes", session=1, idx=0, trace=trace, pid=7,
              name="grow", start_unix_ns=BASE, duration_ns=count * 100,
              status="ok", ended_by="exit", exit_code=0)
    store.put("threads", session=1, lane=0, generation=0, process_idx=0, tid=7,
              name="grow")
    for site, name in enumerate(("outer", "one", "two", "three")):
        store.put("sites", session=1, site=site, name=name, symbol=name,
                  binding="entry")
        store.put("rollups", trace=trace, session=1, site=site,
                  calls=count // 4, errors=count // 400 if site == 3 else 0,
                  total_ns=count, self_ns=count, max_ns=40, cpu_ns=count,
                  dropped_calls=0, histogram='{"20":1}')
    rows = []
    for i in range(count):
        fails = i % 400 == 399
        rows.append((
            1, ref(0, i + 1), trace,
            ref(0, i - i % 4 + 1) if i % 4 else process_ref(0), i % 4, 0, 0,
            i % 4 > 0, BASE + i * 100, 90 if i % 4 else 390, 90, 80,
            "error" if fails else "ok", "return",
            '{"kind":"rule","rule":"return < 0","type":"EIO"}' if fails
            else None, "f" * 16 if fails else None))
    store.db.executemany(
        "INSERT INTO span_rows (session, ref, trace, parent_ref, site,"
        " process_idx, generation, depth, start_unix_ns, duration_ns, self_ns,"
        " cpu_ns, status, ended_by, error, fingerprint) VALUES"
        " (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    store.put("error_groups", fingerprint="f" * 16, handler="three",
              kind="rule", type="EIO", rule="return < 0", count=count // 400,
              first_unix_ns=BASE, last_unix_ns=BASE + count * 100, session=1,
              ref=ref(0, 400))
    store.db.commit()


def main():
    handspan, sql, cli = map(os.path.abspath, sys.argv[1:4])
    sys.path.insert(0, cli)
    failed = False
    with Place() as p:
        stores = [f"{p.at}/{count}.db" for count in (FEW, MANY)]
        for store, count in zip(stores, (FEW, MANY)):
            make(store, sql, count)
        for what, most in MOST.items():
            few, many = (p.collected(handspan, *what.split(), preload=p.open_,
                                     HANDSPAN_STORE=store)[0]
                         for store in stores)
            each = (many - few) / (MANY - FEW)
            print(f"{what}: {few} and {many} instructions of {FEW} and {MANY} "
                  f"spans: {each:.0f} a span, at most {most}")
            failed |= each > most
    sys.exit(failed)


main()
