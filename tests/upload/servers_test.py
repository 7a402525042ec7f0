#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers that misbehave, each a real HTTP server of this test, all at once: a
sidecar with a sink for each. Nothing is lost, credentials stay home, memory
and time are bounded, and whatever stands still says why in `handspan uploads`
and `handspan status`.

usage: servers_test.py HANDSPAN WRITER
"""
import base64
import email.utils
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import base
import scan
from base import expect, until

BIG = 50 << 20
SCHEMA = b'[{"version":4,"spans_key":"trace_id,span_id"}]'


class Server(http.server.ThreadingHTTPServer):
    """Takes rows as PostgREST does, by their key; subclasses misbehave. `seen`
    has (time, method, path, headers) of each request."""
    daemon_threads = True
    token = "token-writer"

    def __init__(self, wire, **more):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wire, self.seen, self.rows, self.faults = wire, [], {}, []
        self.sent_bytes = self.count = 0
        self.lock = threading.Lock()
        self.port = self.server_address[1]
        for name, value in more.items():
            setattr(self, name, value)
        if more.get("certificate"):
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            c.load_cert_chain(*more["certificate"])
            self.socket = c.wrap_socket(self.socket, server_side=True,
                                        do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # the other side gave up

    def url(self, scheme="postgrest+http", host="127.0.0.1", options=""):
        return (f"{scheme}://{host}:{self.port}{scan.QUIET}"
                f"{'?' if options else ''}{options}")

    def misbehave(self, h):
        """True: it was answered in its own way."""

    def misbehave_after(self, h):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def do_any(self):
        s = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scan.record(s.wire, self.command, self.path, self.headers, body)
        with s.lock:
            s.count += 1
            s.seen.append((time.monotonic(), self.command, self.path,
                           dict(self.headers)))
        if s.misbehave(self):
            return
        if self.headers.get("Authorization") != "Bearer " + s.token:
            self.reply(401, b'{"code":"PGRST301","message":"JWT expired"}')
            return
        if self.command == "GET":
            self.reply(200, SCHEMA)
            return
        query = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(self.path).query))
        rows = json.loads(body)
        keys = query["on_conflict"].split(",")
        if any(list(r) != query["columns"].split(",") for r in rows):
            s.faults.append("unequal keys")
        table = urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[-1]
        with s.lock:
            for r in rows:
                key = (table, *[r[k] for k in keys])
                if s.rows.setdefault(key, r) != r:
                    s.faults.append(f"{key} is another row now")
        if not s.misbehave_after(self):
            self.reply(201)

    do_GET = do_POST = do_any


class Html(Server):
    def misbehave(self, h):
        h.reply(200, b"<html>welcome to our wifi</html>", "text/html")
        return True


class Portal(Server):
    """Lets the questions through, and answers the inserts itself."""
    def misbehave(self, h):
        if h.command != "POST":
            return False
        h.reply(200, b'{"ok":true}')
        return True


class Patient(Server):
    """InsForge while its PostgREST hangs: three times 10 s, and 503; then
    well."""
    def misbehave(self, h):
        if h.command != "POST" or sum(s[1] == "POST" for s in self.seen) > 1:
            return False
        time.sleep(31)
        h.reply(503, b'{"error":"SERVICE_UNAVAILABLE","message":"timeout of '
                b'10000ms exceeded","statusCode":503}')
        return True


class Closes(Server):
    def misbehave(self, h):
        h.hang_up()
        return True


class Silent(Server):
    def misbehave(self, h):
        time.sleep(30)  # longer than the test asks for
        return True


class Drips(Server):
    def misbehave(self, h):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60:
            h.wfile.write(bytes([byte]))
            h.wfile.flush()
            time.sleep(1)
        return True


class Big(Server):
    def misbehave(self, h):
        h.send_response(200)
        h.send_header("Content-Type", "application/json")
        h.send_header("Content-Length", str(BIG))
        h.end_headers()
        for _ in range(BIG >> 16):
            h.wfile.write(b" " * (1 << 16))
            self.sent_bytes += 1 << 16
        return True


class Redirects(Server):
    def misbehave(self, h):
        h.reply(307, Location=self.to + h.path)
        return True


class NotThere(Server):
    def misbehave(self, h):
        h.reply(404, b"{}")
        return True


class Busy(Server):
    """Asks for time twice: in seconds, as a date."""
    def misbehave(self, h):
        if self.count == 2:
            h.reply(503, b"{}", Retry_After="2")
        elif self.count == 3:
            h.reply(429, b"{}", Retry_After=email.utils.formatdate(
                time.time() + 3, usegmt=True))
        else:
            return False
        return True


class Loses(Server):
    """Every other answer is lost, after the rows were taken."""
    def misbehave_after(self, h):
        if self.count % 2:
            h.hang_up()
            return True
        return False


class Stale(Server):
    """Its cache does not know the table, then a column, then all is well."""
    def misbehave(self, h):
        if h.command == "POST" and len(self.seen) < 4:
            h.reply(404, b"{}")
        elif h.command == "POST" and len(self.seen) < 6:
            h.reply(400, b'{"code":"PGRST204","message":"Could not find the '
                    b"'site' column of 'spans' in the schema cache\"}")
        else:
            return False
        return True


def certificate(place, name):
    key, cert = (os.path.join(place, name + end) for end in (".key", ".pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    return cert, key


def peaks(pid):
    """Peak resident KiB of the children, which are the uploaders."""
    out = []
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
        for child in f.read().split():
            with open(f"/proc/{child}/status", encoding="utf-8") as status:
                out += [int(line.split()[1]) for line in status
                        if line.startswith("VmHWM")]
    return out


def state(p, server, options=""):
    """(state, error, all is sent) of a sink."""
    at = f":{server.port}/"
    found = p.rows("SELECT state, error, cursor_seq = (SELECT max(seq) FROM "
                   "outbox) FROM sinks WHERE name LIKE ? AND name LIKE ?",
                   f"%{at}%", f"%{options}%")
    return found[0] if found else (None, None, 0)


def spans_there(p, server):
    """What it has are the store's spans, each once."""
    expect(server.faults, [], "faults")
    want = {(r[0], r[1]) for r in base.spans_of_store(p, False)}
    got = {k[1:] for k in server.rows if k[0] == "spans"}
    expect(got, want, "spans there")


def standing(p):
    """Those that stand still, and why; those that come through."""
    wire = os.path.join(p.dir, "wire")
    home = certificate(p.dir, "home")
    elsewhere = Server(wire)
    html, closes, big = Html(wire), Closes(wire), Big(wire)
    silent, drips = Silent(wire), Drips(wire)
    redirects = Redirects(wire, to=f"http://127.0.0.1:{elsewhere.port}")
    gone, busy, loses, stale = (NotThere(wire), Busy(wire), Loses(wire),
                                Stale(wire))
    portal, patient = Portal(wire), Patient(wire)
    expired = Server(wire, token="token-new")
    tls = Server(wire, certificate=home)
    strange = Server(wire, certificate=certificate(p.dir, "strange"))
    new_key = os.path.join(p.dir, "key.expired")
    with open(new_key, "w", encoding="utf-8") as f:
        f.write("token-old\n")
    urls = [s.url() for s in (html, closes, big, redirects, gone, busy, loses,
                              stale, portal)]
    urls.append(patient.url("insforge+http"))
    urls += [s.url(options="timeout=2") for s in (silent, drips)]
    urls += [expired.url(options="key-file=" + new_key),
             tls.url("postgrest+https", options="ca-file=" + home[0]),
             strange.url("postgrest+https", options="ca-file=" + home[0])]
    args = [a for url in urls for a in ("--upload", url)]
    p.wrote("records=300", "values=2")
    side = p.sidecar("--stay", *args)
    until("sinks", lambda: os.path.exists(p.store) and p.rows(
        "SELECT name FROM sqlite_master WHERE name = 'sinks'"))
    stands = [(html, "held", "a web page"), (closes, "retrying", "Empty reply"),
              (silent, "retrying", "timed out"),
              (drips, "retrying", "timed out"),
              (big, "held", "no JSON array"),
              (redirects, "held", "a redirect"), (gone, "held", "no handspan"),
              (expired, "held", "expired"),
              (strange, "retrying", "certificate"),
              (portal, "held", "not what PostgREST answers")]
    for server, want, word in stands:
        until(f"{type(server).__name__}: {word}", lambda: state(p, server)[0] ==
              want and word in (state(p, server)[1] or ""))
    for server in (busy, loses, stale, tls, patient):
        until(f"{type(server).__name__} has all", lambda: state(
            p, server)[0] == "idle" and state(p, server)[2])
        spans_there(p, server)
    uploads, status = p.run("uploads", status=1), p.run("status", status=None)
    for server, _, word in stands:
        for name, out in ("uploads", uploads), ("status", status):
            near = out[out.index(f":{server.port}/"):][:900]
            assert word in " ".join(near.split()), (name, word, near)
    # a redirect was not followed, nor was a key sent to who is not who he says
    expect(elsewhere.seen, [], "requests elsewhere")
    expect(strange.seen, [], "requests to the wrong certificate")
    # 50 MB: neither read nor kept
    assert big.sent_bytes < BIG * big.count, big.sent_bytes
    peak = max(peaks(side.pid))
    assert peak < 48 << 10, f"an uploader took {peak} KiB"
    # InsForge's own time was left to it
    times = [t for t, method, *_ in patient.seen if method == "POST"]
    assert times[1] - times[0] >= 31, times[:4]
    # as long as the server asked for
    times = [t for t, *_ in busy.seen]
    assert times[2] - times[1] >= 1.9, times[:4]
    assert times[3] - times[2] >= 1.9, times[:4]  # a date has whole seconds
    assert times[3] - times[1] < 60, times[:4]
    with open(new_key + ".new", "w", encoding="utf-8") as f:
        f.write("token-new\n")
    os.rename(new_key + ".new", new_key)
    until("it goes on with the new key", lambda: state(p, expired)[0] == "idle"
          and state(p, expired)[2])
    spans_there(p, expired)
    side.terminate()
    side.communicate(timeout=300)
    for token in "token-writer", "token-new", "token-old":
        assert token not in p.log() + uploads + status, "a key is shown"
    scan.check(wire, ["/data/", "--day", "/usr/bin"])


def through_a_proxy(p):
    """By the environment and by the URL; with its own credentials, which are
    in no log and not in the store."""
    wire = os.path.join(p.dir, "wire")
    proxy, second = Server(wire), Server(wire)
    p.env["http_proxy"] = f"http://joe:proxy-secret@127.0.0.1:{proxy.port}"
    err = p.drain("--upload", "postgrest+http://far.invalid/quiet",
                  "--upload", "postgrest+http://farther.invalid/quiet?proxy="
                  f"http://127.0.0.1:{second.port}")
    expect([s for s, in p.rows("SELECT state FROM sinks WHERE name LIKE "
                               "'%.invalid%'")], ["idle"] * 2, "sinks")
    for server, host in (proxy, "far.invalid"), (second, "farther.invalid"):
        spans_there(p, server)
        assert all(path.startswith(f"http://{host}/quiet/")
                   for _, _, path, _ in server.seen), server.seen[0]
    told = {h.get("Proxy-Authorization") for *_, h in proxy.seen}
    expect(told, {"Basic " + base64.b64encode(
        b"joe:proxy-secret").decode()}, "credentials of the proxy")
    expect({h.get("Proxy-Authorization") for *_, h in second.seen}, {None},
           "credentials of the other proxy")
    shown = err + p.log() + p.run("uploads", status=None) + p.run(
        "status", status=None)
    assert "proxy-secret" not in shown, "the proxy's password is shown"
    with open(p.store, "rb") as f:
        assert b"proxy-secret" not in f.read(), "and stored"


def main():
    p = base.Place(*map(os.path.abspath, sys.argv[1:3]))
    try:
        standing(p)
        through_a_proxy(p)
    except BaseException:
        print(p.log(), file=sys.stderr)
        print(p.sinks(), file=sys.stderr)
        raise
    finally:
        p.done()
    print("ok")


main()
