#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small store with fixed times, for the screens: fixture.py SCHEMA.sql OUT.

Trace 4bf92f35: an ETL run that fails (12 extract, 391 work on three threads,
two orphans, a handler that was not bound). Trace 4bf92f36: a recursive walk,
killed while two of its spans were open. Trace a0...: nothing but a process;
a1...: crashed; a2...: still running.
"""
import json
import os
import sqlite3
import struct
import sys

S = 10**9
MS = 10**6
BASE = 1772503201 * S  # 2026-03-03 02:00:01 UTC


def bucket(ns):
    """lane_histogram_bucket() of lane/format/histogram.h, written independently."""
    if ns < 16:
        return ns
    exponent = ns.bit_length() - 1
    return min(((exponent - 3) << 4) + ((ns >> (exponent - 4)) & 15), 767)


def ref(lane, counter):
    n = lane << 48 | counter
    return n - (1 << 64) if n >= 1 << 63 else n


def process_ref(idx):
    return ref(0xFFFF, idx + 1)


class Store:
    def __init__(self, schema, path):
        self.db = sqlite3.connect(path)
        migrations = sorted(n for n in os.listdir(schema) if n[:4].isdigit())
        for name in migrations:
            self.db.executescript(open(os.path.join(schema, name)).read())
        self.db.execute(f"PRAGMA user_version = {len(migrations)}")
        self.sessions = self.traces = 0

    def put(self, table, **row):
        if table == "spans":  # which is a view of them
            table = "span_rows"
        self.db.execute(
            f"INSERT INTO {table} ({','.join(row)}) "
            f"VALUES ({','.join('?' * len(row))})", list(row.values()))

    def session(self, key, **more):
        self.sessions += 1
        row = dict(session=self.sessions, key=struct.pack(">Q", key),
                   file=f"session-{key:x}", host="build7",
                   boot_id="3c1f7c1e-0000-4000-8000-000000000001",
                   state="ended", created_unix_ns=BASE)
        self.put("sessions", **{**row, **more})
        return self.sessions

    def trace(self, session, trace_id, **more):
        self.traces += 1
        row = dict(trace=self.traces, trace_id=bytes.fromhex(trace_id),
                   session=session, context=0, root_ref=process_ref(0))
        self.put("traces", **{**row, **more})
        self.put("contexts", session=session, context=0, trace=self.traces)
        return self.traces

    def rollups(self, trace):
        totals = {}
        # totals are of outermost calls: walk's inner ones have depth > 1
        for session, site, ns, own, cpu, status, depth in self.db.execute(
                "SELECT session, site, duration_ns, self_ns, cpu_ns, status, "
                "depth "
                "FROM spans WHERE trace = ? AND duration_ns NOT NULL",
                [trace]):
            t = totals.setdefault((session, site), [0, 0, 0, 0, 0, 0, {}])
            t[0] += 1
            t[1] += status == "error"
            t[2] += ns if depth < 2 or site != 1 else 0
            t[3] += own or 0
            t[4] = max(t[4], ns)
            t[5] += cpu or 0
            t[6][str(bucket(ns))] = t[6].get(str(bucket(ns)), 0) + 1
        for (session, site), t in sorted(totals.items()):
            self.put("rollups", trace=trace, session=session, site=site,
                     calls=t[0], errors=t[1], total_ns=t[2], self_ns=t[3],
                     max_ns=t[4], cpu_ns=t[5], dropped_calls=0,
                     histogram=json.dumps(t[6], separators=(",", ":")))


ENOENT = {"kind": "rule", "type": "ENOENT", "rule": "return < 0",
          "return_value": -2, "errno": 2, "message": None,
          "cause": {"call": "open", "args": ["/data/x.csv", "O_RDONLY"], "errno": 2,
                    "error": "ENOENT"},
          "origin": [],
          "stack": [], "stderr": "load: cannot open input\n",
          "fingerprint": "e41c0000000000aa"}
LIB = "/opt/etl/lib/libetl.so.1"
for function, place, line, obj, offset, build, inlined, handler in [
        ("open64", "../sysdeps/unix/sysv/linux/open64.c", 41,
         "/lib/x86_64-linux-gnu/libc.so.6", 0xF7E40, "93ac61ec", False, None),
        ("load_csv", "src/load.c", 42, LIB, 0x1A40, "4fe2c0a1", False, None),
        ("open_input", "src/load.c", 88, LIB, 0x1B02, "4fe2c0a1", True, None),
        ("extract", "src/extract.c", 120, LIB, 0x2210, "4fe2c0a1", False,
         "extract"),
        ("run_pipeline", "src/dag.c", 61, LIB, 0x30C4, "4fe2c0a1", False,
         "run"),
        ("main", None, None, "/opt/etl/bin/etl-nightly", 0x1190, "77aa0199",
         False, None)]:
    ENOENT["origin"].append({
        "function": function, "file": place, "line": line, "object": obj,
        "offset": hex(offset), "build_id": build, "inlined": inlined,
        **({"handler": handler} if handler else {})})


LATE = {"kind": "overdue", "type": None, "rule": 'overdue("30s")',
        "return_value": None, "errno": None,
        "message": "waiting in recvfrom(7)", "cause": None, "origin": [],
        "stack": [
            {"function": "recv", "file": None, "line": None,
             "object": "/lib/x86_64-linux-gnu/libc.so.6", "offset": "0x109e20",
             "build_id": "93ac61ec", "inlined": False},
            {"function": "read_answer", "file": "src/llm.c", "line": 211,
             "object": LIB, "offset": "0x4120", "build_id": "4fe2c0a1",
             "inlined": False},
            {"function": "call_llm", "file": "src/llm.c", "line": 240,
             "object": LIB, "offset": "0x4210", "build_id": "4fe2c0a1",
             "inlined": False, "handler": "call_llm"}],
        "stderr": None, "fingerprint": "7a7e0000000000cc", "stack_ended": None,
        "syscall": "recvfrom", "syscall_number": 45,
        "kernel_function": "sk_wait_data", "stopped": False}


def etl(st):
    s = st.session(0x1122334455667788)
    t = st.trace(s, "4bf92f3577b34da6a3ce929d0e0e4736", name="etl-nightly",
                 start_unix_ns=BASE, duration_ns=842 * S, status="error")
    st.put("processes", session=s, idx=0, trace=t, pid=4711,
           name="etl-nightly", program="/opt/etl/bin/etl-nightly",
           command='["./etl-nightly","--day","2026-03-03"]',
           start_unix_ns=BASE, duration_ns=842 * S, cpu_ns=214 * S,
           peak_bytes=412 << 20, status="error", ended_by="exit",
           exit_code=3, end_source="reaper")
    for lane, name in enumerate(["etl-nightly", "worker-1", "worker-2",
                                 "worker-3"]):
        st.put("threads", session=s, lane=lane, generation=1, process_idx=0,
               tid=4711 + lane, name=name)
    names = ["run", "extract", "work", "call_llm", "stage_parse", "stage_old",
             "flush"]
    for i, name in enumerate(names, 1):
        st.put("sites", session=s, site=i, name=name, symbol=name,
               object="/opt/etl/lib/libetl.so.1",
               binding="none" if name == "stage_old" else "entry",
               shim=None if name == "stage_old" else "frame",
               reason="no such symbol" if name == "stage_old" else None,
               address=0x3000 + 16 * i, build_id="4fe2c0a1", declaration=i)

    def span(lane, counter, parent, site, start, ns, own, cpu, **more):
        row = dict(session=s, ref=ref(lane, counter), trace=t,
                   parent_ref=parent, site=site, process_idx=0, generation=1,
                   depth=1, start_unix_ns=BASE + start, duration_ns=ns,
                   self_ns=own, cpu_ns=cpu, status="ok", ended_by="return")
        st.put("span_rows", **{**row, **more})

    run = ref(0, 1)
    span(0, 1, process_ref(0), 1, S // 2, 841 * S, 10 * S, 74 * S,
         input='{"dag":"nightly"}', output='{"return":3}')
    for i in range(12):
        ns = 312 * MS if i == 11 else 13_600 * MS
        more = dict(input=json.dumps({"path": f"/data/{i}.csv",
                                      "job_id": 4200 + i},
                                     separators=(",", ":")))
        if i == 11:
            more.update(status="error", error=json.dumps(ENOENT),
                        fingerprint=ENOENT["fingerprint"], output='{"return":-2}')
        else:
            more.update(output='{"text":"id,name\\n1,Zo\u00eb","return":0}')
        span(0, 2 + i, run, 2, S + i * 13_700 * MS, ns, ns,
             ns if i < 5 else ns // 9, **more)
    for i in range(391):
        lane, counter = 1 + i % 3, 1 + i // 3 * 3
        start = 152 * S + i * 1760 * MS
        llm = 1200 * MS + (i * 7919 % 997) * 2 * MS
        if i == 300:
            llm = 41_200 * MS
        parse = 95 * MS + (i * 104729 % 101) * MS
        span(lane, counter, run, 3, start, llm + parse + 80 * MS, 80 * MS,
             parse + 41 * MS, queue_ns=900 * MS)
        span(lane, counter + 1, ref(lane, counter), 4, start + 40 * MS, llm,
             llm, MS)
        if i == 300:
            st.put("overdue", session=s, ref=ref(lane, counter + 1),
                   at_unix_ns=BASE + start + 30 * S, limit_ns=30 * S,
                   fingerprint=LATE["fingerprint"], detail=json.dumps(LATE))
            st.put("error_groups", fingerprint=LATE["fingerprint"],
                   handler="call_llm", kind="overdue", type=None,
                   rule=LATE["rule"], count=1, session=s,
                   first_unix_ns=BASE + start + 30 * S,
                   last_unix_ns=BASE + start + 30 * S,
                   ref=ref(lane, counter + 1))
        span(lane, counter + 2, ref(lane, counter), 5,
             start + 41 * MS + llm, parse, parse, parse)
    for i in range(2):
        span(3, 5000 + i, 0, 7, 300 * S + i * S, 4 * MS, 4 * MS, MS)
    st.rollups(t)
    st.put("losses", session=s, kind="lost_captures", count=2)
    # two more of the kind in traces that are gone
    st.put("error_groups", fingerprint=ENOENT["fingerprint"],
           handler="extract", kind="rule", type="ENOENT", rule="return < 0",
           count=3, first_unix_ns=BASE - 172800 * S,
           last_unix_ns=BASE + S + 11 * 13_700 * MS, session=s,
           ref=ref(0, 13))
    # and one of which no call is left
    st.put("error_groups", fingerprint="0b5e0000000000bb",
           handler="old_stage", kind="signal", type="SIGSEGV", rule=None,
           count=7, first_unix_ns=BASE - 864000 * S,
           last_unix_ns=BASE - 432000 * S, session=99, ref=1)


def walk(st):
    """walk(6) calls itself twice a level; killed in its second branch."""
    s = st.session(0x99, note="binding: libZydis is missing, call slots used")
    start = BASE + 3600 * S
    t = st.trace(s, "4bf92f36000000000000000000000001", name="walk",
                 start_unix_ns=start, duration_ns=90 * MS, status="error")
    st.put("processes", session=s, idx=0, trace=t, pid=99, name="walk",
           program="/usr/bin/walk", command='["walk","6"]',
           start_unix_ns=start, duration_ns=90 * MS, status="error",
           ended_by="killed", signal=9, end_source="pidfd",
           peak_bytes=3 << 20, peak_is_lower_bound=1)
    st.put("threads", session=s, lane=0, generation=1, process_idx=0, tid=99,
           name="walk")
    for i, (name, symbol) in enumerate(
            [("walk", "_ZN4tree6Walker4walkEi"),
             ("tree::Walker<std::vector<int>>::leaf(int, char const*)",
              "_ZN4tree6Walker4leafEiPKc")], 1):
        st.put("sites", session=s, site=i, name=name, symbol=symbol,
               object="/usr/bin/walk", binding="slots", shim="zero-copy",
               address=4096 * i, declaration=i)
    st.put("throws", session=s, site=2, type="std::runtime_error", count=57)
    st.put("throws", session=s, site=0, type="int", count=1)
    for i in range(5):  # a chain of five, the last two never end
        ended = i > 1
        st.put("span_rows", session=s, ref=ref(0, 1 + i), trace=t,
               parent_ref=process_ref(0) if i == 0 else ref(0, i), site=1,
               process_idx=0, generation=1, depth=i,
               start_unix_ns=start + (i + 1) * MS,
               duration_ns=(60 - 10 * i) * MS if ended else None,
               self_ns=10 * MS if ended else None,
               cpu_ns=(60 - 10 * i) * MS if ended else None,
               status="ok" if ended else "unfinished",
               ended_by="return" if ended else "killed")
    for i in range(3):
        st.put("span_rows", session=s, ref=ref(0, 10 + i), trace=t,
               parent_ref=ref(0, 5), site=2, process_idx=0, generation=1,
               depth=6, start_unix_ns=start + (6 + 2 * i) * MS,
               duration_ns=1234 * (i + 1), self_ns=1234 * (i + 1),
               status="error" if i else "ok", ended_by="exception" if i else
               "return",
               error=json.dumps({
                   "kind": "exception", "type": "std::runtime_error",
                   "message": f"cannot\x1b[31m open {i}"}) if i else None)
    st.rollups(t)
    st.db.execute("UPDATE rollups SET calls = calls + 40, total_ns = total_ns "
                  "+ 40000, dropped_calls = 40 WHERE trace = ? AND site = 2",
                  [t])


def small(st):
    for i, (name, row) in enumerate([
            ("true", dict(status="ok", ended_by="exit", exit_code=0)),
            ("crash", dict(status="error", ended_by="signal", signal=11)),
            ("server", dict(status="open"))]):
        s = st.session(0x1000 + i, state="live" if i == 2 else "ended")
        start = BASE + (7200 + 60 * i) * S
        ns = None if i == 2 else (1 + i) * 1_700_000
        t = st.trace(s, f"a{i}" * 16, name=name, start_unix_ns=start,
                     duration_ns=ns, status=row["status"])
        st.put("processes", session=s, idx=0, trace=t, pid=100 + i,
               name=name, program=f"/usr/bin/{name}",
               command=f'["{name}"]', start_unix_ns=start, duration_ns=ns,
               **row)


def main():
    st = Store(sys.argv[1], sys.argv[2])
    etl(st)
    walk(st)
    small(st)
    st.db.commit()


if __name__ == "__main__":
    main()
