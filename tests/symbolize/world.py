# SPDX-License-Identifier: Apache-2.0
"""A folder with programs of the catalogue, stripped, their debug files apart;
a store; and handspan over both."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

CATALOGUE = pathlib.Path(__file__).resolve().parents[1] / "errors/catalogue"
OWN = ("fail", "throw", "libfail.so")
# enough of each kind: a rule, inlined, in a library, a signal, an exception
CALLS = (("fail", "open"), ("fail", "inlined"), ("fail", "lib"),
         ("fail", "segv_write"), ("fail", "segv_lib"), ("throw", "own"))


def execute(words, **more):
    return subprocess.run([str(w) for w in words], check=True, timeout=300,
                          **more)


class World:
    """`with World(build) as w`; w.at: programs, w.debug: their debug files."""

    def __init__(self, build):
        self.handspan = str(pathlib.Path(build).resolve() / "bin/handspan")

    def __enter__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(
            prefix="handspan-names-",
            dir=os.environ.get("TEST_MEMORY")))
        self.at, self.debug = self.top / "bin", self.top / "apart"
        self.at.mkdir()
        self.debug.mkdir()
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        self.env.update(HOME=str(self.top), XDG_CACHE_HOME=str(self.top),
                        HANDSPAN_CONFIG="/dev/null")
        self.build()
        self.use("store")
        return self

    def __exit__(self, *_):
        for folder in self.top.glob("lanes-*"):
            self.stop(folder)
        shutil.rmtree(self.top)

    def stop(self, folder):
        """Its sidecar goes when its folder does."""
        alive.remove(folder)

    def build(self, level="-O2"):
        cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
        flags = ["-g", level, "-w", "-rdynamic"]
        execute([cc, *flags, "-fPIC", "-shared", "-DLIB_CALL=lib_call",
                 "-o", self.at / "libfail.so", CATALOGUE / "lib.c"])
        execute([cc, *flags, "-o", self.at / "fail", CATALOGUE / "fail.c",
                 "./libfail.so", "-pthread"], cwd=self.at)
        execute([cxx, *flags, "-o", self.at / "throw", CATALOGUE / "throw.cpp",
                 "-pthread"])
        for name in OWN:
            debug = f"{name}.debug"
            for words in (["--only-keep-debug", name, debug],
                          ["--strip-all", name],
                          [f"--add-gnu-debuglink={debug}", name]):
                execute(["objcopy", *words], cwd=self.at)
        self.hide()

    def hide(self):
        for name in OWN:
            (self.at / f"{name}.debug").rename(self.debug / f"{name}.debug")

    def show(self):
        for name in OWN:
            shutil.copy2(self.debug / f"{name}.debug", self.at)

    def use(self, name):
        """Another store, with a sidecar of its own."""
        lanes = self.top / f"lanes-{name}"
        lanes.mkdir(mode=0o700, exist_ok=True)
        self.store = self.top / f"{name}.db"
        self.env.update(HANDSPAN_DIR=str(lanes),
                        HANDSPAN_STORE=str(self.store))

    def run(self, calls=CALLS, **more):
        for number, (program, *args) in enumerate(calls, 1):
            subprocess.run(
                [self.handspan, "run", "-m", CATALOGUE / "catalogue.manifest",
                 "--", f"./{program}", *args, "main"], cwd=self.at,
                env={**self.env, "TRACEPARENT":
                     f"00-{number:032x}-{number:016x}-01", **more},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=300, check=False)
        self.wait(len(calls))

    def wait(self, traces):
        """The running sidecar has stored them."""
        until = time.monotonic() + 300
        while time.monotonic() < until:
            rows = self.rows("SELECT count(*) FROM traces WHERE status NOT IN "
                             "('open')") if self.store.exists() else [(0,)]
            if rows[0][0] >= traces:
                return
            time.sleep(0.05)
        raise AssertionError(f"{rows[0][0]} traces of {traces} came")

    def rows(self, sql, *values):
        db = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return [(0,)]
        finally:
            db.close()

    def call(self, *words, status=0, env=None):
        done = subprocess.run([self.handspan, *map(str, words)],
                              env=env or self.env, capture_output=True,
                              text=True, timeout=300, check=False)
        assert status is None or done.returncode == status, (words, done)
        return done.stdout + done.stderr

    def errors(self):
        """Per trace and handler its error."""
        return {(trace.hex()[-2:], name, n): json.loads(error)
                for trace, name, error, n in self.rows(
                    "SELECT t.trace_id, i.name, s.error, row_number() OVER "
                    "(PARTITION BY t.trace_id, i.name ORDER BY s.ref) "
                    "FROM spans s JOIN traces t USING (trace) "
                    "JOIN sites i ON i.session = s.session AND "
                    "i.site = s.site WHERE s.error IS NOT NULL")}

    def groups(self):
        """What does not depend on when it was."""
        return sorted(self.rows(
            "SELECT g.fingerprint, g.handler, g.kind, g.type, g.rule, g.count,"
            " (SELECT count(*) FROM spans s WHERE s.fingerprint ="
            " g.fingerprint), (SELECT count(*) FROM spans s WHERE"
            " s.fingerprint = g.fingerprint AND s.session = g.session AND"
            " s.ref = g.ref) FROM error_groups g"))

    def stacks(self):
        return sorted((ended, frames) for ended, frames in self.rows(
            "SELECT ended, frames FROM stacks"))


def own_frames(error):
    return [f for key in ("origin", "stack") for f in error[key]
            if os.path.basename(f["object"] or "") in OWN]
