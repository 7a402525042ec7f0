#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every export of a trace, read back by code of this test alone, tells the
tree, the times and the states of `spans --json`. Traces with errors, several
processes and threads, calls that never ended, links, orphans, work that is
handed over, spans that overlap, detail that found no room, a program that
still runs. Usage: readback_test.py HANDSPAN [unittest arguments]"""
import collections
import csv
import decimal
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../common"))
sys.path.insert(0, os.path.join(HERE, "../upload"))
import alive  # noqa: E402
import perfetto  # noqa: E402
import program  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")

HEAD = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define CALL __attribute__((noipa)) int
"""
CALLS = HEAD + r"""
struct item { int n; };
static struct item items[6];
CALL leaf(int n) { return n + 1; }
CALL fail(int n) { return n % 3 ? n : -1; }
CALL walk(int n) { return n ? leaf(n) + walk(n - 1) : fail(n); }
CALL hand_over(struct item *item) { return item->n; }
CALL take_up(struct item *item) { return leaf(item->n); }
CALL begin(long key) { return (int)key; }
CALL end(long key) { return (int)key; }
CALL around(int n) { return begin(n) + leaf(n); }
static void *work(void *unused)
{
    for (int i = 0; i < 3; i++) take_up(&items[i]);
    return unused;
}
int main(void)
{
    pthread_t thread;
    int sum = 0;
    for (int i = 0; i < 9; i++) sum += walk(i);
    for (int i = 0; i < 5; i++) { sum += around(i); sum += leaf(i); }
    for (int i = 0; i < 5; i++) { end(i); sum += fail(i); }
    for (int i = 0; i < 6; i++) { items[i].n = i; sum += hand_over(&items[i]); }
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    for (int i = 3; i < 6; i++) take_up(&items[i]); // by the same thread
    return sum & 1;
}
"""
CALLS_MANIFEST = """
struct item;
[[span]] int leaf(int n);
[[span, fails(return < 0)]] int fail(int n);
[[span]] int walk(int n);
[[span, carry(item)]] int hand_over(struct item *item);
[[span, adopt(item)]] int take_up(struct item *item);
[[begin("two", key)]] int begin(long key);
[[end("two", key)]] int end(long key);
[[span]] int around(int n);
"""
# Forks, execs itself, a child that is killed in a handler, one that exits in
# it with another thread still at work.
PROCESSES = HEAD + r"""
CALL step(int n) { return n + 1; }
CALL stuck(int fd) { char c; return write(fd, "", 1) + (int)read(fd, &c, 0) + pause(); }
CALL leave(int n) { exit(n); }
CALL parent(int n) { return step(n); }
static int ends[2];
static void *wait_there(void *unused)
{
    stuck(ends[1]);
    return unused;
}
static void in_child(int i, char **argv)
{
    char c;
    pthread_t thread;
    step(i);
    if (i == 0) { stuck(ends[1]); _exit(0); }
    if (i == 1) { pthread_create(&thread, NULL, wait_there, NULL);
                  if (read(ends[0], &c, 1) != 1) abort();
                  leave(3); }
    execl(argv[0], argv[0], "again; or not", (char *)NULL);
    abort();
}
int main(int argc, char **argv)
{
    char c;
    parent(1);
    if (argc > 1) return step(7) == 0;
    for (int i = 0; i < 4; i++) {
        if (pipe(ends)) abort();
        pid_t pid = fork();
        if (pid == 0) in_child(i, argv);
        if (i == 0 && read(ends[0], &c, 1) == 1) kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        step(i);
    }
    return 0;
}
"""
PROCESSES_MANIFEST = """
[[span]] int step(int n);
[[span]] int stuck(int fd);
[[span]] int leave(int n);
[[span]] int parent(int n);
"""
# More calls than there is room for while nobody reads; then waits to be ended.
MANY = HEAD + r"""
CALL leaf(int n) { return n + 1; }
CALL mid(int n) { return leaf(n) + leaf(n + 1); }
CALL top(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) sum += mid(i);
    return sum;
}
int main(void) { return top(200000) == 1; }
"""
MANY_MANIFEST = ("[[span]] int leaf(int n);\n[[span]] int mid(int n);\n"
                 "[[span]] int top(int n);\n")
RUNS = HEAD + r"""
CALL leaf(int n) { return n + 1; }
CALL waits(int n) { char c; leaf(n); puts("there"); fflush(stdout);
                    return (int)read(0, &c, 1); }
int main(void) { return leaf(1) + waits(1) == 0; }
"""
RUNS_MANIFEST = "[[span]] int leaf(int n);\n[[span]] int waits(int n);\n"


# ---- protobuf, as its encoding is published ---------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def message(data):
    """{field: [values]}"""
    fields, at = collections.defaultdict(list), 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        else:
            assert kind == 2, kind
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        fields[key >> 3].append(value)
    return fields


def of_protobuf(data):
    for resource in message(data)[1]:
        for scope in message(resource)[2]:
            for span in map(message, message(scope)[2]):
                attributes = {}
                for pair in map(message, span[9]):
                    value = message(pair[2][0])
                    attributes[pair[1][0].decode()] = \
                        value[1][0].decode() if 1 in value else value[3][0]
                links = [message(link) for link in span[13]]
                yield (span[2][0].hex(), (span[4] or [b""])[0].hex(),
                       span[5][0].decode(), span[7][0], span[8][0],
                       (message(span[15][0])[3] or [0])[0]
                       if span[15] else 0, attributes,
                       [(x[1][0].hex(), x[2][0].hex()) for x in links])


def of_json(text):
    for line in text.splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for s in scope["spans"]:
                    attributes = {
                        a["key"]: int(a["value"]["intValue"])
                        if "intValue" in a["value"] else
                        a["value"]["stringValue"]
                        for a in s.get("attributes", [])}
                    yield (s["spanId"], s.get("parentSpanId", ""), s["name"],
                           int(s["startTimeUnixNano"]),
                           int(s["endTimeUnixNano"]),
                           s.get("status", {}).get("code", 0), attributes,
                           [(x["traceId"], x["spanId"])
                            for x in s.get("links", [])])


# ---- one trace ----------------------------------------------------------------

class Trace:
    """What `spans --json` says, and where this test looks up the rest."""

    def __init__(self, case, env, path):
        self.case, self.env, self.path = case, env, path
        lines = self.out("spans", "--json").splitlines()[1:]
        self.rows = [json.loads(line) for line in lines]
        self.spans = {s["span_id"]: s for s in self.rows}
        case.assertEqual(len(self.rows), len(self.spans))
        # by its order: processes come first, and have no symbol
        self.processes = [s for s in self.rows if s["symbol"] is None]
        self.loading = {}  # from OTLP
        self.first = min(s["start_unix_ns"] for s in self.rows)

    def out(self, *args, text=True):
        return subprocess.run([HANDSPAN, *args], cwd=self.path, env=self.env,
                              check=True, capture_output=True, text=text,
                              timeout=300).stdout

    def process_of(self, span):
        return next(p for p in self.processes
                    if p["session"] == span["session"] and
                    p["pid"] == span["pid"])

    def end(self, span):
        """Of one without an end: its process's; None: that has none."""
        for s in span, self.process_of(span):
            if s["duration_ns"] is not None:
                return s["start_unix_ns"] + s["duration_ns"]
        return None

    # ---- OTLP, CSV

    def check_otlp(self, read):
        equal, told = self.case.assertEqual, set()
        for id, parent, name, start, end, code, attributes, links in read:
            want = self.spans[id]
            told.add(id)
            equal(parent or None, want["parent_span_id"], name)
            equal((name, start), (want["name"], want["start_unix_ns"]))
            equal(end - start, want["duration_ns"] or 0, name)
            equal(code, 2 if want["status"] == "error" else 0)
            equal(links, [(x["trace_id"], x["span_id"])
                          for x in want["links"]])
            for key in "status", "ended_by", "self_ns", "cpu_ns", "orphan":
                equal(attributes.get("handspan." + key), want[key], key)
            error = want["error"] or {}
            equal(attributes.get("error.type"),
                  error.get("type") or error.get("kind"))
            for key, member in (("rule", "rule"), ("group", "fingerprint")):
                equal(attributes.get("handspan.error." + key),
                      error.get(member))
            if want not in self.processes:
                equal(attributes.get("thread.id"), want["tid"])
                equal(attributes.get("thread.name"), want["thread_name"])
                equal(attributes.get("code.function.name"), want["symbol"])
            self.loading[id] = attributes.get("handspan.loading_ns", 0)
        equal(told, set(self.spans))

    def check_csv(self):
        equal = self.case.assertEqual
        rows = list(csv.DictReader(self.out("export", "-f", "csv")
                                   .splitlines()))
        equal([r["span_id"] for r in rows], [s["span_id"] for s in self.rows])
        for row, want in zip(rows, self.rows):
            is_call = want not in self.processes
            equal(int(row.pop("site")) >= 0, is_call)
            equal(row.pop("process_span_id"),
                  self.process_of(want)["span_id"] if is_call
                  else want["span_id"])
            equal(json.loads(row.pop("links") or "[]"), want["links"])
            error = want["error"] or {}
            for key, of, name in (("kind", error, "kind"), ("type", error, "type"),
                                  ("errno", error, "errno"),
                                  ("fingerprint", error, "fingerprint"),
                                  ("rule", error, "rule")):
                equal(row.pop("error_" + key), self.cell(of.get(name)), key)
            late = want.get("overdue") or {}
            for key in "unix_ns", "limit_ns", "frames":  # of a call alone
                equal(row.pop("overdue_" + key) != "", bool(late), key)
            for key in ("depth", "program", "error_cause", "error_cause_errno",
                        "error_frames", "error_stack_ended"):
                del row[key]
            if is_call:
                equal(row.pop("object"), os.path.basename(want["object"] or ""))
            else:
                del row["object"], row["orphan"], row["thread_name"]
            loading = want["attributes"].get("loading_ns")
            equal(loading or 0, self.loading[want["span_id"]], "loading")
            for key, value in row.items():
                equal(value, self.cell(want[key]), key)

    @staticmethod
    def cell(value):
        return "" if value is None else str(value)

    def check_list(self):
        """The trace begins when its process was executed."""
        trace = json.loads(self.out("list", "--json").splitlines()[1])
        loading = [p["attributes"]["loading_ns"] for p in self.processes
                   if p["pid"] == trace["pid"] and
                   p["start_unix_ns"] == trace["start_unix_ns"]]
        if not loading:
            return  # a request's: its process serves others, too
        self.case.assertEqual([trace["loading_ns"]], loading)
        loading = loading[0]
        self.case.assertGreater(loading, 0)
        self.case.assertGreaterEqual(
            min([s["start_unix_ns"] for s in self.rows
                 if s not in self.processes] or [2 ** 62]),
            trace["start_unix_ns"] + loading)

    # ---- Chrome

    def check_chrome(self):
        equal, case = self.case.assertEqual, self.case
        told = json.loads(self.out("export", "-f", "chrome"),
                          parse_float=decimal.Decimal,
                          parse_int=decimal.Decimal)
        events = told["traceEvents"]
        zero = int(told["otherData"]["start_unix_ns"])
        equal(zero, self.first)
        of = collections.defaultdict(list)
        for e in events:
            of[e["ph"]].append(e)
        ids = [e["args"]["span_id"] for e in of["X"] + of["b"]]
        equal(sorted(ids), sorted(self.spans))
        ends = iter(of["e"])
        for e in of["b"]:  # each has its end behind it
            e["dur"] = next(ends)["ts"] - e["ts"]
        for e in of["X"] + of["b"]:
            want = self.spans[e["args"]["span_id"]]
            equal((e["name"], e["pid"], e["tid"]),
                  (want["name"], want["pid"],
                   -1 if want["tid"] is None else want["tid"]))
            for key in "parent_span_id", "status", "ended_by", "self_ns":
                equal(e["args"].get(key), want[key], key)
            equal(zero + e["ts"] * 1000, want["start_unix_ns"])
            end = self.end(want)
            if end is not None:
                case.assertAlmostEqual(zero + (e["ts"] + e["dur"]) * 1000, end,
                                       delta=1)
            else:
                case.assertGreaterEqual(e["dur"], 0)
        self.check_flows(of)
        names = {(e["name"], e["pid"], e["args"]["name"]) for e in of["M"]}
        for p in self.processes:
            case.assertIn(("process_name", p["pid"], p["name"]), names)

    def handed_over(self):
        """Pairs: each link, and each call that was made where what it hangs
        from was not open on its thread."""
        want = collections.Counter()
        for s in self.rows:
            for link in s["links"]:
                want[link["span_id"], s["span_id"]] += 1
            parent = self.spans.get(s["parent_span_id"])
            if parent is None or parent in self.processes:
                continue
            if parent["tid"] != s["tid"] or s in self.processes or \
                    (self.end(parent) or 2**63) < s["start_unix_ns"]:
                want[parent["span_id"], s["span_id"]] += 1
        return want

    def check_flows(self, of):
        """One for each."""
        want = self.handed_over()
        got = [(e["id"][:16], e["id"][16:]) for e in of["s"]]
        self.case.assertEqual(collections.Counter(got), want, [
            [(s["name"], s["tid"], s["start_unix_ns"] - self.first,
              s["duration_ns"]) for s in map(self.spans.get, pair)]
            for pair in set(got) ^ set(want)])
        self.case.assertEqual(sorted(e["id"] for e in of["s"]),
                              sorted(e["id"] for e in of["f"]))
        for phase, half in (("s", 0), ("f", 1)):
            for e in of[phase]:
                at = self.spans[e["id"][16 * half:16 * half + 16]]
                self.case.assertEqual(
                    self.first + e["ts"] * 1000, at["start_unix_ns"])

    # ---- Perfetto

    def check_perfetto(self):
        equal, case = self.case.assertEqual, self.case
        told = perfetto.Perfetto(self.out("export", "-f", "perfetto", text=False))
        equal(told.clocks, {perfetto.REALTIME: self.first,
                            perfetto.BOOTTIME: self.first})
        equal(sorted(s.args["span_id"] for s in told.slices), sorted(self.spans))
        sources, targets = {}, collections.defaultdict(list)
        for s in told.slices:
            want = self.spans[s.args["span_id"]]
            self.check_slice(told, s, want)
            sources.update((flow, want["span_id"]) for flow in s.flows)
            for flow in s.ends_flows:
                targets[flow].append(want["span_id"])
        equal(collections.Counter((sources[flow], to) for flow, ends in targets.items()
                                  for to in ends), self.handed_over())
        equal(set(sources), set(targets))
        case.assertTrue(all(s.args["status"] == "open" for s in told.never_ended))
        names = {(t.process.pid, t.process.process_name) for t in told.tracks.values()
                 if t.HasField("process")}
        for p in self.processes:
            case.assertIn((p["pid"], p["name"]), names)

    def check_slice(self, told, s, want):
        equal = self.case.assertEqual
        equal((s.name, s.start), (want["name"], want["start_unix_ns"]))
        equal(s.end, None if want["status"] == "open" else self.end(want), s.name)
        for key in "parent_span_id", "status", "ended_by", "self_ns", "cpu_ns":
            equal(s.args.get(key), want[key], key)
        if want in self.processes:
            equal(s.track.process.pid, want["pid"])
            return
        equal(told.thread_of(s.track),
              None if want["tid"] is None else (want["pid"], want["tid"]))
        around = s.around and self.spans[s.around.args["span_id"]]
        parent = self.spans.get(want["parent_span_id"])
        if around not in (None, parent):  # what its thread did when it took over
            self.case.assertIn((parent and parent["span_id"], want["span_id"]),
                               self.handed_over() if parent else
                               {(None, want["span_id"])})
        if around is None and parent is not None and parent not in self.processes and \
                parent["tid"] == want["tid"] and want["tid"] is not None:
            self.case.assertTrue(self.is_crossed(want, parent), s.name)

    def is_crossed(self, span, parent):
        """Does it, its parent or what was open with them on the thread end in
        the midst of another?"""
        end = 2**63
        if (self.end(parent) or end) < (self.end(span) or end):
            return True
        around = [s for s in self.rows if s["tid"] == span["tid"] and
                  s not in self.processes and
                  s["start_unix_ns"] <= span["start_unix_ns"] <= (self.end(s) or end)]
        return any(a["start_unix_ns"] <= b["start_unix_ns"] < (self.end(a) or end) <
                   (self.end(b) or end) for a in around for b in around)

    # ---- speedscope

    def check_speedscope(self):
        """Stacks of a thread: as `spans` has them where the parent is open on
        the same thread and ends no sooner."""
        equal, told = self.case.assertEqual, json.loads(
            self.out("export", "-f", "speedscope"))
        equal(told["$schema"],
              "https://www.speedscope.app/file-format-schema.json")
        equal(set(told), {"$schema", "exporter", "name", "activeProfileIndex",
                          "shared", "profiles"})
        got = collections.Counter()
        runs = any(self.end(s) is None for s in self.rows)
        for profile in told["profiles"]:
            equal(set(profile), {"name", "type", "unit", "startValue",
                                 "endValue", "events"})
            equal((profile["type"], profile["unit"], profile["startValue"]),
                  ("evented", "nanoseconds", 0))
            for one in self.read_profile(told["shared"]["frames"], profile):
                got[one] += 1
        want, loose = collections.Counter(), collections.Counter()
        for s in self.rows:
            parent = self.spans.get(s["parent_span_id"])
            if parent is not None and s not in self.processes and \
                    s["tid"] == parent["tid"] and not runs and \
                    parent["start_unix_ns"] <= s["start_unix_ns"] and \
                    self.end(s) <= self.end(parent):
                want[self.key(s) + (self.key(parent),)] += 1
            else:
                loose[self.key(s)] += 1
        for one, count in want.items():
            self.case.assertEqual(got.pop(one, None), count, one)
        left = collections.Counter()
        for one, count in got.items():
            left[one[:-1]] += count
        equal(left, loose)

    def key(self, s):
        state = "" if s["status"] == "ok" else f" [{s['status']}]"
        end = self.end(s)
        return (s["pid"], -1 if s["tid"] is None else s["tid"],
                s["name"] + state, s["start_unix_ns"] - self.first,
                None if end is None else end - self.first)

    def read_profile(self, frames, profile):
        """Yields (pid, tid, name, start, end, the same of what is around)."""
        words = profile["name"].split(" (overlapping")[0].split()
        pid, tid = int(words[1]), int(words[-1])
        done, stack, last = [], [], 0
        for e in profile["events"]:
            self.case.assertGreaterEqual(e["at"], last)
            last = e["at"]
            name = frames[e["frame"]]["name"]
            if e["type"] == "O":
                stack.append([name, e["at"], None,
                              stack[-1] if stack else None])
                done.append(stack[-1])
            else:
                top = stack.pop()
                self.case.assertEqual(top[0], name)
                top[2] = e["at"]
        self.case.assertEqual(stack, [])
        self.case.assertLessEqual(last, profile["endValue"])

        def told(one):
            is_open = one[0].endswith(" [open]")
            return (pid, tid, one[0], one[1], None if is_open else one[2])
        for one in done:
            yield told(one) + (told(one[3]) if one[3] else None,)

    # ---- folded stacks

    def check_folded(self):
        got = {}
        for line in self.out("export", "-f", "folded").splitlines():
            path, _, ns = line.rpartition(" ")
            self.case.assertNotIn(path, got)
            got[path] = int(ns)
        want, untold = collections.Counter(), collections.Counter()
        below, calls = collections.Counter(), collections.Counter()
        for s in self.rows:
            parent = self.spans.get(s["parent_span_id"])
            if parent is None:
                continue
            same = parent in self.processes and \
                parent["session"] == s["session"] or \
                parent["tid"] == s["tid"] and s not in self.processes
            if parent in self.processes and s in self.processes:
                same = True
            if same and s["start_unix_ns"] < self.end(parent):
                below[parent["span_id"]] += self.end(s) - s["start_unix_ns"]
                calls[parent["span_id"]] += 1
        for s in self.rows:
            id, path = s["span_id"], ";".join(self.names(s))
            rest = self.end(s) - s["start_unix_ns"] - below[id]
            own = s["self_ns"]
            loading = self.loading.get(id, 0)
            want[path + ";(loading)"] += loading
            rest = max(rest - loading, 0)
            if own is None and s["ended_by"] == "return":
                want[path + ";(no detail)"] += rest
                continue
            want[path] += rest if own is None else own
            if own is not None and rest - own > calls[id] + 1:
                want[path + ";(no detail)"] += rest - own
        self.case.assertEqual(got, {k: n for k, n in want.items() if n > 0})

    def names(self, span):
        """From the root; a call below one of its name is that one."""
        chain = [span]
        while chain[-1]["parent_span_id"] in self.spans:
            chain.append(self.spans[chain[-1]["parent_span_id"]])
        path = ["orphans"] if chain[-1]["orphan"] else []
        for s in reversed(chain):
            name = s["name"].replace(";", ":")
            if s not in self.processes and name in path:
                path = path[:path.index(name) + 1]
            else:
                path.append(name)
        return path

    def check(self, folded=True):
        self.check_otlp(of_json(self.out("export")))
        self.check_otlp(of_protobuf(self.out("export", "-f", "otlp-protobuf",
                                             text=False)))
        self.check_csv()
        self.check_list()
        self.check_chrome()
        self.check_perfetto()
        self.check_speedscope()
        if folded:
            self.check_folded()


LATE = HEAD + r"""
#include <semaphore.h>
static pthread_t started;
static sem_t go, first;
CALL at_once(int n) { return n; }
__attribute__((noipa)) void *late(void *nothing)
{
    sem_post(&first);
    sem_wait(&go);
    return nothing;
}
__attribute__((noipa)) void *prompt(void *nothing) { return nothing; }
CALL refresh(int n)
{
    pthread_create(&started, NULL, late, NULL);
    while (sem_wait(&first) != 0)
        ;
    return n;
}
CALL joined(int n)
{
    pthread_t other;
    pthread_create(&other, NULL, prompt, NULL);
    pthread_join(other, NULL);
    return n;
}
int main(void)
{
    sem_init(&go, 0, 0);
    sem_init(&first, 0, 0);
    refresh(1);
    joined(at_once(2));
    usleep(20000);
    sem_post(&go);
    pthread_join(started, NULL);
    return 0;
}
"""


class Readback(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.realpath(folder.name)
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "HOME": self.path, "HANDSPAN_DIR": self.path + "/dir",
                    "HANDSPAN_STORE": self.path + "/store.db"}

    def test_a_call_that_outlasts_what_it_hangs_from_says_so(self):
        self.build(LATE, "[[span]] int at_once(int n);\n[[span]] int refresh("
                   "int n);\n[[span]] int joined(int n);\n[[span]] void *late("
                   "void *nothing);\n[[span]] void *prompt(void *nothing);\n")
        subprocess.run([HANDSPAN, "run", "-m", "m.manifest", "--summary=never",
                        "./prog"], cwd=self.path, env=self.env, check=True)
        self.addCleanup(alive.wait_for_none, self.path)

        def out(*args):
            return subprocess.run([HANDSPAN, *args], cwd=self.path,
                                  env=self.env, check=True, text=True,
                                  capture_output=True).stdout
        for args in ["show"], ["show", "--spans"], ["stats"]:
            self.assertEqual(out(*args).count("went on when "), 1, args)
            self.assertIn("went on when refresh had returned, for ",
                          out(*args))
            rows = {r["name"]: r for r in map(json.loads, out(
                *args, "--json").splitlines()[1:]) if r.get("kind") != "trace"}
            late = rows.pop("late")
            self.assertEqual((late["after_calls"], late["after"]),
                             (1, "refresh"))
            self.assertGreaterEqual(late["after_ns"], 20000000)
            self.assertLessEqual(late["after_ns"], late["total_ns"])
            self.assertEqual({r["after_calls"] for r in rows.values()}, {0})

    def build(self, source, manifest):
        with open(self.path + "/prog.c", "w") as f:
            f.write(source)
        with open(self.path + "/m.manifest", "w") as f:
            f.write(manifest)
        subprocess.run([CC, "-O0", "-pthread", "-o", "prog", "prog.c"],
                       cwd=self.path, check=True)

    def run_it(self, manifest, *words, **extra):
        return subprocess.run(
            [HANDSPAN, "run", "--summary=never", "-m", manifest, *words],
            cwd=self.path, env={**self.env, **extra}, capture_output=True,
            text=True, timeout=600)

    def trace(self):
        subprocess.run([HANDSPAN, "sidecar"], cwd=self.path, env=self.env,
                       check=True, capture_output=True, timeout=600)
        self.assertEqual(alive.wait_for_none(self.path), {})
        return Trace(self, self.env, self.path)

    def test_errors_and_overlaps(self):
        self.build(CALLS, CALLS_MANIFEST)
        self.run_it("m.manifest", "./prog")
        trace = self.trace()
        states = collections.Counter(s["status"] for s in trace.rows)
        self.assertGreater(states["error"], 10)
        self.assertEqual(sum(s["name"] == "two" for s in trace.rows), 5)
        self.assertEqual(sum(s["name"] == "take_up" for s in trace.rows), 6)
        trace.check()

    def test_processes(self):
        self.build(PROCESSES, PROCESSES_MANIFEST)
        self.run_it("m.manifest", "./prog")
        trace = self.trace()
        self.assertEqual(len({p["pid"] for p in trace.processes}), 5)
        self.assertEqual(len(trace.processes), 7)  # two of them exec
        self.assertGreater(len({(s["pid"], s["tid"]) for s in trace.rows}), 5)
        self.assertEqual(sum(s["status"] == "ok" and s["name"] == "stuck"
                             for s in trace.rows), 0)
        trace.check()
        folded = trace.out("export", "-f", "folded")
        self.assertNotIn("again", folded)  # no values

    def test_links_and_orphans(self):
        prog, manifest = program.build(self.path)
        self.run_it(manifest, prog, "die", "nothing")
        trace = self.trace()
        self.assertTrue(any(s["links"] for s in trace.rows))
        self.assertTrue(any(s["orphan"] for s in trace.rows))
        self.assertTrue(any(s["error"] and s["error"]["kind"] == "exception"
                            for s in trace.rows))
        trace.check()

    def test_detail_that_found_no_room(self):
        self.build(MANY, MANY_MANIFEST)
        self.run_it("m.manifest", "./prog", HANDSPAN_SIDECAR="off",
                    HANDSPAN_BUDGET_MB="1")
        trace = self.trace()
        self.assertLess(len(trace.rows), 500000)
        trace.check()
        self.assertIn(";top;(no detail) ",
                      trace.out("export", "-f", "folded"))

    def test_one_that_still_runs(self):
        self.build(RUNS, RUNS_MANIFEST)
        run = subprocess.Popen(
            [HANDSPAN, "run", "--summary=never", "-m", "m.manifest", "./prog"],
            cwd=self.path, env=self.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.assertEqual(run.stdout.readline(), b"there\n")
            trace = None
            while trace is None or not any(
                    s["name"] == "waits" for s in trace.rows):
                try:
                    trace = Trace(self, self.env, self.path)
                except subprocess.CalledProcessError:
                    continue  # no store yet
            self.assertEqual({s["status"] for s in trace.rows},
                             {"open", "ok"})
            trace.check(folded=False)  # its times are of another moment
        finally:
            run.stdin.close()
            run.wait()
            run.stdout.close()
            alive.wait_for_none(self.path)


if __name__ == "__main__":
    unittest.main()
