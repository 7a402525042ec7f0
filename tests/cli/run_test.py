#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`handspan run` and `env` with real programs: exit statuses, signals, bad
input. Usage: run_test.py HANDSPAN [unittest arguments]

The preload and the sidecar beside the binary are used as they are; where the
preload is not built the same statuses must come out, untraced.
"""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
CC = os.environ.get("CC", "cc")
HAS_PRELOAD = os.path.exists(
    os.path.join(os.path.dirname(HANDSPAN), "../lib/libhandspan.so"))


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.realpath(self.folder.name)
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                    "HOME": self.path, "COLUMNS": "80",
                    "HANDSPAN_DIR": self.path + "/dir",
                    "HANDSPAN_STORE": self.path + "/store.db"}
        self.addCleanup(self.end_sidecar)

    def end_sidecar(self):
        """It ends by itself when idle; wait, or the folder is not empty."""
        self.assertEqual(alive.wait_for_none(self.path), {})

    def handspan(self, *args, **more):
        more.setdefault("env", self.env)
        return subprocess.run([HANDSPAN, *args], cwd=self.path, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=300, **more)

    def files(self, prefix):
        return {f for f in os.listdir(self.path + "/dir")
                if f.startswith(prefix)}

    def wait_for(self, condition):
        end = time.monotonic() + 300
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)  # waits for a state

    def run_quiet(self, *command, **more):
        return self.handspan("run", "--summary=never", "--", *command, **more)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path


class Run(Base):
    # ---- statuses -----------------------------------------------------------

    def test_exit_status_and_output_are_the_programs(self):
        for status in 0, 1, 3, 125, 255:
            done = self.run_quiet("sh", "-c", f"echo out; exit {status}")
            self.assertEqual((done.returncode, done.stdout),
                             (status, "out\n"))
            self.assertNotIn("Traceback", done.stderr)

    def test_dies_of_the_programs_signal(self):
        for name in "KILL", "TERM", "SEGV", "INT":
            done = self.run_quiet("sh", "-c", f"kill -{name} $$")
            self.assertEqual(done.returncode, -getattr(signal, "SIG" + name))
        self.assertEqual([f for f in os.listdir(self.path) if "core" in f], [])

    def test_not_found_and_not_executable(self):
        self.write("plain", "text")
        for command, status, words in [
                ("no-such-program", 127, "no such program in PATH"),
                ("./none", 127, "no such program"),
                ("./plain", 126, "not executable"),
                ("/", 126, "is a directory")]:
            done = self.run_quiet(command)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertIn(command, done.stderr)

    def test_operands_after_the_command_are_its_own(self):
        done = self.handspan("run", "--summary=never", "echo", "--strict",
                             "-m", "x", "--")
        self.assertEqual(done.stdout, "--strict -m x --\n")

    @unittest.skipUnless(HAS_PRELOAD, "no preload is built")
    def test_rule_on_exit_counts_where_all_is_stored_before_we_look(self):
        """The sidecar may be done with a process before `run` gets on."""
        self.write("rule.manifest", '[[program("*"), fails(exit > 1)]];\n')
        began, go = self.path + "/began", self.path + "/go"
        os.mkfifo(began)
        os.mkfifo(go)
        run = subprocess.Popen(
            [HANDSPAN, "run", "-m", "rule.manifest", "--summary=never", "sh",
             "-c", f"echo > {began}; read x < {go}; exit 1"],
            env=self.env, cwd=self.path)
        with open(began) as f:
            f.read()
        os.kill(run.pid, signal.SIGSTOP)
        with open(go, "w") as f:
            f.write("\n")
        self.wait_for(lambda: not self.files("session-"))
        os.kill(run.pid, signal.SIGCONT)
        self.assertEqual(run.wait(300), 1)
        self.assertEqual(alive.wait_for_none(self.path), {})
        with contextlib.closing(sqlite3.connect(self.path + "/store.db")) as db:
            self.assertEqual(db.execute(
                "SELECT status, command_status FROM traces").fetchall(),
                [("ok", None)])

    # ---- signals ------------------------------------------------------------

    def test_hands_signals_on(self):
        code = "trap 'echo got; exit 9' TERM; echo ready; " \
               "while :; do read x; done"
        run = subprocess.Popen(
            [HANDSPAN, "run", "--summary=never", "sh", "-c", code],
            env=self.env, cwd=self.path, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(run.stdout.readline(), "ready\n")
        run.send_signal(signal.SIGTERM)
        run.stdin.write("\n" * 1000)  # dash runs traps after read
        run.stdin.flush()
        self.assertEqual(run.stdout.readline(), "got\n")
        self.assertEqual(run.wait(300), 9)
        run.stdin.close()
        run.stdout.close()

    def test_keyboard_signal_is_the_programs_alone(self):
        code = "trap 'exit 7' INT; echo ready; kill -INT 0; exit 1"
        run = subprocess.run(
            [HANDSPAN, "run", "--summary=never", "sh", "-c", code],
            env=self.env, cwd=self.path, capture_output=True, text=True,
            start_new_session=True, timeout=300)
        self.assertEqual(run.returncode, 7)

    def test_ignored_signals_stay_ignored(self):
        done = self.run_quiet("sh", "-c", "kill -HUP $$; echo lives",
                              preexec_fn=lambda: signal.signal(
                                  signal.SIGHUP, signal.SIG_IGN))
        self.assertEqual(done.stdout, "lives\n")

    # ---- started by the loader ----------------------------------------------

    @unittest.skipUnless(HAS_PRELOAD, "no preload here")
    def test_program_of_an_explicit_loader(self):
        self.compile("five")
        loader = "/lib64/ld-linux-x86-64.so.2"
        for options in [], ["--argv0", "other", "--inhibit-cache"]:
            done = self.run_quiet(loader, *options, "./five")
            self.assertEqual((5, ""), (done.returncode, done.stderr))
        with contextlib.closing(sqlite3.connect(self.path + "/store.db")) as db:
            self.assertEqual([("five",), ("five",)], db.execute(
                "SELECT name FROM traces").fetchall())

    # ---- programs that cannot be traced -------------------------------------

    def compile(self, name, *flags):
        source = self.write(name + ".c", "int main(void) { return 5; }\n")
        subprocess.run([CC, *flags, "-o", os.path.join(self.path, name),
                        source], check=True)
        return "./" + name

    def expect_untraced(self, program, words, status=5):
        done = self.handspan("run", program)
        self.assertEqual(done.returncode, status, done.stderr)
        if HAS_PRELOAD:
            self.assertIn(words, done.stderr)
        strict = self.handspan("run", "--strict", program)
        self.assertEqual(strict.returncode, 125, strict.stderr)
        self.assertIn("nothing was run", strict.stderr)

    def test_static_program(self):
        self.expect_untraced(self.compile("static", "-static"),
                             "statically linked")

    def test_setuid_program(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to give a program away")
        program = self.compile("setuid")
        path = os.path.join(self.path, "setuid")
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o6755)
        os.chmod(self.path, 0o755)
        self.expect_untraced(program, "setuid")

    def test_other_architecture(self):
        program = self.compile("foreign")
        path = os.path.join(self.path, "foreign")
        with open(path, "r+b") as f:
            f.seek(18)
            f.write(b"\xb7\x00")  # e_machine: AArch64
        done = self.handspan("run", program)
        if HAS_PRELOAD:
            self.assertIn("AArch64", done.stderr)
        self.assertIn("Exec format error", done.stderr)
        self.assertEqual(done.returncode, 126)

    def test_other_libc(self):
        program = self.compile("musl", "-Wl,--dynamic-linker=/lib/ld-musl.so")
        done = self.handspan("run", program)
        if HAS_PRELOAD:
            self.assertIn("/lib/ld-musl.so", done.stderr)
        self.assertEqual(done.returncode, 127)

    def test_scripts(self):
        self.write("script", "#!/bin/sh\nexit 6\n", 0o755)
        self.write("bare", "exit 8\n", 0o755)
        done = self.handspan("run", "./script")
        self.assertEqual(done.returncode, 6)
        if HAS_PRELOAD:
            self.assertIn("its interpreter /bin/sh", done.stderr)
        self.assertEqual(self.run_quiet("./bare").returncode, 8)

    # ---- manifests ----------------------------------------------------------

    def test_without_manifest_says_how_to_draft_one(self):
        done = self.handspan("run", "true")
        self.assertEqual(done.returncode, 0)
        if HAS_PRELOAD:
            self.assertIn("./handspan.manifest", done.stderr)

    def test_missing_and_unreadable_manifest(self):
        os.mkdir(self.path + "/folder")
        for name in "none.manifest", "folder":
            done = self.handspan("run", "-m", name, "sh", "-c", "exit 3")
            self.assertEqual(done.returncode, 3)
            self.assertIn(self.path + "/" + name, done.stderr)
            strict = self.handspan("run", "--strict", "-m", name, "false")
            self.assertEqual(strict.returncode, 125)

    def test_broken_manifest_runs_with_caret(self):
        self.write("handspan.manifest", "[[span, inptu(x)]] int f(int x);\n")
        done = self.handspan("run", "sh", "-c", "exit 3")
        self.assertEqual(done.returncode, 3)
        self.assertIn("handspan.manifest:1:9: error:", done.stderr)
        self.assertIn("^~~~~", done.stderr)
        strict = self.handspan("run", "--strict", "echo", "ran")
        self.assertEqual((strict.returncode, strict.stdout), (125, ""))

    def test_manifest_of_other_programs(self):
        self.write("handspan.manifest", '[[program("etl-*")]];\n')
        done = self.handspan("run", "true")
        self.assertEqual(done.returncode, 0)
        if HAS_PRELOAD:
            self.assertIn("is for other programs than 'true'", done.stderr)
            self.assertNotIn("no trace", done.stderr)

    # ---- surroundings -------------------------------------------------------

    def test_what_failed_was_not_traced(self):
        """A script's shell that the manifest leaves alone: its trace failed, and
        no call or process in it did. `errors` does not say "No errors."."""
        if not HAS_PRELOAD:
            self.skipTest("the preload is not built")
        manifest = self.write("m.manifest", '[[program("true")]];\n')
        for times in 1, 2:
            done = self.handspan("run", "--summary=never", "-m", manifest, "--",
                                 "sh", "-c", "/usr/bin/true; exit 3")
            self.assertEqual(done.returncode, 3)
            self.end_sidecar()
            said = self.handspan("errors")
            self.assertEqual(said.returncode, 0, said.stdout)
            self.assertRegex(said.stdout, {
                1: r"but trace [0-9a-f]{8}: FAILED exit 3: what failed",
                2: r"but 2 traces, the newest [0-9a-f]{8}: FAILED exit 3"}[times])
        one = self.handspan("errors", "--trace", "latest~1")
        self.assertRegex(one.stdout, r"but trace [0-9a-f]{8}: FAILED exit 3")
        fine = self.handspan("errors", "--where", "status=ok")
        self.assertEqual((fine.returncode, fine.stdout), (1, "No errors.\n"))

    def test_bad_directory(self):
        self.write("file", "")
        os.symlink(self.path, self.path + "/link")
        for name, words in [("file", "not a directory"),
                            ("link", "symbolic link"),
                            ("none/none", "No such file")]:
            done = self.handspan("run", "--dir", name, "sh", "-c", "exit 3")
            self.assertEqual(done.returncode, 3)
            if HAS_PRELOAD:
                self.assertIn(words, done.stderr)
                self.assertIn("HANDSPAN_DIR", done.stderr)

    def test_bad_store(self):
        self.write("file", "")
        done = self.handspan("run", "--store", "file/store.db",
                             "sh", "-c", "exit 3")
        self.assertEqual(done.returncode, 3)
        if HAS_PRELOAD:
            self.assertIn("file/store.db", done.stderr)

    def test_store_is_no_file(self):
        os.mkfifo(self.path + "/pipe")
        os.mkdir(self.path + "/folder")
        os.symlink("/dev/null", self.path + "/nothing")
        for name in "pipe", "folder", "nothing":
            env = dict(self.env, HANDSPAN_STORE=f"{self.path}/{name}")
            done = self.run_quiet("sh", "-c", "echo out; exit 3", env=env)
            self.assertEqual((done.returncode, done.stdout), (3, "out\n"))
            self.assertIn("no regular file", done.stderr)
            done = self.handspan("sidecar", "--once", env=env)
            self.assertEqual(done.returncode, 2)
            self.assertIn("no regular file", done.stderr)
            for screen in ("status", "list", "show"):
                if name != "folder":  # another word: golden/store.txt
                    done = self.handspan(screen, env=env)
                    self.assertIn("no regular file", done.stdout + done.stderr)
        self.assertEqual([f for f in os.listdir(self.path) if "journal" in f], [])
        self.assertFalse(os.path.exists("/dev/null-journal"))

    def test_env_without_a_store_traces_all_the_same(self):
        manifest = self.write("m.manifest", "[[span]] int f(int n);\n")
        env = dict(self.env, HANDSPAN_STORE="/dev/null")
        done = self.handspan("env", "-m", manifest, env=env)
        self.assertEqual(done.returncode, 0)
        self.assertIn("no regular file", done.stderr)
        self.assertIn(manifest, done.stdout)

    def test_what_is_not_there_is_said(self):
        """By the exit status as well."""
        self.run_quiet("true")
        self.end_sidecar()
        for args, status, word in (
                (("env", "-m", "nosuch"), 2, "nosuch"),
                (("symbolize", "--object", "nosuch"), 2, "nosuch"),
                (("uploads", "--forget=x"), 2, "handspan uploads"),
                (("on", str(os.getpid())), 1, "handspan run"),
                (("off", str(os.getpid())), 1, "No traced process")):
            done = self.handspan(*args)
            self.assertEqual(done.returncode, status, args)
            self.assertIn(word, done.stdout + done.stderr)
            self.assertNotIn("export ", done.stdout)

    def test_missing_preload(self):
        env = dict(self.env, HANDSPAN_PRELOAD=self.path + "/none.so")
        done = self.handspan("run", "sh", "-c", "exit 3", env=env)
        self.assertEqual(done.returncode, 3)
        self.assertIn("none.so", done.stderr)
        self.assertIn("untraced", done.stderr)

    def test_without_home(self):
        env = {k: v for k, v in self.env.items()
               if k not in ("HOME", "HANDSPAN_STORE")}
        env["XDG_DATA_HOME"] = self.path + "/data"
        done = self.run_quiet("sh", "-c", "exit 3", env=env)
        self.assertEqual(done.returncode, 3)

    # ---- env ----------------------------------------------------------------

    @unittest.skipUnless(HAS_PRELOAD, "no preload is built")
    def test_env_survives_eval(self):
        self.write("it's mine.manifest", '[[program("none")]];\n')
        done = self.handspan("env", "-m", "it's mine.manifest")
        out = subprocess.run(
            ["sh", "-c", done.stdout + 'unset LD_PRELOAD; '
             'printf %s "$HANDSPAN_MANIFEST"'],
            capture_output=True, text=True, check=True)
        self.assertEqual(out.stdout, self.path + "/it's mine.manifest")

    @unittest.skipUnless(HAS_PRELOAD, "no preload is built")
    def test_env_keeps_other_preloads(self):
        env = dict(self.env, LD_PRELOAD="libdl.so.2")
        done = self.handspan("env", env=env)
        self.assertRegex(done.stdout,
                         r"LD_PRELOAD='/.*/libhandspan.so:libdl.so.2'")


@unittest.skipUnless(HAS_PRELOAD, "no preload is built")
class Traced(Base):
    """What lies in the store afterwards."""

    def traces(self):
        done = self.handspan("list", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(lines[0], {"schema": 1})
        return lines[1:]

    def test_how_it_ended_is_stored(self):
        for code, signal_number, exit_code, words in [
                ("exit 4", None, 4, "failed after"),
                ("kill -KILL $$", 9, None, "KILLED SIGKILL after"),
                ("exit 0", None, 0, "done after")]:
            done = self.handspan("run", "--summary=always", "sh", "-c", code)
            self.assertIn(words, done.stderr)
            trace = self.traces()[0]
            self.assertEqual(trace["signal"], signal_number)
            self.assertEqual(trace["exit_code"], exit_code)
            self.assertIn(trace["trace_id"][:8], done.stderr)
            self.assertNotEqual(trace["status"], "open")

    def test_no_certificate_stays(self):
        self.run_quiet("sh", "-c", "kill -KILL $$")
        self.end_sidecar()
        left = [f for f in os.listdir(self.path + "/dir") if "reaped" in f]
        self.assertEqual(left, [])

    @unittest.skipUnless(HAS_PRELOAD, "no preload")
    def test_an_interrupt_ends_the_waiting_not_the_storing(self):
        sidecar = subprocess.Popen([HANDSPAN, "sidecar", "--stay"],
                                   env=self.env, stdin=subprocess.DEVNULL)
        self.addCleanup(sidecar.wait)
        self.addCleanup(sidecar.kill)
        self.wait_for(lambda: '"sidecar":true' in self.handspan(
            "status", "--json").stdout)
        self.write("m", "[[span]] int main();")
        for word, summary in (("goes on storing", "auto"), ("", "never")):
            before = self.files("reaped-")
            sidecar.send_signal(signal.SIGSTOP)
            run = subprocess.Popen(
                [HANDSPAN, "run", "-m", self.path + "/m",
                 "--summary=" + summary, "sh", "-c", "exit 3"], env=self.env,
                text=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.wait_for(lambda: self.files("reaped-") - before)
            run.send_signal(signal.SIGINT)
            said = run.communicate(timeout=300)[1]
            self.assertEqual(run.returncode, 3, said)
            self.assertIn(word, said)
            self.assertEqual(word == "", said == "")
            sidecar.send_signal(signal.SIGCONT)
            self.wait_for(lambda: not self.files("session-"))
        self.assertEqual(len(self.handspan("list", "--json").stdout
                             .splitlines()), 3)

    def test_switched_off(self):
        self.assertEqual(self.handspan("off").returncode, 0)
        done = self.handspan("run", "true")
        self.assertEqual(done.returncode, 0)
        self.assertIn("switched off", done.stderr)
        self.assertNotIn("no trace", done.stderr)
        self.assertNotIn('"trace_id"', self.handspan("list", "--json").stdout)
        self.handspan("on")
        self.run_quiet("true")
        self.assertEqual(len(self.traces()), 1)


if __name__ == "__main__":
    unittest.main()
