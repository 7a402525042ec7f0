#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Upload: an uploader that reads the store, against a bare client that posts the
same bodies, prepared, on one connection; to the gateway (a simulation of
PostgREST before a real PostgreSQL, tests/upload/gateway.py), in turn, in one
run.

  upload.py BUILD_FOLDER [--spans 100000] [--rounds 3]

The uploader's time is from its first request for rows to the moment when its
cursor stands at the end; the gateway notes both ends. Least of the rounds.
"""
import argparse
import http.client
import os
import resource
import sqlite3
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "upload"))
import base  # noqa: E402
import postgres  # noqa: E402
import scan  # noqa: E402


def requests_of(wire):
    """[(path, headers, body)] of the POSTs, as the gateway wrote them."""
    keep = ("Authorization", "Content-Type", "Prefer")
    return [(path, {k: v for k, v in headers.items() if k in keep}, body)
            for method, path, headers, body in scan.requests(wire)
            if method == "POST"]


def empty(pg):
    pg.rows("TRUNCATE spans, traces, processes, sites, rollups, losses")


def ours(place, gateway, sqlite_rows):
    """Seconds of one upload of everything, and the CPU of ours."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    side = place.sidecar("--stay", "--upload", gateway.url())
    begin = base.until("a request", lambda: os.path.getsize(gateway.wire) and
                       time.monotonic())
    base.until("all is sent", lambda: [
        s for s in place.sinks().values() if s[0] == "idle"
        and s[1] == sqlite_rows], 300)
    wall = time.monotonic() - begin
    side.terminate()
    side.communicate(timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime - before.ru_utime -
                  before.ru_stime)


def bare(gateway, requests):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
    begin = time.monotonic()
    for path, headers, body in requests:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        base.expect(answer.status, 201, "status")
    return time.monotonic() - begin


def forget(place):
    db = sqlite3.connect(place.store, timeout=30)
    db.execute("DELETE FROM sinks")
    db.commit()
    db.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--spans", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binaries = os.path.abspath(args.build) + "/bin/"
    place = base.Place(binaries + "handspan", binaries + "sidecar_writer")
    pg = postgres.Postgres().start()
    gateway = None
    try:
        pg.migrate()
        gateway = base.Gateway(pg, place.dir).start()
        place.wrote("threads=4", f"records={args.spans // 4}", "units=4000")
        place.drain()
        ((spans,),) = place.rows("SELECT count(*) FROM spans")
        times, bare_times, requests = [], [], []
        for _ in range(args.rounds):
            open(gateway.wire, "w").close()
            times.append(ours(place, gateway, spans))
            requests = requests_of(gateway.wire)
            empty(pg), forget(place)
            bare_times.append(bare(gateway, requests))
            empty(pg)
        (a, _), b = min(times), min(bare_times)
        cpu = min(c for _, c in times)
        print(f"{spans} spans in {len(requests)} requests: uploader "
              f"{spans / a / 1e3:.1f} k/s, bare client {spans / b / 1e3:.1f} "
              f"k/s, x{b / a:.2f}; {cpu / spans * 1e6:.1f} us CPU a span")
    finally:
        if gateway:
            gateway.kill()
        pg.stop()
        place.done()


if __name__ == "__main__":
    sys.exit(main())
