#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Health: what `status` says of trouble and sinks, metrics by file and HTTP,
the log as JSON."""
import json
import os
import re
import socket
import subprocess
import urllib.request

import base

LINE = re.compile(r'(# (HELP|TYPE) handspan_\w+ .+|'
                  r'handspan_\w+(\{\w+="([^"\\]|\\.)*"\})? -?\d+)$')


class Health(base.Base):
    def traced(self, **extra):
        self.ok("run", "--summary=never", "true", extra=extra)
        self.end_sidecar()

    def check_metrics(self, text):
        for line in text.splitlines():
            self.assertRegex(line, LINE)
        names = re.findall(r"^# TYPE (\w+)", text, re.M)
        self.assertEqual(len(names), len(set(names)))
        return dict(line.rsplit(" ", 1) for line in text.splitlines()
                    if not line.startswith("#"))

    def test_metrics_file(self):
        path = self.path + "/handspan.prom"
        self.traced(HANDSPAN_METRICS_FILE=path)

        def last():  # written after the sidecar let its lock go
            with open(path) as f:
                got = self.check_metrics(f.read())
            return got if got["handspan_traces"] == "1" else None
        got = self.wait_for(last, "the last figures")
        self.assertEqual(got["handspan_store_failures"], "0")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
        self.assertEqual(sorted(f for f in os.listdir(self.path)
                                if "prom" in f), ["handspan.prom"])

    def test_metrics_over_http(self):
        self.traced()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.sidecar({"HANDSPAN_METRICS_LISTEN": f"127.0.0.1:{port}"})

        def get():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics",
                                            timeout=300) as answer:
                    return answer.read().decode()
            except OSError:
                return None
        silent = None
        got = self.check_metrics(self.wait_for(get, "the endpoint"))
        self.assertEqual(got["handspan_traces"], "1")
        silent = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(silent.close)  # asks nothing: keeps nobody waiting
        got = self.check_metrics(self.wait_for(get, "the endpoint"))
        self.assertIn("handspan_sessions_waiting", got)

    def test_log_as_json(self):
        self.write("store.db", "no database, but long enough to be one\n" * 99)
        self.handspan("run", "true", extra={"HANDSPAN_LOG_FORMAT": "json"})
        self.end_sidecar()
        with open(self.dir + "/log") as f:
            lines = [json.loads(line) for line in f]
        self.assertTrue(lines)
        self.assertEqual(set(lines[0]), {"time", "process", "pid", "message"})
        self.assertIn("not a database", lines[0]["message"])

    def test_status_tells_of_sinks(self):
        self.traced()
        self.execute(
            "INSERT INTO sinks (name, cursor_seq, state, sent_spans, "
            "added_unix_ns, error, error_code, error_unix_ns) VALUES "
            "('postgrest+http://h/\"x', 0, 'held', 5, 1, 'no entry', '401', "
            "7)")
        out = self.handspan("status").stdout
        self.assertIn("held, 5 spans sent, the rest waits since", out)
        self.assertIn("401: no entry", out)
        sink = [r for r in self.json("status") if r["kind"] == "sink"][0]
        self.assertEqual((sink["state"], sink["error_code"]), ("held", "401"))
        path = self.path + "/m.prom"
        self.traced(HANDSPAN_METRICS_FILE=path)
        with open(path) as f:
            got = self.check_metrics(f.read())
        self.assertEqual(
            got['handspan_sink_failing{sink="postgrest+http://h/\\"x"}'], "1")

    def test_disk_full_for_the_store(self):
        """A tiny file system of its own: told at once, stored later."""
        place = self.path + "/small"
        os.mkdir(place)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", place],
                capture_output=True).returncode:
            self.skipTest("needs a mount")
        self.addCleanup(subprocess.run, ["umount", "-l", place])
        full = {"HANDSPAN_STORE": place + "/s.db"}
        done = self.handspan("run", "true", extra=full)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "is not stored: .*full")
        self.end_sidecar()
        status = self.handspan("status", extra=full)
        self.assertEqual(status.returncode, 1)
        self.assertRegex(status.stdout, "full")
        # --store: also what names another one; not while that may be starting
        store = self.env["HANDSPAN_STORE"]
        self.wait_for(lambda: self.ok("sidecar", "--store", store) == "" and
                      self.handspan("list").returncode == 0, "it is brought in")
        self.assertIn("true", self.ok("list"))


base.main()
