# SPDX-License-Identifier: Apache-2.0
"""What the tests of operations share: a private folder, an environment that
names nothing outside it, a traced program, the store."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402
import lock  # noqa: E402
import side_by_side  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
_built = {}


def shm_folder():
    """Sessions want shared memory."""
    place = os.environ.get("TEST_MEMORY")
    return tempfile.mkdtemp(prefix="handspan-ops-", dir=place)


class Base(unittest.TestCase):
    def setUp(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="ops-"))
        self.dir = shm_folder()
        self.store = self.path + "/store.db"
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "HOME": self.path, "COLUMNS": "80", "TZ": "UTC",
                    "HANDSPAN_DIR": self.dir, "HANDSPAN_STORE": self.store}
        self.addCleanup(shutil.rmtree, self.path, True)
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.addCleanup(self.end_all)

    def end_all(self):
        """Before the folders go: whoever might write there."""
        self.assertEqual(alive.wait_for_none(self.dir, self.path), {})

    def end_sidecar(self):
        """It ends by itself when idle."""
        path = self.dir + "/sidecar.lock"
        if os.path.exists(path):
            subprocess.run(["flock", "-w", "300", path, "true"], check=True)

    def sidecar(self, extra=None, **more):
        """One that stays, at work: no program starts another one."""
        side = subprocess.Popen([HANDSPAN, "sidecar", "--stay"],
                                env=dict(self.env, **(extra or {})), **more)
        self.addCleanup(side.wait)
        self.addCleanup(side.kill)
        self.wait_for(lambda: lock.is_held(self.dir), "the sidecar")
        return side

    def handspan(self, *args, **more):
        env = dict(self.env, **more.pop("extra", {}))
        return subprocess.run([HANDSPAN, *args], cwd=self.path, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=more.pop("timeout", 300), env=env, **more)

    def ok(self, *args, **more):
        done = self.handspan(*args, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def json(self, *args, status=0, **more):
        done = self.handspan(*args, "--json", **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(lines[0]["schema"], 1)
        return lines[1:]

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def build(self, source, name="prog"):
        """A program of the handlers in `source`, built once per text."""
        out = os.path.join(self.path, name)
        if source not in _built:
            text = self.write(name + ".c", source)
            subprocess.run([CC, "-O1", "-g", "-o", out, text], check=True)
            with open(out, "rb") as f:
                _built[source] = f.read()
        with open(out, "wb") as f:
            f.write(_built[source])
        os.chmod(out, 0o755)
        return out

    def rows(self, sql, *values):
        db = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True,
                             timeout=300)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def execute(self, sql, *values):
        db = sqlite3.connect(self.store, timeout=30)
        try:
            with db:
                return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def wait_for(self, condition, what, seconds=300):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        self.fail(f"not within {seconds} s: {what}")


def main():
    side_by_side.main()
