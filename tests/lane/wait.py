#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Threads that wait for room sleep, and wait no longer than they were told.

usage: wait.py BUILD_DIR vain|woken
vain: there is no sidecar; each thread waits once, then its calls are counted
woken: a sidecar comes late, is killed and replaced; every call is stored
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

MANIFEST = """[[object(main)]];
[[span, capture("none")]] long plain(long number);
[[span, capture("none")]] long text(long number, const char *said);
[[span, capture("none")]] long block(long number, const char *at, long len);
"""
FUTEX = "202 "
STEP_S = 0.05  # after which a sleeper looks for itself


def check(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


def start(build, temp, threads, calls, wait_ms):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_"))}
    env.update(HANDSPAN_DIR=str(temp / "d"), HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_STORE=str(temp / "s.db"), HANDSPAN_SIDECAR="off",
               HANDSPAN_MANIFEST=str(temp / "m"), HANDSPAN_BUDGET_MB="1",
               HANDSPAN_WAIT_MS=str(wait_ms))
    (temp / "m").write_text(MANIFEST)
    (temp / "d").mkdir(mode=0o700)
    return env, subprocess.Popen(
        [build / "bin" / "stress_program", str(threads), str(calls), "0", "0"],
        env=dict(env, LD_PRELOAD=str(build / "lib" / "libhandspan.so")),
        stdout=subprocess.DEVNULL)


def ended(program):
    """How often it went to sleep, and its CPU time; not reaped before."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        pid, status, used = os.wait4(program.pid, os.WNOHANG)
        if pid:
            program.returncode = status
            check(status, 0, "its end")
            return used.ru_nvcsw, used.ru_utime + used.ru_stime
        time.sleep(0.01)  # waits for a state
    program.kill()
    program.wait()
    raise AssertionError("the program did not come to its end")


def sleepers(program):
    """How many of its threads are in a futex of their own."""
    number = 0
    for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
        if task.name != str(program.pid):
            number += (task / "syscall").read_text().startswith(FUTEX)
    return number


def drained(build, env, temp, calls):
    subprocess.run([build / "bin" / "handspan", "sidecar"], env=env, check=True)
    store = sqlite3.connect(f"file:{temp / 's.db'}?mode=ro", uri=True)
    got = store.execute("SELECT sum(calls), sum(dropped_calls) FROM rollups")
    total, dropped = got.fetchone()
    check(total, calls, "calls")
    store.close()
    return dropped


def vain(build, temp, running):
    threads, calls, wait_ms = 4, 50000, 1500
    begun = time.monotonic()
    env, program = start(build, temp, threads, calls, wait_ms)
    running.append(program)
    slept, cpu_s = ended(program)
    wall_s = time.monotonic() - begun
    dropped = drained(build, env, temp, threads * calls)
    print(f"{wall_s:.2f} s, {cpu_s:.2f} s of CPU, asleep {slept} times, "
          f"{dropped} calls without record")
    check(wall_s >= wait_ms / 1000, True, "it waited")
    check(dropped > calls, True, "the budget was full")
    # of each thread: its sleeps, and what it takes to start and end
    most = threads * (2 * wait_ms / 1000 / STEP_S + 50)
    check(slept < most, True, f"asleep {slept} times, at most {most:.0f}")


def woken(build, temp, running):
    calls = 60000
    env, program = start(build, temp, 1, calls, 60000)
    running.append(program)
    end = time.monotonic() + 300
    while sleepers(program) == 0 and time.monotonic() < end:
        time.sleep(0.01)  # waits for a state
    check(sleepers(program), 1, "threads that sleep in a futex")
    with subprocess.Popen([build / "bin" / "handspan", "sidecar", "--stay"],
                          env=env) as first:
        first.kill()
    with subprocess.Popen([build / "bin" / "handspan", "sidecar", "--stay"],
                          env=env) as sidecar:
        slept, cpu_s = ended(program)
        sidecar.terminate()
    dropped = drained(build, env, temp, calls)
    print(f"{cpu_s:.2f} s of CPU, asleep {slept} times")
    check(dropped, 0, "calls without record")


def main():
    build, way = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-wait-",
                                         dir=os.environ.get("TEST_MEMORY")))
    running = []
    try:
        (vain if way == "vain" else woken)(build, temp, running)
    except AssertionError as fault:
        print(fault)
        return 1
    finally:
        for program in running:
            if program.returncode is None:
                program.kill()
                program.wait()
        alive.remove(temp)
    return 0


sys.exit(main())
