#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Uploading to PostgreSQL, one case per call.

usage: upload_test.py CASE HANDSPAN WRITER
"""
import os
import sys
import time

import base
import postgres
from base import expect, until


class World(base.Place):
    def __init__(self, handspan, writer):
        super().__init__(handspan, writer)
        self.pg = postgres.Postgres().start()
        self.pg.migrate()
        self.gateway = base.Gateway(self.pg, self.dir).start()

    def close(self):
        self.gateway.kill()
        self.pg.stop()
        self.done()

    def url(self, **kw):
        return self.gateway.url(**kw)


def case_roundtrip(w):
    """All rows arrive once, in every column; a second sidecar sends nothing
    anew; InsForge's paths; a sink without values has none."""
    for _ in range(3):
        w.wrote("records=500", "threads=3", "values=5", "open=2", "end=killed")
    err = w.drain("--upload", w.url(options="values=on"))
    count = base.same(w, w.pg)
    assert count > 1000, count
    expect(len(w.pg.rows("SELECT * FROM handspan_traces")), 3, "traces")
    for table, there in (("traces", "handspan_traces"),
                         ("processes", "handspan_processes"),
                         ("rollups", "handspan_rollups"),
                         ("sites", "handspan_sites")):
        expect(w.pg.rows(f"SELECT count(*) FROM {there}"),
               w.rows(f"SELECT count(*) FROM {table}"), table)
    expect(w.rows("SELECT state, error FROM sinks"), [("idle", None)], "sink")
    posts = open(w.gateway.wire, "rb").read().count(b"\nPOST ")
    w.drain("--upload", w.url(options="values=on"))
    expect(open(w.gateway.wire, "rb").read().count(b"\nPOST "), posts,
           "requests of a second sidecar")
    assert "token-writer" not in err + w.log(), "the key is in a log"


CASES = {k[5:]: v for k, v in globals().items() if k.startswith("case_")}


def main():
    case, handspan, writer = sys.argv[1], *map(os.path.abspath, sys.argv[2:4])
    w = World(handspan, writer)
    try:
        CASES[case](w)
    except BaseException:
        print(w.log(), file=sys.stderr)
        print(w.sinks() if os.path.exists(w.store) else "no store",
              file=sys.stderr)
        raise
    finally:
        w.close()
    print("ok")


main()
