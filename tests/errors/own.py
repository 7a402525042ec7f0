#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs with handlers of their own for fatal signals: what they see of
them, and how they end or live on, is as untraced; the store has the stack of
the fault where it ended the program, and no error where it did not.

  own.py BUILD [CASE...]
"""
import json
import os
import pathlib
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent / "own"
TIMEOUT_S = 300
STORM_MOST = 2.0  # of the untraced time; a loaded machine may double it

# case: (kind of error, of which signal, status of the process)
DIES = ("SIGSEGV", ["fault", "work", "main"])
CASES = {
    "_exit": DIES, "_exit0": DIES, "exit": DIES, "exit_alt": DIES,
    "abort": DIES, "raise": DIES, "raise_alt": DIES, "return": DIES,
    "reset": DIES, "plain": DIES, "default": DIES,
    "jump": None, "jump_alt": None, "jump_fails": None, "step": None,
    "step_alt": None, "storm": None, "ask": None, "threads": None,
    "raw": None,   # no reaper, no marker: its end is not known
    "many": None,  # more handlers than are watched: as if we were not there
    "sent": ("SIGSEGV", []),
    "jump_exit": None,
}


def same(seen, meant, what):
    if seen != meant:
        raise AssertionError(f"{what}: {seen!r}, not {meant!r}")


def truth(holds, what):
    if not holds:
        raise AssertionError(what)


def plain_text(seen):
    """Without addresses: of a thread, where Python says which."""
    return seen[0], *(re.sub(rb"0x[0-9a-f]{12,}", b"0x", text)
                      for text in seen[1:])


class World:
    def __init__(self, build, work):
        self.handspan = str(build / "bin/handspan")
        self.work, self.count = work, 0
        (work / "lanes").mkdir(mode=0o700)
        self.plain = {k: v for k, v in os.environ.items()
                      if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        self.ours = dict(self.plain, HANDSPAN_DIR=str(work / "lanes"),
                         HANDSPAN_STORE=str(work / "store.db"))
        self.preload = str(build / "lib/libhandspan.so")

    def execute(self, words, env):
        def limit():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        done = subprocess.run(words, cwd=self.work, env=env, timeout=TIMEOUT_S,
                              capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, preexec_fn=limit)
        return done.returncode, done.stdout, done.stderr

    def run(self, words, manifest, status_only=False):
        """Untraced and traced; the spans and processes of the traced one."""
        self.count += 1
        trace = f"{self.count:08x}" + "2" * 24
        env = dict(self.ours, LD_PRELOAD=self.preload, HANDSPAN_SIDECAR="off",
                   HANDSPAN_MANIFEST=str(manifest),
                   TRACEPARENT=f"00-{trace}-{1:016x}-01")
        untraced = self.execute(words, self.plain)
        traced = self.execute(words, env)
        same(plain_text(traced)[:1 if status_only else 3],
             plain_text(untraced)[:1 if status_only else 3],
             "status, output")
        subprocess.run([self.handspan, "sidecar", "--once"], env=self.ours,
                       check=True, capture_output=True, timeout=TIMEOUT_S)
        db = sqlite3.connect(f"file:{self.work}/store.db?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        spans = db.execute(
            "SELECT i.name, s.* FROM spans s JOIN sites i USING (session, "
            "site) JOIN traces t USING (trace) WHERE t.trace_id = ? "
            "ORDER BY s.ref", [bytes.fromhex(trace)]).fetchall()
        db.close()
        return spans, traced


def check(world, name, meant):
    spans, _ = world.run(["./own", name], HERE / "own.manifest")
    errors = [json.loads(r["error"]) for r in spans if r["error"]]
    if name == "jump_exit":  # lived on once, then jumped out again
        same([r["status"] for r in spans], ["ok", "ok"], "handlers")
    if meant is None:
        same(errors, [], "errors")
        return
    kind, functions = meant
    same([e["type"] for e in errors], [kind], "errors")
    error, = errors
    own = [f for f in error["stack"] if (f["object"] or "").endswith("/own")]
    same([f["function"] for f in own][:3], functions or
         [f["function"] for f in own][:3], "frames of the program")
    if functions:
        same(own[0]["line"], LINE, "line")
        same(error.get("stack_ended"), None, "how the stack ends")
        same((error["fault_address"], error["signal_code"]), ("0x10", 1),
             "the fault")
    else:
        names = [f["function"] for f in error["stack"]]
        truth("work" in names and "main" in names, f"frames {names}")


def storm(world):
    """100,000 faults that the program lives on cost it little more."""
    def time(env):
        return min(int(world.execute(["./own", "storm"], dict(
            env, OWN_TIME="1"))[2]) for _ in range(3))
    env = dict(world.ours, LD_PRELOAD=world.preload, HANDSPAN_SIDECAR="off",
               HANDSPAN_MANIFEST=str(HERE / "own.manifest"))
    plain, traced = time(world.plain), time(env)
    print(f"100,000 faults handled: {plain / 100:.0f} ns each untraced, "
          f"{traced / 100:.0f} traced")
    truth(traced < STORM_MOST * plain, "that is too much")


PYTHON = """
import ctypes, faulthandler
faulthandler.enable()
print("begun", flush=True)
ctypes.string_at(8)
"""


def python(world):
    """faulthandler writes its own trace and raises the signal again."""
    manifest = world.work / "python.manifest"
    manifest.write_text("[[object(main)]];\n"
                        "[[span]] int Py_BytesMain(int argc, char **argv);\n")
    spans, traced = world.run(["/usr/bin/python3", "-I", "-c", PYTHON],
                              manifest)
    truth(b"Fatal Python error: Segmentation fault" in traced[2], traced[2])
    error, = [json.loads(r["error"]) for r in spans if r["error"]]
    same(error["type"], "SIGSEGV", "type")
    same(error["fault_address"], "0x8", "address")
    names = [f["function"] or "" for f in error["stack"]]
    truth(any("strlen" in n for n in names[:3]), f"frames {names[:9]}")
    truth(not any("faulthandler" in n for n in names), "the handler is in it")


def bash(world):
    """bash puts its terminal right and raises the signal again."""
    manifest = world.work / "bash.manifest"
    manifest.write_text("[[object(main)]];\n"
                        "[[span]] int execute_command(void *command);\n")
    spans, _ = world.run(["/bin/bash", "-c",
                          "trap 'echo leaving' EXIT; echo begun; "
                          "kill -SEGV $$; echo lived"], manifest)
    errors = [json.loads(r["error"]) for r in spans if r["error"]]
    truth(errors, f"{[(r['name'], r['status']) for r in spans]}")
    same(errors[-1]["type"], "SIGSEGV", "type")


def java(world):
    """The VM lives on 200,000 faults, then one kills it: it asks the system
    many things, among them addresses that are not there, and exits."""
    subprocess.run(["javac", "-d", world.work, HERE / "Own.java"], check=True,
                   capture_output=True)
    manifest = world.work / "java.manifest"
    # one that F carries: the VM's own code calls it, and what Z would carry is
    # only counted then
    manifest.write_text("[[object(\"libjvm.so\")]];\n[[span]] void "
                        "*JVM_NewInstanceFromConstructor(void *env, "
                        "void *constructor, void *arguments);\n")
    words = ["java", "-Xint", "-Xmx64m", "-XX:+UseSerialGC", "-Xshare:auto",
             "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null", "Own"]
    spans, _ = world.run(words, manifest)
    same([(r["status"], r["error"]) for r in spans], [("ok", None)],
         "handlers")
    spans, traced = world.run([*words, "die"], manifest, True)
    truth(b"SIGSEGV (0xb)" in traced[1], traced[1])
    error, = [json.loads(r["error"]) for r in spans if r["error"]]
    same((error["type"], error["fault_address"], error["cause"]),
         ("SIGSEGV", "0x10", None), "error")
    same(error["stack"][0]["function"], "Unsafe_PutInt", "innermost")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    failed = []
    with tempfile.TemporaryDirectory(prefix="handspan-own-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        work = pathlib.Path(top)
        subprocess.run([os.environ.get("CC", "cc"), "-g", "-O2", "-w", "-o",
                        work / "own", HERE / "own.c", "-pthread"], check=True)
        world = World(build, work)
        chosen = sys.argv[2:]
        steps = [(name, lambda n=name, m=meant: check(world, n, m))
                 for name, meant in CASES.items()]
        steps.append(("time", lambda: storm(world)))
        if os.access("/usr/bin/python3", os.X_OK):
            steps.append(("python", lambda: python(world)))
        if shutil.which("bash"):
            steps.append(("bash", lambda: bash(world)))
        if shutil.which("javac") and shutil.which("java"):
            steps.append(("java", lambda: java(world)))
        else:
            print("no java")
        for name, step in steps:
            if chosen and name not in chosen:
                continue
            try:
                step()
            except AssertionError as problem:
                failed.append(f"{name}: {problem}")
        log = work / "lanes/log"
        if failed and log.exists():
            print(log.read_text()[-2000:])
    for text in failed:
        print("FAILED", text)
    sys.exit(1 if failed else 0)


LINE = next(n for n, line in enumerate(
    (HERE / "own.c").read_text().splitlines(), 1)
    if re.search(r"@fault \*/", line))
main()
