#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Arguments and locals of the frames of failures: the values that gdb shows
where the same process stands, frame by frame. values_test.py BUILD CASE"""
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CATALOGUE = HERE.parent / "errors/catalogue"
MANIFEST = """[[object(main)]];
[[defaults(locals("on"))]];
[[span, input(name), fails(return == 0 && *left > 3)]]
    int job(const char *name, int *left);
[[span, input(name, number), fails(return < 0)]]
    int step(const char *name, int number);
"""
UNKNOWN = ("(optimized out)", "(not in the copy)")
SOURCES = ("values.c", "values_cxx.cpp", "fail.c", "lib.c", "throw.cpp")


class World:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.handspan = str(self.build / "bin/handspan")

    def __enter__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(
            prefix="handspan-values-",
            dir=os.environ.get("TEST_MEMORY")))
        (self.top / "lanes").mkdir(mode=0o700)
        self.store = self.top / "store.db"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        self.env.update(HANDSPAN_STORE=str(self.store), HOME=str(self.top),
                        HANDSPAN_DIR=str(self.top / "lanes"),
                        HANDSPAN_CONFIG="/dev/null",
                        HANDSPAN_MANIFEST=str(self.manifest(MANIFEST)))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top)

    def manifest(self, text):
        path = self.top / "manifest"
        path.write_text(text)
        return path

    def compile(self, source, name, *flags):
        compiler = os.environ.get("CXX", "c++") if source.suffix == ".cpp" \
            else os.environ.get("CC", "cc")
        subprocess.run([compiler, "-g", "-w", *flags, "-o", self.top / name,
                        source, *(["./libfail.so"] if name == "fail" else []),
                        "-pthread"], cwd=self.top, check=True, timeout=300)

    def gdb(self, program, args, stop):
        """Traced, in gdb: what it shows at the place; then to the end."""
        preload = self.build / "lib/libhandspan.so"
        words = ["gdb", "-q", "-batch", "-nx"]
        for line in ("set debuginfod enabled off", "set width 0",
                     "set startup-with-shell off",
                     f"set environment LD_PRELOAD {preload}",
                     "set environment HANDSPAN_SIDECAR off",
                     "set breakpoint pending on", *stop, "run",
                     f"source {HERE / 'values.py'}", "delete", "continue",
                     "continue"):
            words += ["-ex", line]
        done = subprocess.run([*words, "--args", f"./{program}", *args],
                              cwd=self.top, env=self.env, text=True,
                              capture_output=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL)
        found = re.search(r"^@@(\[.*\])", done.stdout, re.M)
        assert found, done.stdout + done.stderr
        return [f for f in json.loads(found.group(1)) if f["file"] in SOURCES]

    def drain(self):
        subprocess.run([self.handspan, "sidecar", "--once"], env=self.env,
                       check=True, timeout=300, capture_output=True)
        db = sqlite3.connect(self.store)
        rows = db.execute(
            "SELECT error FROM spans JOIN sites USING (session, site) WHERE "
            "error IS NOT NULL AND name = 'step' ORDER BY start_unix_ns DESC "
            "LIMIT 1").fetchall()
        db.close()
        assert rows, "no error of step"
        return json.loads(rows[0][0])


def ours(error):
    return [f for f in error["origin"] or error["stack"]
            if os.path.basename(f["file"] or "") in SOURCES]


def plain(function):
    """Without parameters and the return type that templates have."""
    return function.split("(")[0].split(" ")[-1] if "<" not in \
        function.split("(")[0] else re.sub(r"^\w+ ", "", function.split("(")[0])


class Score:
    def __init__(self):
        self.same = self.unknown = 0
        self.wrong = []

    def one(self, where, ours, theirs):
        if theirs.startswith("(error"):
            return
        if ours in UNKNOWN or ours is None:
            if theirs != "(optimized out)":
                self.unknown += 1
                print(f"not known: {where} {ours}, gdb {theirs}")
        elif ours == theirs or (theirs.startswith(ours) and " \"" in theirs
                                and ours.startswith("0x")):
            self.same += 1  # gdb reads what is not in the copy
        elif theirs == "(optimized out)" and where[1] in ("job", "step"):
            # gdb takes our trampoline for their caller
            case = where[0].split("-O")[0]
            if not ours.endswith(f' "{case}"') and where[2:] + (ours,) != (
                    "number", "7"):
                self.wrong.append((where, ours, theirs))
        elif ours.endswith("(secret)") or "(secret)" in ours:
            head, tail = ours.split("(secret)")[0], ours.split("(secret)")[-1]
            if not (theirs.startswith(head) and theirs.endswith(tail)):
                self.wrong.append((where, ours, theirs))
        else:
            self.wrong.append((where, ours, theirs))

    def stack(self, name, error, theirs):
        mine = ours(error)
        names = [plain(f["function"]) for f in mine]
        assert names == [plain(f["function"]) for f in theirs], (
            name, names, [f["function"] for f in theirs])
        for m, t in zip(mine, theirs):
            known = {**m.get("arguments", {}), **m.get("locals", {})}
            for key in known.keys() - t["values"].keys():
                self.wrong.append((name, m["function"], key, "not in gdb"))
            for key, value in t["values"].items():
                self.one((name, m["function"], key), known.get(key), value)

    def tell(self, what, most_unknown):
        print(f"{what}: {self.same} values as in gdb, {self.unknown} that "
              f"gdb knows and we do not, {len(self.wrong)} others")
        assert not self.wrong, self.wrong[:20]
        assert self.same > 10
        assert self.unknown <= most_unknown * self.same, "too few are known"


def line_of(source, mark):
    for n, line in enumerate(source.read_text().splitlines(), 1):
        if f"@{mark} */" in line:
            return f"break {source.name}:{n}"
    raise AssertionError(mark)


def kinds(w):
    """Each kind of variable, at -O0 (all known) and -O2."""
    for level in ("-O0", "-O2"):
        score = Score()
        w.compile(HERE / "values.c", "values", level)
        for how, stop in (("open", [line_of(HERE / "values.c", "open")]),
                          ("crash", [])):
            theirs = w.gdb("values", [how], stop)
            score.stack(how + level, w.drain(), theirs)
        w.compile(HERE / "values_cxx.cpp", "cxx", level)
        theirs = w.gdb("cxx", ["throw"], ["catch throw"])
        score.stack("throw" + level, w.drain(), theirs)
        score.tell("values.c " + level, 0)


CASES = (("inlined", "inlined"), ("lib", "lib_open"), ("segv_lib", None),
         ("memcpy", None))


def catalogue(w):
    """Programs of the catalogue, -O0 and -O2."""
    for level in ("-O0", "-O2"):
        score = Score()
        w.compile(CATALOGUE / "lib.c", "libfail.so", level, "-fPIC", "-shared",
                  "-DLIB_CALL=lib_call")
        w.compile(CATALOGUE / "fail.c", "fail", level)
        for case, mark in CASES:
            source = CATALOGUE / ("lib.c" if case == "lib" else "fail.c")
            stop = [line_of(source, mark)] if mark else []
            theirs = w.gdb("fail", [case, "main"], stop)
            score.stack(case + level, w.drain(), theirs)
        w.compile(CATALOGUE / "throw.cpp", "throw", level)
        for case in ("own",):
            theirs = w.gdb("throw", [case, "main"], ["catch throw"])
            score.stack(case + level, w.drain(), theirs)
        score.tell("catalogue " + level, 0.03)  # a static one


def secrets(w):
    """Off unless asked for; never where the manifest has a secret; never what
    is called as a secret is."""
    def run(manifest):
        env = {**w.env, "HANDSPAN_MANIFEST": str(w.manifest(manifest)),
               "HANDSPAN_SIDECAR": "off",
               "LD_PRELOAD": str(w.build / "lib/libhandspan.so")}
        subprocess.run([w.top / "values", "open"], env=env, timeout=300,
                       check=True)
        return w.drain()

    def has_values(error):
        return [f for f in error["origin"] + error["stack"]
                if "locals" in f or "arguments" in f]

    w.compile(HERE / "values.c", "values", "-O0")
    error = run(MANIFEST)
    assert has_values(error), error
    text = json.dumps(error)
    assert "(secret)" in text and not re.search(
        "hunter2|in-a-(local|member|union)", text), text
    records = next(f for f in error["origin"] if f["function"] == "records")
    assert {"alias", "part", "again"} <= records["locals"].keys(), records
    assert "acme" in text and "on the stack" not in text.split("fail")[0]
    assert b"hunter2" not in w.store.read_bytes()
    assert not has_values(run(MANIFEST.replace(
        '[[defaults(locals("on"))]];', "")))
    assert not has_values(run(MANIFEST.replace(
        '[[defaults(locals("on"))]];', '[[defaults(locals("off"))]];')))
    assert not has_values(run(MANIFEST.replace(
        "int number", "int number").replace(
            "input(name, number)", "input(number), secret(name)")))
    # one handler asks: on stacks that it is on
    error = run(MANIFEST.replace('[[defaults(locals("on"))]];', "").replace(
        "[[span, input(name), fails", '[[span, locals("on"), fails'))
    assert has_values(error), error
    # the same code again has its own values
    screen = subprocess.run([w.handspan, "errors", "--full"], env=w.env,
                            capture_output=True, text=True, check=True).stdout
    assert "number = 7" in screen and "hunter2" not in screen, screen


def damaged(w):
    """Debug information with noise in it: the error is stored all the same,
    within the time that one stack may take."""
    w.compile(HERE / "values.c", "whole", "-O2")
    whole = (w.top / "whole").read_bytes()
    table = subprocess.run(["readelf", "-SW", w.top / "whole"], check=True,
                           capture_output=True, text=True).stdout
    parts = {name: (int(at, 16), int(size, 16)) for name, at, size in
             re.findall(r"(\.debug_\w+) +PROGBITS +\w+ (\w+) (\w+)", table)}
    assert {".debug_info", ".debug_abbrev", ".debug_loclists"} <= set(parts)
    stacks = 0
    for number, name in enumerate(sorted(parts) * 2):
        at, size = parts[name]
        bad = bytearray(whole)
        for i in range(at + 11 * number % 50, at + size, 29 + 61 * number % 90):
            bad[i] ^= 1 << i % 8
        (w.top / "values").write_bytes(bad)
        (w.top / "values").chmod(0o755)
        env = {**w.env, "HANDSPAN_SIDECAR": "off",
               "LD_PRELOAD": str(w.build / "lib/libhandspan.so")}
        subprocess.run([w.top / "values", "open"], env=env, timeout=300,
                       check=True)
        error = w.drain()
        assert error["type"] == "ENOENT", error
        stacks += bool(error["origin"])
    db = sqlite3.connect(w.store)
    count, = db.execute("SELECT count(*) FROM spans WHERE error IS NOT NULL")
    db.close()
    assert count == (4 * len(parts),), count  # job and step, twice each
    print(f"{2 * len(parts)} programs, {stacks} with a stack")


CASE = {f.__name__: f for f in (kinds, catalogue, secrets, damaged)}
if __name__ == "__main__":
    with World(sys.argv[1]) as here:
        CASE[sys.argv[2]](here)
