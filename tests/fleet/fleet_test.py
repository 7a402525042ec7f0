#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real Jaeger holds what the store holds: real programs, links, hand-overs,
unfinished and killed spans, several processes, calls without detail, overdue
ones, values, and a program of many calls.

usage: fleet_test.py HANDSPAN BACKENDS one|whole|sampled json|protobuf SPANS

`one`: a Jaeger of one process. `whole`: collector, Kafka, ingester; each is
killed in the middle and comes again. `sampled`: one process that keeps whole
traces that failed. BACKENDS: examples/jaeger/get FOLDER.
"""
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import time

import fleet
import same
from fleet import base
import program
import real_test
from scan import PLANTS

SKIP = 77
PATIENCE_S = 120  # a sampler decides later, at any load
INGEST_S = 1200  # the ingester writes span by span, on a busy machine
MANY = r"""
#include <stdlib.h>
#include <unistd.h>
#define HANDLER __attribute__((noinline, noclone))
HANDLER int step(const char *text, int n)
{ __asm__ volatile("" :: "r"(text)); return n % 97 == 96 ? -1 : n * 3; }
HANDLER int group(const char *text, int n)
{ int s = 0; for (int i = 0; i < n; i++) s += step(text, i);
  __asm__ volatile(""); return s; }
HANDLER void nap(void) { usleep(400000); }
HANDLER int request(int n) { __asm__ volatile(""); return n; }
int main(int argc, char **argv)
{ nap(); request(1); request(2);
  for (int i = 0; i < atoi(argv[1]); i++) group(argv[2], 100);
  return 0; }
"""
MANY_MANIFEST = """
[[span, root]] int request(int n);
[[span, input(text), fails(return < 0)]] int step(const char *text, int n);
[[span]] int group(const char *text, int n);
[[span, overdue("100ms")]] void nap(void);
"""
ROOTS = {"request"}


class World(base.Place):
    """What real_test.real_run wants, without PostgreSQL."""
    traced = real_test.World.traced
    json = real_test.World.json

    def __init__(self, handspan):
        super().__init__(handspan)
        self.work = os.path.join(self.dir, PLANTS["path"])
        os.mkdir(self.work)


def build_many(w):
    source, out = (os.path.join(w.dir, n) for n in ("many.c", "many"))
    manifest = os.path.join(w.dir, "many.manifest")
    for path, text in (source, MANY), (manifest, MANY_MANIFEST):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-o", out, source],
                   check=True)
    return out, manifest


def all_kinds(w, spans):
    """Traces of every kind; the last one large."""
    real_test.real_run(w)
    many, manifest = build_many(w)
    # no sidecar and little room: calls without detail
    lossy = dict(w.env, HANDSPAN_SIDECAR="off", HANDSPAN_BUDGET_MB="1",
                 HANDSPAN_POLICY="drop", LD_PRELOAD=os.path.join(
                     os.path.dirname(w.handspan), "../lib/libhandspan.so"),
                 HANDSPAN_MANIFEST=manifest)
    subprocess.run([many, "300", "lossy"], env=lossy, check=True, timeout=300)
    w.drain("--once")
    w.traced(manifest, "sh", "-c",
             f"{many} 1 one | {many} 2 two; {many} 1 three & wait; exit 3")
    w.env["HANDSPAN_WAIT_MS"] = "60000"
    w.traced(manifest, many, str(spans // 101), "a text of some length")
    base.until("all sessions are stored", lambda: not [
        n for n in os.listdir(w.lanes) if n.startswith("session-")])


def check_kinds(w):
    """They are what the name says; else the comparison proves little."""
    lists = w.json("list", "--limit", "0")
    rows = {t["trace_id"]: w.json("spans", "--limit", "0", t["trace_id"])
            for t in lists}
    flat = [r for trace in rows.values() for r in trace]
    seen = {
        "links": any(r["links"] for r in flat),
        "handed over": any(r["queue_ns"] for r in flat),
        "orphan": any(r["orphan"] for r in flat),
        "unfinished": any(r["status"] == "unfinished" for r in flat),
        "killed": any(r["ended_by"] in ("signal", "killed") for r in flat),
        "exception": any(r["ended_by"] == "exception" for r in flat),
        "overdue": any(r["overdue"] for r in flat),
        "processes": max(t["processes"] for t in lists) > 3,
        "dropped": any(t["dropped_calls"] for t in lists)}
    base.expect([k for k, v in seen.items() if not v], [], "kinds that lack")
    return rows


def totals(w):
    """(spans that a sink has, of all)."""
    return w.rows("SELECT sent_spans FROM sinks")[0][0] if w.rows(
        "SELECT 1 FROM sinks") else 0


def is_all_sent(w):
    return w.rows("SELECT 1 FROM sinks WHERE state = 'idle' AND "
                  "cursor_seq = (SELECT max(seq) FROM outbox)")


def kill_each(w, road, spans):
    """Each part in the middle, while the rest goes on, longer than an
    uploader's first tries. With the broker away the collector, too: what it had
    acknowledged and not handed on would be gone (with its default, a queue, it
    is)."""
    for at, part in (0.2, road.collector), (0.4, road.broker), (0.6, road.ingester):
        base.until("spans to leave", lambda: totals(w) > at * spans)
        if part is not road.ingester and is_all_sent(w):
            raise AssertionError(f"{part.name}: it was over before")
        if part is road.ingester:
            wait_for_middle(w, road)
        part.kill()
        if part is not road.ingester:
            base.until("the uploader to notice", lambda: w.rows(
                "SELECT 1 FROM sinks WHERE state = 'retrying'"))
        if part is road.broker:
            road.collector.kill()
            road.collector.start()
        part.start()


def wait_for_middle(w, road):
    """The storage has something of it by now, and not all."""
    stored, lag = base.until("the ingester to commit", lambda: (
        lambda at: at if at and at[0] else None)(road.offsets()), INGEST_S)
    print(f"the ingester is killed with {stored} messages stored, {lag} not yet")
    if lag == 0 and is_all_sent(w):
        raise AssertionError("ingester: it was over before")


def compare(w, road, rows, patience_s):
    """Until nothing differs: what a sampler keeps comes later."""
    groups = {r[0] for r in w.rows("SELECT fingerprint FROM error_groups")}
    count, end = 0, time.monotonic() + patience_s
    for trace_id, mine in rows.items():
        while True:
            bad, n = same.trace(mine, road.api, trace_id, ROOTS, groups)
            if not bad or time.monotonic() > end:
                break
            time.sleep(0.5)  # polls a state
        if bad:
            raise AssertionError(f"{len(bad)} differences:\n" + "\n".join(bad[:5]))
        count += n
    services = same.get(road.api, "/api/v3/services")["services"]
    base.expect([s for s in services if s.startswith("unknown")], [], "services")
    return count


def split_by_failure(rows):
    """(traces that a sampler keeps, ids of the others)."""
    failed = {t: mine for t, mine in rows.items()
              if any(r["status"] == "error" for r in mine)}
    others = set(rows) - set(failed)
    base.expect((len(failed) > 1, len(others) > 1), (True, True), "traces of both")
    return failed, others


def main():
    handspan, backends, kind, protocol, spans = sys.argv[1:]
    needs = ["jaeger"] + ([fleet.TOOLS] if kind == "whole" else [])
    for name in needs:
        if not glob.glob(os.path.join(backends, name)):
            print(f"skipped: no {name} in {backends}: examples/jaeger/get puts it there")
            sys.exit(SKIP)
    if kind == "whole" and not shutil.which("java"):
        print("skipped: no java")
        sys.exit(SKIP)
    w = World(os.path.abspath(handspan))
    road = fleet.Fleet(backends, w.dir)
    try:
        all_kinds(w, int(spans))
        rows = check_kinds(w)
        getattr(road, kind)()
        begun = time.monotonic()
        side = w.sidecar("--stay", "--upload", f"otlp+http://127.0.0.1:{road.otlp}"
                         f"?values=on&protocol={protocol}")
        if kind == "whole":
            kill_each(w, road, sum(map(len, rows.values())))
        base.until("all is sent", lambda: is_all_sent(w))
        took = time.monotonic() - begun
        side.terminate()
        side.communicate(timeout=300)
        base.expect(w.rows("SELECT count(*) FROM refused"), [(0,)], "refused rows")
        if kind == "whole":
            base.until("the storage to have what the broker has", lambda: (
                road.offsets() or (0, 1))[1] == 0, INGEST_S)
            print(f"stored {time.monotonic() - begun:.0f} s after the first was sent")
        kept, others = split_by_failure(rows) if kind == "sampled" else (rows, ())
        count = compare(w, road, kept, 0 if kind == "whole" else PATIENCE_S)
        base.expect([t for t in others if same.spans_there(road.api, t)], [],
                    "traces that did not fail, and are there")
        print(f"ok: {len(kept)} of {len(rows)} traces, {count:,} spans equal; sent in {took:.0f} s")
    except BaseException:
        print(w.log()[-2000:], w.sinks() if os.path.exists(w.store) else "", file=sys.stderr)
        road.logs()
        raise
    finally:
        road.end()
        w.done()


main()
