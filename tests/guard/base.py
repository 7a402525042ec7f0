# SPDX-License-Identifier: Apache-2.0
"""What these tests share: a folder, a directory and a store of their own."""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402
import side_by_side  # noqa: E402

HANDSPAN, PRELOAD = (os.path.realpath(a) for a in sys.argv[1:3])
CC = os.environ.get("CC", "cc")


class Base(unittest.TestCase):
    def setUp(self):
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="guard-"))
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="handspan-guard-", dir=place)
        self.store = self.top + "/store/handspan.db"
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "HOME": self.top, "COLUMNS": "200",
                    "HANDSPAN_CONFIG": "/dev/null",
                    "HANDSPAN_DIR": self.dir, "HANDSPAN_STORE": self.store}
        self.addCleanup(shutil.rmtree, self.top, True)
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.addCleanup(self.end_all)

    def end_all(self):
        """Before the folders go: whoever might write there, also a sidecar
        that a program started and that has no lock yet."""
        self.end_sidecar()
        self.assertEqual(alive.wait_for_none(self.dir, self.top), {})

    def end_sidecar(self):
        path = self.dir + "/sidecar.lock"
        if os.path.exists(path):
            subprocess.run(["flock", "-w", "30", path, "true"], check=False)

    def write(self, name, text):
        path = os.path.join(self.top, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def build(self, source, name="p", *flags):
        text = self.write("source.c", source)
        out = os.path.join(self.top, name)
        subprocess.run([CC, "-g", "-O1", "-o", out, text, *flags], check=True)
        return out

    def run_one(self, *command, **more):
        env = dict(self.env, **more.pop("extra", {}))
        return subprocess.run(command, cwd=self.top, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=300, **more)

    def handspan(self, *command, **more):
        return self.run_one(HANDSPAN, *command, **more)

    def text(self, *command, **more):
        done = self.handspan(*command, **more)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def preloaded(self, *command, manifest="m.manifest", **more):
        extra = dict(LD_PRELOAD=PRELOAD, HANDSPAN_SIDECAR="off",
                     HANDSPAN_MANIFEST=f"{self.top}/{manifest}",
                     **more.pop("extra", {}))
        return self.run_one(*command, extra=extra, **more)

    def stored_bytes(self):
        """All that is kept of a run: store, session directory."""
        found = b""
        for folder in (os.path.dirname(self.store), self.dir):
            for here, _, names in os.walk(folder):
                for name in names:
                    with open(os.path.join(here, name), "rb") as f:
                        found += f.read()
        return found

    def rows(self, sql, *values):
        db = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True,
                             timeout=30)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()


def main():
    del sys.argv[1:3]
    side_by_side.main()
