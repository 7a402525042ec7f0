# SPDX-License-Identifier: Apache-2.0
"""Whether a sidecar is at work in a session directory, and which."""
import fcntl
import os


def is_held(folder):
    """Asked as `handspan status` does: with a shared lock, which a sidecar
    that is just coming tells from another sidecar's."""
    try:
        fd = os.open(os.path.join(folder, "sidecar.lock"), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def holder(folder):
    """Its pid; its forked children, which look the same, do not hold it."""
    try:
        inode = os.stat(os.path.join(folder, "sidecar.lock")).st_ino
    except FileNotFoundError:
        return None
    with open("/proc/locks", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and \
                    words[5].endswith(f":{inode}"):
                return int(words[4])
    return None
