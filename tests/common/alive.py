# SPDX-License-Identifier: Apache-2.0
"""Processes that belong to a folder: its name is in their environment, in their
arguments or in the folder they work in. A sidecar, its children, what a traced
program left running.

  alive.py FOLDER     ends them, for a test that is no Python
"""
import os
import shutil
import signal
import sys
import time


def _above_us():
    above, pid = set(), os.getpid()
    while pid > 1:
        above.add(pid)
        with open(f"/proc/{pid}/stat", "rb") as f:
            pid = int(f.read().rsplit(b")", 1)[1].split()[1])
    return above


def processes(*folders):
    """{pid: its arguments}; who runs this is none."""
    words = [os.fsencode(os.path.join(f, "")) for f in folders]
    words += [w.rstrip(b"/") + b"\0" for w in words]
    above, found = _above_us(), {}
    for pid in (int(n) for n in os.listdir("/proc") if n.isdecimal()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                said = f.read()
            with open(f"/proc/{pid}/environ", "rb") as f:
                known = said + f.read()
            known += os.fsencode(os.readlink(f"/proc/{pid}/cwd")) + b"\0"
        except OSError:
            continue  # gone, or somebody else's
        if pid not in above and any(w in known for w in words):
            found[pid] = said.replace(b"\0", b" ").decode(errors="replace")
    return found


def may_look():
    """May a process of ours look at another one that is not its child?"""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as f:
            return os.geteuid() == 0 or f.read().strip() == "0"
    except FileNotFoundError:
        return True


def wait_for_none(*folders, seconds=300):
    """What is still alive then; nothing, as it should be. Nothing twice: one
    that forks or execs just when it is looked at is not seen."""
    end, none = time.monotonic() + seconds, 0
    while none < 2 and time.monotonic() < end:
        left = processes(*folders)
        none = 0 if left else none + 1
        time.sleep(0.02)  # waits for a state
    return left


def remove(folder):
    """The folder, once nobody writes there any more."""
    left = wait_for_none(folder)
    shutil.rmtree(folder)
    assert not left, left


def end(folder):
    """A sidecar whose store is deleted makes another, so it goes first."""
    for pid in processes(folder):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    return wait_for_none(folder, seconds=30)


if __name__ == "__main__":
    sys.exit(len(end(sys.argv[1])))
