#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents and the code name the same things: keys of --json, variables,
settings, commands with their options, pages.

usage: claims_test.py SOURCE HANDSPAN
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, HANDSPAN = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
# For our own tests, and between processes of ours.
NOT_FOR_PEOPLE = {"HANDSPAN_TEST_CPU", "HANDSPAN_TEST_SHIM", "HANDSPAN_TEST_ERRORS",
                  "HANDSPAN_TEST_DECODER", "HANDSPAN_EXEC", "HANDSPAN_NAME"}
# Formats of others.
NOT_OURS = ("export_chrome.c", "export_perfetto.c", "export_speedscope.c")

# Limits: where the code has the number, and the words of a page for it.
LIMITS = (
    ("manifest/text/parser.h", r"LIMIT_FILE_BYTES = (\d+) << 20", "manifest.md", "{} MiB a file"),
    ("manifest/text/parser.h", r"LIMIT_INCLUDE_DEPTH = (\d+)", "manifest.md", "{} includes deep"),
    ("manifest/text/parser.h", r"LIMIT_INCLUDES = (\d+)", "manifest.md", "{} in all"),
    ("manifest/text/parser.h", r"LIMIT_DECLS = (\d+)", "manifest.md", "{} declarations"),
    ("manifest/text/parser.h", r"LIMIT_NESTING = (\d+)", "manifest.md", "{} levels of nesting"),
    ("manifest/text/parser.h", r"LIMIT_PARAMS = (\d+)", "manifest.md", "{} parameters"),
    ("manifest/text/parser.h", r"LIMIT_MEMBERS = (\d+)", "manifest.md", "{} members"),
    ("manifest/text/parser.h", r"LIMIT_ITEMS = (\d+)", "manifest.md", "{} items"),
    ("manifest/text/parser.h", r"LIMIT_MESSAGES = (\d+)", "manifest.md", "{} messages shown"),
    ("manifest/grammar/expression.c", r"LIMIT_NODES = (\d+)", "manifest.md", "{} nodes an expression"),
    ("manifest/text/parser.h", r"LIMIT_NAME_BYTES = (\d+)", "manifest-messages.md", "{} bytes of a name"),
    ("manifest/read/parse.c", r"cap_bytes = (\d+)", "../README.md", "at most {} bytes"),
    ("lane/format/layout.h", r"LANE_OPEN_MAX = (\d+)", "../README.md", "the {}th open level"),
    ("lane/format/error_frames.h", r"LANE_STDERR_MAX = (\d+)", "kept.md", "the last {} bytes"),
    ("preload/settings/config.c", r"match_max = (\d+)", "handspan.1", "may match ({})"),
    ("tools/upload/engine.c", r"BATCH_BYTES = (\d+) << 20", "upload.md", "{} MiB of text"),
    ("tools/upload/postgrest/postgrest.c", r"batch_rows_max = (\d+)", "upload.md", "{} at most"),
    ("tools/upload/postgres/postgres.c", r"batch_rows_max = (\d+)", "upload.md", "1000 and {};"),
    ("tools/upload/otlp/otlp.c", r"batch_rows_max = (\d+)", "upload.md", "{} of OTLP"),
)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as f:
        return f.read()


def sources(*folders):
    for folder in folders:
        for path in glob.glob(f"{SOURCE}/{folder}/**/*.[ch]", recursive=True):
            yield os.path.basename(path), read(path)


def words(text):
    return set(re.findall(r"\w+", text))


def said(*args):
    return subprocess.run([HANDSPAN, *args], stdout=subprocess.PIPE, text=True,
                          check=True, stdin=subprocess.DEVNULL).stdout


class Claims(unittest.TestCase):
    def test_each_key_of_json_is_explained(self):
        keys = set()
        for name, text in sources("tools/cli", "tools/serve"):
            if name not in NOT_OURS:
                keys |= set(re.findall(r'json_\w+\(\s*\w+,\s*"(\w+)"', text))
                keys |= set(re.findall(r'\\"(\w+_\w+)\\":', text))
        self.assertGreater(len(keys), 120)
        page = read("docs", "json.md") + read("docs", "page.md")
        quoted = set(re.findall(r"`(\w+)`", page))
        self.assertEqual(keys - quoted, set(), "in the code, not in docs/json.md")

    def test_each_variable_is_explained(self):
        read_here = set()
        for _, text in sources("preload", "tools", "lane", "bind"):
            read_here |= set(re.findall(r'"(HANDSPAN_[A-Z_]+)=?"', text))
        read_here -= NOT_FOR_PEOPLE
        self.assertGreater(len(read_here), 20)
        pages = words("".join(read(p) for p in glob.glob(f"{SOURCE}/docs/*.md") +
                              [f"{SOURCE}/docs/handspan.conf"]))
        manual = words(read("docs", "handspan.1").replace("\\-", "-"))
        self.assertEqual(read_here - pages, set(), "no page of docs/ names it")
        self.assertEqual(read_here - manual, set(), "the man page lacks it")
        named = {w for w in manual if w.startswith("HANDSPAN_")}
        self.assertEqual({w for w in named if not w.endswith("_")} - read_here, set(), "the man page has what is not read")

    def test_each_command_is_in_the_man_page(self):
        manual = read("docs", "handspan.1").replace("\\-", "-").replace("\\fR", "")
        commands = re.findall(r"^  handspan ([a-z]+)", said("help"), re.M)
        self.assertGreater(len(commands), 20)
        for command in set(commands) - {"types", "version"}:
            self.assertRegex(manual, rf"(?m)^\\fBhandspan .*\b{command}\b",
                             "not in SYNOPSIS")

    def test_exit_statuses_are_as_said(self):
        """0 fine, 1 nothing matched or something is amiss, 2 trouble."""
        with tempfile.TemporaryDirectory(prefix="handspan-claims-") as top:
            store = f"--store={top}/s.db"
            settings = os.path.join(top, "settings")
            with open(settings, "w", encoding="utf-8") as f:
                f.write("keep_age = 3d # no comment\n")
            env = dict(os.environ, HANDSPAN_DIR=top, HOME=top,
                       HANDSPAN_CONFIG="/dev/null", HANDSPAN_STORE=top + "/s.db")
            os.chmod(top, 0o700)

            def status(*args, **more):
                return subprocess.run(
                    [HANDSPAN, *args], env=dict(env, **more), cwd=top,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, check=False).returncode
            self.assertEqual(status("run", "--summary=never", "--", "true"), 0)
            self.assertEqual(status("run", "--summary=never", "--", "false"), 1)
            for wanted, *args in (
                    (0, "list"), (0, "help"), (0, "config"), (2, "nothing"),
                    (2, "show", "--no-such-option"), (2, "uploads", "--forget=x"),
                    (2, "env", "-m", "nosuch"), (2, "symbolize", "--object", "x"),
                    (2, "upload", "--upload", "nothing://x"), (2, "upload"),
                    (2, "export", "--format=csv", "--json"),
                    (0, "export", "--format=csv"), (0, "export", "--json"),
                    (1, "list", "--where=name=nobody"), (0, "errors"),
                    (1, "errors", "--where=name=nobody")):
                self.assertEqual(status(*args), wanted, args)
            self.assertEqual(status("config", HANDSPAN_CONFIG=settings), 1)
            self.assertEqual(status("list", store + "-not-there"), 2)
            # what the run began ends before its folder goes
            subprocess.run(["flock", "-w", "60", top + "/sidecar.lock", "true"],
                           check=True)

    def test_the_version_says_which_build(self):
        """The number of one place, and the linker's note of this very file."""
        number, = re.findall(r"project\(handspan VERSION ([\d.]+)",
                             read("CMakeLists.txt"))
        note = subprocess.run(["readelf", "-n", HANDSPAN], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        build, = re.findall(r"Build ID: (\w+)", note)
        self.assertEqual(said("--version"),
                         f"handspan {number} build {build}\n")
        self.assertIn(f"## {number}", read("CHANGELOG.md"))

    def test_limits_are_those_of_the_code(self):
        for source, pattern, page, words in LIMITS:
            number, = re.findall(pattern, read(source))
            text = " ".join(read("docs", page).split())
            ways = [words.format(n) for n in (number, f"{int(number):,}")]
            self.assertTrue(any(way in text for way in ways), (source, ways))

    def test_each_limit_names_its_test(self):
        """Each of README's Limits, and the test is there."""
        limits = read("README.md").split("\n## Limits\n")[1].split("\n\n- ", 1)[1]
        limits = re.split(r"\n\n(?!- )", "\n- " + limits)[0]
        build = os.path.dirname(os.path.dirname(HANDSPAN))
        listed = subprocess.run(["ctest", "--test-dir", build, "-N"], text=True,
                                check=True, stdout=subprocess.PIPE).stdout
        tests = set(re.findall(r"Test +#\d+: (\S+)", listed))
        self.assertGreater(len(tests), 300)
        points = re.split(r"(?m)^- ", limits)[1:]
        self.assertGreater(len(points), 8)
        for point in points:
            self.assertTrue(set(re.findall(r"`([\w.]+)`", point)) & tests, point)

    def test_each_link_leads_somewhere(self):
        pages = glob.glob(f"{SOURCE}/docs/*.md") + glob.glob(f"{SOURCE}/examples/*.md")
        for page in pages + [f"{SOURCE}/README.md"]:
            text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", read(page))
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                where = os.path.join(os.path.dirname(page), target)
                self.assertTrue(os.path.exists(where), f"{page}: {target}")

    def test_each_page_is_reached_from_the_first(self):
        first = read("docs", "README.md")
        for page in glob.glob(f"{SOURCE}/docs/*.md"):
            name = os.path.basename(page)
            if name != "README.md":
                self.assertIn(f"({name})", first, "docs/README.md does not lead there")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
