#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that are left by longjmp: they end there and then, below them stands
nothing that came later, rules that need no result are judged, entries of Z are
given back, and a program that copies its stack back goes on as untraced.

  longjmp_test.py HANDSPAN [MODE...]
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from common import alive  # noqa: E402
from world import World, same  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "longjmp"

def of(spans, name):
    return [s for s in spans if s["name"] == name]


def parents(spans, name):
    names = {s["span_id"]: s["name"] for s in spans}
    return sorted({names.get(s["parent_span_id"], "-") for s in of(spans, name)})


def ends(spans, name):
    return sorted({s["ended_by"] for s in of(spans, name)})


def failed(spans, name):
    return sum(s["status"] == "error" for s in of(spans, name))


def requests(world, spans, env):
    same(ends(spans, "query"), ["longjmp"], "ends of query")
    same(ends(spans, "report"), ["longjmp"], "ends of report")
    for s in of(spans, "query") + of(spans, "report"):
        assert s["duration_ns"] < 150e6, s  # the pause is 200 ms
        assert s["cpu_ns"] is None or s["cpu_ns"] < 150e6, s
    same(parents(spans, "parse"), parents(spans, "query"), "parent of parse")
    same((failed(spans, "report"), failed(spans, "query")), (3, 3), "failed")
    errors = [s["error"] for s in of(spans, "query")]
    same([e["rule"] for e in errors], ["longjmp"] * 3, "rule")
    same([e["message"] for e in errors],
         [f"relation {i} does not exist" for i in (1, 2, 3)], "reason")
    same([e["return_value"] for e in errors], [None] * 3, "result")
    frames = [f["function"] for f in errors[0]["stack"]]
    same(frames[:2], ["report", "query"], "innermost frames")
    assert "main" in frames, frames
    screen = world.screen(env, "errors", "--trace", "latest")
    assert "left by longjmp: relation 3 does not exist, in report" in \
        " ".join(screen.split()), screen


def many(_world, spans, _env):
    same(len(of(spans, "recurse")), 60000, "calls")
    same(ends(spans, "recurse"), ["longjmp"], "ends")
    same(len(of(spans, "parse")), 1, "a call after them")


def signals(_world, spans, _env):
    same(ends(spans, "interrupted"), ["longjmp"], "ends of interrupted")
    same(failed(spans, "interrupted"), 0, "benign(longjmp)")
    same(parents(spans, "query"), ["interrupted"], "parent of query")
    same(parents(spans, "parse"), parents(spans, "interrupted"),
         "parent of parse")
    same((len(of(spans, "query")), failed(spans, "query")), (4, 4), "query")


def threads(_world, spans, _env):
    same((len(of(spans, "query")), failed(spans, "query")), (200, 200), "query")
    same(parents(spans, "report"), ["query"], "parent of report")


def copied(_world, spans, _env):
    """yields() was left, and its frame came back: one call all the same."""
    same(len(of(spans, "yields")), 1, "calls")
    same(len(of(spans, "query")), 20, "calls")


def coroutines(_world, spans, _env):
    same([(s["name"], s["ended_by"], s["status"]) for s in
          sorted(of(spans, "task") + of(spans, "drive"),
                 key=lambda s: s["name"])],
         [("drive", "return", "ok"), ("task", "return", "ok")], "spans")


def deep(_world, spans, _env):
    same(parents(spans, "parse"), ["prog"], "parent of parse")
    same(ends(spans, "recurse"), ["longjmp"], "ends")


def nested(_world, spans, _env):
    """Each one's stack goes up through the trampolines of the others; one that
    is longer than the copy says that."""
    for name, below in ("inner", ["inner", "outer"]), ("outer", ["inner",
                                                                "outer"]):
        short, long = [s["error"] for s in of(spans, name)]
        frames = [f["function"] for f in short["stack"]]
        same(frames[:2], below, f"frames of {name}")
        assert "main" in frames and "stack_ended" not in short, short
        same(long.get("stack_ended"), "truncated", f"the long stack of {name}")
        same([f["function"] for f in long["stack"]][:2],
             ["inner", "on_much_stack"], f"frames of the long one of {name}")
    (last,) = [s["error"] for s in of(spans, "last_words")]
    frames = [f["function"] for f in last["stack"]]
    same(frames[:2], ["last_words", "give_up"], "of a call that ends a function")
    assert "main" in frames, last


def own_jumps(world, spans, env):
    """Nobody sees these: they are told, and their times are estimates."""
    same((len(of(spans, "jumps")), ends(spans, "jumps")), (7, ["longjmp"]),
         "calls, ends")
    screen = " ".join(world.screen(env, "show").split())
    assert screen.find("Incomplete: 11 of 11 spans. 7 calls left by a jump "
                       "that nobody saw") > 0, screen
    rows = {r["name"]: r["estimate"] for r in map(
        json.loads, world.screen(env, "stats", "--json").splitlines()[1:])}
    same((rows["jumps"], rows["parse"]), (True, False), "estimates")


MODES = [nested, own_jumps, requests, many, signals, threads, copied, coroutines, deep]


def broken_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + \
            struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(b"".join(b"\0" + bytes(300) for _ in range(100)))
    return b"\x89PNG\r\n\x1a\n" + \
        chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0)) + \
        chunk(b"IDAT", rows[:20]) + chunk(b"IEND", b"")


def libpng(world):
    (world.work / "bad.png").write_bytes(broken_png())
    spans, _ = world.run(["pngfix", "bad.png"], HERE / "png.manifest")
    left = [s for s in spans if s["ended_by"] == "longjmp"]
    assert left, spans
    same([s["error"]["rule"] for s in left], ["longjmp"] * len(left), "rules")


def lua(world):
    (world.work / "t.lua").write_text(
        'for i = 1, 5 do print(pcall(error, "boom " .. i)) end\n'
        "print(pcall(function() local x = nil; return x.y end))\n"
        'print(pcall(require, "no_such_module"))\n', encoding="ascii")
    spans, _ = world.run(["lua5.4", "t.lua"], HERE / "lua.manifest")
    same(ends(spans, "lua_error"), ["longjmp"], "ends of lua_error")
    same(failed(spans, "lua_error"), len(of(spans, "lua_error")), "failed")
    assert len(of(spans, "lua_error")) >= 6, spans
    assert set(parents(spans, "lua_error")) <= {"lua_pcallk", "luaL_error"}, \
        parents(spans, "lua_error")
    same(failed(spans, "luaL_error"), 1, "luaL_error")
    same({s["ended_by"] for s in of(spans, "lua_pcallk")}, {"return"},
         "ends of lua_pcallk")


PERL = """
for my $i (1..3) { eval { my @x = sort { die "boom" } (1, 2, 3) }; }
eval { require No::Such };
select(undef, undef, undef, 0.2);
open(my $h, "<", "/");
"""


def perl(world):
    (world.work / "t.pl").write_text(PERL, encoding="ascii")
    spans, _ = world.run(["perl", "t.pl"], HERE / "perl.manifest")
    same((ends(spans, "Perl_die_unwind"), failed(spans, "Perl_die_unwind"),
          len(of(spans, "Perl_die_unwind"))), (["longjmp"], 4, 4), "died")
    same(ends(spans, "Perl_pp_die"), ["longjmp"], "ends of pp_die")
    same(parents(spans, "Perl_pp_open"), ["Perl_runops_standard"],
         "what came later")
    for s in of(spans, "Perl_die_unwind"):
        assert s["duration_ns"] < 150e6, s


def main():
    world = None
    chosen = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        world = World(os.path.abspath(sys.argv[1]), work)
        cc = os.environ.get("CC", "cc")
        build = [cc, "-g", "-O2", "-w", str(HERE / "prog.c"), "-pthread"]
        subprocess.run([*build, "-o", "prog"], cwd=work, check=True)
        subprocess.run([*build, "-D_FORTIFY_SOURCE=2", "-o", "fortified"],
                       cwd=work, check=True)
        for mode in MODES:
            if chosen and mode.__name__ not in chosen:
                continue
            mode(world, *world.run(["./prog", mode.__name__],
                                   HERE / "prog.manifest"))
            print(f"{mode.__name__}: right", flush=True)
        for test in (libpng, lua, perl):
            if not chosen or test.__name__ in chosen:
                test(world)
                print(f"{test.__name__}: right", flush=True)
        if not chosen:  # __longjmp_chk
            threads(world, *world.run(["./fortified", "threads"],
                                      HERE / "prog.manifest"))
            print("fortified: right", flush=True)
        left = alive.wait_for_none(folder)
        assert not left, left


main()
