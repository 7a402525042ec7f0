#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How processes end, also those that cannot say so themselves.

usage: ends.py BUILD_DIR CASE
"""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

tests = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(tests / "process"), str(tests / "common")]
import lock  # noqa: E402
import process  # noqa: E402
from process import check  # noqa: E402

process.MANIFEST = """%s
[[object(main)]];
[[span]] int work(int how);
[[span]] int serve(int ready);
[[root("request"), carry(id)]] int request(long id);
[[root("request")]] int hold(int ready);
[[root("request")]] int ask(int how);
[[span, adopt(id), fails(return < 0)]] int handle(long id);
[[carry(id)]] int carry(long id);
[[span, adopt(id)]] int next(long id);
"""


class Run(process.Run):
    def __init__(self, build, scope=""):
        super().__init__(build, scope)
        self.step = (self.build / "bin" / "ends_step").resolve()
        self.env["S"] = str(self.step)

    def start(self, *command):
        return self.handspan("run", "--summary=never", "-m",
                             str(self.dir / "m"), "--", *command)

    def begin(self, *command):
        return subprocess.Popen(
            [self.build / "bin" / "handspan", "run", "--summary=never", "-m",
             self.dir / "m", "--", *command],
            env=self.env, stdout=subprocess.PIPE, text=True)

    def sql(self, query, *values):
        db = sqlite3.connect(f"file:{self.dir}/s.db?mode=ro", uri=True)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()


def wait_until(is_so, seconds=300):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.005)


# ---- cases -----------------------------------------------------------------

def raw(run):
    """Without libc's exit, or by SIGKILL: the end is that of the process, also
    if the sidecar looks only later."""
    for how in ("exit", "kill"):
        other = Run(run.build)
        sidecar = subprocess.Popen(
            [other.build / "bin" / "handspan", "sidecar", "--stay"],
            env=other.env, stderr=subprocess.DEVNULL)
        wait_until(lambda d=other.dir: lock.is_held(d / "d"))
        sidecar.send_signal(signal.SIGSTOP)
        child = other.begin(str(other.step), "raw", how)
        at = int(child.stdout.readline())
        wait_until(lambda d=other.dir: list((d / "d").glob("reaped-*")))
        most = time.time_ns()
        wait_until(lambda most=most: time.time_ns() > most + 500_000_000)
        sidecar.send_signal(signal.SIGCONT)
        child.communicate(timeout=300)
        sidecar.terminate()
        sidecar.wait(300)
        other.drain()
        ((end,),) = other.sql(
            "SELECT start_unix_ns + duration_ns FROM processes")
        if not at <= end <= most:
            raise SystemExit(f"{how}: {at} <= {end} <= {most}")


def children(run):
    """The parent waited: each has the signal that killed it."""
    done = run.run(str(run.step), "children")
    check(done.returncode, 0, done.stderr)
    ends = run.sql("""SELECT coalesce(signal, 0), ended_by, count(*)
        FROM processes WHERE parent_idx IS NOT NULL OR NOT is_root
        GROUP BY 1, 2 ORDER BY 1""")
    check(ends, [(0, "exit", 2), (6, "signal", 2), (9, "signal", 2),
                 (11, "signal", 2), (15, "signal", 2)], "ends of children")
    longer = run.sql("""SELECT k.duration_ns, r.duration_ns
        FROM processes k, processes r
        WHERE r.is_root AND k.duration_ns > r.duration_ns""")
    check(longer, [], "children that outlived who waited for them")


def open_calls(run):
    """A call that its process's end cut short lasted until then."""
    done = run.run(str(run.step), "server")
    check(done.returncode, 0, done.stderr)
    (row,) = [r for r in run.rows("stats") if r["name"] == "work"]
    check((row["calls"], row["errors"]), (3, 1), "calls and errors in stats")
    listed = run.handspan("list").stdout.splitlines()[1].split()
    check(listed[-3:], ["ok", "3", "1"], "a trace that lived with an error")
    beyond = run.sql("""SELECT s.status, s.duration_ns, p.duration_ns
        FROM spans s JOIN processes p
          ON p.session = s.session AND p.idx = s.process_idx
        WHERE s.start_unix_ns + s.duration_ns >
              p.start_unix_ns + p.duration_ns + 100 OR s.duration_ns IS NULL""")
    check(beyond, [], "calls that outlive their process")
    check(run.sql("SELECT count(*) FROM spans WHERE status <> 'ok'"), [(2,)],
          "calls that were cut short")
    shown = max(r["max_ns"] for r in run.rows("show")
                if r.get("name") == "work")
    (server,) = run.sql("SELECT duration_ns FROM processes WHERE is_root")
    if row["max_ns"] >= server[0] // 2 or shown != row["max_ns"]:
        raise SystemExit(f"{row['max_ns']}, {shown} of {server[0]}")


def pool(run):
    """Who ends its own workers has not failed; who loses them has."""
    done = run.run(str(run.step), "pool")
    check(done.returncode, 0, done.stderr)
    ends = "SELECT status, ended_by, signal FROM processes WHERE NOT is_root"
    check(run.sql(ends), [("ok", "signal", 15)] * 3, "the workers")
    check(run.sql("SELECT status, count(*) FROM spans GROUP BY 1"),
          [("unfinished", 3)], "their calls")
    check(run.handspan("errors").returncode, 1, "errors finds nothing")

    other = Run(run.build)
    child = other.begin(str(run.step), "alone")
    for _ in range(3):
        os.kill(int(child.stdout.readline()), signal.SIGTERM)
    check(child.wait(300), 0, "the pool")
    child.stdout.close()
    other.drain()
    check(other.sql(ends), [("error", "signal", 15)] * 3, "ended by others")


def outcome(run):
    """A trace of four processes of which the second failed, and its row."""
    line = "$S exit 0; $S exit 5 second; $S exit 0; :"
    done = run.run("/bin/sh", "-c", line)
    check(done.returncode, 0, done.stderr)
    (row,) = run.traces()
    check((row["status"], row["processes"], row["failed_processes"]),
          ("ok", 4, 1), "the trace")
    shown = run.handspan("list").stdout
    if "ok, 1 of 4 processes exit 5" not in shown:
        raise SystemExit(shown)
    shown = run.handspan("show").stdout
    if "ok, 1 of 4 processes exit 5" not in shown:
        raise SystemExit(shown)
    names = [(r["name"], r["calls"]) for r in run.rows("show")
             if r["kind"] == "process"]
    check(names[1:], [("ends_step", 2), ("ends_step exit 5 second: exit 5", 1)],
          "the rows")
    rest = [r for r in run.rows("stats") if r["name"] is None]
    ((cpu,),) = run.sql("""SELECT sum(cpu_ns) FROM processes
        WHERE ended_by <> 'exec'""")
    ((top,),) = run.sql("SELECT coalesce(sum(cpu_ns), 0) FROM spans")
    ((loading,),) = run.sql("SELECT sum(loading_cpu_ns) FROM processes")
    # a call's CPU time may hold what a hypervisor took away (preload/call/record/cpu.h)
    check(rest[0]["cpu_ns"], max(0, cpu - top - loading), "CPU of the rest")


def daemon(run):
    """What outlives the others decides."""
    done = run.run(str(run.step), "daemon")
    check(done.returncode, 0, "the command")
    (row,) = run.traces()
    check((row["status"], row["ended_by"], row["exit_code"]),
          ("error", "exit", 3), "the trace")
    if row["duration_ns"] < 200_000_000:
        raise SystemExit(f"{row['duration_ns']} ns of 200 ms")


def script(run):
    """A command outside of the manifest's scope: `run` waits for what it
    started, and the outcome is the command's."""
    other = Run(run.build, scope='[[program("ends_step")]];')
    line = "for i in 1 2 3; do $S exit $i || s=$?; done; $S exit 0; exit $s"
    done = other.start("/bin/sh", "-c", line)
    check(done.returncode, 3, "the command")
    left = os.listdir(other.dir / "d")
    check([n for n in left if n.startswith(("session", "command"))], [],
          "what is not stored when run returns")
    (row,) = other.traces()
    check((row["status"], row["exit_code"], row["processes"],
           row["failed_processes"]), ("error", 3, 4, 3), "the trace")
    shown = other.handspan("errors", "--full").stdout
    for i in (1, 2, 3):
        if f"Command    {other.step} exit {i}" not in shown:
            raise SystemExit(shown)
    other.drain()

    # the last one fails, and the command says that this is well
    other = Run(run.build, scope='[[program("ends_step")]];')
    done = other.start("/bin/sh", "-c", "$S exit 4 || true")
    check(done.returncode, 0, "the command")
    (row,) = other.traces()
    check((row["status"], row["exit_code"]), ("ok", 0), "the trace")
    other.drain()


def static_launcher(run):
    """No preload reaches it; what it starts is traced, and below its trace."""
    launcher = (run.build / "bin" / "ends_static").resolve()
    done = run.start(str(launcher), str(run.step), "exit", "6")
    check(done.returncode, 6, "the command")
    if "what it starts is traced" not in done.stderr:
        raise SystemExit(done.stderr)
    (row,) = run.traces()
    check((row["status"], row["exit_code"], row["spans"]), ("error", 6, 1),
          "the trace")
    run.drain()


def open_now(run):
    """Calls that are open now are calls."""
    child = run.begin(str(run.step), "alone")
    pids = [int(child.stdout.readline()) for _ in range(3)]

    def said():
        return run.handspan("check", "--pid", str(pids[0])).stdout
    try:
        wait_until(lambda: "3 calls, 3 open" in said())
    finally:  # they never end by themselves
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    child.communicate(timeout=300)
    run.drain()
    if "3 calls" not in said() or "open" in said():
        raise SystemExit(said())


def of_requests(run):
    return sorted((r for r in run.traces() if r["name"] == "request"),
                  key=lambda r: r["start_unix_ns"])


def cut_requests(run):
    """Those that are open when the process is killed end there, also where the
    first look comes after the 200 ms from which on what is open is shown."""
    run.env["HANDSPAN_SIDECAR"] = "off"
    done = run.start(str(run.step), "cut")
    check(done.returncode, -signal.SIGKILL, done.stderr)
    at = time.monotonic() + 0.25
    wait_until(lambda: time.monotonic() > at)
    del run.env["HANDSPAN_SIDECAR"]
    run.drain()
    rows = of_requests(run)
    check([r["status"] for r in rows], ["unfinished"] * 3, "requests")
    ((ended,),) = run.sql("SELECT start_unix_ns + duration_ns FROM processes")
    for r in rows:
        end = r["start_unix_ns"] + r["duration_ns"]
        if r["duration_ns"] < 20_000_000 or abs(end - ended) > 1_000_000:
            raise SystemExit(f"{r} {ended}")


def left(run):
    """Nobody is to start a sidecar: `run` neither does nor waits for one, and
    says where the trace lies."""
    run.env["HANDSPAN_SIDECAR"] = "off"
    done = run.handspan("run", "-m", str(run.dir / "m"), "--", str(run.step),
                        "compute")
    check(done.returncode, 0, done.stderr)
    (said,) = done.stderr.splitlines()
    if "HANDSPAN_SIDECAR is off, and no sidecar runs here. It waits in '" + \
            str(run.dir / "d") not in said:
        raise SystemExit(said)
    check(list((run.dir / "d").glob("sidecar*")), [], "of a sidecar")
    del run.env["HANDSPAN_SIDECAR"]
    run.drain()
    check([r["name"] for r in run.traces()], ["ends_step"], "brought in")


def asking_requests(run):
    """A child that failed is told, as of any trace; the threads are those
    that worked for it."""
    done = run.run(str(run.step), "ask")
    check(done.returncode, 0, done.stderr)
    (row,) = of_requests(run)
    check((row["status"], row["failed_processes"]), ("ok", 1), "the request")
    shown = run.handspan("list").stdout
    if "ok, 1 of 1 process exit 4" not in shown:
        raise SystemExit(shown)
    shown = run.handspan("stats", row["trace_id"]).stdout
    if " 2 threads" not in shown:
        raise SystemExit(shown)


def requests(run):
    """A trace lasts until the work that goes on for it ends, and fails with
    it. Handlers of a loop that follow each other are no recursion."""
    done = run.handspan("run", "--summary=always", "-m", str(run.dir / "m"),
                        "--", str(run.step), "requests")
    check(done.returncode, 0, done.stderr)
    if "3 traces of its own, 6 spans" not in done.stderr or \
            "1 of 3 traces of its own failed: handspan list" not in done.stderr:
        raise SystemExit(done.stderr)
    run.drain()
    rows = of_requests(run)
    check([r["status"] for r in rows], ["ok", "error", "ok"], "the requests")
    check([r["cpu_ns"] for r in rows], [None] * 3, "CPU of the process")
    if min(r["duration_ns"] for r in rows) < 20_000_000:
        raise SystemExit(rows)
    cut_requests(Run(run.build))
    asking_requests(Run(run.build))

    other = Run(run.build)
    other.run(str(other.step), "chain")
    (shown,) = [r for r in other.rows("show") if r["name"] == "next"]
    (row,) = [r for r in other.rows("stats") if r["name"] == "next"]
    check((shown["calls"], shown["is_recursive"]), (20, False), "the row")
    check(shown["total_ns"], row["total_ns"], "total in show and in stats")
    if shown["total_ns"] < 40_000_000:
        raise SystemExit(shown)


def silenced_now(run):
    rows = [r for r in run.rows("status") if r["kind"] == "session"]
    check([r for r in rows if r["is_off"]], [], "sessions that are off")
    return [(p["pid"], p["name"]) for r in rows for p in r["off_processes"]]


def off(run):
    """`off PID` is of that process alone, and the trace says when."""
    child = subprocess.Popen(
        [run.build / "bin" / "handspan", "run", "--summary=never", "-m",
         run.dir / "m", "--", str(run.step), "prefork"],
        env=run.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    one, other = (child.stdout.readline().strip() for _ in range(2))

    def calls(pid):
        return run.sql("""SELECT count(*) FROM spans s JOIN processes p
            ON p.session = s.session AND p.idx = s.process_idx
            WHERE p.pid = ? AND s.status <> 'open'""", int(pid))[0][0]

    wait_until(lambda: run.handspan("list").returncode == 0)
    wait_until(lambda: calls(one) and calls(other))
    said = run.handspan("off", one).stdout
    check(said, f"Process {one}: recording is off.\n", "off")
    check(silenced_now(run), [(int(one), "ends_step")], "status --json")
    said = run.handspan("status").stdout
    if f", recording is off in 1 of 3 processes: {one} ends_step," not in said:
        raise SystemExit(said)

    def wait_for_more(pid):
        most = calls(pid) + 30
        wait_until(lambda: calls(pid) > most)
    wait_until(lambda: run.sql("""SELECT 1 FROM pauses
        WHERE process_idx IS NOT NULL AND until_unix_ns IS NULL"""))
    wait_for_more(other)
    silenced = calls(one)
    wait_for_more(other)
    check(calls(one), silenced, "calls while it was off")
    check(run.handspan("on", one).stdout, f"Process {one}: recording is on.\n",
          "on")
    check(silenced_now(run), [], "status after on")
    wait_for_more(one)
    wait_until(lambda: run.sql(
        "SELECT 1 FROM pauses WHERE until_unix_ns IS NOT NULL"))
    # of all, and of one of them on: it cannot be, and that is said
    run.handspan("off")
    said = run.handspan("on", other).stdout
    if f"Process {other}: recording is on." not in said or one not in said:
        raise SystemExit(said)
    run.handspan("on")
    child.communicate("x", timeout=300)
    run.drain()
    shown = run.handspan("show").stdout
    if "Incomplete" not in shown or \
            f"Recording was off in process {one} for" not in shown:
        raise SystemExit(shown)


def off_exec(run):
    """What a silenced process becomes by exec is recorded; an exec that fails
    changes nothing."""
    child = subprocess.Popen(
        [run.build / "bin" / "handspan", "run", "--summary=never", "-m",
         run.dir / "m", "--", str(run.step), "turn"],
        env=run.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(command):
        child.stdin.write(command)
        child.stdin.flush()
        return child.stdout.readline().strip()

    def calls():
        return run.sql("""SELECT count(s.start_unix_ns) FROM processes p
            LEFT JOIN spans s ON p.session = s.session AND p.idx = s.process_idx
            WHERE p.pid = ? GROUP BY p.session, p.idx ORDER BY p.start_unix_ns""", int(pid))
    pid = child.stdout.readline().strip()
    wait_until(lambda: run.handspan("list").returncode == 0)
    run.handspan("off", pid)
    check(list((run.dir / "d").glob("off*")), [], "left in the directory")
    wait_until(lambda: run.sql("SELECT 1 FROM pauses WHERE process_idx >= 0"))
    check(tell("f"), "goes on", "an exec that failed")
    check(silenced_now(run), [(int(pid), "ends_step")], "who is off")
    check(tell("e"), pid, "the process")
    check(silenced_now(run), [], "who is off after the exec")
    wait_until(lambda: len(calls()) == 2 and calls()[1][0] > 30)
    child.communicate("x", timeout=300)
    run.drain()
    shown = run.handspan("show").stdout
    if f"Recording was off in process {pid} for" not in shown:
        raise SystemExit(shown)


def loading(run):
    """A process begins with its exec; the time until its first handler has a
    row of its own, everywhere the same."""
    step = (run.build / "bin" / "ends_loading").resolve()
    spun = 50_000_000
    done = run.run(str(step))
    check(done.returncode, 0, done.stderr)
    ((took, cpu, lasted, used),) = run.sql("""SELECT loading_ns,
        loading_cpu_ns, duration_ns, cpu_ns FROM processes""")
    if not spun <= cpu <= took <= lasted or used > lasted + 4_000_000:
        raise SystemExit(f"{spun}, {cpu}, {took} of {used}, {lasted}")
    (row,) = [r for r in run.rows("show") if r["kind"] == "loading"]
    check((row["path"], row["total_ns"], row["cpu_ns"]),
          (["ends_loading", "(loading)"], took, cpu), "show")
    rows = {r["name"]: r for r in run.rows("stats")}
    check((rows["(loading)"]["self_ns"], rows["(loading)"]["cpu_ns"]),
          (took, cpu), "stats")
    # the trace lasts until `run` had its command's end, if it says so
    ((wall,),) = run.sql("SELECT duration_ns FROM traces")
    check(rows[None]["self_ns"] + rows["work"]["total_ns"] + took, wall,
          "all of the time")
    if wall < lasted:
        raise SystemExit(f"{wall} of {lasted}")
    check(rows[None]["cpu_ns"] + rows["work"]["cpu_ns"] + cpu, used,
          "all of the CPU time")
    folded = run.handspan("export", "--format=folded").stdout
    if f"ends_loading;(loading) {took}\n" not in folded:
        raise SystemExit(folded)
    chrome = json.loads(run.handspan("export", "--format=chrome").stdout)
    check([e["args"]["loading_ns"] for e in chrome["traceEvents"]
           if e["ph"] == "X" and "loading_ns" in e["args"]], [took], "Chrome")
    if f'"handspan.loading_ns","value":{{"intValue":"{took}"}}' not in \
            run.handspan("export").stdout:
        raise SystemExit("OTLP")

    # who execs itself out of a handler begins there
    other = Run(run.build)
    other.run(str(step), "again")
    (first, second) = other.sql("""SELECT start_unix_ns, duration_ns,
        loading_ns FROM processes ORDER BY start_unix_ns""")
    apart = second[0] - first[0] - first[1]
    if not -5_000_000 < apart < spun or min(first[2], second[2]) < spun:
        raise SystemExit(f"{first}, {second}")
    for screen in ("show", "spans"):
        shown = other.handspan(screen).stdout
        if "ended by exec" not in shown or "unfinished" in shown:
            raise SystemExit(shown)
    check(other.handspan("errors").stdout, "No errors.\n", "errors")

    # the time of an exec is told to none but the image that it made
    other = Run(run.build, scope='[[program("ends_loading")]];')
    done = other.start("/bin/sh", "-c", f"exec {step}")
    check(done.returncode, 0, done.stderr)
    other.drain()
    check(other.sql("SELECT loading_ns FROM processes"), [(None,)], "unknown")
    said = other.handspan("run", "--summary=never", "--", "env").stdout
    (variable,) = [s for s in said.split() if s.startswith("HANDSPAN_EXEC=")]
    check(variable.split("=")[1].strip("0-"), "", "the variable")
    other.drain()


def execs(run):
    """CPU time is of the same time as the duration: an exec keeps the
    kernel's clock, and no thread uses more than the time that there is."""
    s = str(run.step)
    go = [s, "compute"]
    python = ("import subprocess, sys; subprocess.run(sys.argv[1:]); "
              "subprocess.run(sys.argv[1:], close_fds=False)")
    ways = {
        "in a loop": go * 6,
        "below a shell": ["/bin/sh", "-c", "$S compute; exec $S compute"],
        "env, nice": [*go, "env", "A=1", "nice", *go],
        "timeout": [*go, "timeout", "300", *go, "env", *go],
        "xargs": ["/bin/sh", "-c", "echo a b c | exec xargs -n1 sh -c "
                  "'exec $S compute $S compute'"],
        "python": ["/usr/bin/python3", "-c", python, *go, *go],
        "raw exit": go * 3 + ["exit"],
        "killed": go * 3 + ["kill"]}
    for way, command in ways.items():
        other = Run(run.build)
        done = other.run(*command)
        check(done.returncode, -signal.SIGKILL if way == "killed" else 0,
              f"{way}: {done.stderr}")
        rows = other.sql("""SELECT name, ended_by, cpu_ns, duration_ns,
            loading_ns IS NULL AND idx = 0, peak_is_lower_bound
            FROM processes ORDER BY start_unix_ns""")
        for name, ended_by, cpu, lasted, is_unknown, is_sample in rows:
            least = 20_000_000 if name == "ends_step" and not is_sample else 0
            if (cpu or 0) > lasted + lasted // 1000 or (cpu or 0) < least or \
                    is_unknown:
                raise SystemExit(f"{way}: {name} ({ended_by}): {rows}")


if __name__ == "__main__":
    globals()[sys.argv[2]](Run(sys.argv[1]))
