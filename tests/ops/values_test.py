#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values that other formats find hard: text that is not UTF-8, lone
surrogates, NUL, the ends of the integers, NaN, infinities, -0.0, numbers too
small to be normal. The program writes down what it passed; the store has it in
the encoding of docs/store.md ("Values"), and each way out (`spans --json`,
PostgreSQL through the gateway, OTLP as protobuf and as JSON) hands on the very
text of the store."""
import base64
import fractions
import gzip
import http.server
import importlib.util
import json
import math
import os
import struct
import subprocess
import sys
import threading

import base

TESTS = os.path.join(base.ROOT, "tests")
PROG = r"""
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#define HANDLER __attribute__((noinline))
struct row { char name[8], after[8]; };
static FILE *out;
static volatile long calls; /* or they are shorter than a jump */
HANDLER int text(long id, const char *s) {
    calls++; __asm__ volatile("" :: "r"(s)); return (int)id; }
HANDLER int bytes(long id, const unsigned char *s, unsigned long n) {
    calls++; __asm__ volatile("" :: "r"(s), "r"(n)); return (int)id; }
HANDLER unsigned long whole(long id, unsigned long u, long i, signed char c) {
    calls++; __asm__ volatile("" :: "r"(i), "r"(c)); return u - (unsigned long)(id * 0); }
HANDLER double real(long id, double d, float f, long double e) {
    calls++; __asm__ volatile("" :: "r"(id), "x"(f), "m"(e)); return d; }
HANDLER int row(long id, const struct row *r) {
    calls++; __asm__ volatile("" :: "r"(r)); return (int)id; }
static void say(const void *p, size_t n) {
    for (size_t i = 0; i < n; i++) fprintf(out, "%02x", ((const unsigned char *)
                                                         p)[i]);
    fputc(' ', out);
}
static void texts(void) {
    static const char *const all[] = {TEXTS};
    struct row r;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        text((long)i, all[i]);
        fprintf(out, "text %zu ", i); say(all[i], strlen(all[i]));
        memset(&r, '!', sizeof r); /* what is behind it is not read */
        strncpy(r.name, all[i], sizeof r.name);
        row((long)i, &r);
        fprintf(out, "\nrow %zu ", i); say(r.name, strnlen(r.name, 8));
        fputc('\n', out);
    }
    static const unsigned char raw[] = "\0\0a\0\xff\xed\xa0\x80";
    for (size_t n = 0; n < sizeof raw; n++) {
        bytes((long)n, raw, n);
        fprintf(out, "bytes %zu ", n); say(raw, n); fputc('\n', out);
    }
}
static void numbers(void) {
    static const unsigned long u[] = {0, 1, ~0ul, ~0ul - 1, 1ul << 63,
        (1ul << 63) - 1, (1ul << 53) + 1, 1760000000000000001ul};
    for (size_t i = 0; i < sizeof u / sizeof *u; i++) {
        whole((long)i, u[i], (long)u[i], (signed char)u[i]);
        fprintf(out, "whole %zu ", i); say(&u[i], 8); fputc('\n', out);
    }
    double zero = 0;
    union { unsigned long u; double d; } odd = {.u = 0xfff8000000001234};
    double d[] = {zero, -zero, NAN, odd.d, INFINITY, -INFINITY, DBL_TRUE_MIN,
        -DBL_TRUE_MIN, DBL_MIN, DBL_MIN - DBL_TRUE_MIN, DBL_MAX, -DBL_MAX, 0.1,
        1.0 / 3, 9007199254740993.0, 5e-323, 1e22, 1e23, 123456789.125};
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        float f = (float)d[i];
        long double e = d[i];
        switch (i) {
        case 6: f = FLT_TRUE_MIN; e = LDBL_TRUE_MIN; break;
        case 7: f = -FLT_MIN + FLT_TRUE_MIN; e = -LDBL_MIN; break;
        case 10: f = FLT_MAX; e = LDBL_MAX; break;
        case 13: e = 1.0L / 3; f = 1.0f / 3; break;
        }
        real((long)i, d[i], f, e);
        fprintf(out, "real %zu ", i); say(&d[i], 8); say(&f, 4); say(&e, 10);
        fputc('\n', out);
    }
}
int main(int argc, char **argv) {
    out = fopen(argv[1], "w");
    prctl(PR_SET_NAME, "thr\xff\xed\xa0\x80" "ead");
    texts();
    numbers();
    return fclose(out) != 0 || argc < 2;
}
"""
MANIFEST = """
struct row { char name[8]; char after[8]; };
[[span, input(id, s), attr(key = s)]] int text(long id, const char *s);
[[span, input(id, s = s[0:n])]]
int bytes(long id, const unsigned char *s, unsigned long n);
[[span, input(id, u, i, c), output(return)]]
unsigned long whole(long id, unsigned long u, long i, signed char c);
[[span, input(id, d, f, e), output(return)]]
double real(long id, double d, float f, long double e);
[[span, input(id, name = r->name)]] int row(long id, const struct row *r);
"""
TEXTS = [b"", b"a\xffz", b"\xed\xa0\x80", b"x\xed\xb0\x80\xed\xa0\x80y",
         b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\xf0\x9f\x98\x80",
         b"\x01\x1f\x7f\"\\/\n\t\r\b\f", b"\\u0000 \\ud800",
         "\u2028\ufeff\ufffd\uffff\u0085".encode(), b"NaN", b"null", b"-0.0",
         b"18446744073709551615", b"</script>'; DROP TABLE spans; --",
         b"1234567\xe2\x82\xac", b"\x80" * 9]


def c_string(raw):
    return '"' + "".join(f"\\{byte:03o}" for byte in raw) + '"'


def exact(text):
    """JSON with every number as it is written."""
    return json.loads(text, parse_float=lambda s: ("real", s),
                      parse_int=lambda s: ("int", s),
                      parse_constant=lambda s: 1 / 0)


def cleaned(raw):
    """Docs: valid UTF-8, NUL dropped, each other byte that is none U+FFFD."""
    out, bad, i = "", 0, 0
    while i < len(raw):
        for n in (1, 2, 3, 4):
            try:
                out += raw[i:i + n].decode()
                i += n
                break
            except UnicodeDecodeError:
                pass
        else:
            out, bad, i = out + "\ufffd", bad + 1, i + 1
    return out, bad


def f80(raw):
    """(value as a fraction or float, half of its last place)."""
    mantissa, top = struct.unpack("<QH", raw)
    sign, power = -1 if top >> 15 else 1, top & 0x7fff
    if power == 0x7fff:
        return (math.nan if mantissa << 1 & (1 << 64) - 1 else
                sign * math.inf), 0
    step = fractions.Fraction(2) ** (max(power, 1) - 16383 - 63)
    return sign * mantissa * step, step / 2


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got = {}  # kind: {span id: attributes}

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        kind = self.headers["Content-Type"]
        spans = self.got.setdefault(kind, {})
        if kind == "application/json":
            for s in [s for r in json.loads(body)["resourceSpans"]
                      for c in r["scopeSpans"] for s in c["spans"]]:
                spans[s["spanId"]] = {a["key"]: a["value"].get("stringValue")
                                      for a in s["attributes"]}
        else:
            from opentelemetry.proto.collector.trace.v1 import (
                trace_service_pb2 as service)
            request = service.ExportTraceServiceRequest()
            request.ParseFromString(body)
            for s in [s for r in request.resource_spans
                      for c in r.scope_spans for s in c.spans]:
                spans[s.span_id.hex()] = {a.key: a.value.string_value
                                          for a in s.attributes}
        answer = b"{}" if kind == "application/json" else b""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def upload_tests():
    """tests/upload: PostgreSQL and the gateway (a simulation)."""
    sys.path.append(os.path.join(TESTS, "upload"))
    spec = importlib.util.spec_from_file_location(
        "upload_base", os.path.join(TESTS, "upload/base.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Values(base.Base):
    def traced(self):
        source = PROG.replace("TEXTS", ", ".join(map(c_string, TEXTS)))
        prog = self.build(source)
        done = self.handspan("run", "-m", self.write("m.manifest", MANIFEST),
                             "--summary=never", prog, self.path + "/made",
                             "\udcff argument \udced\udca0\udc80")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.end_sidecar()
        made = {}
        with open(self.path + "/made") as f:
            for line in f:
                name, id, *parts = line.rstrip("\n").split(" ")
                made[name, id] = [bytes.fromhex(p) for p in parts]
        return made

    def stored(self):
        """(name, id): (input, output, attributes, capture), as texts."""
        return {(name, exact(given)["id"][1]): (given, *rest)
                for name, given, *rest in self.rows(
                    "SELECT i.name, s.input, s.output, s.attributes, s.capture "
                    "FROM spans s JOIN sites i USING (session, site)")}

    # ---- what the store has -------------------------------------------------

    def check_text(self, raw, value, mark):
        text, bad = cleaned(raw)
        self.assertEqual(value, text, raw)
        self.assertEqual(int(mark.get("replaced_bytes", ("int", "0"))[1]), bad,
                         (raw, mark))

    def check_whole(self, raw, given, returned):
        u, = struct.unpack("<Q", raw)
        i, = struct.unpack("<q", raw)
        self.assertEqual((given["u"], given["i"]),
                         (("int", str(u)), ("int", str(i))))
        self.assertEqual(given["c"], ("int", str((u & 255 ^ 128) - 128)))
        self.assertEqual(returned["return"], ("int", str(u)))

    def check_real(self, text, x, back):
        """Not one bit of it changed, but for a NaN's."""
        if isinstance(x, float) and math.isnan(x):
            self.assertEqual(text, "NaN")
        elif isinstance(x, float) and math.isinf(x):
            self.assertEqual(text, "Infinity" if x > 0 else "-Infinity")
        else:
            self.assertIn(text[0], ("real", "int"))
            back(text[1])

    def check_reals(self, raw, given, returned):
        d, = struct.unpack("<d", raw[0])
        f, = struct.unpack("<f", raw[1])
        for text in (given["d"], returned["return"]):
            self.check_real(text, d, lambda t: self.assertEqual(
                struct.pack("<d", float(t)), raw[0], t))
        self.check_real(given["f"], f, lambda t: self.assertEqual(
            struct.pack("<f", float(t)), raw[1], t))
        e, half = f80(raw[2])

        def nearest(t):
            self.assertLess(abs(fractions.Fraction(t) - e), half, (t, raw[2]))
            self.assertEqual(t[0] == "-", raw[2][9] >> 7 == 1, t)
        self.check_real(given["e"], e, nearest)

    def check_store(self, made):
        rows = self.stored()
        self.assertEqual(set(rows), set(made))
        for (name, id), raw in made.items():
            given, returned, more, capture = [
                exact(x) if x else {} for x in rows[name, id]]
            raw[0] = raw[0] if raw else b""
            if name == "text":
                self.check_text(raw[0], given["s"], capture.get("s", {}))
                self.assertEqual(more["key"], given["s"])
            elif name == "row":
                self.check_text(raw[0], given["name"], capture.get("name", {}))
            elif name == "bytes":
                self.assertEqual(base64.b64decode(given["s"]), raw[0])
            elif name == "whole":
                self.check_whole(raw[0], given, returned)
            else:
                self.check_reals(raw, given, returned)

    def check_about(self):
        """Names of threads, arguments of the program."""
        self.assertIn(("thr" + "\ufffd" * 4 + "ead",),
                      self.rows("SELECT name FROM threads"))
        command = json.loads(self.rows("SELECT command FROM processes")[0][0])
        self.assertEqual(command[-1], "\ufffd argument " + "\ufffd" * 3)

    # ---- the ways out -------------------------------------------------------

    def test_store_and_spans(self):
        self.check_store(self.traced())
        self.check_about()
        rows = self.stored()
        lines = [exact(x) for x in
                 self.ok("spans", "--json").split("\n")[1:-1]]
        seen = 0
        for r in lines:
            if "id" not in (r.get("input") or {}):
                continue
            seen += 1
            want = rows[r["name"], r["input"]["id"][1]]
            self.assertEqual([r.get(k) or {} for k in
                              ("input", "output", "attributes", "capture")],
                             [exact(x) if x else {} for x in want])
        self.assertEqual(seen, len(rows))

    def receiver(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"otlp+http://127.0.0.1:{server.server_address[1]}?values=on"

    def test_sinks(self):
        upload = upload_tests()
        proto = self.path + "/proto"
        os.mkdir(proto)
        subprocess.run(
            ["protoc", "-I", TESTS + "/ops/proto", "--python_out", proto] + [
                os.path.join(where, name)
                for where, _, names in os.walk(TESTS + "/ops/proto")
                for name in names if name.endswith(".proto")], check=True)
        sys.path.insert(0, proto)
        otlp, as_json = self.receiver(), self.receiver()
        pg = upload.postgres.Postgres().start()
        self.addCleanup(pg.stop)
        pg.migrate()
        gateway = upload.Gateway(pg, self.path).start()
        self.addCleanup(gateway.kill)
        self.traced()
        key = self.write("key", "token-writer\n", 0o600)
        self.ok("sidecar", "--upload", gateway.url(options="values=on"),
                "--upload", otlp, "--upload", as_json + "&protocol=json",
                extra={"HANDSPAN_UPLOAD_KEY_FILE": key})
        self.wait_for(lambda: self.rows(
            "SELECT DISTINCT state, (SELECT max(seq) FROM outbox) - cursor_seq "
            "FROM sinks") == [("idle", 0)], "all is sent")
        self.assertEqual(self.rows("SELECT * FROM refused"), [])
        want = sorted(self.stored().values(), key=repr)
        self.assertEqual(sorted(pg.rows(
            "SELECT input::text, output::text, attributes::text, capture::text "
            "FROM spans"), key=repr), want)
        self.assertEqual(
            pg.rows("SELECT command::text FROM processes"),
            self.rows("SELECT command FROM processes"))
        keys = ["handspan." + k for k in
                ("input", "output", "attributes", "capture")]
        self.assertEqual(len(Receiver.got), 2)
        for kind, spans in Receiver.got.items():
            got = [tuple(a.get(k) for k in keys) for a in spans.values()
                   if keys[0] in a]
            self.assertEqual(sorted(got, key=repr), [
                tuple(None if x == "{}" else x for x in row) for row in want],
                kind)


base.main()
