#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan config`: file, environment, flags, in this order."""
import os
import re

import base


class Config(base.Base):
    def setUp(self):
        super().setUp()
        del self.env["HANDSPAN_STORE"]

    def settings(self, *args, status=0, **more):
        return {s["name"]: (s["value"], s["origin"])
                for s in self.json("config", *args, status=status, **more)}

    def test_weights(self):
        default = self.settings()
        self.assertEqual(default["keep_age"], ("30d", "default"))
        self.assertEqual(default["store"], (
            self.path + "/.local/share/handspan/handspan.db", "default"))
        mine = self.write(".config/handspan/config",
                          "# mine\n\n keep_age = 5d\nstore=\"/x/a b.db\"\n")
        got = self.settings()
        self.assertEqual(got["keep_age"], ("5d", mine + ":3"))
        self.assertEqual(got["store"], ("/x/a b.db", mine + ":4"))
        got = self.settings(extra={"HANDSPAN_KEEP_AGE": "6d",
                                   "HANDSPAN_STORE": "/x/e.db"})
        self.assertEqual(got["keep_age"], ("6d", "HANDSPAN_KEEP_AGE"))
        self.assertEqual(got["store"], ("/x/e.db", "HANDSPAN_STORE"))
        got = self.settings("--store", "/x/f.db",
                            extra={"HANDSPAN_STORE": "/x/e.db"})
        self.assertEqual(got["store"], ("/x/f.db", "flag"))
        other = self.write("other/handspan/config", "keep_age = 7d\n")
        got = self.settings(extra={"XDG_CONFIG_HOME": self.path + "/other"})
        self.assertEqual(got["keep_age"], ("7d", other + ":1"))
        got = self.settings(extra={"HANDSPAN_CONFIG": "/dev/null"})
        self.assertEqual(got["keep_age"], ("30d", "default"))

    def test_commands_use_it(self):
        store = self.path + "/from-file.db"
        self.write(".config/handspan/config", f"store = {store}\n")
        self.ok("run", "--summary=never", "true")
        self.assertTrue(os.path.exists(store))
        self.assertIn("true", self.ok("list"))

    def test_sinks_add_up_and_are_masked(self):
        mine = self.write(".config/handspan/config",
                          "upload = postgrest+https://u:secret1@h/p?a=1&key="
                          "secret2&b=2\nupload = otlp\n")
        done = self.handspan("config", extra={
            "HANDSPAN_UPLOAD_KEY": "secret3"})
        self.assertNotRegex(done.stdout + done.stderr, "secret[123]")
        got = self.settings(extra={"HANDSPAN_UPLOAD_KEY": "secret3"})
        self.assertEqual(got["upload"], (
            "postgrest+https://***@h/p?a=1&key=***&b=2 otlp", mine + ":1"))
        self.assertEqual(got["upload_key"], ("***", "HANDSPAN_UPLOAD_KEY"))

    def test_what_means_nothing_is_told(self):
        self.write(".config/handspan/config",
                   "keep_aeg = 5d\nkeep_size = 12\nnonsense\n"
                   "upload_key = k\n\0\xff=\n")
        done = self.handspan("config")
        self.assertEqual(done.returncode, 1)
        for words in ("config:1: no setting 'keep_aeg'; did you mean "
                      "'keep_age'?", "keep_size cannot be '12'",
                      "config:3: not 'NAME = VALUE'",
                      "config:4: a key does not stand here"):
            self.assertIn(words, done.stderr)
        other = self.handspan("list")
        self.assertIn("keep_aeg", other.stderr)

    def test_a_file_of_others_is_not_read(self):
        mine = self.write(".config/handspan/config", "keep_age = 5d\n", 0o666)
        done = self.handspan("config")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "mode 666: others could have written it")
        self.assertRegex(done.stdout, "keep_age +30d\n")
        os.chmod(mine, 0o644)
        self.assertRegex(self.ok("config"), "keep_age +5d  ")

    def test_the_documented_file_is_right(self):
        with open(os.path.join(base.ROOT, "docs/handspan.conf")) as f:
            text = f.read()
        keys = set(re.findall(r"^#([a-z_]+) = ", text, re.M))
        known = set(self.settings())
        self.assertEqual(keys, known - {"upload_key"})
        for variable in ("HANDSPAN_KEEP_AGE", "HANDSPAN_METRICS_FILE"):
            self.assertIn(variable, text)
        self.write(".config/handspan/config",
                   re.sub(r"^#([a-z_]+ = )", r"\1", text, flags=re.M))
        self.assertEqual(self.ok("config").count("config:"),
                         len(keys) - 1)  # dir is in the environment
        for key, (value, origin) in self.settings(
                extra={"HANDSPAN_CONFIG": "/dev/null"}).items():
            if origin == "default" and key not in ("store", "dir") and value:
                self.assertIn(f"#{key} = {value}\n", text)


base.main()
