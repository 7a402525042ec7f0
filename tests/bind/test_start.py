#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The start of a traced process: when it traces, when it leaves everything
alone, what it says about bad input, and that nobody notices its sidecar.

  test_start.py PRELOAD DUMP BIN_DIR [TEST...]
"""
import glob
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

PRELOAD, DUMP, BIN = (os.path.abspath(a) for a in sys.argv[1:4])
MANIFEST = "[[object(main)]];\n[[span]] int work(int n);\n"
SHM = os.environ.get("TEST_MEMORY")
PROGRAM = os.path.join(BIN, "bind_case_surroundings")


class Start(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="handspan-start-", dir=SHM)
        self.addCleanup(alive.remove, self.top)
        self.dir = os.path.join(self.top, "dir")
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith("HANDSPAN_") and
                     k not in ("LD_PRELOAD", "TRACEPARENT")}

    def write(self, name, text):
        path = os.path.join(self.top, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def read(self, path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def env(self, manifest=MANIFEST, **more):
        env = dict(self.bare, LD_PRELOAD=PRELOAD, HANDSPAN_DIR=self.dir,
                   HANDSPAN_SIDECAR="off")
        if manifest is not None:
            env["HANDSPAN_MANIFEST"] = self.write("m.manifest", manifest)
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def run_traced(self, env, command=None, **more):
        """Runs the program traced and untraced; they must look the same."""
        command = command or [PROGRAM]
        want = self.run_one(command, self.bare, **more)
        got = self.run_one(command, env, **more)
        self.assertEqual(want, got)

    def run_one(self, command, env, **more):
        done = subprocess.run(command, env=env, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=300, **more)
        return done.returncode, done.stdout, done.stderr

    def sessions(self, where=None):
        return glob.glob((where or self.dir) + "/session-*.lane")

    def dump(self, where=None):
        found = self.sessions(where)
        self.assertEqual(1, len(found), found)
        return subprocess.run([DUMP, found[0]], capture_output=True,
                              text=True, check=True).stdout

    # ---- when nothing is done ----

    def test_disabled(self):
        for value in ("1", "true", "yes"):
            self.run_traced(self.env(HANDSPAN_DISABLED=value))
        self.assertFalse(os.path.exists(self.dir))

    def test_disabled_zero_traces(self):
        self.run_traced(self.env(HANDSPAN_DISABLED="0"))
        self.assertIn("span work", self.dump())

    def test_off_flag(self):
        os.mkdir(self.dir, 0o700)
        open(os.path.join(self.dir, "off"), "w").close()
        self.run_traced(self.env())
        self.assertEqual([], self.sessions())

    def test_other_program(self):
        self.run_traced(self.env('[[program("etl-*")]];\n' + MANIFEST))
        self.assertFalse(os.path.exists(self.dir))

    def test_this_program(self):
        self.run_traced(self.env('[[program("bind_case_*")]];\n' + MANIFEST))
        self.assertIn("span work in process: return x1", self.dump())

    def test_setuid_like(self):
        """AT_SECURE: the loader itself ignores LD_PRELOAD with a slash."""
        if os.geteuid() != 0:
            self.skipTest("needs root to make a setgid program")
        program = os.path.join(self.top, "setgid")
        shutil.copy(PROGRAM, program)
        os.chown(program, 0, 65534)
        os.chmod(program, 0o2755)
        self.run_one([program], self.env())
        self.assertEqual([], self.sessions())

    # ---- the directory ----

    def test_directory_is_private(self):
        old = os.umask(0)
        try:
            self.run_traced(self.env())
        finally:
            os.umask(old)
        self.assertEqual(0o700, stat.S_IMODE(os.stat(self.dir).st_mode))
        mode = os.stat(self.sessions()[0]).st_mode
        self.assertEqual(0o600, stat.S_IMODE(mode))

    def test_directory_despite_umask(self):
        old = os.umask(0o777)
        try:
            env = self.env()
            os.chmod(env["HANDSPAN_MANIFEST"], 0o600)
            self.run_traced(env)
        finally:
            os.umask(old)
        for kept in glob.glob(self.dir + "/branches-*"):
            os.chmod(kept, 0o700)  # what is kept of objects is kept by it
        self.assertIn("span work", self.dump())

    def test_directory_open_to_others(self):
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        log = os.path.join(self.top, "log")
        self.run_traced(self.env(HANDSPAN_LOG=log))
        self.assertEqual([], self.sessions())
        self.assertIn("chmod 0700", self.read(log))

    def test_directory_of_a_group(self):
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o2770)
        self.run_traced(self.env())
        mode = os.stat(self.sessions()[0]).st_mode
        self.assertEqual(0o660, stat.S_IMODE(mode))

    def test_directory_is_a_link(self):
        real = os.path.join(self.top, "real")
        os.mkdir(real, 0o700)
        os.symlink(real, self.dir)
        self.run_traced(self.env())
        self.assertEqual([], os.listdir(real))

    def test_directory_of_somebody_else(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to give a directory away")
        os.mkdir(self.dir, 0o700)
        os.chown(self.dir, 65534, 65534)
        self.run_traced(self.env())
        self.assertEqual([], self.sessions())

    def test_directory_cannot_be_made(self):
        for where in ("/proc/handspan", "relative/dir", "/" + "x" * 5000,
                      self.write("file", "")):
            self.run_traced(self.env(HANDSPAN_DIR=where))

    def test_directory_by_default(self):
        runtime = os.path.join(self.top, "run")
        os.mkdir(runtime, 0o700)
        self.run_traced(self.env(HANDSPAN_DIR=None, XDG_RUNTIME_DIR=runtime,
                                 HOME=None))
        self.assertIn("span work", self.dump(runtime + "/handspan"))

    def test_file_size_limit(self):
        """No room for a session: no SIGXFSZ, no trace, no difference."""
        limit = "ulimit -f 1; exec " + PROGRAM
        self.run_traced(self.env(), ["/bin/sh", "-c", limit])

    # ---- the manifest ----

    def test_no_manifest(self):
        self.run_traced(self.env(None))
        text = self.dump()
        self.assertIn("process 0 parent=0 marker=exit code=0", text)
        self.assertNotIn("span ", text)

    def test_manifest_missing(self):
        self.run_traced(self.env(HANDSPAN_MANIFEST="/nowhere/x.manifest"))
        text = self.dump()
        self.assertIn("manifest: /nowhere/x.manifest does not exist", text)
        self.assertIn("errors 1", text)

    def test_manifest_is_no_file(self):
        fifo = os.path.join(self.top, "fifo")
        os.mkfifo(fifo)
        for path in (fifo, self.top, "/dev/zero"):
            shutil.rmtree(self.dir, ignore_errors=True)
            self.run_traced(self.env(HANDSPAN_MANIFEST=path))
            self.assertIn("is no regular file", self.dump())

    def test_manifest_relative(self):
        self.write("rel.manifest", MANIFEST)
        self.run_traced(self.env(HANDSPAN_MANIFEST="rel.manifest"),
                        cwd=self.top)
        text = self.dump()
        self.assertIn(f"write {self.top}/rel.manifest", text)
        self.assertIn("span work", text)

    def test_manifest_with_error(self):
        self.run_traced(self.env(MANIFEST + "[[spam]] int other(int n);\n"))
        text = self.dump()
        self.assertRegex(text, r"m\.manifest:3:3: error: .*spam")
        self.assertIn("span work in process: return x1", text)

    def test_manifest_include(self):
        os.mkdir(os.path.join(self.top, "sub"))
        self.write("sub/inner.manifest", MANIFEST)
        self.run_traced(self.env('[[include("sub/inner.manifest")]];\n'))
        self.assertIn("span work in process: return x1", self.dump())

    def test_nothing_of_that_name(self):
        self.run_traced(self.env(MANIFEST + "[[span]] wrok;\n"))
        self.assertRegex(self.dump(), r"site wrok binding=none .*"
                         r"reason=no such symbol in ")

    def test_one_function_twice(self):
        self.run_traced(self.env(MANIFEST + '[[span("again"), '
                                 'symbol("work")]] int w(int n);\n'))
        text = self.dump()
        self.assertRegex(text, r"site again binding=none .*line 2")
        self.assertIn("span work in process: return x1", text)

    def test_tail_call_in_any_order(self):
        """Proved before either is patched: both get a frame."""
        program = os.path.join(BIN, "bind_case_kinds")
        lines = ["[[span]] int tail_start(int x);\n",
                 "[[span]] int tail_end(int x);\n"]
        for order in (lines, lines[::-1]):
            shutil.rmtree(self.dir, ignore_errors=True)
            self.run_traced(self.env("[[object(main)]];\n" + "".join(order)),
                            [program])
            text = self.dump()
            for name in ("tail_start", "tail_end"):
                self.assertRegex(text, f"site {name} binding=entry shim=frame")

    def test_proof_too_long(self):
        program = os.path.join(BIN, "bind_big")
        manifest = "[[object(main)]];\n[[span]] int big(int n);\n" + MANIFEST
        self.run_traced(self.env(manifest), [program])
        text = self.dump()
        self.assertRegex(text, r"site big binding=entry shim=zero")
        self.assertRegex(text, r"site work binding=entry shim=frame")
        self.assertIn("span big in process: return x1", text)

    def test_how_many_does_not_matter(self):
        """Each proof is long: what carries one does not depend on the others."""
        program = os.path.join(BIN, "bind_big")
        self.run_traced(self.env('[[object(main)]];\n' + "".join(
            f"[[span]] int mid_{i}(int n);\n" for i in range(1, 13))),
            [program])
        sites = re.findall(r"^site mid_(\d+) binding=entry shim=(\S+) .*"
                           r"reason=(.*)$", self.dump(), re.M)
        self.assertEqual([(str(i), "frame", "") for i in range(1, 13)], sites)

    def test_tail_call_after_long_proofs(self):
        """A frame whose handler tail-calls one that has one, too."""
        program = os.path.join(BIN, "bind_big")
        mids = [f"mid_{i}" for i in range(1, 13)]
        self.run_traced(self.env('[[object(main)]];\n' + "".join(
            f"[[span]] int {name}(int n);\n"
            for name in ["tail_start"] + mids + ["tail_end"])), [program])
        text = self.dump()
        self.assertRegex(text, "site tail_start binding=entry shim=frame")
        self.assertRegex(text, "site tail_end binding=entry shim=frame")
        self.assertIn("span tail_start in process: return x1", text)
        self.assertRegex(text, r"span tail_end in \S+: return x1")

    def test_clone_has_times_only(self):
        program = os.path.join(BIN, "bind_big")
        manifest = ('[[object(main)]];\n[[span, fails(return < 0), '
                    'symbol("cloned.constprop.0")]] int cloned(int n);\n')
        self.run_traced(self.env(manifest), [program])
        text = self.dump()
        self.assertRegex(text, r"site cloned binding=entry .*reason="
                         r"the compiler changed its arguments")
        self.assertIn("span cloned in process: return x1", text)

    # ---- what may be captured ----

    def count_items(self, **more):
        """How many values the session describes."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.run_traced(self.env(**more))
        return int(re.search(r"^items (\d+)$", self.dump(), re.M).group(1))

    def test_capture_can_only_be_lowered(self):
        named = MANIFEST
        none = named.replace("[[span]]", '[[span, capture("none")]]')
        self.assertLess(0, self.count_items(manifest=named))
        for value in ("all", "named"):
            self.assertEqual(self.count_items(manifest=named),
                             self.count_items(manifest=named,
                                               HANDSPAN_CAPTURE=value))
            self.assertEqual(0, self.count_items(manifest=none,
                                                  HANDSPAN_CAPTURE=value))
        self.assertEqual(0, self.count_items(manifest=named,
                                              HANDSPAN_CAPTURE="none"))
        self.assertEqual(0, self.count_items(manifest=named,
                                              HANDSPAN_CAPTURE="spam"))
        self.assertIn("context: HANDSPAN_CAPTURE", self.dump())

    def test_capture_all_is_lowered_to_named(self):
        every = ('[[object(main)]];\n[[span, capture("all"), symbol("work")]]'
                 " int work(const char *n);\n")
        self.assertEqual(2, self.count_items(manifest=every))
        self.assertEqual(1, self.count_items(manifest=every,
                                              HANDSPAN_CAPTURE="named"))

    def test_service(self):
        self.run_traced(self.env(OTEL_SERVICE_NAME="nightly-etl"))
        self.assertIn("service nightly-etl", self.dump())

    def test_glob_of_thousands(self):
        program = os.path.join(BIN, "bind_many")
        manifest = '[[object(main)]];\n[[span, match("many_*")]];\n'
        self.run_traced(self.env(manifest), [program])
        text = self.dump()
        self.assertIn("2,100 functions match, more than 2,000: the first ones "
                      "are traced; narrow the glob, or raise "
                      "HANDSPAN_MATCH_MAX", text)
        self.assertEqual(2000, len(re.findall("^site .*binding=entry", text,
                                              re.M)))
        self.assertEqual(2000, len(re.findall("^span .* x1$", text, re.M)))
        shutil.rmtree(self.dir)
        self.run_traced(self.env(manifest, HANDSPAN_MATCH_MAX="2100"),
                        [program])
        text = self.dump()
        self.assertEqual(2100, len(re.findall("^site .*binding=entry", text,
                                              re.M)))
        self.assertEqual(2100, len(re.findall("^span .* x1$", text, re.M)))

    # ---- the trace ----

    def test_traceparent(self):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        self.run_traced(self.env(TRACEPARENT=f"00-{trace}-{parent}-01"))
        self.assertIn(f"trace {trace} remote={parent} flags=01", self.dump())

    def test_traceparent_invalid(self):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        for bad in ("x", f"00-{'0' * 32}-{parent}-01", f"ff-{trace}-{parent}-01",
                    f"00-{trace}-{'0' * 16}-01", f"00-{trace.upper()}-{parent}-01",
                    f"00-{trace}-{parent}-01-x"):
            shutil.rmtree(self.dir, ignore_errors=True)
            self.run_traced(self.env(TRACEPARENT=bad))
            text = self.dump()
            self.assertIn("remote=0000000000000000", text)
            self.assertNotIn(trace, text.split("notes")[0])
            self.assertIn("TRACEPARENT is no traceparent", text)

    # ---- what stands around ----

    def test_descriptors_closed_at_start(self):
        closed = "exec 0<&- 1>&2 2>&-; exec " + PROGRAM
        self.run_traced(self.env(), ["/bin/sh", "-c", closed])

    def test_pipeline(self):
        """Each program of a pipeline has a session of its own."""
        script = f"{PROGRAM} | cat; {PROGRAM} > /dev/null"
        self.run_one(["/bin/sh", "-c", script], self.env())
        self.assertGreaterEqual(len(self.sessions()), 4)

    def test_environment_is_untouched(self):
        env = self.env()
        got = self.run_one(["/usr/bin/env"], env)
        want = sorted(f"{k}={v}" for k, v in env.items())
        self.assertEqual(want, sorted(got[1].decode().splitlines()))

    def test_log(self):
        self.run_traced(self.env(HANDSPAN_MANIFEST="/nowhere"))
        log = self.read(os.path.join(self.dir, "log"))
        self.assertIn("/nowhere does not exist", log)

    # ---- the sidecar ----

    def probe_env(self, **more):
        """A sidecar that only writes down how it was started."""
        self.out = os.path.join(self.top, "probe.out")
        return self.env(**more, BIND_PROBE_OUT=self.out,
                        HANDSPAN_SIDECAR=os.path.join(BIN, "bind_probe"))

    def wait_for_probe(self):
        for _ in range(2000):
            if os.path.exists(self.out):
                return self.read(self.out)
            time.sleep(0.005)
        self.fail("no sidecar came")

    def test_sidecar_goes_unnoticed(self):
        self.run_traced(self.probe_env(HANDSPAN_STORE="store.sqlite"),
                        cwd=self.top)
        got = self.wait_for_probe()
        self.assertIn(f"arguments sidecar --auto --dir {self.dir} --store "
                      f"{self.top}/store.sqlite\n", got)
        self.assertIn("cwd / umask 77 leader 1 preload 0\n", got)
        self.assertIn("descriptors 3\n", got)
        self.assertIn("signals 0\n", got)

    def test_sidecar_not_for_subreaper(self):
        env = self.probe_env(manifest='[[program("bind_case_*")]];\n' +
                             MANIFEST)
        self.run_one([os.path.join(BIN, "bind_below"), "subreaper", PROGRAM],
                     env)
        self.assertIn("not started: this process is a subreaper", self.dump())
        self.assertFalse(os.path.exists(self.out))

    def test_sidecar_not_under_seccomp(self):
        env = self.probe_env()
        self.run_one([os.path.join(BIN, "bind_below"), "seccomp", PROGRAM],
                     dict(env, LD_PRELOAD="", BIND_PRELOAD=PRELOAD))
        self.assertIn("not started: a seccomp filter", self.dump())
        self.assertFalse(os.path.exists(self.out))

    def test_sidecar_not_below_a_traced_process(self):
        """bind_below is traced but without sidecar; its child must not start
        one either: whoever is above might get to see it."""
        env = self.probe_env()
        env.update(BIND_SIDECAR=env["HANDSPAN_SIDECAR"],
                   HANDSPAN_SIDECAR="off")
        self.run_one([os.path.join(BIN, "bind_below"), "child", PROGRAM], env)
        self.assertIn("not started: a traced process is above",
                      self.dump_all())
        self.assertFalse(os.path.exists(self.out))

    def test_sidecar_not_when_one_runs(self):
        os.mkdir(self.dir, 0o700)
        lock = os.path.join(self.dir, "sidecar.lock")
        env = self.probe_env(manifest='[[program("bind_case_*")]];\n' +
                             MANIFEST)
        done = subprocess.run(["flock", lock, PROGRAM], env=env,
                              capture_output=True, timeout=300, check=False)
        self.assertEqual(0, done.returncode)
        self.assertFalse(os.path.exists(self.out))

    def dump_all(self):
        return "".join(subprocess.run([DUMP, s], capture_output=True,
                                      text=True, check=True).stdout
                       for s in self.sessions())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[4:], verbosity=1)
