# SPDX-License-Identifier: Apache-2.0
"""Whether a sidecar is at work in a session directory, and which: it has the
directory, or the byte of a store that a run named (lane/format/store_name.h)."""
import fcntl
import os
import struct


def _has_byte(fd):
    """Any byte of it, by anybody."""
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    told = fcntl.fcntl(fd, fcntl.F_GETLK, asked)
    return struct.unpack("hhqqi4x", told)[0] != fcntl.F_UNLCK


def _has_directory(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def is_held(folder):
    """Asked as `handspan status` does: with a shared lock, which a sidecar
    that is just coming tells from another sidecar's."""
    try:
        fd = os.open(os.path.join(folder, "sidecar.lock"), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return _has_byte(fd) or _has_directory(folder)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _has_open(pid, at):
    """The file itself, by device and inode: /proc/locks says the file system's
    device, which is not every file's. True as well where we may not look."""
    place = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(place)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    for number in numbers:
        try:
            if os.path.samestat(os.stat(os.path.join(place, number)), at):
                return True
        except OSError:
            continue
    return False


def holder(folder):
    """Its pid; its forked children, which look the same, do not hold it."""
    try:
        at = os.stat(os.path.join(folder, "sidecar.lock"))
    except FileNotFoundError:
        return None
    with open("/proc/locks", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[1] in ("FLOCK", "POSIX") and \
                    words[2:4] == ["ADVISORY", "WRITE"] and \
                    words[5].endswith(f":{at.st_ino}") and \
                    _has_open(int(words[4]), at):
                return int(words[4])
    return None
