#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An OTLP/HTTP receiver that decodes with the published definitions and writes
a line a span before it answers; some requests it refuses, some answers it
keeps to itself. It may be killed at any moment.

usage: soak_receiver.py DEFINITIONS PORT_FILE SPANS_FILE SEED
DEFINITIONS: what protoc made of tests/ops/proto.
"""
import gzip
import http.server
import json
import os
import random
import sys

sys.path.insert(0, sys.argv[1])
from opentelemetry.proto.collector.trace.v1 import (  # noqa: E402
    trace_service_pb2 as service)

random.seed(sys.argv[4])
spans_file = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(spans_file, b"\n\n")  # before it, what a killed one was writing


def attribute(span, key):
    for a in span.attributes:
        if a.key == key:
            return a.value.string_value
    return None


def lines(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for s in scope.spans:
                yield json.dumps([
                    s.trace_id.hex(), s.span_id.hex(),
                    s.parent_span_id.hex() or None, s.name,
                    s.start_time_unix_nano,
                    s.end_time_unix_nano - s.start_time_unix_nano,
                    attribute(s, "handspan.input"),
                    attribute(s, "handspan.output")])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        fate = random.random()
        if fate < 0.05:
            self.answer(503)
            return
        request = service.ExportTraceServiceRequest()
        request.ParseFromString(body)
        os.write(spans_file, "".join(
            line + "\n" for line in lines(request)).encode())
        if fate < 0.1:  # taken, and nobody is told
            self.close_connection = True
            return
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()


port = 0
if os.path.exists(sys.argv[2]):
    port = int(open(sys.argv[2]).read())
http.server.ThreadingHTTPServer.allow_reuse_address = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
with open(sys.argv[2] + ".new", "w", encoding="utf-8") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
