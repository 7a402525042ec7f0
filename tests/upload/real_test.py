#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs, uploaded to a real PostgreSQL through the gateway (a
simulation of PostgREST): the twenty questions of docs/querying.md answered
locally, in SQL and by URL with the same figures; all that the store has of
errors and context there too; no value but where values=on.

usage: real_test.py HANDSPAN
"""
import json
import os
import re
import subprocess
import sys
import urllib.request

import base
import postgres
import program
import scan
from base import expect
from scan import PLANTS

TOP = os.path.join(base.HERE, "../..")
EXAMPLES = os.path.join(TOP, "examples")


class World(base.Place):
    def __init__(self, handspan):
        super().__init__(handspan)
        self.pg = postgres.Postgres().start()
        self.pg.migrate()
        two = os.path.join(self.dir, "two.sql")
        with open(two, "w", encoding="utf-8") as f:
            subprocess.run([self.handspan, "schema", "postgres", "--prefix", "v_"],
                           stdout=f, check=True)
        self.pg.apply(two)
        self.gateway = base.Gateway(self.pg, self.dir).start()
        self.work = os.path.join(self.dir, PLANTS["path"])
        os.mkdir(self.work)

    def close(self):
        self.gateway.kill()
        self.pg.stop()
        self.done()

    def traced(self, manifest, *command):
        subprocess.run([self.handspan, "run", "-m", manifest, "--summary=never",
                        "--", *command], env=self.env, cwd=self.work,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=300)

    def json(self, *args):
        lines = self.run(*args, "--json", status=None).splitlines()
        return [json.loads(line) for line in lines][1:]


def real_run(w):
    """Debian's programs as they are, with errors, and one of our own."""
    def manifest(name):
        return os.path.join(EXAMPLES, name, "handlers.manifest")
    sam = subprocess.run(
        ["awk", "-v", "reads=300", "-f",
         os.path.join(EXAMPLES, "samtools/make_sam.awk")], check=True,
        stdout=subprocess.PIPE).stdout
    with open(os.path.join(w.work, "in.sam"), "wb") as f:
        f.write(sam)
    subprocess.run(["samtools", "view", "-b", "-o", "whole.bam", "in.sam"],
                   cwd=w.work, check=True, stderr=subprocess.DEVNULL)
    with open(os.path.join(w.work, "whole.bam"), "rb") as f:
        head = f.read(20000)
    with open(os.path.join(w.work, PLANTS["path"] + ".bam"), "wb") as f:
        f.write(head)
    samtools = manifest("samtools")
    w.traced(samtools, "samtools", "view", "-c", PLANTS["path"] + ".bam")
    w.traced(samtools, "samtools", "view", "-b", "-o", "/dev/full", "in.sam")
    w.traced(samtools, "samtools", "view", "-c", "whole.bam")
    w.traced(manifest("sqlite3"), "sqlite3", "-batch", ":memory:",
             "create table a(x); insert into a values('%s'); select * from a; "
             "select %s from a" % (PLANTS["command"], PLANTS["error"]))
    w.env["GST_REGISTRY"] = os.path.join(w.work, "registry.bin")
    w.traced(manifest("gst-launch"), "gst-launch-1.0", "-q", "audiotestsrc",
             "num-buffers=20", "!", "queue", "!", "fakesink")
    jobs, declared = program.build(w.dir)
    for end in "live", "live", "die":
        w.traced(declared, jobs, end, PLANTS["path"] + ".none",
                 PLANTS["command"])


# ---- the questions ----------------------------------------------------------

def pick(rows, names, **also):
    """Of each row what the question selects; also: the name here."""
    return [{n: r[also.get(n, n)] for n in names.split()} for r in rows]


def percentile(histogram, percent, most):
    """lane/format/histogram.h, again: the middle of a bucket, at most the maximum."""
    every = sum(histogram.values())
    rank, seen = (every * percent + 99) // 100, 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            if bucket < 32:
                return min(bucket, most)
            shift = (bucket >> 4) - 1
            return min(((16 + (bucket & 15)) << shift) + ((1 << shift) >> 1),
                       most)
    return None


def local_answers(w, fill):
    """Question: rows, from `handspan ... --json`, or where it has no command
    for that, from the tables of the store. None of the uploader's SQL."""
    lists = w.json("list", "--limit", "0")
    lists.sort(key=lambda r: (-r["start_unix_ns"], r["trace_id"]))
    every = {r["trace_id"]: w.json("spans", "--limit", "0", r["trace_id"])
             for r in lists}
    for rows in every.values():
        for r in rows:
            error = r["error"] or {}
            r.update(error_kind=error.get("kind"), error_type=error.get("type"))
    trace = fill["trace"]

    def is_process(r):
        return "exit_code" in r["attributes"]
    calls = {t: [r for r in rows if not is_process(r)]
             for t, rows in every.items()}
    flat = [r for rows in calls.values() for r in rows]
    mine = calls[trace]
    processes = [dict(r, **r["attributes"]) for r in every[trace]
                 if is_process(r)]
    db = dict(w.rows("SELECT lower(hex(trace_id)), trace FROM traces"))

    def stats_of(t):  # without the line of what is in no handler
        return [r for r in w.json("stats", t) if r.get("calls") is not None]
    stats = stats_of(trace)
    here = [t for t in lists if t["name"] == fill["program"]]
    groups = [g for g in w.json("errors") if g["of"] == "handler"]
    of_trace = [dict(g, last_span_id=g["example"]["span_id"]) for g in
                w.json("errors", "--trace", trace) if g["of"] == "handler"]

    def all_stats(traces):
        """Totals over traces; percentiles from their histograms."""
        sums = {}
        for t in traces:
            for r in stats_of(t["trace_id"]):
                s = sums.setdefault(r["name"], {
                    "name": r["name"], "calls": 0, "total_ns": 0, "max_ns": 0,
                    "self_ns": 0, "trace_count": 0, "histogram": {}})
                for k in "calls", "total_ns", "self_ns":
                    s[k] += r[k] or 0
                s["max_ns"] = max(s["max_ns"], r["max_ns"] or 0)
                s["trace_count"] += 1
            for name, text in w.rows(
                    "SELECT i.name, r.histogram FROM rollups r JOIN sites i "
                    "USING (session, site) WHERE r.trace = ?",
                    db[t["trace_id"]]):
                for bucket, n in json.loads(text).items():
                    into = sums[name]["histogram"]
                    into[int(bucket)] = into.get(int(bucket), 0) + n
        for s in sums.values():
            s["p95_ns"] = percentile(s["histogram"], 95, s["max_ns"])
        return sorted(sums.values(), key=lambda s: (-s["self_ns"], s["name"]))

    def by(rows, *keys):
        def key(r):
            return [-r[k[1:]] if k[0] == "-" else r[k] for k in keys]
        return sorted(rows, key=key)
    ordered = by(stats, "-self_ns", "name")
    return {
        1: pick(lists[:50], "trace_id name status start_unix_ns duration_ns"),
        2: pick([r for r in w.json("list", "--where", "status=error")],
                "trace_id name start_unix_ns"),
        3: pick(by([r for r in lists if r["duration_ns"] > 10**8],
                   "-duration_ns", "trace_id"), "trace_id name duration_ns"),
        4: pick(by(w.json("list", "--program", fill["program"]),
                   "start_unix_ns", "trace_id"), "trace_id duration_ns"),
        5: pick(by(processes, "start_unix_ns", "pid"),
                "pid name status ended_by exit_code signal duration_ns cpu_ns "
                "peak_bytes"),
        6: pick(ordered, "name calls errors total_ns self_ns max_ns"),
        7: pick(by(stats, "name"), "name p50_ns p95_ns max_ns"),
        8: pick(all_stats(here), "name calls trace_count p95_ns"),
        9: pick(all_stats(lists), "name calls total_ns"),
        10: pick(by([r for r in flat if r["status"] == "error"],
                    "-start_unix_ns", "span_id")[:20],
                 "span_id name error_kind error_type start_unix_ns"),
        11: pick(by(groups, "-count", "-last_unix_ns", "group"),
                 "fingerprint type name count trace_count",
                 fingerprint="group", trace_count="traces"),
        12: pick(by(of_trace, "-count", "-last_unix_ns", "group"),
                 "type name count last_span_id"),
        13: pick(by([r for r in flat if r["duration_ns"] is not None],
                    "-duration_ns", "span_id")[:10],
                 "span_id name duration_ns"),
        14: pick(by([r for r in mine if r["name"] == fill["name"]],
                    "start_unix_ns", "span_id"),
                 "span_id start_unix_ns duration_ns"),
        15: pick(by([r for r in mine if r["parent_span_id"] == fill["span"]],
                    "start_unix_ns", "span_id"), "span_id name duration_ns"),
        16: pick(by([r for r in flat if r["status"] == "unfinished"],
                    "start_unix_ns", "span_id"),
                 "span_id name ended_by start_unix_ns"),
        17: pick(by([r for r in mine if r["cpu_ns"] is not None and
                     r["cpu_ns"] < (r["duration_ns"] or 0) // 2],
                    "-duration_ns", "span_id")[:20],
                 "span_id name duration_ns cpu_ns"),
        18: [dict(zip(("name", "object", "binding", "reason"), r)) for r in [
            (n, o and o.rsplit("/", 1)[-1], b, None if "/" in (why or "/")
             else why) for n, o, b, why in w.rows(
                "SELECT i.name, object, binding, reason FROM sites i JOIN "
                "sessions e USING (session) WHERE binding = 'none' "
                "ORDER BY i.name, hex(e.key)")]],
        19: [dict(zip(("session", "loss", "count"), r)) for r in w.rows(
            "SELECT lower(hex(e.key)), kind, count FROM losses l JOIN sessions "
            "e USING (session) WHERE count > 0 ORDER BY 1, 2")],
        20: pick([r for r in lists if r["trace_id"].startswith(fill["short"])],
                 "trace_id name host pid"),
    }


def questions(w):
    """All twenty, three ways."""
    trace, name, span = w.pg.rows(
        "SELECT s.trace_id, s.name, p.span_id FROM spans s JOIN spans p ON "
        "p.span_id = s.parent_span_id WHERE s.program = 'jobs' AND "
        "NOT EXISTS (SELECT 1 FROM spans u WHERE u.trace_id = s.trace_id AND "
        "u.status = 'unfinished') ORDER BY 1, 2 LIMIT 1")[0]
    fill = {"program": "samtools", "trace": trace, "name": name, "span": span,
            "short": trace[:8]}
    here = local_answers(w, fill)
    with open(os.path.join(TOP, "docs/querying.md"), encoding="utf-8") as f:
        doc = f.read()
    found = re.findall(r"## (\d+)\..*?```sql\n(.*?);\n```\n"
                       r"(?:```\nGET (\S+)\n```)?", doc, re.S)
    expect(len(found), 20, "questions")
    wrong, rows_seen = [], 0
    for number, sql, url in found:
        sql = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], sql)
        there = w.pg.rows(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q",
                          role="handspan_reader")[0][0]
        rows_seen += len(there)
        if number != "19" and not there:
            wrong.append(f"question {number}: no rows")
        if there != here[int(number)]:
            wrong.append(f"question {number}, SQL: "
                         f"{difference(there, here[int(number)])}")
        if not url:
            continue
        url = re.sub(r"{(\w+)}", lambda m: fill[m.group(1)], url)
        request = urllib.request.Request(
            w.gateway.url(scheme="http") + url,
            headers={"Authorization": "Bearer token-reader"})
        with urllib.request.urlopen(request) as answer:
            by_url = json.load(answer)
        if by_url != there:
            wrong.append(f"question {number}, URL: {difference(by_url, there)}")
    if wrong:
        raise AssertionError("\n".join(wrong))
    return rows_seen


def difference(got, want):
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            return f"row {i}: {a}, here {b}"
    return f"{len(got)} rows, here {len(want)}: {(got + want)[-1:]}"


# ---- what the store has more ------------------------------------------------

def errors_and_context(w):
    expect(w.pg.rows("SELECT fingerprint, kind, type, rule, name, count, "
                     "first_unix_ns, last_unix_ns FROM handspan_error_totals "
                     "ORDER BY 1"),
           w.rows("SELECT fingerprint, kind, type, rule, handler, count, "
                  "first_unix_ns, last_unix_ns FROM error_groups ORDER BY 1"),
           "groups of errors")
    thrown = w.rows("SELECT lower(hex(e.key)), site, type, count FROM throws "
                    "JOIN sessions e USING (session) ORDER BY 1, 2, 3")
    expect(w.pg.rows("SELECT session, site, type, count FROM handspan_throws "
                     "ORDER BY 1, 2, 3"), thrown, "throws")
    assert any("runtime_error" in t[2] for t in thrown), thrown
    spans = {r["span_id"]: r for t in w.json("list", "--limit", "0")
             for r in w.json("spans", "--limit", "0", t["trace_id"])}
    seen = {"orphan": 0, "links": 0, "queue_ns": 0, "error_frames": 0,
            "error_rule": 0, "error_cause": 0}
    for r in w.pg.rows(
            "SELECT span_id, orphan, links, queue_ns, error_rule, error_cause, "
            "error_cause_errno, error_stack_ended, error_frames FROM spans"):
        (id, orphan, links, queue_ns, rule, cause, number, ended, frames) = r
        mine = spans[id]
        error = mine["error"] or {}
        expect((orphan, links or [], queue_ns),
               (mine["orphan"], mine["links"], mine["queue_ns"]), id)
        first = error.get("cause") or {}
        expect((rule, cause, number, ended),
               (error.get("rule"), first.get("call"), first.get("errno"),
                error.get("stack_ended")), id)
        want = error.get("origin") or error.get("stack")
        expect(frames, None if want is None else [
            {k: f.get(k) and f[k].rsplit("/", 1)[-1]
             if k in ("file", "object") else f.get(k)
             for k in ("function", "file", "line", "object", "offset",
                       "build_id")} for f in want], id)
        for key, value in (("orphan", orphan), ("links", links),
                           ("queue_ns", queue_ns), ("error_frames", frames),
                           ("error_rule", rule), ("error_cause", cause)):
            seen[key] += bool(value)
    assert all(seen.values()), seen
    place = w.pg.rows("SELECT DISTINCT f ->> 'file', (f ->> 'line')::int > 0 "
                      "FROM spans, json_array_elements(error_frames) f WHERE "
                      "f ->> 'function' LIKE 'main%%' AND program = 'jobs'")
    expect(place, [("planted.cpp", True)], "a frame by file and line")
    for table, columns in (
            ("sites", "declared, unseen, slow_ns, binding, declaration"),
            ("rollups", "slow_calls, calls, errors, total_ns, self_ns, max_ns, "
             "cpu_ns"), ("processes", "lost, end_source, pid, is_root, loading_ns")):
        here = w.rows(f"SELECT {columns} FROM {table}")
        there = [tuple(int(v) if isinstance(v, bool) else v for v in r) for r
                 in w.pg.rows(f"SELECT {columns} FROM handspan_{table}")]
        expect(sorted(map(repr, there)), sorted(map(repr, here)), table)
    assert w.pg.rows("SELECT 1 FROM processes WHERE loading_ns > 0")


def values_stay(w):
    scan.check(w.gateway.wire, ["planted.cpp /", w.dir])
    loud = scan.plants_in(w.gateway.wire, True, [w.dir])
    expect(set(loud), set(PLANTS) | {w.dir},
           "plants found where values=on")
    for column in base.VALUES:
        expect(w.pg.rows(f"SELECT count({column}) FROM spans"), [(0,)], column)


def copied(w):
    """`export -f csv` of each trace, as psql's \\copy takes it, is what was
    uploaded; processes are rows without a site."""
    w.pg.rows("CREATE TABLE c_spans (LIKE v_spans INCLUDING ALL)")
    for trace in w.json("list", "--limit", "0"):
        path = os.path.join(w.dir, "trace.csv")
        w.run("export", "-f", "csv", "--values", "-o", path, trace["trace_id"])
        with open(path, encoding="utf-8") as f:
            columns = f.readline().strip()
        subprocess.run(["psql", "-q", "-h", w.pg.dir, "-U", "owner", "-d",
                        "postgres", "-v", "ON_ERROR_STOP=1", "-c",
                        f"\\copy c_spans ({columns}) from '{path}' csv header"],
                       check=True, stdin=subprocess.DEVNULL)
    cells = ", ".join(f"{c}::text" for c in columns.split(","))
    here, there = (sorted(map(repr, w.pg.rows(f"SELECT {cells} FROM {table}")))
                   for table in ("c_spans WHERE site >= 0", "v_spans"))
    expect(len(here) > 100, True, "spans copied")
    expect([x for x in zip(here, there) if x[0] != x[1]][:1], [],
           "spans copied and uploaded")
    expect(len(here), len(there), "spans copied and uploaded")
    named = "span_id, name, pid, start_unix_ns, duration_ns, cpu_ns, status"
    expect(sorted(w.pg.rows(f"SELECT {named} FROM c_spans WHERE site < 0")),
           sorted(set(w.pg.rows(f"SELECT {named} FROM v_processes p WHERE "
                                "version = (SELECT max(version) FROM v_processes"
                                " q WHERE q.span_id = p.span_id)"))),
           "processes copied and uploaded")


def main():
    w = World(os.path.abspath(sys.argv[1]))
    try:
        real_run(w)
        base.until("all sessions are stored", lambda: not [
            n for n in os.listdir(w.lanes) if n.startswith("session-")])
        side = w.sidecar("--stay", "--upload", w.gateway.url(), "--upload",
                         w.gateway.url(options="values=on&prefix=v_"))
        base.until("all is sent", lambda: w.rows(
            "SELECT count(*) FROM sinks WHERE state = 'idle' AND cursor_seq = "
            "(SELECT max(seq) FROM outbox)") == [(2,)], 300)
        side.terminate()
        side.communicate(timeout=300)
        errors_and_context(w)
        rows = questions(w)
        values_stay(w)
        copied(w)
        print(f"ok: {len(w.rows('SELECT 1 FROM spans'))} spans, {rows} rows of "
              "answers")
    except BaseException:
        print(w.log(), w.sinks(), file=sys.stderr)
        raise
    finally:
        w.close()


if __name__ == "__main__":
    main()
