#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One program says its token in every way that we know of. What is kept of it:
all where nothing forbids it (so the test would see it), nothing under
HANDSPAN_CAPTURE=none, nothing but the named values beside a secret(); and the
screens say in the place of what is missing that it is withheld, and why.

  leak_test.py HANDSPAN PRELOAD
"""
import os

import base

INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../include")
SOURCE = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdexcept>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "handspan.h"
extern "C" {
__attribute__((noipa)) int opens(const char *token)
{
    char path[256];
    snprintf(path, sizeof path, "/nowhere/%s-path", token);
    return open(path, O_RDONLY);
}
__attribute__((noipa)) int says(const char *token)
{
    fprintf(stderr, "%s-stderr\n", token);
    return -1;
}
__attribute__((noipa)) int throws_it(const char *token)
{
    throw std::runtime_error(std::string(token) + "-what");
}
__attribute__((noipa)) int named(const char *token, char **out)
{
    handspan_set_text("why", token);
    *out = strdup((std::string(token) + "-output").c_str());
    return **out;
}
__attribute__((noipa)) int has_secret(const char *token)
{
    return token[0];
}
}
int main(int argc, char **argv)
{
    const char *token = argv[argc - 1];
    char *out;
    if (argc == 3)
        return says(token) + 1;
    opens(token);
    says(token);
    try { throws_it(token); } catch (std::exception &) { }
    named(token, &out);
    has_secret(token);
    if (fork() == 0)
        execl(argv[0], argv[0], "child", token, (char *)0);
    wait(NULL);
    return 3;
}
"""
PLAIN = """
[[object(main)]];
[[span, fails(return < 0, errno)]] int opens(const char *token);
[[span, fails(return < 0)]] int says(const char *token);
[[span]] int throws_it(const char *token);
[[span, input(token), output(*out)]] int named(const char *token, char **out);
"""
SECRET = "[[span, secret(token)]] int has_secret(const char *token);\n"
PROGRAMS = """
[[program("p")]];
[[program("sh")]];
[[program("dash")]];
[[program("q")]];
[[span, secret(t)]] int x(const char *t);
"""
TOKEN = "TOKEN_" + "77SECRET"


class Leak(base.Base):
    def setUp(self):
        super().setUp()
        source = self.write("p.cc", SOURCE)
        self.program = self.top + "/p"
        cxx = os.environ.get("CXX", "c++")
        base.subprocess.run([cxx, "-g", "-O1", "-I", INCLUDE, "-o",
                             self.program, source], check=True)
        self.write("m.manifest", PLAIN)
        self.write("other.manifest", "\n\n" + SECRET)
        self.write("s.manifest", '[[include("other.manifest")]];\n' + PLAIN)
        self.write("o.manifest", PLAIN + PROGRAMS)

    def trace(self, manifest, **extra):
        done = self.preloaded(self.program, TOKEN, manifest=manifest,
                              extra=extra)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertEqual(2, done.stderr.count(b"-stderr"))
        self.assertEqual(0, self.handspan("sidecar").returncode)
        self.assertEqual([], [n for n in os.listdir(self.dir)
                              if n.startswith("session-")])

    def kept(self):
        found = self.stored_bytes()
        return {way for way in ("path", "stderr", "what", "output")
                if f"{TOKEN}-{way}".encode() in found}

    def commands(self):
        return [c for c, in self.rows("select command from processes")]

    def test_nothing_forbids_it(self):
        self.trace("m.manifest")
        self.assertEqual({"path", "stderr", "what", "output"}, self.kept())
        self.assertTrue(all(TOKEN in c for c in self.commands()))
        self.assertNotIn("withheld", self.text("errors", "--full"))

    def test_none(self):
        for value in ("none", "NONE", "nothing"):  # a wrong one is none, too
            self.trace("m.manifest", HANDSPAN_CAPTURE=value)
            self.assertFalse(TOKEN.encode() in self.stored_bytes(), value)
        for count in ("1 argument", "2 arguments"):
            self.assertTrue(any(
                f"(withheld: {count}; HANDSPAN_CAPTURE=none)" in c
                for c in self.commands()), self.commands())
        said = self.text("errors", "--full")
        self.assertIn("withheld: HANDSPAN_CAPTURE=none", said)
        self.assertIn("withheld", self.text("show"))
        self.assertIn('"withheld":"HANDSPAN_CAPTURE=none"',
                      self.text("errors", "--json"))

    def test_secret(self):
        self.trace("s.manifest")
        self.assertEqual({"output"}, self.kept())
        self.assertEqual([], [c for c in self.commands() if TOKEN in c])
        said = self.text("errors", "--full")
        reason = "withheld: secret(token), other.manifest:3"
        self.assertIn("Message    " + reason, said)
        self.assertIn("Stderr     " + reason, said)
        self.assertIn("withheld: secret(token), other.manifest:3",
                      self.text("show"))

    def test_secret_of_another_program(self):
        """A shell that starts it has its arguments, too."""
        self.write("sh.manifest", "[[object(main)]];\n" + PROGRAMS)
        done = self.preloaded("/bin/sh", "-c", f"{self.program} {TOKEN} x; "
                              "exit 3", manifest="sh.manifest")
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertEqual(0, self.handspan("sidecar").returncode)
        self.assertFalse(TOKEN.encode() in self.stored_bytes())
        self.assertTrue(any("sh" in c for c in self.commands()))
        self.trace("o.manifest")
        self.assertEqual({"output"}, self.kept())

    def test_secret_of_a_faulty_declaration(self):
        self.write("f.manifest", PLAIN +
                   "[[span, secret(token)] int has_secret(const char *);\n")
        self.trace("f.manifest")
        self.assertEqual({"output"}, self.kept())
        self.assertIn("a secret() in a manifest with errors",
                      self.text("errors", "--full"))

    def test_switched_off(self):
        for word in ("1", "true", "TRUE", "yes", "on", "ON", "2", "y"):
            self.preloaded(self.program, TOKEN,
                           extra={"HANDSPAN_DISABLED": word})
            self.assertEqual([], os.listdir(self.dir), word)


if __name__ == "__main__":
    base.main()
