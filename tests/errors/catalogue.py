#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Forty and more ways to fail, against what is known to be true and against
gdb: catalogue.py BUILD [CASE...]

Truth: the lines of the sources that carry a marker `@NAME`, and the table
below. For each case with a stack gdb runs the same program untraced, to a
breakpoint at the marker or to the signal, and its frames are compared one by
one with those of handspan.
"""
import collections
import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent / "catalogue"
SOURCES = ("fail.c", "throw.cpp", "lib.c")
OWN = ("fail", "throw", "libfail.so", "plugin.so")
WHOLE = 0.95

Case = collections.namedtuple(
    "Case", "name program args kind type origin cause how build")


def rule(name, type_, call, text, origin=None, how="main", build="O2",
         program="fail"):
    return Case(f"{name}/{how}/{build}", program, [name, how], "rule", type_,
                origin or name, (call, text) if call else None, how, build)


def signal(name, type_, origin=None, how="main", build="O2"):
    return Case(f"{name}/{how}/{build}", "fail", [name, how], "signal", type_,
                origin or name, None, how, build)


def thrown(name, type_, message, origin=None, how="main", build="O2"):
    return Case(f"{name}/{how}/{build}", "throw", [name, how], "exception",
                type_, origin or name, message, how, build)


def death(name, status, ended_by):
    return Case(f"{name}/main/O2", "fail", [name, "main"], "death", status,
                None, ended_by, "main", "O2")


def overdue(name, message, how="main", build="O2", stack=True):
    return Case(f"{name}/{how}/{build}", "fail", [name, how], "overdue",
                message, name.removesuffix("_stop") if stack else None,
                name.endswith("_stop"), how, build)


RULES = [
    rule("open", "ENOENT", "open", "/nonexistent/x.csv"),
    rule("open", "ENOENT", "open", "/nonexistent/x.csv", build="O0"),
    rule("open", "ENOENT", "open", "/nonexistent/x.csv", build="split"),
    rule("open", "ENOENT", "open", "/nonexistent/x.csv", how="thread"),
    rule("open", "ENOENT", "open", "/nonexistent/x.csv", how="fork"),
    rule("open", "ENOENT", "open", "/nonexistent/x.csv", how="fiber"),
    rule("open_write", "EISDIR", "open", "/proc"),
    rule("openat", "ENOENT", "openat", "/nonexistent"),
    rule("fopen", "ENOENT", "open", "/nonexistent/y"),
    rule("opendir", "ENOENT", "opendir", "/nonexistent"),
    rule("read", "EBADF", "read", None),
    rule("full", "ENOSPC", "write", None),
    rule("connect", "ENOENT", "connect", None),
    rule("mkdir", "EEXIST", "mkdir", "/proc"),
    rule("rename", "ENOENT", "rename", "/nonexistent/a"),
    rule("unlink", "ENOENT", "unlink", "/nonexistent/a"),
    rule("mmap", "EBADF", "mmap", None),
    rule("inlined", "ENOENT", "open", "/nonexistent/i"),
    rule("inlined", "ENOENT", "open", "/nonexistent/i", build="split"),
    rule("two", "ENOENT", "open", "/nonexistent/second"),
    rule("lib", "ENOENT", "open", "/nonexistent/lib", "lib_open"),
    rule("plugin", "ENOENT", "open", "/nonexistent/plugin", "lib_open"),
    rule("code", None, None, None),
]
SIGNALS = [
    signal("segv_write", "SIGSEGV"),
    signal("segv_write", "SIGSEGV", build="O0"),
    signal("segv_write", "SIGSEGV", build="split"),
    signal("segv_write", "SIGSEGV", how="thread"),
    signal("segv_write", "SIGSEGV", how="fork"),
    signal("segv_write", "SIGSEGV", how="fiber"),
    signal("segv_read", "SIGSEGV"),
    signal("segv_rodata", "SIGSEGV"),
    signal("jump", "SIGSEGV"),
    signal("memcpy", "SIGSEGV"),
    signal("segv_lib", "SIGSEGV", "lib_segv"),
    signal("segv_plugin", "SIGSEGV", "lib_segv"),
    signal("fpe", "SIGFPE"),
    signal("ill", "SIGILL"),
    signal("bus", "SIGBUS"),
    signal("sys", "SIGSYS"),
    signal("abort", "SIGABRT"),
    signal("assert", "SIGABRT"),
    signal("free", "SIGABRT"),
]
THROWS = [
    thrown("runtime", "std::runtime_error", "cannot parse"),
    thrown("runtime", "std::runtime_error", "cannot parse", build="O0"),
    thrown("runtime", "std::runtime_error", "cannot parse", build="split"),
    thrown("runtime", "std::runtime_error", "cannot parse", how="thread"),
    thrown("own", "etl::bad_row", "row 17"),
    thrown("plain", "etl::plain", None),
    thrown("int", "int", None),
    thrown("library", "std::out_of_range", None),
    thrown("system", "std::system_error", "No such file or directory"),
    thrown("unwound", "etl::bad_row", "row 17", "own"),
    thrown("again", "std::runtime_error", "cannot parse", "runtime"),
    thrown("nested", None, "outer"),
]
DEATHS = [
    death("exit", ("error", 3, None), ("ok", "exit")),
    death("_exit", ("error", 4, None), ("ok", "exit")),
    death("quick_exit", ("error", 5, None), ("ok", "exit")),
    death("exec", ("error", 1, None), ("unfinished", "exec")),
    death("kill", ("error", None, 9), ("unfinished", "killed")),
    death("term", ("error", None, 15), ("unfinished", "signal")),
]
OVERDUE = [
    overdue("read_long", "waiting in read(0)"),
    overdue("read_long", "waiting in read(0)", build="O0"),
    overdue("read_long", "waiting in read(0)", build="split"),
    overdue("read_long", "waiting in read(0)", how="thread"),
    overdue("read_long", "waiting in read(0)", how="fork"),
    overdue("read_long", "waiting in read(0)", how="fiber"),
    overdue("wait_long", "waiting in futex"),
    overdue("wait_long", "waiting in futex", build="O0"),
    overdue("spin_long", "running", stack=False),
    overdue("read_long_stop", "waiting in read(0)"),
    overdue("read_long_stop", "waiting in read(0)", how="thread"),
    overdue("read_long_stop", "waiting in read(0)", how="fork"),
    overdue("wait_long_stop", "waiting in futex", build="O0"),
    overdue("spin_long_stop", "running"),
    overdue("spin_long_stop", "running", how="thread", build="O0"),
]
CASES = RULES + SIGNALS + THROWS + DEATHS + OVERDUE


def markers():
    out = {}
    for name in SOURCES:
        for n, line in enumerate((HERE / name).read_text().splitlines(), 1):
            for mark in re.findall(r"@(\w+) \*/", line):
                out.setdefault(name, {})[mark] = n
    return out


def build_all(work):
    cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    for name, flags in (("O2", "-O2"), ("O0", "-O0 -fno-omit-frame-pointer"),
                        ("split", "-O2 -rdynamic")):
        to = work / name
        to.mkdir()
        flags = ["-g", *flags.split(), "-w"]
        for so, call in (("libfail.so", "lib_call"),
                         ("plugin.so", "plugin_call")):
            subprocess.run([cc, *flags, "-fPIC", "-shared",
                            f"-DLIB_CALL={call}", "-o", to / so,
                            HERE / "lib.c"], check=True)
        for compiler, source, libs in (
                (cc, "fail.c", ["./libfail.so", "-pthread"]),
                (cxx, "throw.cpp", ["-pthread"])):
            subprocess.run([compiler, *flags, "-o",
                            to / source.split(".")[0], HERE / source, *libs],
                           cwd=to, check=True)
    for name in OWN:
        # GDB and elfutils both find NAME.debug beside the object
        at = work / "split" / name
        debug = f"{name}.debug"
        for words in (["--only-keep-debug", name, debug],
                      ["--strip-all", name],
                      [f"--add-gnu-debuglink={debug}", name]):
            subprocess.run(["objcopy", *words], cwd=at.parent, check=True)


class Tracer:
    def __init__(self, build, work):
        self.handspan = str(build / "bin" / "handspan")
        self.work = work
        (work / "lanes").mkdir(mode=0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        self.env.update(HANDSPAN_DIR=str(work / "lanes"),
                        HANDSPAN_STORE=str(work / "store.db"))

    def run(self, number, case):
        env = dict(self.env, TRACEPARENT=f"00-{number + 1:032x}-"
                   f"{1:016x}-01")
        late = case.kind == "overdue"
        run = subprocess.Popen(
            [self.handspan, "run", "-m", HERE / "catalogue.manifest", "--",
             f"./{case.program}", *case.args], cwd=self.work / case.build,
            env=env, stdin=subprocess.PIPE if late else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if late:
            self.wait_overdue(number)
        run.communicate(timeout=300)

    def wait_overdue(self, number):
        """Until it is in the store, while the call still goes on."""
        for _ in range(1200):
            try:
                if self.overdue(number):
                    return
            except sqlite3.OperationalError:
                pass  # the sidecar is just making it
            time.sleep(0.05)

    def overdue(self, number):
        db = sqlite3.connect(f"file:{self.work}/store.db?mode=ro", uri=True)
        try:
            return db.execute(
                "SELECT o.detail, s.status, s.ended_by, s.duration_ns, i.name,"
                " i.overdue_ns, g.count FROM overdue o JOIN spans s "
                "USING (session, ref) JOIN sites i USING (session, site) "
                "JOIN error_groups g ON g.fingerprint = o.fingerprint "
                "JOIN traces t USING (trace) WHERE t.trace_id = ?",
                [(number + 1).to_bytes(16, "big")]).fetchall()
        finally:
            db.close()

    def finish(self):
        subprocess.run([self.handspan, "sidecar", "--once"], env=self.env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=300, check=False)

    def rows(self, number):
        db = sqlite3.connect(f"file:{self.work}/store.db?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        trace = db.execute("SELECT trace FROM traces WHERE trace_id = ?",
                           [(number + 1).to_bytes(16, "big")]).fetchone()
        if trace is None:
            return {}, []
        spans = {r["name"]: r for r in db.execute(
            "SELECT i.name, s.* FROM spans s JOIN sites i USING (session, "
            "site) WHERE s.trace = ?", [trace[0]])}
        ends = db.execute("SELECT * FROM processes WHERE trace = ? "
                          "ORDER BY start_unix_ns", [trace[0]]).fetchall()
        db.close()
        return spans, ends


# ---- gdb -------------------------------------------------------------------


def plain(name):
    """A function's name without parameters and what compilers append."""
    name = re.sub(r"\(.*", "", name or "?").removeprefix("void ")
    return re.sub(r"(\.(constprop|isra|part|cold)[.\d]*|@.*)+$", "", name)


def gdb_commands(case, lines):
    """From nothing to where it fails."""
    words = [f"set follow-fork-mode "
             f"{'child' if case.how == 'fork' else 'parent'}",
             "set args " + " ".join(case.args)]
    if case.kind == "exception":
        words.append("catch throw")
    elif case.kind in ("rule", "overdue"):
        source = next(n for n in SOURCES if case.origin in lines.get(n, {}))
        words.append(f"break {source}:{lines[source][case.origin]}")
    words.append("run")
    if case.args[0] == "nested":
        words.append("continue")
    return words


def own_frames(frames):
    frames = [f for f in frames if not f["tail"]]
    while frames and frames[-1]["function"] is None:
        frames.pop()  # of a fiber: what its stack happened to hold
    return frames


def gdb_frames(cases, work, lines):
    """{number: frames} of numbered cases of one program of one build."""
    first = cases[0][1]
    words = ["gdb", "-q", "-batch", "-nx", "-ex", "set debuginfod enabled off",
             "-ex", "set breakpoint pending on", "-ex", "set confirm off",
             "-ex", "set startup-with-shell off",
             "-ex", "set backtrace past-main on",
             "-x", str(HERE / "bt.py"), f"./{first.program}"]
    wanted = json.dumps([{"number": number,
                          "commands": gdb_commands(case, lines)}
                         for number, case in cases])
    done = subprocess.run(words, cwd=work / first.build, text=True,
                          env=dict(os.environ, GDB_CASES=wanted),
                          capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=300, check=False)
    return {int(number): own_frames(json.loads(frames)) for number, frames in
            re.findall(r"^@@(\d+) (\[.*\])", done.stdout, re.M)}


def has_gdb(case):
    return case.kind != "death" and case.origin and (case.kind != "rule" or
                                                     case.cause)


def all_gdb_frames(pool, chosen, work, lines):
    groups = collections.defaultdict(list)
    for number, case in chosen:
        if has_gdb(case):
            groups[case.program, case.build].append((number, case))
    found = {}
    for frames in pool.map(lambda g: gdb_frames(g, work, lines),
                           groups.values()):
        found.update(frames)
    return found


def base(path):
    return os.path.basename(path or "?")


def keys(frames):
    """What of a frame must be the same: function and line; elsewhere than in
    the program the object, since libc's functions have several names."""
    out = []
    for f in frames:
        file = base(f["file"])
        if plain(f["function"]) == "?":
            out.append("?")
        elif base(f["object"]) not in OWN:
            out.append(base(f["object"]))
        else:
            out.append((plain(f["function"]),
                        f["line"] if file in SOURCES else None))
    return out


def from_own(frames):
    """Without what libc and libstdc++ did below the program's own code."""
    for i, f in enumerate(frames):
        if base(f["object"]) in OWN:
            return frames[i:]
    return []


class Report:
    def __init__(self):
        self.failed = []
        self.frames = self.agreed = self.stacks = 0

    def check(self, case, good, text):
        if not good:
            self.failed.append(f"{case.name}: {text}")
            print(f"FAILED  {case.name}: {text}", flush=True)
        return good

    def compare(self, case, ours, theirs):
        if theirs is None:
            print(f"no answer from gdb: {case.name}", flush=True)
            return
        a, b = keys(ours), keys(theirs)
        if not self.check(case, b, "gdb shows no stack"):
            return
        self.stacks += 1
        self.check(case, a and a[0] == b[0],
                   f"innermost frame {a[:1]}, gdb {b[:1]}")
        same = sum(m.size for m in difflib.SequenceMatcher(
            None, a, b, autojunk=False).get_matching_blocks())
        self.frames += len(b)
        self.agreed += same
        if same < len(b):
            print(f"differs {case.name}: {same} of {len(b)}\n  ours {a}\n"
                  f"  gdb  {b}", flush=True)


# ---- what is true ----------------------------------------------------------


def check_origin(report, case, error, lines):
    frames = error["origin"] or error["stack"]
    own = from_own(frames)
    if not report.check(case, own, "no frame of the program"):
        return None
    want = {n: m[case.origin] for n, m in lines.items() if case.origin in m}
    written = [f for f in own if base(f["file"]) in SOURCES]
    got = (base(written[0]["file"]), written[0]["line"]) if written else None
    report.check(case, got in want.items(), f"origin {got}, true {want}")
    names = [plain(f["function"]) for f in own]
    report.check(case, "step" in names and "job" in names and
                 names.index("step") < names.index("job"),
                 f"chain of handlers in {names}")
    handlers = [f.get("handler") for f in own if f.get("handler")]
    report.check(case, "job" in handlers, f"frames marked {handlers}")
    return frames


def check_values(report, case, spans):
    step, job = spans.get("step"), spans.get("job")
    if not report.check(case, step and job, f"spans {list(spans)}"):
        return None
    report.check(case, json.loads(step["input"] or "{}") ==
                 {"name": case.args[0], "number": 7},
                 f"input {step['input']}")
    report.check(case, step["parent_ref"] == job["ref"], "step is below job")
    return step


def check_call(report, case, spans, lines, theirs):
    step = check_values(report, case, spans)
    if not step:
        return
    if not report.check(case, step["status"] == "error" and step["error"],
                        f"step is {step['status']} {step['ended_by']}"):
        return
    error = json.loads(step["error"])
    report.check(case, error["kind"] == case.kind, f"kind {error['kind']}")
    if case.type:
        known = error["type"] if case.kind != "rule" else (
            error["cause"] or {}).get("error")
        report.check(case, known == case.type, f"type {known}")
    if case.kind == "rule":
        report.check(case, error["rule"] == "return < 0",
                     f"rule {error['rule']}")
        report.check(case, "step: " in (error["stderr"] or ""),
                     f"stderr {error['stderr']}")
        job = json.loads(spans["job"]["error"] or "{}")
        report.check(case, job.get("rule") == "return == 0 && *left > 3",
                     f"job's rule {job.get('rule')}")
    elif case.cause:
        report.check(case, case.cause in (error["message"] or ""),
                     f"message {error['message']}")
    if case.kind == "rule" and not case.cause:
        report.check(case, error["cause"] is None, f"cause {error['cause']}")
        return
    if case.kind == "rule" and report.check(case, error["cause"],
                                            "no first cause"):
        call, text = case.cause
        report.check(case, error["cause"]["call"] == call and
                     (not text or text in error["cause"]["args"]),
                     f"cause {error['cause']}")
    frames = check_origin(report, case, error, lines)
    if frames:
        whole = case.kind == "signal"
        report.compare(case, frames if whole else from_own(frames),
                       theirs if whole or theirs is None
                       else from_own(theirs))


def check_death(report, case, spans, ends):
    step = check_values(report, case, spans)
    if not step or not report.check(case, ends, "no process"):
        return
    report.check(case, (step["status"], step["ended_by"]) == case.cause,
                 f"step is {step['status']} {step['ended_by']}")
    end = ends[-1]
    got = (end["status"], end["exit_code"], end["signal"])
    report.check(case, got == case.type, f"process {got}")


def check_overdue(report, case, rows, spans, lines, theirs):
    if not check_values(report, case, spans) or \
            not report.check(case, len(rows) == 1, f"{len(rows)} overdue"):
        return
    detail, status, ended_by, duration, name, limit, count = rows[0]
    detail = json.loads(detail)
    report.check(case, name == ("late_stop" if case.cause else "late"), name)
    report.check(case, detail["kind"] == "overdue" and
                 detail["message"] == case.type, f"message {detail['message']}")
    report.check(case, detail["stopped"] == case.cause,
                 f"stopped {detail['stopped']}")
    report.check(case, (status, ended_by) == ("ok", "return") and
                 duration > limit == 500000000 and count > 0,
                 f"it ended {status} {ended_by} {duration} {limit} {count}")
    if not case.origin:
        report.check(case, detail["stack"] == [] and detail["stack_ended"] ==
                     "not known (it was running)", detail["stack_ended"])
        return
    frames = check_origin(report, case, detail, lines)
    if frames:
        handlers = [f["handler"] for f in frames if f.get("handler")]
        report.check(case, handlers == [name, "step", "job"],
                     f"frames marked {handlers}")
        report.compare(case, from_own(frames), theirs and from_own(theirs))


def main():
    with_gdb = "--no-gdb" not in sys.argv
    if not with_gdb:
        sys.argv.remove("--no-gdb")
    build = pathlib.Path(sys.argv[1]).resolve()
    chosen = [(i, c) for i, c in enumerate(CASES)
              if not sys.argv[2:] or c.name.startswith(tuple(sys.argv[2:]))]
    lines, report = markers(), Report()
    with tempfile.TemporaryDirectory(prefix="handspan-errors-",
                                     dir=os.environ.get("TEST_MEMORY")) as folder:
        work = pathlib.Path(folder)
        build_all(work)
        tracer = Tracer(build, work)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda x: tracer.run(*x), chosen))
            theirs = all_gdb_frames(pool, chosen, work, lines) \
                if with_gdb else {}
        tracer.finish()
        for number, case in chosen:
            frames = theirs.get(number)
            spans, ends = tracer.rows(number)
            if case.kind == "death":
                check_death(report, case, spans, ends)
            elif case.kind == "overdue":
                check_overdue(report, case, tracer.overdue(number), spans,
                              lines, frames)
            else:
                check_call(report, case, spans, lines, frames)
        if report.failed:
            log = work / "lanes" / "log"
            print(log.read_text()[-3000:] if log.exists() else "no log")
    print(f"{len(chosen)} cases; {report.stacks} stacks, {report.agreed} of "
          f"{report.frames} frames as in gdb")
    if report.agreed < WHOLE * report.frames:
        report.failed.append("frames")
    sys.exit(1 if report.failed else 0)


main()
