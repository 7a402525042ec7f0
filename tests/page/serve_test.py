#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan serve` and `handspan report`: who is let in, what is told, and that
it is what the commands print; odd clients; hostile values.

usage: serve_test.py HANDSPAN SOURCE
"""
import hashlib
import html.parser
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HANDSPAN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
ETL = "4bf92f3577b34da6a3ce929d0e0e4736"
EVIL = "</script><script>alert(1)</script><!--\u2028'\"&\\"
WAIT_S = 300  # only ends a hang
HEADERS = {"content-security-policy": "default-src 'none'",
           "x-content-type-options": "nosniff", "x-frame-options": "DENY",
           "referrer-policy": "no-referrer", "cache-control": "no-store",
           "cross-origin-resource-policy": "same-origin"}


def said(*args):
    return subprocess.run([HANDSPAN, *args], stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL).stdout


def make_store(path):
    subprocess.run([sys.executable, f"{SOURCE}/tests/cli/fixture.py",
                    f"{SOURCE}/sql/sqlite", path], check=True)
    db = sqlite3.connect(path)
    # a call with what would be markup, and bytes that are no text
    db.execute("UPDATE span_rows SET input = ?, output = ? WHERE (session, ref) IN "
               "(SELECT session, ref FROM span_rows WHERE trace = 1 LIMIT 3)",
               [json.dumps({EVIL: EVIL, "nul": "a\0b"}), json.dumps({"x": EVIL})])
    db.execute("UPDATE sites SET name = ? WHERE name = 'flush'", [EVIL])
    db.execute("UPDATE processes SET command = ?", [json.dumps([EVIL])])
    db.commit()
    db.close()


class Server:
    def __init__(self, store, *more):
        self.process = subprocess.Popen(
            [HANDSPAN, "serve", "--store", store, *more], text=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.line = self.process.stdout.readline()
        m = re.search(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]{43}) ", self.line)
        self.port, self.token = int(m.group(1)), m.group(2)

    def get(self, path, token=None, method="GET", **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        wanted = {"Authorization": f"Bearer {self.token if token is None else token}"}
        for key, value in headers.items():
            wanted[key.replace("_", "-")] = value
        c.request(method, path, headers={k: v for k, v in wanted.items() if v})
        answer = c.getresponse()
        body = answer.read()
        c.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body

    def text(self, path):
        status, _, body = self.get("/api/" + path)
        assert status == 200, (path, status, body)
        return body.decode()

    def one(self, path):
        return json.loads(self.text(path))

    def lines(self, path):
        return [json.loads(line) for line in self.text(path).strip("\n").split("\n")]

    def raw(self, request, wait_s=WAIT_S):
        with socket.create_connection(("127.0.0.1", self.port), wait_s) as s:
            got = b""
            try:
                s.sendall(request)
                s.shutdown(socket.SHUT_WR)
                while chunk := s.recv(65536):
                    got += chunk
            except OSError:  # it ended the connection first
                pass
            return got

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(WAIT_S)
        self.process.stdout.close()
        return status


class Serve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        cls.store = f"{cls.dir}/store.db"
        make_store(cls.store)
        cls.digest = cls.digest_of_store()
        cls.server = Server(cls.store)
        cls.traces = [json.loads(x)["trace_id"] for x in
                      said("list", "--json", "--store", cls.store).strip("\n").split("\n")[1:]]

    @classmethod
    def tearDownClass(cls):
        status = cls.server.end()
        changed = cls.digest != cls.digest_of_store()
        left = sorted(os.listdir(cls.dir))
        shutil.rmtree(cls.dir)
        assert status == 0, status
        assert not changed, "the store was changed"
        assert left == ["store.db"], left

    @classmethod
    def digest_of_store(cls):
        with open(cls.store, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    # ---- who is let in

    def test_nothing_is_told_without_the_token(self):
        for token in ("", "x", self.server.token[:-1], self.server.token + "x",
                      self.server.token.swapcase(), "é"):
            status, headers, body = self.server.get("/api/list", token=token)
            self.assertEqual(status, 401, token)
            self.assertNotIn(b"trace_id", body)
        for path in ("/", "/page.js", "/page.css", "/icon.svg"):
            status, _, body = self.server.get(path, token="")
            self.assertEqual(status, 200)
            self.assertNotIn(self.server.token.encode(), body)
        status, _, _ = self.server.get(f"/api/list?token={self.server.token}",
                                       Authorization="")
        self.assertEqual(status, 401)

    def test_another_host_or_site_is_refused(self):
        port = self.server.port
        for host, wanted in ((f"127.0.0.1:{port}", 200), (f"localhost:{port}", 200),
                             (f"evil.example:{port}", 421), ("127.0.0.1", 421),
                             (f"127.0.0.1:{port}.evil.example", 421),
                             (f"LOCALHOST:{port}x", 421), ("127.0.0.1:1", 421)):
            for path in ("/", "/api/list"):
                self.assertEqual(self.server.get(path, Host=host)[0], wanted, host)
        for origin, wanted in ((f"http://127.0.0.1:{port}", 200),
                               ("http://evil.example", 403), ("null", 403),
                               (f"https://127.0.0.1:{port}", 403),
                               (f"http://127.0.0.1:{port + 1}", 403)):
            self.assertEqual(self.server.get("/api/list", Origin=origin)[0], wanted,
                             origin)
        for site, page, api in (("same-origin", 200, 200), ("none", 200, 403),
                                ("cross-site", 403, 403), ("same-site", 403, 403)):
            self.assertEqual(self.server.get("/", Sec_Fetch_Site=site)[0], page)
            self.assertEqual(self.server.get("/api/list", Sec_Fetch_Site=site)[0], api)
        twice = (f"GET /api/list HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil\r\n"
                 f"Authorization: Bearer {self.server.token}\r\n\r\n")
        self.assertNotIn(b" 200 ", self.server.raw(twice.encode())[:20])

    def test_only_questions_without_a_body(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "LOL"):
            status, headers, _ = self.server.get("/api/list", method=method)
            self.assertEqual(status, 405, method)
            self.assertEqual(headers.get("allow"), "GET, HEAD")
        self.assertEqual(self.server.get("/api/list", method="HEAD")[2], b"")
        self.assertEqual(self.server.get("/api/list", Content_Length="5")[0], 413)

    def test_each_answer_has_the_headers(self):
        for path in ("/", "/page.js", "/api/list", "/api/nothing", "/nothing"):
            _, headers, _ = self.server.get(path)
            for name, value in HEADERS.items():
                self.assertIn(value, headers.get(name, ""), (path, name))
            self.assertNotIn("unsafe", headers["content-security-policy"])
            self.assertNotIn("access-control-allow-origin", headers)

    def test_it_listens_on_the_loopback_alone(self):
        port = f":{self.server.port:04X} "
        with open("/proc/net/tcp", encoding="ascii") as f:
            at = [line.split()[1] for line in f if port in line and " 0A " in line]
        self.assertEqual({a.split(":")[0] for a in at}, {"0100007F"})
        with open("/proc/net/tcp6", encoding="ascii") as f:
            self.assertFalse([x for x in f if port in x and " 0A " in x])

    def test_the_page_asks_nobody_else(self):
        for path in ("/", "/page.js", "/page.css"):
            text = self.server.get(path)[2].decode()
            text = text.replace("http://www.w3.org/2000/svg", "")
            self.assertNotRegex(text, r"https?://|//cdn|@import|url\(|WebSocket|eval\(")
            self.assertNotRegex(text, r"innerHTML|outerHTML|insertAdjacentHTML|document\.write")

    # ---- what is told is what the commands print

    def test_the_answers_are_those_of_the_commands(self):
        store = ("--json", "--store", self.store)
        self.assertEqual(self.server.text("list"), said("list", *store))
        self.assertEqual(self.server.text("list?status=error&program=w*"),
                         said("list", "--where", "status=error", "--program", "w*", *store))
        self.assertEqual(self.server.text("errors"), said("errors", *store))
        for trace in self.traces:
            one = self.server.text(f"list?trace={trace}").split("\n")[1]
            self.assertIn(one + "\n", said("list", *store))
            self.assertEqual(self.server.text(f"errors/{trace}"),
                             said("errors", "--trace", trace, *store))
            if json.loads(one)["status"] != "open":  # grows as time goes on
                self.assertEqual(self.server.text(f"stats/{trace}"),
                                 said("stats", trace, *store))
                self.assertEqual(self.server.text(f"show/{trace}"),
                                 said("show", trace, *store))
                self.assertEqual(self.server.text(f"folded/{trace}"),
                                 said("export", "-f", "folded", trace, "--store", self.store))

    def test_calls_one_by_one(self):
        printed = said("spans", "--json", ETL, "--store", self.store).strip("\n").split("\n")[1:]
        for line in printed[:4] + printed[-40:]:
            span = json.loads(line)
            got = self.server.text(f"span/{ETL}/{span['span_id']}").strip("\n").split("\n")
            self.assertEqual(got[0], line)
            around = json.loads(got[1])
            if around["place"]:
                self.assertEqual(around["place"]["span_id"], span["span_id"])
                self.assertEqual(around["place"]["duration_ns"], span["duration_ns"])
        self.assertEqual(self.server.get(f"/api/span/{ETL}/{'1' * 16}")[0], 404)

    def test_a_window_has_all_calls_at_any_resolution(self):
        spans = [json.loads(x) for x in
                 said("spans", "--json", ETL, "--store", self.store).strip("\n").split("\n")[1:]]
        calls = [s for s in spans if s["name"] != "etl-nightly"]
        lanes = self.server.one(f"lanes/{ETL}")
        self.assertEqual(lanes["spans"], len(spans) - 1)
        self.assertEqual(sum(lane["calls"] for lane in lanes["lanes"]), lanes["spans"])
        for px in (1, 10, 1000, 100000):
            bars = self.server.one(f"bars/{ETL}?px={px}")
            self.assertEqual(sum(sum(b[4::6]) for _, _, b in bars["rows"]), lanes["spans"])
        full = self.server.one(f"bars/{ETL}?px=100000")
        for _, _, b in full["rows"]:
            ends = 0
            for start, ns in zip(b[0::6], b[1::6]):
                self.assertGreaterEqual(start, ends, "bars of a row overlap")
                ends = start + ns
        some = self.server.one(f"bars/{ETL}?px=1000&from=0&to=1500000000&first=0&last=0")
        self.assertTrue(all(lane == 0 for lane, _, _ in some["rows"]))
        longest = max(calls, key=lambda s: s["duration_ns"] or 0)["duration_ns"]
        self.assertEqual(max(max(b[1::6]) for _, _, b in full["rows"]), longest)
        # which parent on another thread has a link
        by_id = {s["span_id"]: s for s in spans}
        across = [s for s in calls if s["parent_span_id"] in by_id and
                  by_id[s["parent_span_id"]]["name"] != "etl-nightly" and
                  by_id[s["parent_span_id"]]["tid"] != s["tid"]]
        self.assertEqual(len(full["links"]), len(across))

    def test_bars_are_the_same_however_they_are_read(self):
        # where a session is of several traces its spans come by their start
        shared = f"{tempfile.mkdtemp()}/shared.db"
        self.addCleanup(shutil.rmtree, os.path.dirname(shared))
        shutil.copy(self.store, shared)
        with sqlite3.connect(shared) as db:
            db.execute("INSERT INTO contexts (session, context, trace) "
                       "SELECT session, 9999, 9999 FROM sessions")
        db.close()
        other = Server(shared)
        try:
            for trace in self.traces:
                for what in (f"bars/{trace}?px=100000", f"bars/{trace}?px=10",
                             f"lanes/{trace}"):
                    mine, its = self.server.one(what), other.one(what)
                    self.assertEqual(mine.pop("end_ns", 0) > 0, its.pop("end_ns", 0) > 0)
                    self.assertEqual(mine, its, what)
        finally:
            other.end()

    def test_the_critical_path_is_that_of_show(self):
        path = self.server.one(f"critical/{ETL}?px=100000")
        rows = [json.loads(x) for x in
                said("show", "--json", ETL, "--store", self.store).strip("\n").split("\n")[2:]]
        told = sum(b - a for _, _, a, b in path["path"])
        self.assertEqual(told, rows[0]["critical_ns"])
        for a, b in zip(path["path"], path["path"][1:]):
            self.assertLessEqual(b[3], a[2], "from the end to the begin, without overlap")
        rough = self.server.one(f"critical/{ETL}?px=30")["path"]
        self.assertLess(len(rough), len(path["path"]))
        self.assertEqual(sum(b - a for _, _, a, b in rough), told)
        some = self.server.one(f"critical/{ETL}?from=0&to=20000000000")["path"]
        self.assertTrue(all(a < 20000000000 for _, _, a, _ in some))

    def test_handlers_over_time_are_those_of_stats(self):
        trace = json.loads(self.server.text(f"list?trace={ETL}").strip("\n").split("\n")[1])
        start = trace["start_unix_ns"]
        _, *rows = self.server.lines(f"handlers?since={start}&until={start + 1}&cells=7")
        got = {r["name"]: r for r in rows}
        wanted = [json.loads(x) for x in
                  said("stats", "--json", ETL, "--store", self.store).strip("\n").split("\n")[1:]]
        wanted = {r["name"]: r for r in wanted if r["name"] in got}
        self.assertGreater(len(wanted), 3)
        for name, row in wanted.items():
            for key in ("calls", "errors", "self_ns", "max_ns", "p50_ns", "p95_ns"):
                self.assertEqual(got[name][key], row[key], (name, key))
            self.assertEqual(sum(c[0] for c in got[name]["cells"] if c), row["calls"])

    def test_what_is_searched_is_found(self):
        found = self.server.one(f"find/{ETL}?text=EXTRACT")
        self.assertEqual((len(found["found"]), found["is_all"]), (12, True))
        self.assertEqual(len(self.server.one(f"find/{ETL}?in=failed")["found"]), 1)
        self.assertEqual(len(self.server.one(f"find/{ETL}?text=alert(1)&in=values")["found"]), 3)
        self.assertEqual(len(self.server.one(f"find/{ETL}?text=zzzz")["found"]), 0)
        self.assertFalse(self.server.one(f"find/{ETL}?text=work&limit=5")["is_all"])

    # ---- hostile

    def test_hostile_values_stay_values(self):
        line = next(x for x in self.server.text(f"span/{ETL}/" + self.hostile_span()).strip("\n").split("\n"))
        self.assertEqual(json.loads(line)["input"][EVIL], EVIL)
        _, headers, _ = self.server.get(f"/api/list?trace={ETL}")
        self.assertTrue(headers["content-type"].startswith("application/x-ndjson"))

    def hostile_span(self):
        for line in said("spans", "--json", ETL, "--store", self.store).strip("\n").split("\n")[1:]:
            if EVIL in json.loads(line)["input"]:
                return json.loads(line)["span_id"]
        raise AssertionError

    def test_no_file_is_reached_by_a_path(self):
        for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
                     "/api/../../etc/passwd", "/api/show/../../etc/passwd",
                     "/page.js/../../x", "/api/show/" + "%00" * 32,
                     "/./page.js", "/api/show/..%2f..%2fetc"):
            status, _, body = self.server.get(path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn(b"root:", body)

    def test_bad_questions_are_told_what_is_wrong(self):
        for path, wanted in (("show", 404), ("show/xyz", 404), (f"show/{ETL}/1", 404),
                             (f"show/{'0' * 32}", 404), (f"bars/{ETL}?px=0", 400),
                             (f"bars/{ETL}?px=1e3", 400), (f"bars/{ETL}?from=5&to=5", 400),
                             (f"bars/{ETL}?from=99999999999999999999", 400),
                             ("list?limit=-1", 400), ("list?trace=1", 400),
                             ("handlers?since=9&until=3", 400), (f"lanes/{'0' * 32}", 404),
                             (f"show/{ETL.upper()}", 404), ("x" * 4000, 404)):
            status, _, body = self.server.get("/api/" + path)
            self.assertEqual(status, wanted, path)
            self.assertTrue(json.loads(body)["error"], path)

    def test_odd_requests_do_no_harm(self):
        rng = random.Random(20)
        good = (f"GET /api/bars/{ETL}?px=10&from=0&to=99 HTTP/1.1\r\nHost: 127.0.0.1:"
                f"{self.server.port}\r\nAuthorization: Bearer {self.server.token}\r\n"
                "Connection: close\r\n\r\n").encode()
        self.assertIn(b"200 OK", self.server.raw(good))
        for _ in range(300):
            odd = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                at = rng.randrange(len(odd))
                what = rng.randrange(5)
                if what == 0:
                    odd[at] = rng.randrange(256)
                elif what == 1:
                    del odd[at:at + rng.randrange(1, 30)]
                elif what == 2:
                    odd[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
                elif what == 3:
                    odd[at:at] = odd[:at]
                else:
                    odd[at:at] = rng.choice((b"%", b"\0", b"\r\n", b"A" * 20000, b"%zz",
                                             b"..", b"?&=&=", b"Transfer-Encoding: chunked\r\n"))
                if not odd:
                    break
            # some are half a request, which it waits for the rest of
            self.server.raw(bytes(odd[:60000]), 0.2)
        self.assertIsNone(self.server.process.poll())
        self.assertIn(b"200 OK", self.server.raw(good))

    def test_slow_and_many_clients_keep_nobody_waiting(self):
        many = [socket.create_connection(("127.0.0.1", self.server.port), WAIT_S)
                for _ in range(100)]
        try:
            for i, s in enumerate(many):
                s.sendall(b"GET /api/list HTTP/1.1\r\nHo"[:i % 26])
            for _ in range(3):
                self.assertEqual(self.server.get("/api/list")[0], 200)
        finally:
            for s in many:
                s.close()
        # one that asks for much and takes nothing
        with socket.create_connection(("127.0.0.1", self.server.port), WAIT_S) as s:
            s.sendall((f"GET /page.js HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}"
                       "\r\n\r\n" * 50).encode())
            self.assertEqual(self.server.get("/api/list")[0], 200)

    # ---- the command

    def test_wrong_starts_are_told(self):
        def fails(*args):
            r = subprocess.run([HANDSPAN, "serve", *args], text=True, timeout=WAIT_S,
                               capture_output=True, stdin=subprocess.DEVNULL)
            self.assertEqual((r.returncode, r.stdout), (2, ""), args)
            return r.stderr
        self.assertIn("no store", fails("--store", f"{self.dir}/none.db"))
        self.assertIn("65535", fails("--port", "70000", "--store", self.store))
        self.assertIn("in use", fails("--port", str(self.server.port), "--store", self.store))

    # ---- report

    def report(self, *args):
        r = subprocess.run([HANDSPAN, "report", "--store", self.store, *args],
                           capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r

    def test_a_report_is_one_file_with_the_same_answers(self):
        r = self.report(ETL)
        scripts, links = parse(r.stdout)
        self.assertEqual(len(scripts), 2, "nothing in it ends its element")
        self.assertEqual(links, ["#/", "#main"])
        kept = json.loads(scripts[0])
        for what in ("show", "stats", "folded", "lanes", "critical", "errors"):
            self.assertEqual(kept["answers"][f"{what}/{ETL}"], self.server.text(f"{what}/{ETL}"))
        self.assertEqual((kept["calls"], kept["told"]), (1188, 1188))
        span = self.hostile_span()
        self.assertEqual(kept["answers"][f"span/{ETL}/{span}"],
                         self.server.text(f"span/{ETL}/{span}"))
        self.assertIn("default-src 'none'", r.stdout)
        self.assertNotIn("<script>alert", r.stdout)
        self.assertNotRegex(r.stdout.replace("http://www.w3.org/2000/svg", ""), "https?://")
        self.assertIn("values", r.stderr)

    def test_a_report_is_bounded_and_says_what_it_left_out(self):
        r = self.report(ETL, "--most=1")
        self.assertLess(len(r.stdout), 2_500_000)
        kept = json.loads(parse(r.stdout)[0][0])
        self.assertLess(kept["told"], kept["calls"])
        self.assertIn("of 1,188 calls", r.stderr)
        failed = self.server.one(f"find/{ETL}?in=failed")["found"][0]["span_id"]
        self.assertIn(f"span/{ETL}/{failed}", kept["answers"])

    def test_a_report_never_writes_over_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/r.html"
            self.report(ETL, "-o", path)
            before = os.stat(path)
            r = subprocess.run([HANDSPAN, "report", "--store", self.store, ETL, "-o", path],
                               capture_output=True, text=True)
            self.assertEqual(r.returncode, 2)
            self.assertIn("r.html", r.stderr)
            self.assertEqual(before.st_mtime_ns, os.stat(path).st_mtime_ns)


def parse(text):
    """Its scripts, and the targets of what leads elsewhere."""
    class Reader(html.parser.HTMLParser):
        def __init__(self):
            super().__init__()
            self.scripts, self.links, self.within = [], [], False

        def handle_starttag(self, tag, attrs):
            self.within = tag == "script"
            if self.within:
                self.scripts.append("")
            self.links += [v for k, v in attrs if k in ("src", "href")]

        def handle_endtag(self, tag):
            self.within = False

        def handle_data(self, data):
            if self.within:
                self.scripts[-1] += data
    reader = Reader()
    reader.feed(text)
    return reader.scripts, sorted(reader.links)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
