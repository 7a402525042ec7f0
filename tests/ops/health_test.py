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
                  r'handspan_\w+(\{(,?\w+="([^"\\]|\\.)*")+\})? -?\d+(\.\d{9})?)$')


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

    def figures(self, path):
        """{}: there are none yet."""
        try:
            with open(path) as f:
                return self.check_metrics(f.read())
        except FileNotFoundError:
            return {}

    def last_figures(self, path):
        """Of a store of two traces, both at their end."""
        self.traced(HANDSPAN_METRICS_FILE=path)

        def last():  # written after the sidecar let its lock go
            got = self.figures(path)
            return (got if got.get("handspan_traces") == "2"
                    and got["handspan_traces_open"] == "0" else None)
        return self.wait_for(last, "the last figures")

    def test_metrics_file(self):
        path = self.path + "/handspan.prom"
        self.traced(HANDSPAN_METRICS_FILE=path)

        def last():  # written after the sidecar let its lock go
            got = self.figures(path)
            return got if got.get("handspan_traces") == "1" else None
        got = self.wait_for(last, "the last figures")
        self.assertEqual(got["handspan_store_failures"], "0")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
        self.assertEqual(sorted(f for f in os.listdir(self.path)
                                if "prom" in f), ["handspan.prom"])

    def test_a_metrics_file_in_no_folder(self):
        """The reason is that of opening it."""
        self.traced(HANDSPAN_METRICS_FILE=self.path + "/none/handspan.prom")

        def told():
            with open(self.dir + "/log", encoding="utf-8") as f:
                return [line for line in f if "metrics file" in line]
        for line in self.wait_for(told, "the log says why"):
            self.assertIn("No such file or directory", line)

    def test_metrics_by_program_and_handler(self):
        job = self.build("""#include <time.h>
            static volatile int sink;
            __attribute__((noipa)) int step(int n)
            {
                sink = n * 3;
                return sink / 3 - 1;
            }
            __attribute__((noipa)) int rest(int n)
            {
                return nanosleep(&(struct timespec){0, 20000000}, 0) + n;
            }
            int main(void) { return step(0) + step(2) + step(2) + rest(2); }
            """, "job")
        manifest = self.write("m.manifest", "[[object(main)]];\n"
                              "[[span, fails(return < 0)]] "
                              "int step(int n);\n"
                              "[[span, overdue(\"1h\")]] int rest(int n);\n")
        done = self.handspan("run", "--summary=never", "-m", manifest, "--",
                             job)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.end_sidecar()
        self.execute("UPDATE sites SET name = 'a\"b' WHERE name = 'step'")
        site, = self.rows("SELECT session, ref, start_unix_ns FROM spans "
                          "WHERE duration_ns > 20000000")
        self.execute("INSERT INTO overdue VALUES (?, ?, ?, 1, 'x', '{}')",
                     *site)
        path = self.path + "/m.prom"
        got = self.last_figures(path)
        step = '{program="job",handler="a\\"b"'
        rest = '{program="job",handler="rest"'
        for name, of_step, of_rest in (("calls", 3, 1), ("failed", 1, 0),
                                       ("overdue", 0, 1)):
            self.assertEqual((got[f"handspan_handler_{name}{step}}}"],
                              got[f"handspan_handler_{name}{rest}}}"]),
                             (str(of_step), str(of_rest)), name)
        self.assertGreaterEqual(float(got[f"handspan_handler_seconds{rest}}}"]),
                                0.02)
        within = [int(n) for key, n in got.items()
                  if key.startswith("handspan_handler_calls_within" + rest)]
        self.assertEqual((len(within), within[0], within[-1]), (11, 0, 1))
        self.assertEqual(within, sorted(within))
        self.assertEqual(got["handspan_handler_calls_within" + rest
                             + ',le="0.008388607"}'], "0")
        self.assertEqual(got["handspan_handler_calls_within" + step
                             + ',le="+Inf"}'], "3")
        self.assertEqual((got['handspan_program_failed{program="job"}'],
                          got['handspan_program_failed{program="true"}']),
                         ("1", "0"))

    def test_metrics_are_bounded(self):
        path = self.path + "/m.prom"
        self.traced()
        trace, session = self.rows("SELECT trace, session FROM traces")[0]
        each = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                "WHERE i < 300) ")
        self.execute(each + "INSERT INTO sites (session, site, name, binding) "
                     "SELECT ?, i, 'h' || i, 'entry' FROM n", session)
        self.execute(each + "INSERT INTO rollups (trace, session, site, calls, "
                     "errors, total_ns, self_ns, max_ns, cpu_ns, "
                     "dropped_calls, histogram) SELECT ?, ?, i, i, 0, 0, 0, 0, "
                     "0, 0, '{\"200\":1}' FROM n", trace, session)
        got = self.last_figures(path)
        calls = {k: int(n) for k, n in got.items()
                 if k.startswith("handspan_handler_calls{")}
        self.assertEqual(len(calls), 201)
        self.assertEqual(sum(calls.values()), 300 * 301 // 2)
        self.assertEqual(calls['handspan_handler_calls{program="(others)",'
                               'handler="(others)"}'], 100 * 101 // 2)

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
