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


CXX_MANIFEST = """[[span("method"), input(batch->rows, batch->name,
  batch->state, batch->rank, batch->ids)]]
  int etl::Loader::load(const etl::Batch &batch, int n);
[[span("text"), input(text)]] int etl::Loader::load(std::string const &text);
[[span]] etl::Loader::fixed;
[[span("hidden"), input(part), output(text = return)]]
  std::string etl::Loader::name(std::string part, int n);
[[span("int")]] int etl::scale(int n);
[[span("double")]] int etl::scale(double d);
[[span("view"), input(text)]] int etl::view(std::string_view text,
  etl::State s);
[[span("guarded"), input(n = g->n)]] int etl::guarded(etl::Guard g,
  int behind);
[[span("numbers"), input(v, w)]] int etl::numbers(const std::vector<int> &v,
  std::vector<double> w);
[[span("pair"), input(p->b)]] int etl::pair(const etl::Pair<int, long> &p);
[[span("twice"), symbol("int etl::twice<int>(int)")]];
[[span("make")]] std::unique_ptr<int> etl::make(int n);
"""


def check_part(p, *told):
    """Without it `check` names the file, and nothing is guessed."""
    out = p.handspan("check", "-m", "m", "./prog").stdout
    for words in told:
        expect_in(words, " ".join(out.split()), "check without a part")
    p.env["HANDSPAN_STORE"] += "-"  # of this run alone
    p.sh("rm -rf dir/types-*")      # what was read while it was there
    p.handspan("run", "-m", "m", "./prog", status=0)
    got = spans(p).get("work", {}).get("input", {})
    for name in "id", "tenant", "st", "nid", "bits", "inner", "tight":
        expect(name in got, False, f"{name} of a type that is not known")


def case_parts(p):
    """Debug information in several files: .dwo, packed as .dwp, and what dwz
    took out of several programs. A missing one is named."""
    build(p, "-g -gdwarf-4 -gsplit-dwarf -O1")
    run_and_check(p, "./prog", "split")
    dwo, = (os.path.basename(f) for f in glob.glob(f"{p.at}/*.dwo"))
    missing = f"debug information is in '{dwo}', which is missing"
    p.sh(f"timeout 60 dwp -e prog -o prog.dwp; mv {dwo} away")
    out = p.handspan("check", "-m", "m", "./prog")
    if out.returncode == 0:  # a libdw that reads them: since 0.191
        run_and_check(p, "./prog", "packed")
    else:
        check_part(p, missing, "prog.dwp' is not read: keep the .dwo files")
    p.sh("rm prog.dwp")
    check_part(p, missing)
    p.sh("rm away")
    for name in "prog", "other":
        build(p, "-g -gdwarf-4 -O1", name)
    p.sh("dwz -m common prog other")
    run_and_check(p, "./prog", "dwz")
    p.sh("mv common away")
    check_part(p, "debug information is in 'common', which is missing")


def case_cxx(p):
    """Overloads, methods, templates; what the machine passes."""
    cxx = os.environ.get("CXX", "c++")
    p.write("m", CXX_MANIFEST)
    for flags in ("-g -O1", "-gdwarf-4 -O2 -std=c++17"):
        p.sh(f"{cxx} {flags} {HERE}/cxx.cpp -o cxx")
        plain = p.sh("./cxx").stdout
        out = p.handspan("run", "-m", "m", "./cxx", status=0)
        expect(out.stdout, plain, "the program's own output")
        check_cxx(spans(p), flags + out.stderr, "dwarf-4" in flags)


def check_cxx(s, what, is_old):
    long_name = "a name that is too long for the object itself"
    want = {
        "method": {"batch_rows": 12, "batch_name": long_name, "n": 41,
                   "batch_state": "etl::State::Running", "batch_rank": 3,
                   "batch_ids": "AQAAAAIAAAADAAAA"},
        "text": {"text": "short"},
        "etl::Loader::fixed": {"n": 77},
        "hidden": {"part": "part", "n": 4},
        "int": {"n": 3}, "double": {"d": 2.5},
        "guarded": {"n": 6, "behind": 9},
        "numbers": {"v": "AQAAAAIAAAADAAAA",
                    "w": "AAAAAAAA4D8AAAAAAAD4Pw=="},
        "pair": {"p_b": 2}, "twice": {"n": 21}, "make": {"n": 8},
    }
    for name, values in want.items():
        if is_old and name in ("guarded", "make"):
            continue  # it does not say how those are passed: refused, told
        expect_in(name, s, what)
        got = s[name]["input"]
        expect({k: got.get(k) for k in values}, values, f"{name}, {what}")
    expect(s["hidden"]["output"]["text"], "part4", what)
    expect(s["twice"]["output"]["return"], 42, what)
    # the last call's: a view of nothing
    expect(s["view"]["input"], {"text": "", "s": "etl::State::Idle"}, what)


def case_preload(p):
    """LD_PRELOAD alone: the first run does without and says so; the sidecar
    fills the cache, and a later run has the values."""
    build(p)
    p.env.update(LD_PRELOAD="", HANDSPAN_MANIFEST=f"{p.at}/m")
    start = f"LD_PRELOAD={os.path.abspath(LIBRARY)} ./prog"
    p.sh(start)
    for tries in range(300):
        if glob.glob(f"{p.at}/dir/types-*/[0-9a-f]*"):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the sidecar did not fill the cache")
    shown = p.handspan("show").stdout
    expect_in("leaves things to the debug information", " ".join(
        shown.split()), "the trace says so")
    p.sh(start)
    for tries in range(300):
        if not glob.glob(f"{p.at}/dir/session-*"):
            break
        time.sleep(0.1)
    check_values(spans(p), "the next run")


def hostile_source():
    """Types that are too large, too deep, too many, or lead to themselves."""
    deep = "typedef int t0;\n" + "".join(
        f"typedef t{i} t{i + 1};\n" for i in range(1000))
    nest = "struct n0 { int v; };\n" + "".join(
        f"struct n{i + 1} {{ struct n{i} inner; int v; }};\n"
        for i in range(40))
    many = "struct many {\n" + "".join(
        f"int m{i};\n" for i in range(10000)) + "};\n"
    pointers = "".join(f"struct p{i} {{ struct p{i + 1} *next; long v; }};\n"
                       for i in reversed(range(60)))
    return f"""{deep}{nest}{many}struct p60 {{ int v; }};
{pointers}struct huge {{ char b[1 << 30]; long v; }};
struct more {{ char b[1024][1024][1024]; long v; }};
struct self {{ struct self *me; struct self *(*call)(struct self *);
  long v; }};
struct open;
struct many many; struct huge *huge; struct more *more;
__attribute__((noinline, noipa)) long f(t1000 a, struct n40 *n,
  struct many *m, struct huge *h, struct more *h2, struct self *s,
  struct open *o, struct p0 *p)
{{
    return a + n->v + m->m1 + s->v + (h != 0) + (o != 0) + (p != 0) +
           (h2 != 0);
}}
int main(void)
{{
    struct n40 n = {{.v = 2}};
    struct self s = {{.me = &s, .v = 9}};
    struct p0 p = {{.v = 5}};
    many.m1 = 3;
    return f(1, &n, &many, huge, more, &s, 0, &p) != 16;
}}
"""


def case_hostile(p):
    """Bounded, and never in the way of the program."""
    p.write("h.c", hostile_source())
    p.write("m", """[[span, input(n->v, m->m1, s->me->me->v, h->v,
  h2->v, o->x, n->inner.inner.inner.inner.v, p->v, p->next->next->next->v)]]
  f;
""")
    p.sh(f"{CC} -g -O1 h.c -o h")
    start = time.monotonic()
    done = p.handspan("run", "-m", "m", "./h")
    expect(done.returncode, 0, "the program: " + done.stderr)
    assert time.monotonic() - start < 60, "bounded time"
    got = spans(p)["f"]["input"]
    want = {"a": 1, "n_v": 2, "m_m1": 3, "s_me_me_v": 9, "p_v": 5,
            "n_inner_inner_inner_inner_v": 0}
    expect({k: got.get(k) for k in want}, want, "what can be read")
    p.write("m2", "[[span, input(m->m9999)]] f;\n")
    out = p.handspan("check", "-m", "m2", "./h", status=1).stdout
    expect_in("only the first 2000 members are known", out, "10,000 members")
    for f in glob.glob(f"{p.at}/dir/types-*/*"):
        assert os.path.getsize(f) < 4 << 20, "bounded text"
    cut_and_changed(p)


def cut_and_changed(p):
    """A file that ends anywhere, or whose debug information was changed."""
    with open(f"{p.at}/h", "rb") as f:
        whole = f.read()
    for at in range(1, 8):
        with open(f"{p.at}/cut", "wb") as f:
            f.write(whole[:len(whole) * at // 8])
        done = p.handspan("types", "-m", "m", f"{p.at}/cut")
        assert done.returncode >= 0, f"cut at {at}/8: {done.returncode}"
    sections = p.sh("readelf -SW h").stdout
    line = next(x for x in sections.splitlines() if " .debug_info " in x)
    offset, size = (int(x, 16) for x in line.split("]")[1].split()[3:5])
    for seed in range(12):
        bad = bytearray(whole)
        for i in range(64):
            bad[offset + (seed * 7919 + i * 104729) % size] = seed * 37 % 256
        p.write("bad", "")
        with open(f"{p.at}/bad", "wb") as f:
            f.write(bad)
        os.chmod(f"{p.at}/bad", 0o755)
        done = p.handspan("types", "-m", "m", "./bad")
        assert done.returncode >= 0, f"changed {seed}: {done.returncode}"
    done = p.handspan("run", "-m", "m", "./bad")
    expect(done.returncode, 0, "it runs on: " + done.stderr)


def case_cache(p):
    """A file of another build, of somebody else, or damaged is not used; the
    folder stays small."""
    build(p)
    p.handspan("run", "-m", "m", "./prog", status=0)
    name = glob.glob(f"{p.at}/dir/types-*/*")[0]
    with open(name, encoding="utf-8") as f:
        good = f.read()
    build_id = good.split("// object ")[1].split()[0]
    p.env.update(HANDSPAN_MANIFEST=f"{p.at}/m")
    start = (f"HANDSPAN_STORE=/dev/null LD_PRELOAD="
             f"{os.path.abspath(LIBRARY)} HANDSPAN_LOG={p.at}/log ./prog")
    for text, mode, wanted in (
            (good, 0o600, False),
            (good.replace(build_id, "00" * 20), 0o600, True),
            (good, 0o666, True),
            ("", 0o600, True),
            (good[:len(good) // 2], 0o600, None),
            (good.replace("struct job", "struct [[{"), 0o600, None),
            (good.replace("char tenant[32]", "char tenant[99999999]"), 0o600,
             None)):
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(name, mode)
        p.write("log", "")
        out = p.sh(start).stdout
        expect_in("7 acme -2 8 9 44", out, "the program goes on")
        with open(f"{p.at}/log", encoding="utf-8") as f:
            log = f.read()
        if wanted is not None:
            expect("leaves things to the debug information" in log, wanted,
                   f"used, {oct(mode)}: {log}")
    for i in range(200):
        p.write(f"{os.path.relpath(os.path.dirname(name), p.at)}/old-{i}", "")
    os.remove(name)
    p.handspan("run", "-m", "m", "./prog", status=0)
    assert len(os.listdir(os.path.dirname(name))) <= 128, "a small folder"
    assert os.path.exists(name), "the newest stays"


def case_debian(p):
    """Unmodified programs: libc's types from libc6-dbg, by its build-id; the
    truth is what the compiler says of the header."""
    p.write("o.c", "#include <stdio.h>\n#include <stddef.h>\nint main(void)"
            "{printf(\"%zu\", offsetof(FILE, _fileno));}")
    p.sh(f"{CC} o.c -o o")
    offset = p.sh("./o").stdout
    p.write("m", "[[span, input(f->_fileno)]] int g(struct _IO_FILE *f);\n")
    for program in ("/bin/ls", "/usr/bin/sort"):
        out = p.handspan("types", "-m", "m", program, status=0).stdout
        expect_in(f"int _fileno; /* at {offset}, ", out, program)


CASES = {n[5:]: f for n, f in list(globals().items()) if n.startswith("case_")}

with Place() as place:
    place.write("m", MANIFEST)
    CASES[sys.argv[2]](place)
