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
        got = self.settings(extra={"HANDSPAN_UPLOAD_KEY": "secret3"}, status=1)
        self.assertEqual(got["upload"], (
            "postgrest+https://***@h/p?a=1&key=***&b=2 otlp", mine + ":1"))
        self.assertEqual(got["upload_key"], ("***", "HANDSPAN_UPLOAD_KEY"))

    def test_what_means_nothing_is_told(self):
        self.write(".config/handspan/config",
                   "keep_aeg = 5d\nkeep_size = 12\nnonsense\n"
                   "upload_key = k\n\0\xff=\nlog_format =\nkeep_age =\n")
        done = self.handspan("config")
        self.assertEqual(done.returncode, 1)
        for words in ("config:1: no setting 'keep_aeg'; did you mean "
                      "'keep_age'?", "keep_size cannot be '12'",
                      "config:3: not 'NAME = VALUE'",
                      "config:4: a key does not stand here",
                      "config:6: log_format cannot be ''",
                      "config:7: keep_age cannot be ''"):
            self.assertIn(words, done.stderr)
        other = self.handspan("list")
        self.assertIn("keep_aeg", other.stderr)

    def told(self, variable, value, status=1):
        done = self.handspan("config", extra={variable: value})
        self.assertEqual(done.returncode, status, (value, done.stderr))
        if status:
            self.assertIn(f"{variable}: ", done.stderr, value)
        return done.stderr

    def test_room_is_a_size_or_a_part(self):
        self.assertEqual(self.settings()["spool_free"], ("5%", "default"))
        for value in ("5%", "0%", "100%", "2.5%", "64MiB", "off"):
            self.assertEqual(self.told("HANDSPAN_SPOOL_FREE", value, 0), "")
        for value in ("5", "101%", "-1%", "%", "5%%", "much"):
            self.assertIn(f"spool_free cannot be '{value}'",
                          self.told("HANDSPAN_SPOOL_FREE", value))

    def test_a_sink_that_means_nothing_is_told(self):
        url = "postgrest+http://127.0.0.1:1"
        for sink, words in (
                ("ftp://x", "no sink has the scheme 'ftp'"),
                ("x", "begins with SCHEME://"),
                (url + "?values=maybe", "values=maybe: it is on or off"),
                (url + "?prefx=hs_", "did you mean 'prefix'?"),
                ("postgrest+http://h:99999/x", "'h:99999'"),
                ("otlp+https://h:x?values=on", "not HOST or HOST:PORT"),
                ("otlp+http://:4318", "':4318'"), ("otlp+http://h:", "'h:'"),
                ("otlp+http://[::1]:0", "'[::1]:0'"),
                (url + "?gzip=on", "no option 'gzip'"),
                (url + "?proxy=%00", "proxy= has no value"),
                (url + "?nothing_like_it=1", "there are prefix, "),
                (url + "?prefix=hs_&hidden", "NAME=VALUE"),
                (url + "?key-env=NONE_SUCH", "key-env=NONE_SUCH"),
                (url + "?key-file=/none", "'/none'"),
                ("otlp?protocol=xml", "one of json|protobuf"),
                ("otlp+http://h?gzip=of", "one of on|off"),
                ("otlp otlp+http://h?timeout=x", "timeout=x: seconds"),
                (" ".join([url] * 17), "too long a list")):
            said = self.told("HANDSPAN_UPLOAD", sink)
            self.assertIn(words, said)
            self.assertEqual(said.count("\n"), 1, said)
        said = self.told("HANDSPAN_UPLOAD", "ftp://u:secret1@x ftp://y?token="
                         "secret2 otlp?secret3 " + url + "?token=secret4")
        self.assertEqual(said.count("\n"), 4, said)
        self.assertNotRegex(said, "secret[0-9]")
        for sink in (url, "otlp+http://[::1]:80", "otlp+http://[::1]",
                     "otlp+http://h/a:b", url + "?prefix=hs_&values=on&timeout=2&ca-file=/x",
                     "otlp?values=on", "otlp+https://h/b?path=/v1&gzip=off&"
                     "protocol=json&headers-env=H&proxy=http://p:1"):
            self.assertEqual(self.told("HANDSPAN_UPLOAD", sink, 0), "")

    def test_the_sidecar_uploads_nothing_by_halves(self):
        done = self.handspan("run", "--summary=never", "true", extra={
            "HANDSPAN_UPLOAD": "postgrest+http://127.0.0.1:1?prefx=hs_"})
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("127.0.0.1:1", self.ok("uploads"))

    def test_an_address_that_cannot_be_is_told(self):
        for where in ("9477", "127.0.0.1:70000", "127.0.0.1:0", "127.0.0.1:",
                      "127.0.0.1:http", "127.0.0.1:+80", "1.2.3:80",
                      "300.0.0.1:80", "[1::2::3]:80", "[]:80", "a b:80",
                      "[127.0.0.1]:80", "http://127.0.0.1:80", "on"):
            said = self.told("HANDSPAN_METRICS_LISTEN", where)
            self.assertIn(f"metrics_listen cannot be '{where}'", said)
        for where in ("127.0.0.1:9477", ":9477", "[::1]:9477", "::1:9477",
                      "localhost:9477", "off"):
            self.told("HANDSPAN_METRICS_LISTEN", where, 0)

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
        text = text.replace("/home/me/", self.path + "/")
        self.write(".config/handspan/key", "k\n")
        self.write(".config/handspan/config",
                   re.sub(r"^#([a-z_]+ = )", r"\1", text, flags=re.M))
        self.assertEqual(self.ok("config").count("config:"),
                         len(keys) - 1)  # dir is in the environment
        for key, (value, origin) in self.settings(
                extra={"HANDSPAN_CONFIG": "/dev/null"}).items():
            if origin == "default" and key not in ("store", "dir") and value:
                self.assertIn(f"#{key} = {value}\n", text)


base.main()
