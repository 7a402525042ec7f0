#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` puts where: it works from wherever it is moved to, each
command has a page and is completed, the header is found by pkg-config.

usage: install_test.py BUILD_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import alive  # noqa: E402

BUILD = sys.argv.pop(1)
CC = os.environ.get("CC", "cc")


def said(*command, **how):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **how)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="handspan-install-")
        cls.addClassCleanup(cls.folder.cleanup)
        top = os.path.realpath(cls.folder.name)
        said("cmake", "--install", BUILD, "--prefix", top + "/first")
        os.rename(top + "/first", top + "/moved")
        cls.top, cls.prefix = top, top + "/moved"
        cls.handspan = cls.prefix + "/bin/handspan"
        cls.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": top,
                   "HANDSPAN_DIR": top + "/dir", "HANDSPAN_STORE": top + "/store.db"}
        cls.commands = re.findall(r"^  handspan ([a-z]+)",
                                  said(cls.handspan, "help"), re.M)

    def completed(self, *words):
        script = f"""
. {self.prefix}/share/bash-completion/completions/handspan
COMP_WORDS=({' '.join(f"'{w}'" for w in words)}); COMP_CWORD={len(words) - 1}
_handspan 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        return said("bash", "--norc", "-c", script, env=self.env).split()

    def test_it_runs_from_where_it_was_moved_to(self):
        with open(self.top + "/p.c", "w") as f:
            f.write("__attribute__((noipa)) int leaf(int n) { return n + 1; }\n"
                    "int main(void) { return leaf(1) - 2; }\n")
        with open(self.top + "/m.manifest", "w") as f:
            f.write("[[span]] int leaf(int n);\n")
        said(CC, "-o", self.top + "/p", self.top + "/p.c")
        said(self.handspan, "run", "-m", self.top + "/m.manifest", "--",
             self.top + "/p", env=self.env)
        self.assertIn("leaf", said(self.handspan, "stats", env=self.env))
        self.assertEqual(alive.wait_for_none(self.top), {})

    def test_each_command_has_a_page(self):
        self.assertGreater(len(self.commands), 20)
        folder = self.prefix + "/share/man/man1"
        for name in set(self.commands) - {"version"}:
            page = f"{folder}/handspan-{name}.1"
            self.assertEqual(said("groff", "-man", "-ww", "-z", "-Tutf8", page), "")
            text = said("groff", "-man", "-Tascii", "-P-cbou", page)
            usage = said(self.handspan, "help", name)
            for option in re.findall(r"^  (?:-\w, |    )(--[\w-]+)", usage, re.M):
                self.assertIn(option, text, page)

    def test_each_link_of_a_page_leads_somewhere(self):
        """The first page and that of the folder docs/ lie elsewhere there."""
        docs = self.prefix + "/share/doc/handspan"
        pages = [os.path.join(where, name) for where, _, names in os.walk(docs)
                 for name in names if name.endswith(".md")]
        self.assertIn(docs + "/README.md", pages)
        self.assertIn(docs + "/inside.md", pages)
        for page in pages:
            with open(page, encoding="utf-8") as f:
                text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", f.read())
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                place = os.path.join(os.path.dirname(page), target)
                self.assertTrue(os.path.exists(place), f"{page}: {target}")

    def test_bash_completes_commands_and_options(self):
        self.assertEqual(self.completed("handspan", "sh"), ["show"])
        self.assertEqual(self.completed("handspan", "show", "--pr"), ["--program="])
        self.assertEqual(set(self.commands) - {"version"} | {"on"},
                         set(self.completed("handspan", "")))

    def test_other_shells_read_theirs(self):
        for shell, path in (("zsh", "zsh/site-functions/_handspan"),
                            ("fish", "fish/vendor_completions.d/handspan.fish")):
            path = f"{self.prefix}/share/{path}"
            self.assertTrue(os.path.exists(path), path)
            if shutil.which(shell):
                said(shell, "-n", path)

    def test_the_header_is_found(self):
        with open(self.top + "/h.c", "w") as f:
            f.write("#include <handspan.h>\nint main(void) { return 0; }\n")
        flags = said("pkg-config", "--cflags", "handspan", env=dict(
            self.env, PKG_CONFIG_PATH=self.prefix + "/share/pkgconfig"))
        said(CC, *flags.split(), "-c", "-o", self.top + "/h.o", self.top + "/h.c")

    def test_what_a_user_reads_is_there(self):
        for path in ("doc/handspan/README.md", "doc/handspan/manifest.md",
                     "doc/handspan/examples/samtools/handlers.manifest",
                     "handspan/sql/postgres", "man/man5/handspan-manifest.5",
                     "handspan/manifests/sqlite3.manifest"):
            self.assertTrue(os.path.exists(f"{self.prefix}/share/{path}"), path)


if __name__ == "__main__":
    unittest.main()
