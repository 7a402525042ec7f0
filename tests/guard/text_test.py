#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words of a traced program, and names that somebody put into the directory,
reach no screen and no log as they are: no escape character, no line of their
own, no byte that is no UTF-8.

  text_test.py HANDSPAN PRELOAD
"""
import os
import re

import base

# ESC, an operating system command, C1, a direction mark, bad UTF-8, a line
EVIL = b"a\x1b[31m\x1b]0;owned\x07b\xc2\x9bc\xe2\x80\xaed\xff\nFORGED e"
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
int work(const char *s) {
    prctl(PR_SET_NAME, "t\x1b[31m\nFOR");
    open(s, O_RDONLY);
    write(2, s, strlen(s));
    return -1;
}
int main(int argc, char **argv) { return work(argv[argc - 1]) + 4; }
"""
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


class Text(base.Base):
    def check(self, what, raw):
        text = raw.decode("utf-8")  # or it fails
        text = text.replace("\r\n", "\n")  # of CSV
        self.assertIsNone(FORBIDDEN.search(text), f"{what}: {text!r}")
        for line in text.splitlines():
            # (what it wrote to stderr keeps its lines, far indented)
            self.assertIsNone(re.match(" {0,4}FORGED", line),
                              f"{what}: {text!r}")

    def check_command(self, *command, **more):
        done = self.handspan(*command, **more)
        self.assertGreaterEqual(done.returncode, 0, command)
        self.check(command, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_words_of_a_program(self):
        built = self.build(SOURCE)
        program = os.path.join(os.fsencode(self.top), EVIL)
        os.rename(built, program)
        self.write("m.manifest", "[[object(main)]];\n[[span, input(s), "
                   "fails(return < 0)]] int work(const char *s);\n")
        more = dict(extra={"OTEL_SERVICE_NAME": os.fsdecode(EVIL),
                           "TRACEPARENT": os.fsdecode(EVIL)})
        done = self.preloaded(program, EVIL, **more)
        self.assertEqual((3, EVIL), (done.returncode, done.stderr))
        self.check("sidecar", self.handspan("sidecar").stderr)
        with open(self.dir + "/log", "rb") as f:
            log = f.read()
        self.assertIn(b"TRACEPARENT", log)
        self.check("log", log)
        for command in ("list", "show", "stats", "spans", "errors",
                        "errors --full", "status", "check --trace latest",
                        "uploads", "config", "delete --dry-run latest",
                        "symbolize --dry-run", "export -f csv",
                        "export -f folded"):
            said = self.check_command(*command.split())
            if command in ("list", "spans"):
                self.assertIn(b"b", said)
        self.check_command("show", EVIL)
        self.check_command("check", "-m", "m.manifest", program)
        self.check_command("suggest", program)
        self.check_command("run", "--", EVIL)
        self.check_command("status", "--dir", EVIL)

    def test_names_in_the_directory(self):
        folder = os.fsencode(self.dir)
        for i in range(3):
            with open(folder + b"/session-1-%d-" % i + EVIL + b".lane",
                      "wb") as f:
                f.write(b"x")
        os.mkfifo(folder + b"/session-5-1-" + EVIL)
        for command in ("sidecar --once", "status", "off", "on"):
            self.check_command(*command.split())
        done = self.handspan("sidecar", "--once",
                             extra={"HANDSPAN_LOG_FORMAT": "json"})
        self.check("log as JSON", done.stderr)
        with open(self.dir + "/log", "rb") as f:
            log = f.read()
        self.check("log", log)
        self.assertIn(rb"a\x1b[31m", log)
        self.assertIn(rb"\nFORGED", log)

    def test_a_manifest_of_somebody(self):
        with open(self.top + "/m.manifest", "wb") as f:
            f.write(b"[[span]] int " + EVIL + b"(int);\n" + EVIL + b";\n")
        self.check_command("check", "-m", "m.manifest", "/bin/true")


if __name__ == "__main__":
    base.main()
