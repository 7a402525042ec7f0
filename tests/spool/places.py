#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Spools in places that are short of something: whatever is in the way, every
call is stored or counted, the sidecar goes on, and what is to be left is left.

usage: places.py BUILD_DIR CASE [COUNT]
limited    a limit on the size of the sidecar's files (EFBIG), then one without
elsewhere  the store is a link to another file system; the spool stands by the link
busy       somebody else writes to the store for longer than SQLite waits
stores     two sidecars on one directory, a store each, both with a spool
small      a file system of 64 MiB, 32 of them to be left [root]
container  the sidecar in a cgroup of 48 MiB: its spool is larger [root]
"""
import contextlib
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../common")]
import alive  # noqa: E402
import spool  # noqa: E402
from spool import check, wait_for  # noqa: E402

MIB = 1 << 20
SKIPPED = 77


@contextlib.contextmanager
def held(one):
    """The store is somebody else's: nothing can be decoded."""
    with contextlib.closing(sqlite3.connect(one.store, timeout=spool.LIMIT_S,
                                            isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield
        store.execute("ROLLBACK")


def go(program):
    program.stdin.write("\n")
    program.stdin.flush()


def called(program, count):
    check(program.stdout.readline().startswith(f"{count} calls"), True, "a line")


def account(one, count):
    stored, counted = one.look(count)
    check(set(one.losses) <= {"lost_records", "lost_captures", "spool_no_room",
                              "spool_unwritable"}, True, one.losses)
    return f"{stored} stored, {counted} counted"


def limited(one, count):
    most = 4 * MIB
    sidecar = one.sidecar("--stay", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (most, most)))
    program = one.program(count, stays="ask")
    wait_for(lambda: spool.is_begun(one), "the session's row")
    with held(one):
        go(program)
        wait_for(lambda: "File too large" in one.note(), "a word of status")
        check(one.spooled() <= most, True, "its size")
        called(program, count)
        sidecar.kill()
        sidecar.wait()
    one.end(program)
    one.finish()
    return account(one, count)


def elsewhere(one, count):
    memory = os.environ.get("TEST_MEMORY", "/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        if os.stat(folder).st_dev == os.stat(one.temp).st_dev:
            return None
        os.symlink(folder + "/there.db", one.store)
        sidecar = one.sidecar("--stay")
        program = one.program(count, stays="ask")
        wait_for(lambda: spool.is_begun(one), "the session's row")
        with held(one):
            go(program)
            called(program, count)
            check(one.spooled() > 0, True, "a spool beside the link")
        one.end(program)
        spool.all_stored(one, sidecar)
        one.whole(count)
        check(os.path.exists(folder + "/there.db"), True, "the store")
    return f"{count} stored"


def busy(one, count):
    """The store is in other hands for longer than SQLite waits for it."""
    sidecar = one.sidecar("--stay")
    program = one.program(count, stays="ask")
    wait_for(lambda: spool.is_begun(one), "the session's row")
    with held(one):
        told = one.temp / "d" / "sidecar.error"
        wait_for(lambda: told.exists() and "is locked" in told.read_text(),
                 "a word of it")
        go(program)
        called(program, count)
        check(one.spooled() > 0, True, "a spool")
    one.end(program)
    spool.all_stored(one, sidecar)
    one.whole(count)
    return f"{count} stored"


def stores(one, count):
    """`run` names its store: each of the sidecars has its sessions."""
    other = spool.Case.__new__(spool.Case)
    other.__dict__.update(one.__dict__, store=one.temp / "t.db")
    env = {k: v for k, v in one.env.items() if k != "HANDSPAN_SIDECAR"}
    both = []
    for case in one, other:
        run = subprocess.Popen(
            [one.handspan, "run", "-m", str(one.temp / "m"), "--store",
             str(case.store), "--summary=never", str(one.bin / "spool_burst"),
             str(count), "1", "ask"], env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        both.append((case, run))
    for case, _ in both:
        wait_for(lambda case=case: spool.is_begun(case), "the session's row")
    with held(one), held(other):
        for case, run in both:
            go(run)
            called(run, count)
            check(case.spooled() > 0, True, "a spool of its own")
    for case, run in both:
        case.end(run)
        case.whole(count)
        check(case.spools(), [], "spools left")
    return f"{count} stored in each"


def small(one, count):
    leave, place = 32 * MIB, one.temp / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place],
                   check=True)
    try:
        one.store = place / "s.db"
        one.env.update(HANDSPAN_STORE=str(one.store),
                       HANDSPAN_SPOOL_FREE="32MiB")
        sidecar = one.sidecar("--stay")
        program = one.program(count, stays="ask")
        wait_for(lambda: spool.is_begun(one), "the session's row")
        with held(one):
            go(program)
            wait_for(lambda: "spool_free (32MiB)" in one.note(), "a word of status")
            called(program, count)
            at = os.statvfs(place)
            free = at.f_bavail * at.f_frsize
            check(leave <= free < leave + 2 * MIB, True, f"{free} bytes are free")
        sidecar.kill()  # its store does not fit beside the spool
        sidecar.wait()
        subprocess.run(["mount", "-o", "remount,size=512m", place], check=True)
        one.end(program)
        one.finish()
        return f"{free} bytes left free; {account(one, count)}"
    finally:
        alive.end(one.temp)
        subprocess.run(["umount", place], check=True)


def limit_memory(name, most):
    """A cgroup's folder with that limit, of either version; None: neither."""
    for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                       ("/sys/fs/cgroup", "memory.max")):
        folder = pathlib.Path(root) / name
        try:
            folder.mkdir()
            (folder / file).write_text(str(most))
            return folder
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
    return None


def container(one, count):
    group = limit_memory(f"handspan-test-{os.getpid()}", 48 * MIB)
    if group is None:
        return None
    try:
        sidecar = one.sidecar("--stay", preexec_fn=lambda: (
            group / "cgroup.procs").write_text("0"))
        program = one.program(count, stays="ask")
        wait_for(lambda: spool.is_begun(one), "the session's row")
        with held(one):
            go(program)
            called(program, count)
            aside = one.spooled()
            check(aside > 48 * MIB, True, f"{aside} bytes set aside")
        one.end(program)
        check(sidecar.poll(), None, "it was killed")
        spool.all_stored(one, sidecar)
        return f"{aside >> 20} MiB set aside; {account(one, count)}"
    finally:
        alive.end(one.temp)
        wait_for(lambda: not (group / "cgroup.procs").read_text(), "its end")
        group.rmdir()


CASES = {"limited": (limited, 100000, {"HANDSPAN_BUDGET_MB": "1"}),
         "elsewhere": (elsewhere, 100000, {"HANDSPAN_BUDGET_MB": "4"}),
         "busy": (busy, 60000, {"HANDSPAN_BUDGET_MB": "1"}),
         "stores": (stores, 100000, {"HANDSPAN_BUDGET_MB": "4"}),
         "small": (small, 700000, {"HANDSPAN_BUDGET_MB": "4"}),
         "container": (container, 700000, {"HANDSPAN_BUDGET_MB": "4"})}


def main():
    build, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    case, count, settings = CASES[name]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else count
    if case in (small, container) and os.geteuid() != 0:
        print("skipped: needs root (mount, cgroup)")
        return SKIPPED
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-spool-"))
    try:
        one = spool.Case(build, temp, **dict(
            settings, HANDSPAN_SPOOL_FREE="16MiB"))
        said = case(one, count)
    except AssertionError as fault:
        print(f"{name}: {fault}")
        return 1
    finally:
        alive.end(temp)
        shutil.rmtree(temp)
    print(f"{name}: {said or 'skipped: this machine has no such place'}")
    return 0 if said else SKIPPED


sys.exit(main())
