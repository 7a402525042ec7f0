# SPDX-License-Identifier: Apache-2.0
"""For the tests of this folder: a directory of their own, handspan run in it,
its JSON."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.abspath(sys.argv[1])
CC = os.environ.get("CC", "cc")
HERE = os.path.dirname(os.path.abspath(__file__))


class Place:
    """A folder with a session directory and a store, gone at the end."""

    def __enter__(self):
        shm = os.environ.get("TEST_MEMORY")
        self.at = os.path.realpath(tempfile.mkdtemp(dir=shm,
                                                    prefix="handspan-check-"))
        os.mkdir(f"{self.at}/dir", 0o700)
        self.env = dict(os.environ, HANDSPAN_DIR=f"{self.at}/dir",
                        HANDSPAN_STORE=f"{self.at}/store.db", LC_ALL="C.UTF-8",
                        COLUMNS="200", HOME=self.at)
        self.env.pop("HANDSPAN_MANIFEST", None)
        self.env.pop("TRACEPARENT", None)
        return self

    def __exit__(self, *_):
        alive.remove(self.at)

    def write(self, name, text):
        with open(f"{self.at}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
        return f"{self.at}/{name}"

    def sh(self, command, check=True):
        return subprocess.run(["sh", "-c", command], cwd=self.at, env=self.env,
                              check=check, capture_output=True, text=True)

    def handspan(self, *args, status=None):
        done = subprocess.run([HANDSPAN, *args], cwd=self.at, env=self.env,
                              capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)
        if status is not None:
            expect(done.returncode, status,
                   f"handspan {' '.join(args)}\n{done.stdout}{done.stderr}")
        return done

    def rows(self, *args):
        """{name: declaration} of a `check --json`."""
        out = self.handspan("check", "--json", *args).stdout
        objects = [json.loads(line) for line in out.splitlines()]
        return {o["name"]: o for o in objects if o.get("kind") ==
                "declaration"}


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def expect_in(part, whole, what):
    if part not in (whole or ""):
        raise AssertionError(f"{what}: no {part!r} in {whole!r}")
