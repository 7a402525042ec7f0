#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All that the preload maps is at most an eighth of what the process may have,
or nothing but the library itself; and a small container is not filled.

  memory_test.py PRELOAD PROGRAM
"""
import glob
import os
import re
import resource
import subprocess
import sys
import tempfile

LIBRARY_KIB = 2048  # the object itself, in any case
LIMITS_KIB = (16000, 24000, 40000, 60000, 80000, 100000, 200000, 400000,
              1000000)
LEAST_TRACED_KIB = 64000
LOCKED_KIB = 16 * 1024
CONTAINERS_MIB = (32, 64)
CALLS = 3000000
MANIFEST = "[[object(main)]];\n[[span]] int work(int n);\n"


def run(program, env, limit_kib=None, group=None, arguments=()):
    def prepare():
        if limit_kib:
            resource.setrlimit(resource.RLIMIT_AS, (limit_kib * 1024,) * 2)
        if group:
            with open(os.path.join(group, "cgroup.procs"), "w") as out:
                out.write(str(os.getpid()))
    return subprocess.run([program, *arguments], env=env, timeout=300,
                          capture_output=True, preexec_fn=prepare)


def sessions(env):
    found = glob.glob(os.path.join(env["HANDSPAN_DIR"], "session-*"))
    for path in found:
        os.unlink(path)
    return len(found)


def check_address_space(program, bare, traced):
    wrong = 0
    for limit in LIMITS_KIB:
        plain = run(program, bare, limit)
        got = run(program, traced, limit)
        count = sessions(traced)
        if got.returncode or got.stderr or plain.returncode:
            print(f"WRONG ulimit -v {limit}: {got}, untraced {plain}")
            wrong += 1
            continue
        more = int(got.stdout) - int(plain.stdout)
        most = limit // 8 if count else LIBRARY_KIB
        ok = more <= most and (count == 1 or limit < LEAST_TRACED_KIB)
        wrong += not ok
        print(f"{'ok   ' if ok else 'WRONG'} ulimit -v {limit}: {more} KiB "
              f"more (at most {most}), {count} sessions")
    return wrong


def check_flags(bare, traced):
    """The session takes no huge pages and stands in no core (VmFlags)."""
    plain, got = (subprocess.run(["cat", "/proc/self/smaps"], env=env,
                                 capture_output=True, text=True, timeout=300)
                  for env in (bare, traced))
    count, wrong = sessions(traced), 0
    flags = [part.split("VmFlags:")[1].split("\n")[0].split()
             for part in re.split(r"\n(?=[0-9a-f]+-)", "\n" + got.stdout)
             if "/session-" in part.split("\n")[0]]
    wrong = plain.returncode or got.returncode or count != 1 or not flags or \
        any(not {"nh", "dd"} <= set(each) for each in flags)
    print(f"{'WRONG' if wrong else 'ok   '} flags of the session's mappings: "
          f"{flags}")
    return bool(wrong)


def check_locked(program, bare, traced):
    plain = run(program, bare, arguments=("lock",))
    if plain.returncode:
        print("skipped: memory cannot be locked here")
        return 0
    got = run(program, traced, arguments=("lock",))
    count = sessions(traced)
    more = int(got.stdout or 0) - int(plain.stdout)
    ok = got.returncode == 0 and count == 1 and more <= LOCKED_KIB
    print(f"{'ok   ' if ok else 'WRONG'} mlockall: {more} KiB more "
          f"resident (at most {LOCKED_KIB})")
    return not ok


def check_locked_below_limit(program, bare, traced):
    """RLIMIT_MEMLOCK has room for the program, not for what is ours, too."""
    size = int(run(program, bare).stdout)
    wrong = 0
    for kib, how in ((size + 256, "limit"), (size + 256, "limit+"),
                     (size - 256, "limit")):
        plain = run(program, bare, arguments=(how, str(kib)))
        got = run(program, traced, arguments=(how, str(kib)))
        count = sessions(traced)
        ok = (got.returncode == plain.returncode and count == 1 and
              (plain.returncode == 77) == (kib < size) and
              int(plain.stdout or 0) <= int(got.stdout or 0) <= kib)
        wrong += not ok
        print(f"{'ok   ' if ok else 'WRONG'} mlockall below {kib} KiB ({how}): "
              f"{got.stdout}, status {got.returncode}, untraced "
              f"{plain.stdout}, {plain.returncode}")
    return wrong


def make_group():
    """A memory cgroup of our own, and the name of its limit; or None."""
    for top, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                      ("/sys/fs/cgroup", "memory.max")):
        group = os.path.join(top, f"handspan-test-{os.getpid()}")
        try:
            os.mkdir(group)
        except OSError:
            continue
        if os.access(os.path.join(group, name), os.W_OK):
            return group, os.path.join(group, name)
        os.rmdir(group)
    return None, None


def check_container(program, bare, traced):
    group, limit = make_group()
    if not group:
        print("skipped: no memory cgroup can be made here")
        return 0
    wrong = 0
    try:
        for mib in CONTAINERS_MIB:
            with open(limit, "w") as out:
                out.write(f"{mib}M")
            got = run(program, traced, None, group, ("work", str(CALLS)))
            used = sum(os.stat(path).st_blocks * 512 for path in glob.glob(
                os.path.join(traced["HANDSPAN_DIR"], "session-*")))
            count = sessions(traced)
            ok = (got.returncode == 0 and count == 1 and
                  used <= mib << 20 >> 3)
            wrong += not ok
            print(f"{'ok   ' if ok else 'WRONG'} container of {mib} MiB: "
                  f"status {got.returncode}, {used >> 10} KiB of session, "
                  f"{count} sessions")
    finally:
        os.rmdir(group)
    return wrong


def main():
    preload, program = sys.argv[1:3]
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_"))}
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handspan-memory-",
                                     dir=shm) as top:
        manifest = os.path.join(top, "m.manifest")
        with open(manifest, "w") as out:
            out.write(MANIFEST)
        traced = dict(bare, LD_PRELOAD=preload, HANDSPAN_MANIFEST=manifest,
                      HANDSPAN_DIR=os.path.join(top, "dir"),
                      HANDSPAN_SIDECAR="off")
        return (check_flags(bare, traced) +
                check_address_space(program, bare, traced) +
                check_locked(program, bare, traced) +
                check_locked_below_limit(program, bare, traced) +
                check_container(program, bare, traced)) > 0


if __name__ == "__main__":
    sys.exit(main())
