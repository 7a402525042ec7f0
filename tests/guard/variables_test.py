#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A variable with a value that means nothing is told, and does nothing; no
word but a plain no lets HANDSPAN_DISABLED trace.

  variables_test.py HANDSPAN PRELOAD
"""
import os
import re

import base

SOURCE = """
int main(void) { return 3; }
"""
NUMBERS = ("HANDSPAN_WAIT_MS", "HANDSPAN_BUDGET_MB", "HANDSPAN_MATCH_MAX",
           "HANDSPAN_CARRY_MAX_S")
NONE = ("abc", "-1", "0", "1.5", "1x", " 1", "0x10", "99999999999999999999",
        "4294967297")
ZERO = {"HANDSPAN_WAIT_MS": {"0"}}  # no call waits


class Variables(base.Base):
    def setUp(self):
        super().setUp()
        self.program = self.build(SOURCE)
        self.write("m.manifest", "[[span]] int work(int n);")

    def log(self):
        path = self.dir + "/log"
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as f:
            text = f.read()
        os.unlink(path)
        return text

    def trace(self, **extra):
        done = self.preloaded(self.program, extra=extra)
        self.assertEqual((3, b"", b""),
                         (done.returncode, done.stdout, done.stderr))

    def test_numbers(self):
        for name in NUMBERS:
            for value in set(NONE) - ZERO.get(name, set()):
                self.trace(**{name: value})
                log = self.log()
                self.assertIn(name, log)
                self.assertIn(value, log)
        for name in NUMBERS:
            for value in {"7"} | ZERO.get(name, set()):
                self.trace(**{name: value})
                self.assertNotIn("counts as not set", self.log())
            self.trace(**{name: "-7"})
            self.assertIn(f"{name}, a number from "
                          f"{0 if name in ZERO else 1} to ", self.log())

    def test_words(self):
        for name, value in (("HANDSPAN_CAPTURE", "bogus"),
                            ("HANDSPAN_THREAD_CONTEXT", "maybe"),
                            ("HANDSPAN_LOG", "/nowhere/log"),
                            ("HANDSPAN_MANIFEST", "/nowhere/m.manifest"),
                            ("TRACEPARENT", "bogus")):
            more = {name: value}
            done = self.run_one(self.program, extra={
                "LD_PRELOAD": base.PRELOAD, "HANDSPAN_SIDECAR": "off",
                "HANDSPAN_MANIFEST": self.top + "/m.manifest",
                "HANDSPAN_WAIT_MS": "abc", **more})
            self.assertEqual(3, done.returncode)
            log = self.log()
            self.assertIn(name, log)
            self.assertIn(value, log)

    def test_sidecar_path(self):
        for value in ("relative", "/nowhere/handspan", "1", "no"):
            done = self.run_one(self.program, extra={
                "LD_PRELOAD": base.PRELOAD, "HANDSPAN_SIDECAR": value})
            self.assertEqual(3, done.returncode)
            log = self.log()
            self.assertIn("HANDSPAN_SIDECAR", log)
            self.assertIn(value, log)

    def test_misspelt_names(self):
        for name, meant in (("HANDSPAN_DISBALED", "HANDSPAN_DISABLED"),
                            ("HANDSPAN_WAITMS", "HANDSPAN_WAIT_MS"),
                            ("HANDSPAN_STROE", "HANDSPAN_STORE"),
                            ("HANDSPAN_CAPTURES", "HANDSPAN_CAPTURE"),
                            ("HANDSPAN_UPLOAD_KEYFILE",
                             "HANDSPAN_UPLOAD_KEY_FILE")):
            self.trace(**{name: "s3cret-value"})
            log = self.log()
            self.assertIn(f"{name} is none of ours; is it meant to be "
                          f"{meant}?", log)
            self.assertNotIn("s3cret-value", log)
            done = self.handspan("config", extra={name: "s3cret-value"})
            self.assertEqual(1, done.returncode)
            said = done.stdout + done.stderr
            self.assertIn(name.encode(), said)
            self.assertIn(meant.encode(), said)
            self.assertNotIn(b"s3cret-value", said)

    def test_all_names_are_listed(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "..", "..")
        used = set()
        for top in ("preload", "lane", "tools", "shim"):
            for folder, _, files in os.walk(f"{root}/{top}"):
                for name in files:
                    if name.endswith((".c", ".h")):
                        with open(f"{folder}/{name}", encoding="utf-8") as f:
                            used |= set(re.findall(
                                r'"HANDSPAN_([A-Z0-9_]+)"', f.read()))
        with open(f"{root}/lane/format/variables.h", encoding="utf-8") as f:
            table = f.read().split("lane_variables[] = {")[1].split("}")[0]
        self.assertEqual(used, set(re.findall('"([A-Z0-9_]+)"', table)))

    def test_names_of_others(self):
        for name in ("HANDSPAN_DEMO", "HANDSPAN_SEED", "HANDSPAN_",
                     "HANDSPAN_LOGS_OF_MINE", "HANDSPANSTORE",
                     "HANDSPAN_" + "X" * 3000):
            self.trace(**{name: "1"})
            self.assertNotIn("none of ours", self.log())

    def test_screens_tell(self):
        self.trace(HANDSPAN_WAIT_MS="abc")
        self.assertEqual(0, self.handspan("sidecar").returncode)
        self.assertIn("HANDSPAN_WAIT_MS", self.text("show"))

    def test_relative_directory(self):
        self.trace(HANDSPAN_DIR="relative")
        self.assertEqual([], os.listdir(self.dir))
        self.assertFalse(os.path.exists(self.top + "/relative"))
        status = self.handspan("status", extra={"HANDSPAN_DIR": "relative"})
        self.assertEqual(1, status.returncode)
        self.assertIn(b"HANDSPAN_DIR is relative", status.stdout)

    def sessions(self):
        return [n for n in os.listdir(self.dir) if n.startswith("session-")]

    def test_disabled(self):
        for word in ("1", "true", "TRUE", "True", "yes", "on", "ON", "2",
                     "y", "enabled", " "):
            self.trace(HANDSPAN_DISABLED=word)
            self.assertEqual([], self.sessions(), word)
        for word in ("on", "2"):
            run = self.handspan("run", "--", self.program,
                                extra={"HANDSPAN_DISABLED": word})
            self.assertIn(b"HANDSPAN_DISABLED", run.stderr)
            self.assertEqual([], self.sessions(), word)
        self.end_sidecar()
        for word in ("", "0", "no", "NO", "off", "false", "n"):
            self.trace(HANDSPAN_DISABLED=word)
            self.assertEqual(1, len(self.sessions()), word)
            os.unlink(f"{self.dir}/{self.sessions()[0]}")

    def test_check_tells_what_leaves(self):
        done = self.text("check", "-m", "m.manifest", self.program)
        self.assertIn("no values", done)
        self.assertIn("kept (HANDSPAN_CAPTURE=none", done)
        done = self.text("check", "-m", "m.manifest", self.program, extra={
            "HANDSPAN_UPLOAD": "otlp+https://a.example/?values=on "
                               "postgrest+https://u:pw@b.example/",
            "HANDSPAN_DEBUGINFOD_URLS": "https://c.example",
            "HANDSPAN_CAPTURE": "none"})
        for word in ("a.example", "b.example", "c.example",
                     "withheld: HANDSPAN_CAPTURE=none"):
            self.assertIn(word, done.replace("\n  ", " "))
        self.assertNotIn("pw@", done)
        self.write("s.manifest", "\n[[span, secret(n)]] int work(int n);")
        done = self.text("check", "-m", "s.manifest", self.program)
        self.assertIn("secret(n), s.manifest:2", done.replace("\n  ", " "))


if __name__ == "__main__":
    base.main()
