#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types, members and prototypes that come from debug information, end to end.

usage: types_test.py HANDSPAN CASE
"""
import glob
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "check"))
from common import CC, HANDSPAN, Place, expect, expect_in  # noqa: E402
import json  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(os.path.dirname(sys.argv[1]), "..", "lib",
                       "libhandspan.so")
MANIFEST = """[[span, input(path, id = job->id, tenant = job->tenant,
  st = job->state, nid = job->next->id, bits = job->b, inner = job->inner,
  tight = job->tight.l)]] work;
[[span, input(b->name, b->job->id, b->job->level),
  fails(return == FLOW_EOS)]] flow_return flow(batch_t *b, flow_return r);
[[span, input(*job)]] int whole(struct job *job);
[[span]] by_value;
[[span, input(path)]] int pasted(const char *path, int n);
"""


def spans(p):
    out = p.handspan("spans", "--json", status=0).stdout
    objects = [json.loads(line) for line in out.splitlines()]
    return {o["name"]: o for o in objects if "span_id" in o}


def build(p, flags="-g -O1", name="prog"):
    p.sh(f"{CC} {flags} {HERE}/prog.c -o {name}")


def check_values(s, what):
    expect_in("work", s, what)
    got = s["work"]["input"]
    want = {"path": "/x", "id": 7, "tenant": "acme", "st": "BROKEN", "nid": 8,
            "bits": 9, "inner": 44, "tight": 123456789012}
    expect({k: got.get(k) for k in want}, want, what)
    expect(s["flow"]["input"]["b_name"], "bb", what)
    expect(s["flow"]["input"]["b_job_level"], "HIGH", what)
    expect(s["flow"]["input"]["r"], "FLOW_EOS", what)
    expect(s["flow"]["output"]["return"], "FLOW_EOS", what)
    expect(s["flow"]["status"], "error", what)
    whole = s["whole"]["input"]
    want = {"job_id": 7, "job_tenant": "acme", "job_state": "BROKEN",
            "job_at_x": 3, "job_at_y": 2.5, "job_inner": 44,
            "job_tight_l": 123456789012, "job_level": "HIGH",
            "job_u": "AQAAAA=="}
    expect({k: whole.get(k) for k in want}, want, what)
    expect(s["by_value"]["input"], {"l": "LOW", "s": "RUNNING"}, what)
    expect(s["by_value"]["output"], {"return": 10.5}, what)
    expect(s["pasted"]["input"]["path"], "/p", what)


def run_and_check(p, program, what):
    p.handspan("run", "-m", "m", program, status=0)
    check_values(spans(p), what)


def case_plain(p):
    """Each DWARF that a compiler here writes; and the cache is used."""
    for flags in ("-g -O1", "-gdwarf-4 -O2", "-gdwarf-3 -gstrict-dwarf -O1",
                  "-g -O1 -fdebug-types-section", "-g -gz -O1"):
        build(p, flags)
        run_and_check(p, "./prog", flags)
    files = glob.glob(f"{p.at}/dir/types-*/*")
    expect(len(files), 5, "one file for each build")
    before = {f: os.stat(f).st_ino for f in files}
    run_and_check(p, "./prog", "again")
    expect({f: os.stat(f).st_ino for f in files}, before,
           "nothing was read anew")
    p.write("m", MANIFEST.replace("inner = job->inner", "inner = job->inner, "
                                  "l = job->level"))
    p.handspan("run", "-m", "m", "./prog", status=0)
    expect(spans(p)["work"]["input"]["l"], "HIGH", "the manifest was changed")


def case_separate(p):
    """The debug information in a file of its own."""
    build(p)
    p.sh("objcopy --only-keep-debug prog prog.debug && strip -g prog")
    p.sh("cp prog bare && objcopy --add-gnu-debuglink=prog.debug prog")
    run_and_check(p, "./prog", "debuglink, beside it")
    p.sh("mkdir .debug && mv prog.debug .debug/")
    shutil.rmtree(glob.glob(f"{p.at}/dir/types-*")[0])
    run_and_check(p, "./prog", "debuglink, .debug")
    # of another build: refused, and nothing of it is used
    build(p, "-g -O2 -DOTHER", "other")
    p.sh("objcopy --only-keep-debug other .debug/prog.debug")
    rows = p.handspan("check", "-m", "m", "./prog", status=1).stdout
    expect_in("no prototype, so there is no 'path'", rows, "another build")
    by_build_id(p)


def by_build_id(p):
    """/usr/lib/debug/.build-id, in a namespace where that is ours."""
    p.sh("mv .debug/prog.debug other.debug; rm -r .debug")
    note = p.sh("readelf -n bare").stdout
    build_id = note.split("Build ID: ")[1].split()[0]
    build(p)
    p.sh("objcopy --only-keep-debug prog real.debug")
    script = ("mount -t tmpfs none /usr/lib/debug && "
              f"mkdir -p /usr/lib/debug/.build-id/{build_id[:2]} && cp "
              f"{p.at}/real.debug "
              f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
              f" && exec {HANDSPAN} types -m m ./bare")
    if p.sh("test -d /usr/lib/debug && unshare -rm true",
            check=False).returncode:
        print("no namespaces here: /usr/lib/debug is not tried")
        return
    out = p.sh(f"unshare -rm sh -c '{script}'").stdout
    expect_in("char tenant[32]; /* at 8, prog.c", out, "by build-id")


def case_contradictions(p):
    """The manifest wins; check says what is wrong, where, and what is right."""
    build(p)
    p.write("m", """struct job { int id; char tenant[16]; int state; long next; };
enum state { IDLE, RUNNING = 6 };
[[span, input(id = job->id)]] int work(struct job *job);
[[span]] int pasted(int path, long n);
[[span]] void whole(struct job *job);
""")
    out = p.handspan("check", "-m", "m", "./prog", status=1).stdout
    for line in (
            "m:1:18: error: 'id' is a 4-byte integer here, but in the debug "
            "information an 8-byte integer",
            "m:1:27: error: 'tenant' is at offset 4 here, but the debug "
            "information has it at 8",
            "m:2:20: error: 'RUNNING' is 5 in the debug information",
            "m:3:35: error: 'work' has 1 parameters here, but 2 in the debug "
            "information",
            "m:4:21: error: this parameter is a 4-byte integer here, but in "
            "the debug information a pointer",
            "m:4:31: error: this parameter is an 8-byte integer here",
            "note: this is what the debug information has",
            "char tenant[32]; /* at 8, prog.c:22 */"):
        expect_in(line, out, "check")
    p.handspan("run", "-m", "m", "./prog", status=0)
    expect(spans(p)["work"]["input"]["id"], 7, "the manifest wins")


def case_right(p):
    """What agrees is no error, whole or as its first members."""
    build(p)
    p.write("m", MANIFEST + """struct job { long id; char tenant[32];
  enum state { IDLE, RUNNING = 5, BROKEN = -2 } state; };
typedef int flow_return;
typedef struct { int n; const char *name; } batch_t;
""")
    out = p.handspan("check", "-m", "m", "./prog", status=0).stdout
    assert "debug information has" not in out, out


CASES = {n[5:]: f for n, f in list(globals().items()) if n.startswith("case_")}

with Place() as place:
    place.write("m", MANIFEST)
    CASES[sys.argv[2]](place)
