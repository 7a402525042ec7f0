#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long names on screens: whole into a pipe; on a terminal different names look
different."""
import os
import pty
import re
import subprocess

import base

HEAD = "http_server_core_module_handle_"
TAIL = "_phase_of_the_request"
# two places that differ, so that no single piece tells all four apart
FOUR = [f"grid_of_a_very_long_name_{a}_and_between_a_lot_of_what_is_the_same_{b}"
        "_until_the_end_of_the_name" for a in ("red", "blue")
        for b in ("hot", "cold")]
NAMES = [HEAD + p + TAIL for p in ("first", "other", "third_long")] + FOUR
SOURCE = "static volatile int sink;\n" + "".join(
    f"__attribute__((noipa)) int {n}(int n) {{ sink = n; return sink + {i}; }}\n"
    for i, n in enumerate(NAMES)) + (
    "int main(void) { int sum = 0;\n" +
    "".join(f"sum += {n}(1);\n" for n in NAMES) + "return sum == 0; }\n")


class Names(base.Base):
    def setUp(self):
        super().setUp()
        manifest = self.write("m.manifest", "[[object(main)]];\n" + "".join(
            f"[[span]] int {n}(int n);\n" for n in NAMES))
        self.ok("run", "--summary=never", "-m", manifest, "--",
                self.build(SOURCE, "long"))
        self.end_sidecar()

    def screen(self, *command, columns):
        """What a terminal shows of it."""
        ours, theirs = pty.openpty()
        env = dict(self.env, COLUMNS=str(columns), NO_COLOR="1", PAGER="")
        with subprocess.Popen([base.HANDSPAN, *command], env=env, stdout=theirs,
                              stdin=subprocess.DEVNULL) as done:
            os.close(theirs)
            out = b""
            while True:
                try:
                    more = os.read(ours, 65536)
                except OSError:
                    break
                if not more:
                    break
                out += more
        os.close(ours)
        return out.decode().replace("\r", "")

    def test_a_pipe_gets_them_whole(self):
        env = {k: v for k, v in self.env.items() if k != "COLUMNS"}
        check = ("check", "-m", self.path + "/m.manifest", self.path + "/long")
        for command in (("stats",), ("show",), ("spans",), check):
            out = subprocess.run([base.HANDSPAN, *command], env=env, text=True,
                                 capture_output=True, check=True).stdout
            for name in NAMES:
                self.assertEqual(len(re.findall(rf"\b{name}\b", out)), 1,
                                 (command, name))

    def test_a_screen_tells_them_apart(self):
        check = ("check", "-m", self.path + "/m.manifest", self.path + "/long")
        for command in (("stats",), ("show",), ("spans",), check):
            for columns in (40, 60, 80, 100, 140):
                out = self.screen(*command, columns=columns)
                shown = re.findall(r"(?:http|grid)\S*", out)
                self.assertEqual(len(shown), len(NAMES), out)
                self.assertEqual(len(set(shown)), len(NAMES), out)

    def test_what_needs_no_more_is_cut(self):
        out = self.screen("stats", columns=80)
        cut = [line for line in out.splitlines() if "http" in line]
        self.assertEqual(len(cut), 3, out)
        for line in cut:
            self.assertLessEqual(len(line), 80, line)
            self.assertIn("\u2026", line)


base.main()
