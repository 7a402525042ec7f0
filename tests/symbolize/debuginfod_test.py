#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""debuginfod_test.py BUILD CASE: a server of debug files on this machine, that
counts what it is asked. Cases are functions below."""
import http.server
import shutil
import subprocess
import sys
import threading
import time

import world
from symbolize_test import known, same, without_names

CALLS = (("fail", "inlined"), ("fail", "lib"), ("throw", "own"))


class Server(http.server.ThreadingHTTPServer):
    """/buildid/ID/debuginfo and /executable, of the files in `files`."""

    def __init__(self, how):
        super().__init__(("127.0.0.1", 0), Handler)
        self.how, self.files, self.asked = how, {}, []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def add(self, folder, kind):
        for path in folder.iterdir():
            text = subprocess.run(["readelf", "-n", path], check=True,
                                  capture_output=True, text=True).stdout
            if "Build ID: " in text:
                self.files[text.split("Build ID: ")[1].split()[0], kind] = path

    def stop(self):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        _, where, number, kind = self.path.split("/")
        path = server.files.get((number, kind))
        if server.how == "silent":
            server.over.wait(60)
        elif where != "buildid" or path is None:
            self.send_error(404)
        else:
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if server.how == "slow":
                for i in range(60):
                    self.wfile.write(data[i:i + 1])
                    if server.over.wait(1):
                        return
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def configured(w):
    """Found: by the variable, by the file of settings, and the object as well
    if that is what is missing; not asked without."""
    server = Server("fine")
    server.add(w.debug, "debuginfo")
    w.use("none")
    # what some distributions set for every login says nothing about us
    inherited = {"DEBUGINFOD_URLS": server.url}
    w.run(CALLS, **inherited)
    without_names(w.errors())
    w.call("symbolize", "--all", status=1, env={**w.env, **inherited})
    w.call("check", str(w.at), status=None, env={**w.env, **inherited})
    same(server.asked, [], "asked, but nobody configured it")
    w.use("variable")
    w.run(CALLS, HANDSPAN_DEBUGINFOD_URLS=server.url)
    found = w.errors()
    assert known(w, "fail"), server.asked
    assert any("/debuginfo" in path for path in server.asked)
    w.use("file")
    (w.top / "settings").write_text(f"debuginfod_urls = {server.url}\n")
    w.env["HANDSPAN_CONFIG"] = str(w.top / "settings")
    w.run(CALLS)
    by_file = w.errors()
    w.env["HANDSPAN_CONFIG"] = "/dev/null"
    w.show()
    w.use("shown")
    w.run(CALLS)
    same(found, w.errors(), "by the variable")
    same(by_file, w.errors(), "by the file of settings")
    # by hand, and both files are gone: the server has the object alone
    w.use("none")
    objects = w.top / "objects"
    w.at.rename(objects)
    other = Server("fine")
    other.add(objects, "executable")
    other.add(w.debug, "debuginfo")
    shutil.rmtree(w.top / "debuginfod_client")
    w.call("symbolize", "--all", env={**w.env, "HANDSPAN_DEBUGINFOD_URLS": other.url})
    objects.rename(w.at)
    same(w.errors(), found, "by hand")
    server.stop()
    other.stop()


def wrong(w):
    """A server that sends a file of another build: not used."""
    server = Server("fine")
    server.add(w.debug, "debuginfo")
    files = list(server.files.values())
    server.files = dict(zip(server.files, files[1:] + files[:1]))
    w.run(CALLS, HANDSPAN_DEBUGINFOD_URLS=server.url)
    assert any("/debuginfo" in path for path in server.asked), server.asked
    without_names(w.errors())
    cache = w.top / "debuginfod_client"
    left = [p for p in cache.glob("*/debuginfo") if p.stat().st_size]
    assert not left, left
    server.stop()


def dead(w):
    """One that does not answer, sends a byte a second, or is not there: the
    sidecar goes on, and asks it no more."""
    w.use("plain")
    w.run(CALLS)
    plain = w.errors()
    for how in ("silent", "slow", "gone"):
        server = Server(how)
        server.add(w.debug, "debuginfo")
        if how == "gone":
            server.stop()
        w.use(how)
        begin = time.monotonic()
        w.run(CALLS, HANDSPAN_DEBUGINFOD_URLS=server.url)
        took = time.monotonic() - begin
        assert took < 15, (how, took)
        same(w.errors(), plain, how)
        if how != "gone":
            # once by each sidecar, and each run may have had one of its own
            assert 1 <= len(server.asked) <= len(CALLS), server.asked
            server.stop()
        shutil.rmtree(w.top / "debuginfod_client", ignore_errors=True)
        print(f"{how}: {took:.1f} s, asked {len(server.asked)} times")


CASE = {f.__name__: f for f in (configured, wrong, dead)}
if __name__ == "__main__":
    with world.World(sys.argv[1]) as here:
        CASE[sys.argv[2]](here)
