#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs that reach their handlers by function pointers only.

usage: run.py BUILD PROGRAM

Runs the program untraced and traced (same output, same status), then under
gdb with a breakpoint on every function that handspan bound when it was
registered: as many calls, function by function. These functions are static
in stripped objects: the span's symbol is "object+0xaddress".
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../common"))
import alive  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COUNT = HERE.parent.parent / "e2e" / "count_calls.py"


def make_sam(work):
    lines = ["@HD\tVN:1.6", "@SQ\tSN:one\tLN:1000000"]
    for i in range(20000):
        lines.append(f"r{i}\t0\tone\t{(i * 7919) % 900000 + 1}\t60\t50M\t*\t0"
                     f"\t0\t{'ACGTA' * 10}\t{'FF:F#' * 10}")
    (work / "in.sam").write_text("\n".join(lines) + "\n")


def make_collectd(work):
    (work / "c.conf").write_text(f"""
BaseDir "{work}"
PIDFile "{work}/pid"
Interval 10
LoadPlugin load
LoadPlugin memory
LoadPlugin csv
<Plugin csv>
  DataDir "{work}/csv"
</Plugin>
""")


# prepare, command, functions at least, calls at least
PROGRAMS = {
    "samtools": (make_sam, "samtools view -@ 2 -b -o {work}/out.bam "
                 "{work}/in.sam", 2, 20),
    "gst-launch": (None, "gst-launch-1.0 -q fakesrc num-buffers=40 "
                   "sizetype=2 sizemax=64 ! queue ! identity ! fakesink",
                   3, 120),
    "collectd": (make_collectd, "collectd -T -C {work}/c.conf", 3, 4),
    "sqlite3": (None, "sqlite3 :memory:", 3, 10),
}
SQL = """create table t(a); insert into t values('1.5'),('2.25'),('3');
select decimal_add(a, '10'), decimal_cmp(a, '2') from t;
select decimal_sum(a) from t;
select shell_int32(x'0000000100000002', 1) from t;
select hex(sha3(a, 256)) from t;
"""


def run(command, env, **more):
    done = subprocess.run(command, env=env, input=SQL, capture_output=True,
                          text=True, timeout=300, check=False, **more)
    return done.returncode, done.stdout, mask(done.stderr)


def mask(text):
    """collectd's lines begin with the time; what is left when it is stopped
    depends on it, too."""
    return "\n".join(line.split("] ", 1)[-1] for line in text.splitlines()
                     if "left after shutting down" not in line)


def wait_until_stored(env):
    end = time.monotonic() + 300
    while time.monotonic() < end:
        left = list(pathlib.Path(env["HANDSPAN_DIR"]).glob("session-*"))
        if not left and os.path.exists(env["HANDSPAN_STORE"]):
            return
        time.sleep(0.05)  # waits for a state: the sidecar's commit
    sys.exit("not stored")


def check(build, name, work):
    prepare, command, least_functions, least_calls = PROGRAMS[name]
    if prepare:
        prepare(work)
    command = [part.format(work=work) for part in command.split()]
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_"))}
    env["PATH"] += ":/usr/sbin"
    env["GST_REGISTRY_FORK"] = "no"
    env["GST_REGISTRY"] = str(work / "registry")
    plain = run(command, env)
    handspan = str(build / "bin" / "handspan")
    env.update(HANDSPAN_DIR=str(work / "d"), HANDSPAN_STORE=str(work / "s.db"))
    os.mkdir(work / "d", 0o700)
    traced = run([handspan, "run", "--summary=never", "-m",
                  str(HERE / f"{name}.manifest"), "--", *command], env)
    if plain != traced:
        sys.exit(f"untraced {plain}\ntraced   {traced}")
    wait_until_stored(env)
    out = subprocess.run([handspan, "spans", "latest", "--json"], env=env,
                         capture_output=True, text=True, check=True).stdout
    spans = [json.loads(line) for line in out.splitlines()][1:]
    calls = collections.Counter(s["symbol"] for s in spans if s["symbol"])
    shown = subprocess.run([handspan, "show", "latest", "--json"], env=env,
                           capture_output=True, text=True, check=True).stdout
    trace = json.loads(shown.splitlines()[1])
    print("calls:", dict(calls), "not bound:", trace["not_bound"])
    if len(calls) < least_functions or calls.total() < least_calls:
        sys.exit("fewer than there must be")
    compare(calls, {s["symbol"]: os.path.basename(os.path.realpath(s["object"]))
                    for s in spans
                    if s["symbol"]}, command, env, work)


def compare(calls, objects, command, env, work):
    patterns = [[symbol, objects[symbol], symbol.split("+")[-1]]
                for symbol in calls]
    env = dict(env, COUNT_SYMBOLS=json.dumps(patterns),
               COUNT_OUT=str(work / "count.json"))
    run(["gdb", "-q", "-batch", "-nx", "-x", str(COUNT), "--args", *command],
        env)
    counted = json.loads((work / "count.json").read_text())["calls"]
    if counted != dict(calls):
        sys.exit(f"gdb counted {counted}, not {dict(calls)}")


def main():
    memory = os.environ.get("TEST_MEMORY")
    work = pathlib.Path(tempfile.mkdtemp(prefix="handspan-naming-",
                                         dir=memory))
    try:
        check(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], work)
    finally:
        alive.remove(work)


if __name__ == "__main__":
    main()
