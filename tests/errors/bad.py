#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Failures whose stack, heap, loader or files are broken, too: the program
ends byte for byte as it does untraced (output, status, core dump), the sidecar
goes on, and the store says what could be known and why not more.

  bad.py BUILD [CASE...]
"""
import json
import os
import pathlib
import re
import resource
import signal
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent / "bad"
TIMEOUT_S = 300


class Case:
    """`args` of the program; `spoil(folder)` runs between the program's end
    and the naming; `see(case)` says what must be known."""
    def __init__(self, name, see, program="bad", args=None, spoil=None,
                 core=False, live=False):
        self.name, self.see, self.spoil = name, see, spoil
        self.program, self.core, self.live = program, core, live
        self.args = [name] if args is None else args
        self.spans = self.ends = self.screen = self.tree = None
        self.totals = self.throws = None


def same(seen, meant, what):
    if seen != meant:
        raise AssertionError(f"{what}: {seen!r}, not {meant!r}")


def truth(holds, what):
    if not holds:
        raise AssertionError(what)


# ---- what is to be said -----------------------------------------------------


def error_of(case, site="work"):
    rows = [r for r in case.spans if r["name"] == site and r["error"]]
    truth(rows, f"no error: {[tuple(r) for r in case.spans]} "
          f"{[tuple(r) for r in case.ends]}")
    return json.loads(rows[0]["error"])


def fatal(number, functions, ended=None, where=None):
    """A fatal signal: the innermost frames of the program, in this order,
    the line of the first one, and how the stack ends."""
    def see(case):
        error = error_of(case)
        same(error["type"], "SIG" + signal.Signals(number).name[3:], "type")
        own = [f for f in error["stack"]
               if not re.search(r"libc\.so|ld-linux|libstdc|libgcc",
                                f["object"] or "")]
        same([f["function"] for f in own][:len(functions)], functions,
             "frames of the program")
        if where:
            same(own[0]["line"], LINES[where], "line")
        same(error.get("stack_ended"), ended, "how the stack ends")
        if ended:
            truth(f"the stack is {ended} above" in case.screen,
                  f"the reason is not shown:\n{case.screen}")
    return see


def no_stack(case):
    """No room for a handler: nothing but what was open."""
    rows = [r for r in case.spans if r["name"] == "work"]
    same([(r["status"], r["ended_by"], r["error"]) for r in rows],
         [("unfinished", "unknown", None)], "the handler")
    same([(r["status"], r["signal"], r["end_source"]) for r in case.ends],
         [("unfinished", None, None)], "the process")
    truth("cause unknown" in case.tree, "it is not said:\n" + case.tree)


def no_handler(case):
    same([r["error"] for r in case.spans], [], "spans")
    same([(r["status"], r["signal"], r["end_source"]) for r in case.ends],
         [("error", 11, "marker")], "the process")
    truth("no handler was open" in case.screen, "not said:\n" + case.screen)


def before_us(case):
    same((case.spans, case.ends), ([], []), "recorded")


def trouble(text):
    """The object's file is not what ran: its frames say so."""
    def see(case):
        error = error_of(case)
        frame = error["stack"][0]
        same((frame["function"], frame.get("trouble")), (None, text),
             "frame of the object")
        truth(frame["offset"] and frame["build_id"], "nothing is kept of it")
        truth(text in case.screen, "it is not said:\n" + case.screen)
    return see


def broken_dwarf(case):
    error = error_of(case)
    same(error["type"], "SIGSEGV", "type")
    names = [f["function"] for f in error["stack"]]
    truth("work" in names and "main" in names,
          f"not even the symbols: {names}")


def foreign_debug(case):
    error = error_of(case)
    own = [f for f in error["stack"] if f["object"].endswith("/bad")]
    truth(own and all(f["line"] is None for f in own),
          f"the wrong file was used: {own}")
    truth("another build" in case.screen, "it is not said:\n" + case.screen)


def wild_rows(case):
    rows = [r for r in case.spans if r["name"] == "work"]
    same([r["status"] for r in rows], ["ok"] * 7, "status")
    values = [json.loads(r["input"]) for r in rows]
    same([v.get("name") for v in values],
         ["good"] + [None] * 6, "what could be read")


def storm(case):
    count, errors = case.totals["again_fails"]
    same((count, errors), (100000, 100000), "calls, errors")
    truth(len([r for r in case.spans if r["name"] == "again_fails"]) <=
          100000, "too many")


def thrown(case):
    """Out of a constructor, through the loader, and nobody catches it."""
    error = error_of(case)
    same(error["type"], "SIGABRT", "type")
    names = [f["function"] for f in error["stack"]]
    truth("begin" in " ".join(n or "" for n in names),
          f"the constructor: {names}")


def caught(case):
    row, = [r for r in case.spans if r["name"] == "work"]
    same((row["status"], row["error"]), ("ok", None), "the handler")
    same(case.throws, [("work", "std::runtime_error", 1)], "throws")


def crowd(case):
    rows = [r for r in case.spans if r["name"] == "work"]
    same(len(rows), 500, "handlers")
    dead = [json.loads(r["error"]) for r in rows if r["error"]]
    truth(dead, "no thread says where it died")
    for error in dead:
        same(error["type"], "SIGSEGV", "type")
        if error["stack"]:
            same(error["stack"][0]["function"], "fault", "innermost")


# ---- spoiled files ----------------------------------------------------------


def delete(folder):
    os.unlink(folder / "bad")


def replace(folder):
    shutil.copy(folder / "early" / "bad", folder / "new")
    os.rename(folder / "new", folder / "bad")


def overwrite(folder):
    (folder / "bad").write_bytes(b"#!/bin/sh\n" * 1000)


def cut_file(folder):
    """As an upload that stopped half way."""
    data = (folder / "bad").read_bytes()
    (folder / "bad").write_bytes(data[:len(data) // 2])


def sections(path):
    out = subprocess.run(["readelf", "-SW", path], check=True, text=True,
                         capture_output=True).stdout
    return {m[1]: (int(m[2], 16), int(m[3], 16)) for m in re.finditer(
        r"\] (\.debug\S+) +PROGBITS +\S+ +(\S+) +(\S+)", out)}


def rewrite(folder, change):
    path = folder / "bad"
    data = bytearray(path.read_bytes())
    for name, (at, size) in sections(path).items():
        data[at:at + size] = change(name, bytes(data[at:at + size]))
    path.write_bytes(data)


def cut_sections(folder):
    """Each ends in the middle of something."""
    rewrite(folder, lambda _, b: b[:len(b) // 2 + 1] +
            b"\xff" * (len(b) - len(b) // 2 - 1))


def cut_info(folder):
    """The section is shorter than what it says of itself."""
    path = folder / "bad"
    for name in (".debug_info", ".debug_line", ".debug_abbrev"):
        part = folder / "part"
        subprocess.run(["objcopy", "-O", "binary", "--only-section", name,
                        "--set-section-flags", name + "=alloc", path, part],
                       check=True)
        os.truncate(part, part.stat().st_size // 3)
        subprocess.run(["objcopy", "--update-section", f"{name}={part}", path],
                       check=True)


def garbage(folder):
    rewrite(folder, lambda n, b: bytes((x * 167 + 13) & 255 for x in b)
            if n != ".debug_str" else b)


def foreign(folder):
    """A debug file of the right name; of another build."""
    shutil.copy(folder.parent / "early" / "bad", folder / "bad.debug")


SEGV, ABRT = signal.SIGSEGV, signal.SIGABRT
CASES = [
    Case("corrupt", fatal(SEGV, ["corrupt"], "lost", "corrupt")),
    Case("smash", fatal(SEGV, [None], "lost")),
    Case("canary", fatal(ABRT, ["canary"], "lost")),
    Case("circle", fatal(SEGV, ["circle_inner"], "lost")),
    Case("overflow", no_stack),
    Case("overflow_alt", fatal(SEGV, ["deep"] * 9, "truncated")),
    Case("wild_list", fatal(SEGV, ["again", "wild_list", "work", "main"],
                            None, "malloc")),
    Case("wild_top", fatal(ABRT, ["again", "wild_top", "work", "main"], None,
                           "malloc")),
    Case("twice", fatal(ABRT, ["free_twice", "work", "main"], None, "twice")),
    Case("early", fatal(SEGV, ["fault", "work", "early"], None, "fault"),
         program="early/bad", args=[]),
    Case("early_library", no_handler, program="linked/bad", args=[]),
    Case("early_ifunc", before_us, program="chosen/bad", args=[]),
    Case("constructor", fatal(SEGV, ["begin", "load", "work", "main"], None,
                              "constructor"), args=["./fault.so"]),
    Case("resolver", fatal(SEGV, ["choose", "load", "work", "main"], None,
                           "choose"), args=["./ifunc.so"]),
    Case("throw", thrown, args=["./throw.so"]),
    Case("catch", caught, args=["./catch.so"]),
    Case("rows", wild_rows),
    Case("storm", storm),
    Case("together", crowd, live=True),
    Case("core", fatal(SEGV, ["fault", "work", "main"], None, "fault"),
         args=["fault"], core=True),
    Case("core_abort", fatal(ABRT, ["work", "main"]), args=["abort"],
         core=True),
    Case("deleted", trouble("no file"), args=["fault"], spoil=delete),
    Case("replaced", trouble("another file now"), args=["fault"],
         spoil=replace),
    Case("overwritten", trouble("no ELF file"), args=["fault"],
         spoil=overwrite),
    Case("cut_file", trouble("the file is cut short"), args=["fault"], spoil=cut_file),
    Case("cut_sections", broken_dwarf, args=["fault"], spoil=cut_sections),
    Case("cut_info", broken_dwarf, args=["fault"], spoil=cut_info),
    Case("garbage", broken_dwarf, args=["fault"], spoil=garbage),
    Case("foreign_debug", foreign_debug, program="stripped/bad",
         args=["fault"], spoil=foreign),
]


# ---- running ----------------------------------------------------------------


def lines():
    found = {}
    for name in ("bad.c", "badlib.cpp"):
        for n, line in enumerate((HERE / name).read_text().splitlines(), 1):
            for mark in re.findall(r"@(\w+) \*/", line):
                found[mark] = n
    return found


def build_all(to):
    cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    flags = ["-g", "-O2", "-w", "-fno-omit-frame-pointer"]
    for how in ("throw", "catch", "fault", "ifunc"):
        subprocess.run([cxx, *flags, "-fPIC", "-shared",
                        f"-DHOW_{how.upper()}", "-o", f"{how}.so",
                        HERE / "badlib.cpp"], cwd=to, check=True)
    for name, more in (("bad", []), ("early/bad", ["-DEARLY"]),
                       ("linked/bad", ["-Wl,--no-as-needed", "./fault.so"]),
                       ("chosen/bad", ["-Wl,--no-as-needed", "./ifunc.so"])):
        (to / name).parent.mkdir(exist_ok=True)
        subprocess.run([cc, *flags, "-o", name, HERE / "bad.c", "-pthread",
                        "-no-pie", *more], cwd=to, check=True)
    (to / "stripped").mkdir()
    shutil.copy(to / "bad", to / "stripped/bad")
    shutil.copy(to / "bad", to / "stripped/bad.debug")
    subprocess.run(["objcopy", "--strip-debug",
                    "--add-gnu-debuglink=bad.debug", "bad"],
                   cwd=to / "stripped", check=True)


def execute(case, folder, env):
    most = resource.RLIM_INFINITY if case.core else 0
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([f"./{case.program}", *case.args],
                                 cwd=folder, env=env, stdout=out, stderr=err,
                                 preexec_fn=limit)
        _, status = os.waitpid(child.pid, 0)
        child.returncode = 0
        out.seek(0)
        err.seek(0)
        said = out.read(), err.read()
    cores = list(folder.rglob("core*"))
    for core in cores:
        core.unlink()
    return (*said, os.waitstatus_to_exitcode(status), os.WCOREDUMP(status),
            len(cores))


def prepare(case, made, work):
    """A copy for each case: files are spoiled."""
    folder = work / case.name
    shutil.copytree(made, folder)
    return folder


def wait_stored(lanes, most_s):
    end = time.monotonic() + most_s
    while time.monotonic() < end and list(lanes.glob("session-*")):
        time.sleep(0.05)


class Store:
    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.db.row_factory = sqlite3.Row

    def rows(self, text, trace):
        return self.db.execute(text, [trace]).fetchall()

    def fill(self, case, trace_id):
        found = self.rows("SELECT trace FROM traces WHERE trace_id = ?",
                          bytes.fromhex(trace_id))
        trace = found[0]["trace"] if found else -1
        case.spans = self.rows(
            "SELECT i.name, s.* FROM spans s JOIN sites i USING (session, "
            "site) WHERE s.trace = ? ORDER BY s.ref", trace)
        case.ends = self.rows("SELECT * FROM processes WHERE trace = ?", trace)
        case.totals = {r["name"]: (r["calls"], r["errors"]) for r in self.rows(
            "SELECT i.name, r.* FROM rollups r JOIN sites i USING (session, "
            "site) WHERE r.trace = ?", trace)}
        case.throws = [tuple(r) for r in self.rows(
            "SELECT DISTINCT i.name, t.type, t.count FROM throws t JOIN "
            "sites i USING (session, site) JOIN spans s USING (session) "
            "WHERE s.trace = ?", trace)]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    handspan = str(build / "bin/handspan")
    chosen = [c for c in CASES if not sys.argv[2:] or c.name in sys.argv[2:]]
    failed = []
    with tempfile.TemporaryDirectory(prefix="handspan-bad-",
                                     dir=os.environ.get("TEST_MEMORY")) as top:
        work = pathlib.Path(top)
        (work / "lanes").mkdir(mode=0o700)
        made = work / "made"
        made.mkdir()
        build_all(made)
        plain = {k: v for k, v in os.environ.items()
                 if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        ours = dict(plain, HANDSPAN_DIR=str(work / "lanes"),
                    HANDSPAN_STORE=str(work / "store.db"), COLUMNS="200")
        for number, case in enumerate(chosen, 1):
            folder = prepare(case, made, work)
            trace = f"{number:08x}" + "1" * 24
            env = dict(ours, LD_PRELOAD=str(build / "lib/libhandspan.so"),
                       HANDSPAN_SIDECAR="off", HANDSPAN_WAIT_MS="2000",
                       HANDSPAN_MANIFEST=str(HERE / "bad.manifest"),
                       TRACEPARENT=f"00-{trace}-{1:016x}-01")
            if case.live:
                env["HANDSPAN_SIDECAR"] = handspan
            untraced = execute(case, folder, plain)
            traced = execute(case, folder, env)
            if case.core and CORES and not untraced[3]:
                failed.append(f"{case.name}: no core dump to compare with")
            if traced != untraced:
                failed.append(f"{case.name}: {traced}, untraced {untraced}")
            if case.spoil:
                case.spoil(folder / os.path.dirname(case.program))
            wait_stored(work / "lanes", TIMEOUT_S if case.live else 0)
            done = subprocess.run([handspan, "sidecar", "--once"], env=ours,
                                  capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)
            left = list((work / "lanes").glob("session-*"))
            if done.returncode or left:
                failed.append(f"{case.name}: sidecar {done.returncode} "
                              f"{done.stderr}{left}")
        store = Store(work / "store.db")
        for number, case in enumerate(chosen, 1):
            store.fill(case, f"{number:08x}" + "1" * 24)
            case.screen, case.tree = (subprocess.run(
                [handspan, *words], env=ours, capture_output=True, text=True,
                timeout=TIMEOUT_S, check=False).stdout for words in (
                    ["errors", "--full", f"--trace={number:08x}"],
                    ["show", f"{number:08x}"]))
            try:
                case.see(case)
            except AssertionError as problem:
                failed.append(f"{case.name}: {problem}")
        log = work / "lanes/log"
        if log.exists():
            print(log.read_text()[-2000:])
    print(f"{len(chosen)} cases")
    for text in failed:
        print("FAILED", text)
    sys.exit(1 if failed else 0)


LINES = lines()
CORES = resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
main()
