#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Choosing traces and spans: --where, --program, --since. One rule: a value is
what it says or a glob, and one that cannot be is told."""
import base

SOURCE = """
static volatile int sink;
__attribute__((noipa)) int step(long n) { sink = n != 0; return sink * 0; }
__attribute__((noipa)) int stop(long n) { sink = n; return sink * 5; }
int main(void)
{
    return step(0) + stop(1) - 5 + step(9007199254740993);
}
"""

class Where(base.Base):
    def setUp(self):
        super().setUp()
        self.env["OTEL_SERVICE_NAME"] = "shop-front"
        job = self.build(SOURCE, "job")
        manifest = self.write("m.manifest", "[[object(main)]];\n"
                              "[[span, input(n)]] int step(long n);\n"
                              "[[span, input(n), output(return)]] "
                              "int stop(long n);\n")
        self.ok("run", "--summary=never", "-m", manifest, "--", job)
        self.end_sidecar()

    def names(self, where):
        done = self.handspan("spans", "--json", "--where", where)
        self.assertEqual(done.stderr, "", where)
        return sorted(s["name"] for s in map(base.json.loads,
                                             done.stdout.splitlines()[1:]))

    def test_traces(self):
        for where, found in (("name=job", 1), ("name=jo*", 1), ("name=jo", 0),
                             ("service=shop-*", 1), ("service=shop", 0),
                             ("host=*", 1), ("status=o?", 1),
                             ("status=[^o]*", 0), ("status=err*", 0),
                             ("status=ok,name=j*,service=*front", 1)):
            for command in ("list", "stats", "show", "errors"):
                done = self.handspan(command, "--where", where)
                self.assertEqual(done.stderr if found else "", "", where)
            self.assertEqual(len(self.json("list", "--where", where,
                                           status=0 if found else 1)), found,
                             where)
        self.assertEqual(self.json("list", "--program", "j*", "--where",
                                   "name=x*", status=1), [])

    def test_spans(self):
        calls = ["step", "step", "stop"]
        for where, found in (
                ("name=st*", calls), ("name=st?p", calls),
                ("name=step", calls[:2]), ("symbol=sto[p]", calls[2:]),
                ("object=job,name=st*", calls), ("object=j*b", calls),
                ("object=*/job", calls), ("object=" + self.path + "/*", calls),
                ("object=" + self.path, []), ("ended_by=ret*", calls),
                ("tid=[0-9]*,symbol=*", calls), ("thread_name=job", calls),
                ("tid=0", [])):
            self.assertEqual(self.names(where), found, where)

    def test_order_arguments_depth_and_times(self):
        first, second, third = self.json("spans", "--where", "object=job,"
                                         "name=st*")
        between = second["started_at"]
        for where, found in (
                ("name=st* and input.n<=1", ["step", "stop"]),
                ("input.n>1 and name!=stop", ["step"]),
                ("input.n > 9007199254740993", []),
                ("input.n>=9007199254740993", ["step"]),
                ("input.n<1.5", ["step", "stop"]), ("input.n='[01]'",
                                                     ["step", "stop"]),
                ("input.n!=0,name=step", ["step"]), ("input.m!=0", []),
                ("output.return=5 and name=*", ["stop"]),
                ("duration>=0s and name~st*", ["step", "step", "stop"]),
                ("duration>1h", []), ("duration<1h,name=stop", ["stop"]),
                (f"duration={first['duration_ns']}ns and input.n=0", ["step"]),
                ("depth=1 and name~'s*'", []), ("depth<1 and name=stop",
                                                ["stop"]),
                (f"started<'{between}' and name=st*", ["step"]),
                (f'started>"{between}"', ["step"]),
                (f"pid={first['pid']} and tid>=1 and tid<={first['tid']} "
                 "and name=stop", ["stop"]),
                ("pid!=1 and name=stop", ["stop"]),
                ("name=\"st\\\"op\"", []), ("thread_name!='jo*'", [])):
            self.assertEqual(self.names(where), found, where)
        for where, found in (("duration>1ns", 1), ("duration>1h", 0),
                             ("status!=ok", 0), ("status!=error", 1),
                             ("name!=j*", 0), ("name!='*x' and host=*", 1),
                             ("started>1d,started<='2200-01-01'", 1),
                             ("started<2020-01-01", 0)):
            for command in ("stats", "show"):
                self.assertEqual(self.handspan(command, "--where", where)
                                 .returncode, 0 if found else 1, where)
            self.assertEqual(len(self.json("list", "--where", where,
                                           status=0 if found else 1)), found,
                             where)

    def test_a_program_in_a_trace_of_another(self):
        manifest = self.path + "/m.manifest"
        done = self.handspan("run", "--summary=never", "-m", manifest, "--",
                             "sh", "-c", "./job; ls ./nowhere; true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.end_sidecar()
        alone, both = sorted(self.json("list", "--program", "job"),
                             key=lambda t: t["processes"])
        self.assertEqual((alone["name"], both["name"]), ("job", "sh"))
        for glob in ("ls", "l?", "s*"):
            self.assertEqual([t["trace_id"] for t in self.json(
                "list", "--program", glob)], [both["trace_id"]], glob)
        self.assertEqual(len(self.json("errors", "--program", "job")), 1)
        # what is deleted does not come back: the trace's first program alone
        self.assertEqual([t["trace_id"] for t in self.json(
            "delete", "--dry-run", "--program", "job")], [alone["trace_id"]])
        # why, and no zone but the heading's
        self.assertEqual((alone["reason"], alone["overdue"]), (None, 0))
        self.assertRegex(both["reason"], r"^ls: exit 2.*nowhere")
        text = self.ok("list", "--program", "job")
        self.assertRegex(text, r"STARTED \+0000 ")
        below = text.splitlines()[2]
        self.assertRegex(below, r"^ {9}ls: exit 2")
        self.assertLessEqual(len(below), 80)
        del self.env["COLUMNS"]  # into a pipe: a line a trace
        self.assertRegex(self.ok("list").splitlines()[1],
                         both["trace_id"][:8] + ".*ls: exit 2.*nowhere")

    def test_the_zones_of_summer_and_winter(self):
        self.execute("UPDATE traces SET start_unix_ns = 1782000000000000000")
        self.execute("INSERT INTO traces (trace_id, session, context, name, "
                     "root_ref, start_unix_ns, status) SELECT x'"
                     + "ab" * 16 + "', session, context, name, root_ref, "
                     "1772503201000000000, 'ok' FROM traces")
        self.env["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
        lines = self.ok("list").splitlines()
        self.assertIn("STARTED +0200", lines[0])
        self.assertIn("2026-06-21 02:00:00 ", lines[1])
        self.assertNotIn("+0200", lines[1])
        self.assertIn("2026-03-03 03:00:01 +0100 ", lines[2])

    def test_what_cannot_be_is_told(self):
        spans = (("status=bogus", "status cannot be 'bogus'"),
                 ("status=eror", "did you mean 'error'?"),
                 ("ended_by=bogus", "there are return, exception, "),
                 ("tid=x", "it is a number"), ("name=", "needs a value"),
                 ("nam=x", "did you mean 'name'?"),
                 ("zzzzzzzz=x", "tid and thread_name"), ("name", "KEY=VALUE"),
                 ("", "no condition"), (",", "no condition"),
                 ("name=a,name=b", "twice"), ("name>a", "has no order"),
                 ("status<ok", "has no order"), ("depth<x", "is a number"),
                 ("duration>2 weeks", "write for example 2s, 1.5h or 250ms"),
                 ("duration=nan", "is not a duration"),
                 ("duration>-1s", "is not a duration"),
                 ("duration>99999999999d", "is not a duration"),
                 ("started>soon", "is not a time"),
                 ("input.n<'x'", "has no order"), ("input.=1", "input.path"),
                 ("input.n<nan", "has no order"), ("inpt.n=1", "'input.NAME'"),
                 ('name="st', "no closing \""), ("name=''", "needs a value"),
                 ('name="st" x', "joined by 'and'"), ("name==a", "one '='"),
                 ("name=a or name=b", "joins no conditions"),
                 ("name=a && name=b", "joins no conditions"),
                 ("name=a and", "behind 'and'"), ("and", "KEY=VALUE"),
                 ("and name=a", "'and name'"), ("<", "KEY=VALUE"),
                 ("=" * 3000, "KEY=VALUE"), ("'" * 99, "KEY=VALUE"),
                 ("name=" + "a" * 5000, "longer than 4096"),
                 (",".join(f"input.k{i}=1" for i in range(17)),
                  "more than 16"))
        traces = (("status=bogus", "there are ok, error, "),
                  ("ended_by=return", "traces have no key 'ended_by'"),
                  ("status=", "needs a value"), ("", "no condition"),
                  ("duration>5", "'5' is not a duration"),
                  ("depth=1", "there are status, service, host, name, "
                   "duration and started"))
        for command, all_of in (("spans", spans), ("list", traces),
                                ("stats", traces), ("errors", traces),
                                ("delete", traces)):
            for where, words in all_of:
                done = self.handspan(command, "--where", where)
                self.assertEqual(done.returncode, 2, (command, where))
                self.assertIn("--where: ", done.stderr)
                self.assertIn(words, done.stderr)
        self.assertEqual(len(self.json("list")), 1)

    def test_times(self):
        for time in ("2026-02-30", "2026-02-29", "2026-04-31 10:00",
                     "2026-13-01", "2026-03-03 25:00",
                     "2026-03-03T10:00:00+01:00x", "2026-03-03T10:00:00+99:00",
                     "2999-01-01", "2026-03-03T10:00:00.", "2026-03-03T10:00:00.5e3"):
            for option in ("--since", "--until"):
                done = self.handspan("list", option, time)
                self.assertEqual(done.returncode, 2, time)
                self.assertIn(f"'{time}' is not a time", done.stderr)
        for time in ("2024-02-29", "2026-03-03T10:00:00.25+01:00", "2h",
                     "2026-12-31T23:59:59-12:00", "2026-03-03 10:00:00.5Z"):
            self.assertIn(self.handspan("list", "--since", time).returncode,
                          (0, 1), time)


base.main()
