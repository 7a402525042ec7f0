#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names that come later are the names that would have come at once:
symbolize_test.py BUILD CASE, a case is a function below."""
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import threading

import world


def differences(a, b, path=""):
    """Field by field."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from differences(a.get(key, "(none)"), b.get(key, "(none)"),
                                   f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, pair in enumerate(zip(a, b)):
            yield from differences(*pair, f"{path}[{i}]")
    elif a != b:
        yield f"{path}: {a!r}, not {b!r}"


def same(seen, meant, what):
    found = list(differences(seen, meant))
    assert not found, what + "\n" + "\n".join(found[:20])


def without_names(errors):
    """As many frames of the program as have neither function nor line, though
    the exported ones have a name."""
    frames = [f for e in errors.values() for f in world.own_frames(e)]
    assert frames
    for f in frames:
        assert f["line"] is None and f["file"] is None, f
        assert f["object"] and f["offset"] and f["build_id"], f
    return len(frames)


def sink(w, spans):
    """Somewhere that this store was sent to before."""
    store = sqlite3.connect(w.store)
    store.execute("INSERT INTO sinks (name, added_unix_ns, sent_spans) "
                  "VALUES ('http://127.0.0.1:1', 1, ?)", (spans,))
    store.commit()
    store.close()


def equal(w):
    """Hidden, put back, symbolized: the same as if it had been there."""
    w.use("hidden")
    w.run()
    before = w.errors()
    count = without_names(before)
    groups = w.groups()
    w.show()
    w.use("shown")
    w.run()
    want, want_groups, want_stacks = w.errors(), w.groups(), w.stacks()
    assert any(f["inlined"] for e in want.values()
               for f in world.own_frames(e)), "nothing was inlined"
    w.use("hidden")
    assert w.groups() == groups and groups != want_groups
    screen = w.call("errors", "--full")
    assert "libfail.so+0x" in screen and "no debug file" in screen, screen
    assert "lib.c:" not in screen, screen
    sink(w, 7)
    said = w.call("symbolize", "--all")
    assert f"of {len(before)} errors have names now" in said, said
    assert "stays without names there (1 sink)" in said, said
    line = next(s for s in said.splitlines() if "errors have names" in s)
    named, _ = line.split(" frames", 1)
    assert 0.7 * count < int(named) <= count, (count, said)  # not _start
    same(w.errors(), want, "errors")
    same(w.groups(), want_groups, "groups")
    same([[e, json.loads(f)] for e, f in w.stacks()],
         [[e, json.loads(f)] for e, f in want_stacks], "stacks")
    assert "lib.c:" in w.call("errors", "--full")
    # a second time there is nothing to do
    dump = w.rows("SELECT error, fingerprint FROM spans ORDER BY session, ref")
    assert "0 frames of 0 errors" in w.call("symbolize", "--all")
    same(w.rows("SELECT error, fingerprint FROM spans ORDER BY session, ref"),
         dump, "the second time")


def known(w, program):
    """Errors of a program whose innermost own frame has a line."""
    ids = {f"{i:02x}" for i, c in enumerate(world.CALLS, 1) if c[0] == program}
    mine = [e for (trace, _, _), e in w.errors().items() if trace in ids]
    return sum(world.own_frames(e)[0]["line"] is not None for e in mine)


def other(w):
    """A file of another build is never used, wherever it lies, and named; the
    right one is taken from where the user says."""
    w.run()
    before, groups = w.errors(), w.groups()
    mine = w.top / "mine"
    shutil.copytree(w.at, mine)
    right = w.top / "right"
    w.debug.rename(right)
    w.debug.mkdir()
    w.build("-O1")
    w.show()  # beside the objects, which are others now, too
    said = w.call("symbolize", "--all", "--object", w.at / "fail.debug",
                  status=1)
    for name in ("fail", "fail.debug", "./libfail.so", "throw"):
        assert f"not used: {w.at}/{name} has build id" in said, said
    assert "0 frames of 0 errors" in said and "no debug file" in said, said
    same(w.errors(), before, "errors")
    same(w.groups(), groups, "groups")
    # one object by name, out of a folder with all; in a trace of one program
    said = w.call("symbolize", f"{1:032x}", "--json", "--object",
                  right / "fail.debug")
    lines = [json.loads(line) for line in said.splitlines()]
    assert any(x.get("not_used") == str(w.at / "fail") for x in lines)
    assert lines[-1]["errors"] > 0 and lines[-1]["frames"] > 0, lines
    assert known(w, "fail") and not known(w, "throw")
    # a folder; the objects themselves are not needed
    w.call("symbolize", "--all", "--debug-dir", right)
    assert known(w, "throw") == 1
    # the objects as they were; the same as if all had been there
    after, after_groups = w.errors(), w.groups()
    shutil.rmtree(w.at)
    shutil.copytree(mine, w.at)
    shutil.rmtree(w.debug)
    right.rename(w.debug)
    w.show()
    w.use("shown")
    w.run()
    same(after, w.errors(), "errors")
    same(after_groups, w.groups(), "groups")


def broken(w):
    """A debug file that ends in the middle costs its own frames."""
    w.run()
    w.show()
    debug = w.at / "fail.debug"
    whole = debug.read_bytes()
    for part in (3, 10, 30, 60, 90):
        debug.write_bytes(whole[:len(whole) * part // 100])
        w.call("symbolize", "--all", status=None)
    noise = bytearray(whole)
    for at in range(3000, len(noise), 97):
        noise[at] ^= 0x5a
    debug.write_bytes(noise)
    w.call("symbolize", "--all", status=None)
    assert known(w, "throw") == 1
    assert w.rows("PRAGMA integrity_check") == [("ok",)]
    counted(w)


def gone(w):
    """The objects were gone when the stack was looked at: what was found of it
    has object, offset and build id, and gets its names from elsewhere."""
    calls = [("fail", "segv_write"), ("fail", "segv_lib")]
    env = {**w.env, "HANDSPAN_SIDECAR": "off", "LD_PRELOAD":
           str(pathlib.Path(w.handspan).parents[1] / "lib/libhandspan.so"),
           "HANDSPAN_MANIFEST": str(world.CATALOGUE / "catalogue.manifest")}
    for program, case in calls:
        subprocess.run([w.at / program, case, "main"], env=env, cwd=w.at,
                       timeout=300, check=False)
    away = w.top / "away"
    w.at.rename(away)
    w.call("sidecar", "--once", status=None)
    before = w.errors()
    assert len(before) == 2, before.keys()
    for error in before.values():
        frame = error["stack"][0]
        assert frame["trouble"] == "no file" and frame["exact"], frame
        assert not frame["function"] and frame["build_id"], frame
        assert error.get("stack_ended"), error
    assert "no file" in w.call("errors", "--full")
    w.call("symbolize", "--all", status=1)
    same(w.errors(), before, "nothing to be found")
    w.call("symbolize", "--all", "--debug-dir", w.debug, "--object",
           away / "fail", "--object", away / "libfail.so")
    found = {(e["stack"][0]["function"], e["stack"][0]["line"])
             for e in w.errors().values()}
    lines = {name: n for file in ("fail.c", "lib.c") for n, text in enumerate(
        (world.CATALOGUE / file).read_text().splitlines(), 1)
        for name in ("segv_write", "lib_segv") if f"@{name} */" in text}
    assert found == {("s_write", lines["segv_write"]),
                     ("innermost", lines["lib_segv"])}, found
    assert not any("trouble" in f for e in w.errors().values()
                   for f in world.own_frames(e) if f["line"])


def counted(w):
    """Each error is counted in its group, and in no other."""
    for row in w.groups():
        assert row[5] == row[6] and row[7] == 1, row
    assert sum(row[5] for row in w.groups()) == w.rows(
        "SELECT count(*) FROM spans WHERE error IS NOT NULL")[0][0]
    for fingerprint, error in w.rows("SELECT fingerprint, error FROM spans "
                                     "WHERE error IS NOT NULL"):
        assert json.loads(error)["fingerprint"] == fingerprint


def beside(w):
    """While a sidecar stores errors of the same groups, and killed at any
    moment: nothing is lost or counted twice, and the end is the same."""
    calls = [("fail", "inlined"), ("fail", "open")] * 6
    w.use("shown")
    w.show()
    w.run(calls[:2])
    want = {row[0] for row in w.groups()}
    for name in world.OWN:
        (w.at / f"{name}.debug").unlink()
    w.use("hidden")
    writer = threading.Thread(target=w.run, args=[calls])
    writer.start()
    wait = 0.002
    while writer.is_alive():
        if w.store.exists():
            child = subprocess.Popen(
                [w.handspan, "symbolize", "--all", "--debug-dir", w.debug],
                env=w.env, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            try:
                child.wait(wait)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            wait = wait * 1.5 if wait < 0.3 else 0.002
    writer.join()
    w.call("symbolize", "--all", "--debug-dir", w.debug, status=None)
    counted(w)
    assert {row[0] for row in w.groups()} == want, (w.groups(), want)


def pruned(w):
    """What a group counts beyond the calls that are still there goes where
    they go; a group that is counted in several places is not made up."""
    w.run([("fail", "lib")] * 3)
    old = w.groups()
    db = sqlite3.connect(w.store)
    db.execute("DELETE FROM span_rows WHERE trace = (SELECT trace FROM traces "
               "WHERE trace_id = ?)", [(3).to_bytes(16, "big")])
    db.commit()
    db.close()
    w.call("symbolize", f"{1:032x}", "--debug-dir", w.debug)
    now = w.groups()
    assert [r[5] for r in now] == [r[5] for r in old] == [3] * len(now), now
    assert {r[0] for r in old}.isdisjoint(r[0] for r in now), (old, now)
    assert all(r[6] == 2 and r[7] == 1 for r in now), now


CASE = {f.__name__: f for f in (equal, other, gone, broken, beside, pruned)}
if __name__ == "__main__":
    with world.World(sys.argv[1]) as here:
        CASE[sys.argv[2]](here)
