#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OTLP: a receiver that decodes each request with the published protobuf
definitions (tests/ops/proto, opentelemetry-proto 1.11) and checks it; what it
answers is chosen by the test. No collector: it cannot prove how one stores.
Debian's python3-protobuf and protobuf-compiler."""
import gzip
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import base

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../upload"))
import program  # noqa: E402
import scan  # noqa: E402

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "proto")
MADE = tempfile.TemporaryDirectory(prefix="ops-proto-")
OUT = MADE.name
subprocess.run(["protoc", "-I", PROTO, "--python_out", OUT] + [
    os.path.join(where, name) for where, _, names in os.walk(PROTO)
    for name in names if name.endswith(".proto")], check=True)
sys.path.insert(0, OUT)
from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import (  # noqa: E402
    trace_service_pb2 as service)
from opentelemetry.proto.trace.v1 import trace_pb2  # noqa: E402

PROG = r"""
#include <errno.h>
#include <stdlib.h>
__attribute__((noinline)) int step(const char *text, int n) {
    __asm__ volatile("" :: "r"(text)); return n % 50 == 49 ? -1 : n * 3; }
__attribute__((noinline)) int group(int n) {
    int s = 0;
    for (int i = 0; i < n; i++) s += step("secret-value-4711", i);
    __asm__ volatile(""); return s; }
int main(int argc, char **argv) {
    for (int i = 0; i < atoi(argv[1]); i++) group(100);
    return 0;
}
"""
STRANGE = r"""
#include <math.h>
__attribute__((noinline)) double odd(const char *text, unsigned long n,
                                     double x) {
    __asm__ volatile("" :: "r"(text), "r"(n)); return x * 2; }
int main(void) {
    return odd("a\xff\xed\xa0\x80z\"\\\n", ~0ul, (double)NAN) == 1;
}
"""
MANIFEST = "[[span, input(text, n), fails(return < 0)]] " \
    "int step(const char *text, int n);\n[[span]] int group(int n);\n"


def hex_ids(value):
    """OTLP's JSON has ids in hex, protobuf's mapping in base64."""
    import base64
    if isinstance(value, dict):
        for key, v in value.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                value[key] = base64.b64encode(bytes.fromhex(v)).decode()
            else:
                hex_ids(v)
    elif isinstance(value, list):
        for v in value:
            hex_ids(v)
    return value


def decode(body, kind):
    request = service.ExportTraceServiceRequest()
    if kind == "application/json":
        # strict: unknown fields and wrong types are errors
        json_format.ParseDict(hex_ids(json.loads(body)), request)
    else:
        request.ParseFromString(body)
        left = service.ExportTraceServiceRequest()
        left.CopyFrom(request)
        left.DiscardUnknownFields()
        assert left == request, "unknown fields"
    return request


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wire):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wire = wire
        self.answers = []   # of the next requests: (status, headers, body)
        self.requests = []  # (path, headers, message)
        self.bodies = b""
        self.faults = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def spans(self):
        """span id: (span, its resource's attributes), of accepted requests."""
        found, twice = {}, []
        for _, _, message in list(self.requests):
            for resource in message.resource_spans:
                about = attributes(resource.resource.attributes)
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        if span.span_id in found:
                            twice.append(span.name)
                        found[span.span_id] = (span, about)
        return found, twice


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        scan.record(server.wire, "POST", self.path, self.headers, body)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        server.bodies += body
        kind = self.headers["Content-Type"]
        status, headers, answer = server.answers.pop(0) if server.answers \
            else (200, {}, b"")
        try:
            message = decode(body, kind)
            if status == 200:
                server.requests.append((self.path, dict(self.headers),
                                        message))
        except Exception as e:  # told by the test
            server.faults.append(repr(e))
            status = 400
        if status == 0:  # nothing at all
            self.close_connection = True
            return
        if status == 200 and not answer and kind == "application/json":
            answer = b"{}"
        self.send_response(status)
        headers = {"Content-Type": kind, **headers}
        self.send_header("Content-Length", str(len(answer)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)


def attributes(list):
    return {a.key: getattr(a.value, a.value.WhichOneof("value"))
            for a in list}


class Otlp(base.Base):
    def setUp(self):
        super().setUp()
        self.prog = self.build(PROG)
        self.manifest = self.write("handspan.manifest", MANIFEST)
        self.wire = os.path.join(self.path, "wire")
        # last of all: nothing that the program handled left the machine
        self.addCleanup(lambda: scan.check(self.wire, [
            "secret-value-4711", self.path]))
        self.receiver = Receiver(self.wire)
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        self.at = "127.0.0.1:%d" % self.receiver.server_address[1]

    def traced(self, groups, **extra):
        self.ok("run", "-m", self.manifest, "--summary=never", self.prog,
                str(groups), extra=extra)
        self.end_sidecar()

    def check_all(self, values=False, roots=()):
        """What was received is what the store has. (The uploader may outlive
        the sidecar for a moment.)"""
        if self.rows("SELECT 1 FROM sinks"):
            self.wait_for(lambda: self.rows(
                "SELECT 1 FROM sinks WHERE state = 'idle' AND cursor_seq = "
                "(SELECT max(seq) FROM outbox)"), "all is sent")
        self.assertEqual(self.receiver.faults, [])
        got, twice = self.receiver.spans()
        self.assertEqual(twice, [])
        want = {r["span_id"]: r for r in self.json("spans")}
        ids = {i.hex() for i in got}
        both = [{i: sorted(a - b)[:3] for i, (a, b) in enumerate(
            [(ids, set(want)), (set(want), ids)])}, len(ids), len(want),
            sorted({want[i]["name"] for i in set(want) - ids}),
            sorted({s.name for i, (s, _) in got.items()
                    if i.hex() not in want})]
        self.assertTrue(ids == set(want), both)
        for id, (span, about) in got.items():
            row = want[id.hex()]
            self.assertEqual(span.trace_id.hex(), row["trace_id"])
            self.assertEqual(span.parent_span_id.hex(),
                             row["parent_span_id"] or "")
            self.assertEqual(span.name, row["name"])
            self.assertEqual(span.kind, trace_pb2.Span.SPAN_KIND_SERVER
                             if span.name in roots
                             else trace_pb2.Span.SPAN_KIND_INTERNAL)
            self.assertEqual(span.start_time_unix_nano, row["start_unix_ns"])
            self.assertEqual(
                span.end_time_unix_nano - span.start_time_unix_nano,
                row["duration_ns"])
            failed = row["status"] == "error"
            self.assertEqual(span.status.code, 2 if failed else 0)
            mine = attributes(span.attributes)
            self.assertEqual(about["process.pid"], row["pid"])
            self.assertEqual(about["host.name"], row["host"])
            self.assertEqual(about["process.executable.name"], "prog")
            if span.name in ("step", "group"):
                self.assertEqual(mine["code.function.name"], row["symbol"])
                self.assertEqual(mine["thread.id"], row["tid"])
            if failed:
                self.assertIn("error.type", mine)
            self.assertEqual("handspan.input" in mine,
                             bool(values and row["input"] and
                                  span.name != "prog"))
            self.assertEqual("handspan.command" in mine,
                             values and span.name == "prog")
            if values and span.name == "step":
                self.assertEqual(json.loads(mine["handspan.input"]),
                                 row["input"])
        return got

    # ---- the sink -----------------------------------------------------------

    def test_protobuf(self):
        self.traced(12, HANDSPAN_UPLOAD=f"otlp+http://{self.at}",
                    OTEL_SERVICE_NAME="shop",
                    OTEL_RESOURCE_ATTRIBUTES="service.name=no,"
                    "service.version=1.2,deployment=a%20b%2Cc")
        got = self.check_all()
        self.assertEqual(len(got), 12 * 101 + 1)
        about = next(iter(got.values()))[1]
        self.assertEqual(about["service.name"], "shop")
        self.assertEqual(about["service.version"], "1.2")
        self.assertEqual(about["deployment"], "a b,c")
        self.assertEqual(about["telemetry.sdk.name"], "handspan")
        path, headers, _ = self.receiver.requests[0]
        self.assertEqual(path, "/v1/traces")
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertNotIn(b"secret-value", self.receiver.bodies)
        self.assertNotIn(self.path.encode(), self.receiver.bodies)

    def test_json_and_values(self):
        self.traced(2, HANDSPAN_UPLOAD=f"otlp+http://{self.at}/loud"
                    "?protocol=json&gzip=off&values=on")
        self.check_all(values=True)
        self.assertIn(b"secret-value-4711", self.receiver.bodies)
        self.assertEqual(set(scan.plants_in(self.wire, True, [
            "secret-value-4711", self.path])),
            {"secret-value-4711", self.path})
        about = next(iter(self.receiver.spans()[0].values()))[1]
        self.assertEqual(about["service.name"], "prog")
        self.assertEqual((about["os.type"], about["host.arch"]),
                         ("linux", "amd64"))

    def test_by_the_environment_of_opentelemetry(self):
        """Only when 'otlp' is named."""
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.at}/base",
               "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b,api-key=k1",
               "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
        self.traced(1, **env)
        self.assertEqual(self.receiver.requests, [])
        self.ok("sidecar", "--upload", "otlp", extra=env)
        path, headers, _ = self.receiver.requests[0]
        self.assertEqual(path, "/base/v1/traces")
        self.assertEqual(headers["x-team"], "a b")
        self.assertEqual(headers["api-key"], "k1")
        self.assertNotIn("Content-Encoding", headers)
        self.check_all()
        with open(self.dir + "/log") as f:
            self.assertNotIn("k1", f.read())
        env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        done = self.handspan("sidecar", "--upload", "otlp", extra=env)
        self.assertEqual(done.returncode, 2)
        self.assertIn("OTEL_EXPORTER_OTLP_PROTOCOL=grpc", done.stderr)

    def test_answers(self):
        """Retryable ones are tried again; partial success is not, but
        counted."""
        partial = service.ExportTraceServiceResponse()
        partial.partial_success.rejected_spans = 3
        partial.partial_success.error_message = "three too many"
        self.receiver.answers = [
            (503, {"Retry-After": "0"}, b"busy"), (429, {}, b""),
            (502, {}, b""),
            (200, {}, partial.SerializeToString())]
        self.traced(1, HANDSPAN_UPLOAD=f"otlp+http://{self.at}")
        self.check_all()
        self.assertEqual(self.rows("SELECT sent_spans, rejected FROM sinks"),
                         [(101, 3)])

    def once(self, url):
        """What one run sends in the ten seconds that it takes for it; on a
        busy machine the next one goes on."""
        while True:
            began = time.monotonic()
            done = self.handspan("sidecar", "--once", "--upload", url)
            if done.returncode != 1 or time.monotonic() - began < 10:
                return done

    def answered(self, *answer):
        """Requests of the uploader, answered so always; the sink's state, and
        the status of `sidecar --once`."""
        self.receiver.requests.clear()
        self.receiver.answers = [answer] * 1000
        done = self.once(f"otlp+http://{self.at}")
        row, = self.rows("SELECT sent_spans, state, error, rejected, "
                         "retry_unix_ns - error_unix_ns FROM sinks")
        sink = dict(zip(("sent_spans", "state", "error", "rejected", "wait"),
                        row))
        return sink, done.returncode

    def test_only_its_own_answers_are_success(self):
        """A portal's login page is no receiver, whatever its status."""
        self.traced(1)
        for kind, body in (("text/html", b"<html>log in</html>"),
                           ("text/plain", b"ok"),
                           ("application/json", b"[]"),
                           ("application/json", b"<html>"),
                           ("application/x-protobuf", b"\xff<html>")):
            sink, status = self.answered(200, {"Content-Type": kind}, body)
            self.assertEqual((sink["sent_spans"], sink["state"], status),
                             (0, "held", 1), (kind, body))
            self.assertIn("no OTLP receiver", sink["error"])
        sink, status = self.answered(200, {"Content-Type": ""}, b"")
        self.assertEqual((sink["sent_spans"], status), (101, 0))

    def test_counts_that_cannot_be(self):
        partial = service.ExportTraceServiceResponse()
        partial.partial_success.rejected_spans = -7
        kind = {"Content-Type": "application/json"}
        says = '{"partialSuccess":{"rejectedSpans":%s}}'
        for counted, answer in (
                (0, (200, {}, partial.SerializeToString())),
                (0, (200, kind, (says % "-7").encode())),
                (0, (200, kind, (says % '"-9223372036854775808"').encode())),
                (102, (200, kind, (says % "1e300").encode()))):
            self.store = f"{self.path}/store-{len(answer[2])}.db"
            self.env["HANDSPAN_STORE"] = self.store
            self.traced(1)
            sink, _ = self.answered(*answer)
            self.assertEqual((sink["sent_spans"], sink["rejected"]),
                             (101, counted), answer)

    def test_what_is_permanent_blocks_nothing(self):
        """OTLP: all but 429, 502, 503 and 504 must not be tried again. They
        are set aside with the receiver's reason, and can be sent later."""
        for status in 400, 408, 500, 501:
            self.store = f"{self.path}/store-{status}.db"
            self.env["HANDSPAN_STORE"] = self.store
            self.traced(1)
            # google.rpc.Status: code 3, message
            reason = b"\x08\x03\x12\x0dVERY DETAILED"
            sink, code = self.answered(status, {}, reason)
            self.assertEqual((sink["sent_spans"], code), (0, 0), status)
            self.assertEqual(set(self.rows(
                "SELECT code, message LIKE '%VERY DETAILED%' FROM refused")),
                {(str(status), 1)})
            self.assertEqual(self.rows("SELECT count(*) FROM refused"),
                             [(102,)])  # 101 spans and the process

    def test_what_no_request_can_hold(self):
        """16 MiB are the most of one: a row above is set aside and told, and
        `--again` does not send an empty request for it."""
        self.traced(1)
        db = sqlite3.connect(self.store)
        db.execute("UPDATE span_rows SET input = '{\"n\":\"' || hex(zeroblob("
                   "9 << 20)) || '\"}' WHERE ref = (SELECT min(ref) FROM "
                   "span_rows WHERE input IS NOT NULL)")
        db.commit()
        db.close()
        url = f"otlp+http://{self.at}/loud?values=on"
        self.assertEqual(self.once(url).returncode, 0)
        for tries in 1, 2:
            self.assertEqual(self.rows(
                "SELECT code, message <> '', tries FROM refused"),
                [("too large", 1, tries)])
            got, _ = self.receiver.spans()
            self.assertEqual((len(got), self.receiver.faults), (101, []))
            self.handspan("uploads", "--again=all")
            self.assertEqual(self.once(url).returncode, 0)

    def test_a_long_wait_is_waited(self):
        """Retry-After may be longer than a minute."""
        self.traced(1)
        sink, status = self.answered(503, {"Retry-After": "600"}, b"")
        self.assertEqual((sink["state"], status), ("retrying", 1))
        self.assertGreaterEqual(sink["wait"], 600 * 10**9)

    def test_poison_is_set_aside(self):
        """A 400 is bisected; what stays is kept and shown."""
        handler = self.receiver.RequestHandlerClass
        original = handler.do_POST

        class Picky(handler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                plain = gzip.decompress(body)
                self.rfile = __import__("io").BytesIO(body)
                if any(s.name == "group" for r in
                       decode(plain, self.headers["Content-Type"])
                       .resource_spans for c in r.scope_spans
                       for s in c.spans):
                    self.server.answers.append((400, {}, b""))
                original(self)
                self.close_connection = True
        self.receiver.RequestHandlerClass = Picky
        self.traced(1, HANDSPAN_UPLOAD=f"otlp+http://{self.at}")
        done = ("SELECT 1 FROM sinks WHERE cursor_seq = (SELECT max(seq) FROM "
                "outbox)")  # a sidecar ends after ten seconds: the next one
        self.wait_for(lambda: self.rows(done) or self.handspan(
            "sidecar", "--upload", f"otlp+http://{self.at}") and
            self.rows(done), "all is sent")
        got, _ = self.receiver.spans()
        self.assertEqual(len(got), 101)  # 100 steps and the process
        refused = self.rows("SELECT kind, code, body FROM refused")
        self.assertEqual([r[:2] for r in refused], [("spans", "400")])
        decode(refused[0][2], "application/json")

    def test_errors_and_context(self):
        """Exception events with their stack, links, orphans, rules: as the
        store has them; the message only with values=on."""
        prog, manifest = program.build(self.path)
        loud = Receiver(self.wire)
        self.addCleanup(loud.server_close)
        self.addCleanup(loud.shutdown)
        both = (f"otlp+http://{self.at} otlp+http://127.0.0.1:"
                f"{loud.server_address[1]}/loud?values=on")
        self.handspan("run", "-m", manifest, "--summary=never", prog, "die",
                      "nothing", scan.PLANTS["command"],
                      extra={"HANDSPAN_UPLOAD": both})
        self.end_sidecar()
        self.wait_for(lambda: self.rows(
            "SELECT count(*) FROM sinks WHERE state = 'idle' AND cursor_seq = "
            "(SELECT max(seq) FROM outbox)") == [(2,)], "all is sent")
        want = {r["span_id"]: r for r in self.json("spans")}
        for receiver, values in (self.receiver, False), (loud, True):
            self.assertEqual(receiver.faults, [])
            got = {i.hex(): s for i, (s, _) in receiver.spans()[0].items()}
            self.assertEqual(set(got), set(want))
            seen = {"events": 0, "links": 0, "orphan": 0, "rule": 0}
            for id, span in got.items():
                row, mine = want[id], attributes(span.attributes)
                error = row["error"] or {}
                links = [(x.trace_id.hex(), x.span_id.hex())
                         for x in span.links]
                self.assertEqual(links, [(x["trace_id"], x["span_id"])
                                         for x in row["links"]])
                self.assertEqual(mine.get("handspan.orphan"), row["orphan"])
                self.assertEqual(mine.get("handspan.queue_ns"),
                                 row["queue_ns"])
                self.assertEqual(mine.get("handspan.error.rule"),
                                 error.get("rule"))
                self.assertEqual(
                    mine.get("error.type"),
                    error.get("type") or error.get("kind"))
                self.assertEqual(len(span.events), int(bool(error)))
                seen["links"] += len(links)
                seen["orphan"] += bool(row["orphan"])
                seen["rule"] += error.get("kind") == "rule"
                if not error:
                    continue
                event = attributes(span.events[0].attributes)
                message = error["message"] if values and error.get("message") \
                    else error.get("rule")
                kind = error.get("type") or error["kind"]
                self.assertEqual(span.events[0].name, "exception")
                self.assertEqual(event["exception.type"], kind)
                self.assertEqual(event.get("exception.message"), message)
                frames = error["origin"] or error["stack"]
                if not frames:
                    self.assertNotIn("exception.stacktrace", event)
                    continue
                head, *lines = event["exception.stacktrace"].splitlines()
                self.assertEqual(head, kind + (
                    ": " + message.splitlines()[0] if message else ""))
                lines = lines[-len(frames):]
                for line, frame in zip(lines, frames):
                    place = " (%s:%d)" % (
                        frame["file"].rsplit("/", 1)[-1], frame["line"] or 0) \
                        if frame["file"] else " (%s+%s)" % (
                            frame["object"].rsplit("/", 1)[-1], frame["offset"])
                    self.assertEqual(line, "    at " + (frame["function"] or "?")
                                     + place)
                seen["events"] += error["kind"] != "rule"
            self.assertEqual([k for k, n in seen.items() if not n], [])
        found = scan.plants_in(self.wire, True)
        self.assertEqual(set(found), {"input", "output", "command", "stderr",
                                      "exception", "path", "attribute"})

    # ---- export -------------------------------------------------------------

    def test_export(self):
        self.traced(3)
        for name in "otlp", "otlp-protobuf":
            out = os.path.join(self.path, name)
            self.ok("export", "--format", name, "-o", out, "--values")
            self.receiver.requests.clear()
            with open(out, "rb") as f:
                body = f.read()
            if name == "otlp":
                for line in body.splitlines():
                    self.receiver.requests.append(
                        (0, 0, decode(line, "application/json")))
            else:
                self.receiver.requests.append((0, 0, decode(body, "")))
            self.check_all(values=True)
        self.assertNotIn("secret-value", self.ok("export"))

    def test_export_of_more_than_one_message(self):
        """Messages below 4 MiB, one behind the other: one message to a reader
        of protobuf, whose repeated fields go on."""
        self.traced(150)
        out = os.path.join(self.path, "large")
        self.ok("export", "--format", "otlp-protobuf", "-o", out)
        self.assertGreater(os.path.getsize(out), 4 << 20)
        with open(out, "rb") as f:
            message = decode(f.read(), "")
        found = [s.span_id for r in message.resource_spans
                 for c in r.scope_spans for s in c.spans]
        self.assertEqual(len(set(found)), 150 * 101 + 1)
        self.assertEqual(len(found), len(set(found)))

    def test_strange_values_pass_through(self):
        """Invalid UTF-8, a lone surrogate, 2^64-1, NaN: valid messages in both
        encodings, the JSON of the store unchanged."""
        self.prog = self.build(STRANGE, "strange")
        self.manifest = self.write(
            "handspan.manifest", "[[span, input(text, n, x), output(return)]] "
            "double odd(const char *text, unsigned long n, double x);\n")
        self.traced(1)
        rows = [r for r in self.json("spans") if r["name"] == "odd"]
        self.assertEqual(rows[0]["input"]["n"], 2**64 - 1)
        self.assertEqual(rows[0]["input"]["x"], "NaN")
        self.assertIn("\ufffd", rows[0]["input"]["text"])
        stored = self.rows("SELECT input FROM spans")[0][0]
        for name, kind in ("otlp", "application/json"), ("otlp-protobuf", ""):
            out = os.path.join(self.path, name)
            self.ok("export", "-f", name, "-o", out, "--values")
            with open(out, "rb") as f:
                message = decode(f.read(), kind)
            found = [attributes(s.attributes)
                     for r in message.resource_spans
                     for c in r.scope_spans for s in c.spans
                     if s.name == "odd"]
            self.assertEqual(found[0]["handspan.input"], stored)

    def test_where_people_look(self):
        """Where a handler is defined (a path is a value, its base name is
        none), entry points as servers, what the resource says besides."""
        self.manifest = self.write("handspan.manifest", MANIFEST.replace(
            "[[span]] int group", "[[root]] int group"))
        self.traced(1, OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name=jobs-1,"
                    "k8s.namespace.name=night,container.id=" + "c0" * 32)
        lines = PROG.splitlines()
        for values in False, True:
            out = os.path.join(self.path, "out")
            self.ok("export", "-f", "otlp-protobuf", "-o", out,
                    *["--values"] * values)
            with open(out, "rb") as f:
                message = decode(f.read(), "")
            for r in message.resource_spans:
                about = attributes(r.resource.attributes)
                self.assertEqual(about["service.name"], "prog")
                self.assertEqual(about["k8s.pod.name"], "jobs-1")
                self.assertEqual(about["k8s.namespace.name"], "night")
                self.assertEqual(about["container.id"], "c0" * 32)
            spans = {s.name: s for r in message.resource_spans
                     for c in r.scope_spans for s in c.spans}
            for name in "step", "group":
                mine = attributes(spans[name].attributes)
                path, _, file = mine["code.file.path"].rpartition("/")
                # (it may have been compiled for another case)
                self.assertEqual((path[:1], file), ("/" * values, "prog.c"))
                self.assertIn(" %s(" % name,
                              lines[mine["code.line.number"] - 1])
            self.assertEqual(spans["group"].kind, 2)
            self.assertEqual(spans["step"].kind, 1)

    def test_overdue(self):
        """A call that took too long says where it stood then: in an export,
        and when it has ended to the sink."""
        prog = self.build("""#include <unistd.h>
            __attribute__((noinline)) long waits(int fd) {
                char c; long n = read(fd, &c, 1); __asm__ volatile("");
                return n; }
            int main(void) { return waits(0) != 1; }""", "late")
        manifest = self.write(
            "late.manifest", '[[span, overdue("50ms")]] long waits(int fd);\n')
        env = dict(self.env, HANDSPAN_UPLOAD=f"otlp+http://{self.at}")
        with subprocess.Popen([base.HANDSPAN, "run", "-m", manifest,
                               "--summary=never", prog], env=env,
                              stdin=subprocess.PIPE) as run:
            self.wait_for(lambda: os.path.exists(self.store) and self.rows(
                "SELECT 1 FROM sqlite_master WHERE name = 'overdue'") and
                self.rows("SELECT 1 FROM overdue"), "it is overdue")
            out = os.path.join(self.path, "open")
            self.ok("export", "-f", "otlp-protobuf", "-o", out)
            run.communicate(b"x")
            self.assertEqual(run.returncode, 0)
        self.end_sidecar()
        self.wait_for(lambda: self.rows(
            "SELECT 1 FROM sinks WHERE state = 'idle' AND cursor_seq = "
            "(SELECT max(seq) FROM outbox)"), "all is sent")
        with open(out, "rb") as f:
            messages = [decode(f.read(), "")]
        messages += [m for _, _, m in self.receiver.requests]
        found = {}
        for i, message in enumerate(messages):
            for r in message.resource_spans:
                for s in (s for c in r.scope_spans for s in c.spans):
                    if s.name == "waits":
                        found[bool(i)] = s
        self.assertEqual(set(found), {False, True})
        for span in found.values():
            event, = span.events
            self.assertEqual(event.name, "overdue")
            about = attributes(event.attributes)
            self.assertEqual(about["handspan.overdue.limit_ns"], 50 * 10**6)
            self.assertIn("waits (late.c:", about["code.stacktrace"])
            self.assertEqual(event.time_unix_nano, self.rows(
                "SELECT at_unix_ns FROM overdue")[0][0])

    def test_export_of_others(self):
        self.traced(2)
        chrome = json.loads(self.ok("export", "--format", "chrome"))
        self.assertEqual(sum(e["ph"] == "X" for e in chrome["traceEvents"]),
                         203)
        import csv
        rows = list(csv.DictReader(
            self.ok("export", "-f", "csv").splitlines()))
        self.assertEqual(sum(r["name"] == "step" for r in rows), 200)
        self.assertIn("prog;group", self.ok("export", "-f", "folded"))
        self.assertEqual(self.handspan("export", "-f", "xml").returncode, 2)


base.main()
